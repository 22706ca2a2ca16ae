"""How a peer is asked: one JSON object a line on its input, one a line back; run with the peers' own Python."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any


def answer_lines(answer: Callable[[dict[str, Any]], dict[str, Any]], lines: Iterable[str]) -> None:
    """Answer lines until there are no more; a peer that fails is told of, and the run goes on."""
    replies, sys.stdout = sys.stdout, sys.stderr  # peers may print; only answers go to the pipe
    for line in lines:
        try:
            found = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001
            found = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        print(json.dumps(found), file=replies, flush=True)

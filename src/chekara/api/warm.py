"""Walk every compiled path once, so that nothing is compiled or loaded while somebody waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from chekara import messages
from chekara.api.parse import ScoreParser
from chekara.features.build import items_from_crossings
from chekara.service.champions import Champions
from chekara.settings import Limits


def warm_texts() -> None:
    """Read every language's catalogue and number formats."""
    for language in messages.languages():
        messages.text("lane.red", language)
        messages.number(1234.5, language)
        messages.money(1234.5, language)


def warm_champions(champions: Champions, example: Mapping[str, Any], limits: Limits) -> None:
    """Score an example with every champion, alone and in a small group, and throw the numbers away.

    Parameters
    ----------
    champions : Champions
    example : mapping
        A body of ``POST /v1/scores``. It goes through the real parser and the real features; nothing is logged.
    limits : Limits
    """
    body = msgspec.json.encode(example)
    parsed = ScoreParser(limits).parse(body, received_at=datetime.now(UTC), is_replay=True)
    for champion in champions.serving().values():
        for size in (1, 2, 32):
            items, _ = items_from_crossings([parsed.crossing] * size)
            X = champion.encode(champion.features(items))
            margins = champion.margins(X)
            champion.contributions(X)
            champion.calibration.interval(margins)

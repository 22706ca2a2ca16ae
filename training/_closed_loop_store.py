"""The lives of a closed loop on disk: each is kept as soon as it is over, so that an interruption costs one life."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chekara.errors import ConfigurationError

TABLES = ("weeks", "lot", "groups", "waits")


class LifeStore:
    """Lives in a folder.

    Parameters
    ----------
    out : Path
        Folder for everything that the closed loop writes; made if it is not there.
    order : mapping
        What all lives have in common. Lives of another order are not mixed in.

    Raises
    ------
    ConfigurationError
        The folder cannot be made.
    """

    def __init__(self, out: Path, order: Mapping[str, Any]) -> None:
        self.key = hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()[:12]
        self._lives = out / "lives" / self.key
        try:
            self._lives.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise ConfigurationError("the folder cannot be made", where="--out") from None

    def has(self, world: str, strategy: str, seed: int) -> bool:
        """Whether a life was lived before."""
        return self._path(world, strategy, seed).is_file()

    def keep(self, world: str, strategy: str, seed: int, tables: Mapping[str, list[dict[str, Any]]]) -> None:
        """Keep a life: all of it or nothing."""
        stamp = {"world": world, "strategy": strategy, "seed": seed}
        stamped = {name: [stamp | row for row in rows] for name, rows in tables.items()}
        draft = self._path(world, strategy, seed).with_suffix(".draft")
        draft.write_text(json.dumps(stamped, default=float), encoding="utf-8")
        draft.replace(self._path(world, strategy, seed))

    def tables(self, worlds: Sequence[str], strategies: Sequence[str], seeds: Sequence[int]) -> dict[str, pd.DataFrame]:
        """Return the rows of some lives by table, each with its ``world``, ``strategy`` and ``seed``.

        Parameters
        ----------
        worlds, strategies : sequence of str
        seeds : sequence of int
            Lives that were not lived are left out.
        """
        paths = [self._path(w, s, n) for w in worlds for s in strategies for n in seeds if self.has(w, s, n)]
        lives = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        return {name: pd.DataFrame([row for life in lives for row in life[name]]) for name in TABLES}

    def _path(self, world: str, strategy: str, seed: int) -> Path:
        return self._lives / f"{world}.{strategy}.{seed}.json"

"""The weeks of a backtest on disk: each is kept as soon as it is judged, so that an interruption costs one week."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chekara.errors import ConfigurationError

TABLES = ("found", "drift", "overlap")


class WeekStore:
    """Judged weeks in a folder.

    Parameters
    ----------
    out : Path
        Folder for everything that the backtest writes; made if it is not there.
    order : mapping
        What was asked for: history digest, specs, seed, budgets. Weeks of another order are not mixed in.

    Raises
    ------
    ConfigurationError
        The folder cannot be made.
    """

    def __init__(self, out: Path, order: Mapping[str, Any]) -> None:
        text = json.dumps(order, sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest()[:12]
        self._weeks = out / "weeks" / self.key
        try:
            self._weeks.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise ConfigurationError("the folder cannot be made", where="--out") from None

    def has(self, domain: str, week: str) -> bool:
        """Whether a week was judged before."""
        return self._path(domain, week).is_file()

    def keep(self, domain: str, week: str, rows: list[dict[str, Any]]) -> None:
        """Keep a judged week: all of it or nothing."""
        draft = self._path(domain, week).with_suffix(".draft")
        draft.write_text(json.dumps(rows), encoding="utf-8")
        draft.replace(self._path(domain, week))

    def tables(self, domains: Sequence[str], weeks: Sequence[str]) -> dict[str, pd.DataFrame]:
        """Return the rows of some weeks by table, in order of domains and weeks.

        Parameters
        ----------
        domains, weeks : sequence of str
            Weeks that were not judged are left out.
        """
        paths = [self._path(domain, week) for domain in domains for week in weeks if self.has(domain, week)]
        rows = [row for path in paths for row in json.loads(path.read_text(encoding="utf-8"))]
        return {
            name: pd.DataFrame([row for row in rows if row["table"] == name]).drop(columns="table", errors="ignore")
            for name in TABLES
        }

    def _path(self, domain: str, week: str) -> Path:
        return self._weeks / f"{domain}.{week}.json"

"""History in and out: Parquet and CSV folders, foreign ones included."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from chekara.data.checks import Refusal
from chekara.data.identity import EntityTokens
from chekara.data.mapping import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFile:
    """One file that was read: its table, its name and its rows before checks."""

    table: str
    name: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """History as read: validated frames, what was refused, and the digest of the bytes.

    Attributes
    ----------
    crossings, inspections, crossing_points : DataFrame
        Contract dtypes. A table that is not there is an empty frame with all contract columns.
    refusals : tuple of Refusal
    digest : str
        ``sha256:...`` over names and bytes of the files read.
    directory : Path
    ignored_columns : mapping of str to tuple of str
        By table: columns that are neither of the contract nor ``x_``.
    files : tuple of HistoryFile
    mapping_name : str or None
        The mapping that a foreign folder was read with.
    """

    crossings: pd.DataFrame
    inspections: pd.DataFrame
    crossing_points: pd.DataFrame
    refusals: tuple[Refusal, ...]
    digest: str
    directory: Path
    ignored_columns: Dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[HistoryFile, ...] = ()
    mapping_name: str | None = None

    def newest_revisions(self, known_before: datetime | None = None) -> pd.DataFrame:
        """Return the crossings, each in its highest revision with ``known_at`` before an instant."""
        raise NotImplementedError


def load_history(
    directory: Path, *, mapping: Mapping | Path | None = None, tokens: EntityTokens | None = None
) -> History:
    """Read a folder of history files."""
    raise NotImplementedError


def map_history(directory: Path, out: Path, mapping: Mapping | Path | None = None) -> History:
    """Bring a foreign folder to the contract and write it as Parquet."""
    raise NotImplementedError


def write_history(history_frames: Dict[str, pd.DataFrame], out: Path) -> None:
    """Write contract tables as Parquet; same frames, same bytes."""
    raise NotImplementedError

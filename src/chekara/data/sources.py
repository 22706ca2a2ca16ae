"""History in and out: Parquet and CSV folders, foreign ones included.

``audit_groups`` is never opened here: group attributes are read by the audit process alone.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from chekara.data.checks import Refusal, ValidatedTable, check_references, empty_table, validate_table
from chekara.data.files import digest_of, find_table, read_raw
from chekara.data.foreign import apply_mapping, find_mapping, mapped_files, read_foreign
from chekara.data.identity import EntityTokens
from chekara.data.labels import instant
from chekara.data.mapping import Mapping, load_mapping
from chekara.data.schema import CROSSING_COLUMNS, TABLES
from chekara.data.write import write_tables
from chekara.errors import HistoryError


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFile:
    """One file that was read.

    Attributes
    ----------
    table : str
        The contract table that it fed.
    name : str
        Its name without the folder.
    rows : int
        Rows before checks.
    """

    table: str
    name: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """History as read: validated frames, what was refused, and the digest of the bytes.

    Attributes
    ----------
    crossings, inspections, crossing_points : DataFrame
        Contract dtypes: ``str`` for strings and codes, float64 for numbers and integers, ``boolean``,
        ``datetime64[us, UTC]`` for instants, ``datetime64[us]`` for dates. Defaults filled, ``x_`` columns kept.
        A table that is not there is an empty frame with all contract columns.
    refusals : tuple of Refusal
        Violations of the contract, counted by reason.
    digest : str
        ``sha256:...`` over names and bytes of the files read (and the mapping used).
    directory : Path
    ignored_columns : mapping of str to tuple of str
        By table: columns that are neither of the contract nor ``x_``. Not a violation.
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

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The frames by the name of their contract table."""
        return {name: getattr(self, name) for name in TABLES}

    def newest_revisions(self, known_before: datetime | None = None) -> pd.DataFrame:
        """Return the crossings, each in the highest revision that was known at an instant.

        Parameters
        ----------
        known_before : datetime with offset, optional
            Only revisions with ``known_at`` strictly before it; default all.

        Returns
        -------
        DataFrame
            Rows of ``crossings`` in their order, one revision per crossing with all its items.

        Raises
        ------
        ConfigurationError
            The instant carries no offset.
        """
        known = self.crossings
        if known_before is not None:
            known = known[known["known_at"] < instant(known_before)]
        if not known["revision"].any():  # nobody corrected anything: spare a pass over the whole history
            return known
        newest = known.groupby("crossing_id", sort=False)["revision"].transform("max")
        return known[known["revision"] == newest]


def load_history(
    directory: Path,
    *,
    mapping: Mapping | Path | None = None,
    tokens: EntityTokens | None = None,
    takes_points_alone: bool = False,
) -> History:
    """Read a folder of history files, or a foreign folder through a mapping.

    Parameters
    ----------
    directory : Path
        Holds ``crossings.parquet`` or ``.csv``, and perhaps ``inspections`` and ``crossing_points``. A folder without
        crossings is read with the shipped mapping whose columns it has.
    mapping : Mapping or Path, optional
        Read the folder with this mapping; a path, or the name of a shipped one.
    tokens : EntityTokens, optional
        Replaces entity ids by national tokens. Without it they are only brought to one spelling.
    takes_points_alone : bool
        A folder of crossing points alone is a history without crossings, and no error.

    Returns
    -------
    History

    Raises
    ------
    HistoryError
        No such folder, no crossings, a table twice, an unreadable file; always named.
    DeniedColumnError
        A column describes people.
    MissingColumnError
        A required column is absent.
    ConfigurationError
        The mapping is wrong.

    Notes
    -----
    Inspections may be absent: such a history can be scored, not learned from.
    """
    directory = Path(directory)
    own = {table: path for table in TABLES if (path := find_table(directory, table)) is not None}
    if mapping is None and ("crossings" in own or (takes_points_alone and list(own) == ["crossing_points"])):
        return _load_contract_files(directory, own, tokens)
    found = load_mapping(mapping) if isinstance(mapping, Path) else mapping or find_mapping(directory)
    if found is None:
        raise HistoryError(
            "no crossings file",
            where=str(directory),
            hint="it needs crossings.parquet or crossings.csv, or a mapping file that fits its tables",
        )
    return _load_foreign_files(directory, found, tokens)


def map_history(directory: Path, out: Path, mapping: Mapping | Path | None = None) -> History:
    """Bring a foreign folder to the contract and write it as Parquet.

    Parameters
    ----------
    directory : Path
    out : Path
        Folder to write; made if it is not there.
    mapping : Mapping or Path, optional
        Default: the shipped mapping that fits.

    Returns
    -------
    History
        What was written: refused rows are left out and counted.

    Raises
    ------
    HistoryError
        As ``load_history``; also where ``out`` holds the same table as CSV, or is the folder read.
    """
    if Path(out).resolve() == Path(directory).resolve():
        raise HistoryError("cannot write into the folder that is read", where=str(out), hint="name another folder")
    history = load_history(directory, mapping=mapping)
    write_history({name: frame for name, frame in history.tables.items() if len(frame) or name == "crossings"}, out)
    return history


def write_history(history_frames: Dict[str, pd.DataFrame], out: Path) -> None:
    """Write contract tables as Parquet.

    Parameters
    ----------
    history_frames : mapping of str to DataFrame
        By table name. Columns that are missing throughout are left out unless the contract requires them.
    out : Path
        Folder to write; made if it is not there.

    Raises
    ------
    HistoryError
        There is no such table, or ``out`` holds it as CSV.

    Notes
    -----
    Same frames, same bytes. Each file appears whole or not at all.
    """
    write_tables(history_frames, Path(out))


def _load_contract_files(directory: Path, paths: dict[str, Path], tokens: EntityTokens | None) -> History:
    raw = {table: read_raw(path) for table, path in paths.items()}
    files = tuple(HistoryFile(table=table, name=path.name, rows=len(raw[table])) for table, path in paths.items())
    history = _validated(raw, directory, digest_of(paths.values()), tokens)
    return replace(history, files=files)


def _load_foreign_files(directory: Path, mapping: Mapping, tokens: EntityTokens | None) -> History:
    paths = mapped_files(mapping, directory)
    foreign = read_foreign(mapping, directory)
    files = tuple(
        HistoryFile(table=table, name=path.name, rows=rows)
        for table, parts in paths.items()
        for path, rows in zip(parts, foreign[table].attrs["rows_by_file"], strict=True)
    )
    digest = digest_of([path for parts in paths.values() for path in parts], also=[mapping.text.encode()])
    history = _validated(apply_mapping(mapping, foreign), directory, digest, tokens)
    return replace(history, files=files, mapping_name=mapping.name)


def _validated(raw: dict[str, pd.DataFrame], directory: Path, digest: str, tokens: EntityTokens | None) -> History:
    tables: dict[str, ValidatedTable] = {}
    for name in TABLES:
        if name in raw:
            tables[name] = validate_table(raw.pop(name), name)  # the raw frame goes as soon as it is used
        else:
            tables[name] = ValidatedTable(frame=empty_table(name), refusals=())
    crossings = _tokenised(tables["crossings"].frame, tokens)
    tables["inspections"] = check_references(tables["inspections"], crossings)
    return History(
        crossings=crossings.reset_index(drop=True),
        inspections=tables["inspections"].frame.reset_index(drop=True),
        crossing_points=tables["crossing_points"].frame.reset_index(drop=True),
        refusals=tuple(refusal for table in tables.values() for refusal in table.refusals),
        digest=digest,
        directory=directory,
        ignored_columns={name: table.ignored_columns for name, table in tables.items() if table.ignored_columns},
    )


def _tokenised(crossings: pd.DataFrame, tokens: EntityTokens | None) -> pd.DataFrame:
    if tokens is None:
        return crossings
    return crossings.assign(
        **{
            column.name: tokens.tokenise(column.entity, crossings[column.name])
            for column in CROSSING_COLUMNS
            if column.entity is not None
        }
    )

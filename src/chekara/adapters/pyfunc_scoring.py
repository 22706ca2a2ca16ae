"""Raw contract rows in a frame to scores in a frame: what the stock MLflow pyfunc model answers.

It walks the same road as the service (checks, features, margins, calibration) without what only a service has: no
profiles, no ranks, no lanes, no log. Scores from here are for notebooks, comparisons and batch studies; a decision
about a crossing comes from the service alone, because only there is it recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.adapters.pyfunc_columns import CONTRIBUTION_PREFIX, OUTPUT_COLUMNS, WARNINGS
from chekara.data.checks import validate_table
from chekara.data.schema import CROSSING_COLUMNS, EXTENSION_PREFIX
from chekara.features.build import items_from_frame
from chekara.features.catalogue import ItemColumns, find_feature, laid_columns
from chekara.features.profile_measures import REFERENCE_LEVEL, REFERENCE_PRICE, parse_profile_name
from chekara.modelling.model import Model

Floats = npt.NDArray[np.float64]


PRICE_COLUMNS = (REFERENCE_PRICE, REFERENCE_LEVEL)
_DAYS = frozenset(column.name for column in CROSSING_COLUMNS if column.kind == "date")


def score_rows(model: Model, frame: pd.DataFrame, *, with_contributions: bool = False) -> pd.DataFrame:
    """Score goods lines given as raw contract columns.

    Parameters
    ----------
    model : Model
    frame : DataFrame
        One row per goods line; strings are read as the files of the contract are. ``item_no`` may be left out:
        lines of one crossing are then numbered in order. Columns of profile features are taken as given; where
        they are absent the entity counts as never seen, and ``warnings`` says so. Other columns of the catalogue
        are accepted and computed here all the same.
    with_contributions : bool
        Add a column ``contribution_<feature>`` per feature and ``contribution_base``, log-odds of the line.

    Returns
    -------
    DataFrame
        One row per input row, in order: ``crossing_id``, ``item_no``, ``margin`` (of the crossing: its highest
        line), ``item_margin``, ``probability``, ``interval_low``, ``interval_high``, ``expected_amount`` (what a
        hit in the line would bring, currency; NaN where nothing is known of amounts) and ``warnings`` (codes joined by
        ``;``, such as ``missing_value:net_mass_kg``). A row that breaks the contract scores NaN, with the
        warning ``row_refused``.
    """
    raw = _as_lodged(frame)
    checked = validate_table(raw, "crossings").frame
    place = np.array(checked.index, dtype=np.int64)
    items, absent_profiles = with_given_profiles(items_from_frame(checked), model.names, raw, place)
    table = model.features(items)
    X = model.encode(table)
    applies = model.applies_to(items)
    item_margin = np.where(applies, model.margins(X), np.nan)
    margin = _highest_of_crossing(item_margin, items.values["crossing_index"])
    low, high = model.calibration.interval(margin)
    scored = {
        "margin": margin,
        "item_margin": item_margin,
        "probability": model.calibration.probability(margin),
        "interval_low": low,
        "interval_high": high,
        "expected_amount": np.where(applies, model.expected_amount(table), np.nan),
    }
    if with_contributions:
        contributions = model.contributions(X)
        names = (*model.names, "base")
        scored |= {f"{CONTRIBUTION_PREFIX}{name}": contributions[:, j] for j, name in enumerate(names)}
    unknown = [(row, f"unseen_category:{name}") for row, name in model.unseen(table)]
    unknown += [(row, f"missing_value:{name}") for row, name in model.missing(items, table) if applies[row]]
    notes = _warnings(unknown, raw, checked, place, applies, absent_profiles)
    return _answer(raw, scored, place, notes)


def _as_lodged(frame: pd.DataFrame) -> pd.DataFrame:
    """Every value as the text that a contract file would hold; known columns only."""
    known = [column.name for column in CROSSING_COLUMNS]
    kept = [name for name in frame.columns if name in known or _is_feature(name) or name.startswith(EXTENSION_PREFIX)]
    columns = {str(name): pd.Series([_text(v) for v in frame[name]], dtype="str") for name in kept}
    for name in _DAYS & columns.keys():
        columns[name] = columns[name].str.removesuffix("T00:00:00")  # what a frame makes of a day
    lodged = pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))
    if "item_no" not in lodged.columns and "crossing_id" in lodged.columns:
        lodged["item_no"] = (lodged.groupby("crossing_id", dropna=False).cumcount() + 1).astype("str")
    return lodged


def _is_feature(name: str) -> bool:
    return name in PRICE_COLUMNS or find_feature(name) is not None


def _text(value: object) -> str | None:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        # A frame that holds a gap turns whole numbers, codes among them, into floats: 610910.0 was 610910.
        return None if np.isnan(value) else str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return str(value)


def with_given_profiles(
    items: ItemColumns, names: Iterable[str], raw: pd.DataFrame, place: npt.NDArray[np.int64]
) -> tuple[ItemColumns, tuple[str, ...]]:
    """Lay profiles that the request holds beside its lines, since nothing here remembers entities.

    Parameters
    ----------
    items : ItemColumns
    names : iterable of str
        Features of the model.
    raw : DataFrame
        The request; columns named like profile features, or like the usual price, hold them.
    place : ndarray of int64, shape (n_items,)
        Row of the request of each line.

    Returns
    -------
    items : ItemColumns
    absent : tuple of str
        Kinds of profile that the model reads and of which the request lacks a column.
    """
    wanted = laid_columns(names)
    given = {
        name: pd.to_numeric(raw[name].iloc[place], errors="coerce").to_numpy(np.float32)
        for name in wanted
        if name in raw.columns
    }
    unknown = {name: np.full(items.n_items, np.nan, dtype=np.float32) for name in wanted if name not in given}
    absent = dict.fromkeys(_kind_of(name) for name in unknown)
    return ItemColumns(items.values | given | unknown, items.n_items), tuple(absent)


def _kind_of(column: str) -> str:
    parsed = parse_profile_name(column)
    return "usual_price" if parsed is None else parsed.kind.name


def _highest_of_crossing(item_margin: Floats, crossing: npt.NDArray[np.int64]) -> Floats:
    highest = np.full(len(item_margin), -np.inf)
    np.fmax.at(highest, crossing, item_margin)
    spread = highest[crossing]
    return np.where(np.isneginf(spread), np.nan, spread)


def _warnings(
    unknown: Sequence[tuple[int, str]],
    raw: pd.DataFrame,
    checked: pd.DataFrame,
    place: npt.NDArray[np.int64],
    applies: npt.NDArray[np.bool_],
    absent_profiles: tuple[str, ...],
) -> list[str]:
    """Codes per request row, in a fixed order."""
    codes: list[list[str]] = [["row_refused"] for _ in range(len(raw))]
    for row in place:
        codes[row] = [f"profile_absent:{name}" for name in absent_profiles]
    for name in raw.columns.intersection(checked.columns):
        blanked = raw[name].iloc[place].notna().to_numpy() & checked[name].isna().to_numpy()
        for row in place[blanked]:
            codes[row].append(f"value_blanked:{name}")
    for row, code in unknown:
        codes[place[row]].append(code)
    for row in place[~applies]:
        codes[row].append("not_applicable")
    return [";".join(found) for found in codes]


def _answer(
    raw: pd.DataFrame, scored: dict[str, Floats], place: npt.NDArray[np.int64], notes: list[str]
) -> pd.DataFrame:
    missing = pd.Series("", index=raw.index, dtype="str")
    columns: dict[str, pd.Series | Floats] = {
        "crossing_id": raw.get("crossing_id", missing).fillna(""),
        "item_no": pd.to_numeric(raw.get("item_no", missing), errors="coerce").fillna(0).astype(np.int64),
    }
    for name, values in scored.items():
        column = np.full(len(raw), np.nan)
        column[place] = values
        columns[name] = column
    columns[WARNINGS] = pd.Series(notes, dtype="str")
    extra = [name for name in scored if name not in OUTPUT_COLUMNS]
    return pd.DataFrame({name: columns[name] for name in ("crossing_id", "item_no", *OUTPUT_COLUMNS, WARNINGS, *extra)})

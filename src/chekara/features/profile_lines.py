"""Live crossings and results, as the records that a fold goes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from chekara.domain.crossing import Crossing, Value
from chekara.domain.inspection import Inspection
from chekara.features import declared
from chekara.features.catalogue import ItemColumns
from chekara.features.profile_frames import DECLARED_NUMBERS, fill_lines
from chekara.features.profile_keys import COLUMN_OF_FIELD, MISSING, field_reader, key_of
from chekara.features.profile_kinds import FIELDS
from chekara.features.profile_records import KEYED_LINE, StoredResult
from chekara.features.profile_state import Records


def lines_of_crossings(crossings: Sequence[Crossing], neighbours: Mapping[str, str]) -> Records:
    """Lay out the lines of crossings with their keys.

    Parameters
    ----------
    crossings : sequence of Crossing
    neighbours : mapping of str to str
        Of `chekara.features.profile_keys.neighbourhoods`.

    Returns
    -------
    ndarray of KEYED_LINE, shape (n_lines,)
        Crossing after crossing, in the order of their items.
    """
    rows = [(c.header, item) for c in crossings for item in c.items]
    out = np.zeros(len(rows), dtype=KEYED_LINE)
    columns = {
        name: np.array([_number(item.get(name, header.get(name))) for header, item in rows], dtype=np.float64)
        for name in DECLARED_NUMBERS
    }
    columns[declared.CROSSING_INDEX] = np.repeat(np.arange(len(crossings)), [len(c.items) for c in crossings])
    fill_lines(out, ItemColumns(columns, len(rows)))
    out["item_no"] = [item.get("item_no", 1) for _, item in rows]
    readers = [(COLUMN_OF_FIELD[field], field, field_reader(field, neighbours)) for field in FIELDS]
    keys: list[int] = []
    for c in crossings:
        # Most is said once for a crossing; only what a goods line says itself is read again for it.
        own = [_key(field, read, c.header.get(column)) for column, field, read in readers]
        for item in c.items:
            keys += [
                _key(field, read, item[column]) if column in item else key
                for key, (column, field, read) in zip(own, readers, strict=True)
            ]
    out["keys"] = np.array(keys, dtype=np.int64).reshape(len(rows), len(FIELDS))
    return out


def _key(field: str, read: Callable[[str], str | None], given: Value | None) -> int:
    text = read(given) if isinstance(given, str) else None
    return MISSING if text is None else _key_of(field, text)


_key_of = lru_cache(maxsize=65_536)(key_of)  # posts, codes and carriers come again and again


def _number(value: Value | None) -> float:
    return np.nan if value is None else float(value)  # type: ignore[arg-type]


def result_of_inspection(inspection: Inspection, domains: Sequence[str], at: float) -> StoredResult:
    """Lay out the result of an inspection.

    Parameters
    ----------
    inspection : Inspection
    domains : sequence of str
        Those that are kept.
    at : float
        Days at which it was known.
    """
    domain = domains.index(inspection.domain) if inspection.domain in domains else -1
    details = inspection.details
    money = sum(_number(details.get(name, 0.0)) for name in ("revenue_recovered", "seized_value"))
    return StoredResult(
        inspection=key_of("inspection", inspection.inspection_id),
        number=inspection.revision,
        at=at,
        domain=domain,
        counts=inspection.is_done and domain >= 0,
        hit=float(inspection.is_hit),
        amount=money if inspection.is_hit else 0.0,
        item_no=-1 if inspection.item_no is None else inspection.item_no,
    )

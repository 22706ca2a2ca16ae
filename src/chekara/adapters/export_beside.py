"""What leaves beside a history: every draw of the lot, what officers did with decisions, and draws nobody made.

``draws.parquet`` and ``reviews.parquet`` are no tables of the contract, so loading a history passes them over: a draw
is no outcome, and an override is an opinion. Whoever wants to learn from them names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as arrow
from pyarrow import parquet
from sqlalchemy import Connection, func, select

from chekara.adapters import tables
from chekara.adapters.lot_publish import crossing_draws
from chekara.adapters.lot_watch import drawn_cases
from chekara.domain.inspection import Inspection
from chekara.domain.vocabulary import INFORMED
from chekara.policy.lot import period_begins
from chekara.service.chain import instant_from
from chekara.service.lot_status import GRACE, DrawnCase
from chekara.service.payload import Plain, parsed
from chekara.service.records import Chain

Row = dict[str, Any]

_INSTANT = arrow.timestamp("us", "UTC")
SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "draws": {
        "crossing_id": arrow.string(),
        "known_at": _INSTANT,
        "crossing_point": arrow.string(),
        "domain": arrow.string(),
        "arm": arrow.string(),
        "propensity": arrow.float64(),
        "is_drawn": arrow.bool_(),
        "commitment": arrow.string(),
    },
    "reviews": {
        "crossing_id": arrow.string(),
        "decision_id": arrow.string(),
        "domain": arrow.string(),
        "agency": arrow.string(),
        "action": arrow.string(),
        "asked_lane": arrow.string(),
        "lane": arrow.string(),
        "refer_to": arrow.string(),
        "reviewed_at": _INSTANT,
    },
}
_GROUP: Final = 20_000
_PAGE: Final = 500
_EVER: Final = period_begins("2000-01")


@dataclass(frozen=True, slots=True)
class Beside:
    """Rows that were written beside a history."""

    draws: int
    reviews: int


def write_beside(connection: Connection, out: Path, since: datetime | None) -> Beside:
    """Write draws and reviews of the live log, in bounded memory.

    Parameters
    ----------
    connection : Connection
    out : Path
        A folder that is there.
    since : datetime or None
        Only crossings known, and reviews made, at this instant or later.
    """
    return Beside(
        draws=_write(out / "draws.parquet", _draw_rows(connection, since), SHAPES["draws"]),
        reviews=_write(out / "reviews.parquet", _review_rows(connection, since), SHAPES["reviews"]),
    )


def _write(path: Path, rows: Iterable[Row], shape: Mapping[str, Any]) -> int:
    schema, draft = arrow.schema(list(shape.items())), path.with_name(f".{path.name}.draft")
    written = 0
    try:
        with parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
            for group in _groups(rows):
                writer.write_table(arrow.Table.from_pylist(group, schema=schema))
                written += len(group)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return written


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group


def _draw_rows(connection: Connection, since: datetime | None) -> Iterator[Row]:
    d = tables.decisions
    # Of a crossing that was corrected the first decision drew; the others repeat it.
    corrected = (
        select(d.c.crossing_id, func.min(d.c.position))
        .where(d.c.chain == Chain.LIVE.value)
        .group_by(d.c.crossing_id)
        .having(func.count() > 1)
    )
    first: dict[str, int] = {row[0]: row[1] for row in connection.execute(corrected)}
    for record in crossing_draws(connection, None):
        is_due = since is None or record.known_at >= since
        if is_due and first.get(record.crossing_id, record.position) == record.position:
            for draw in record.asking:
                yield {
                    "crossing_id": record.crossing_id,
                    "known_at": record.known_at,
                    "crossing_point": record.crossing_point,
                    "domain": draw.domain,
                    "arm": draw.arm,
                    "propensity": draw.propensity,
                    "is_drawn": draw.is_drawn,
                    "commitment": draw.commitment,
                }


def _review_rows(connection: Connection, since: datetime | None) -> Iterator[Row]:
    r, d, p = tables.reviews, tables.decisions, tables.payloads
    said, decided = p.alias("said"), p.alias("decided")
    position = 0
    while True:
        query = (
            select(r.c.position, d.c.crossing_id, said.c.body, decided.c.body)
            .join(d, d.c.decision_id == r.c.decision_id)
            .join(said, (said.c.chain == r.c.chain) & (said.c.position == r.c.position))
            .join(decided, (decided.c.chain == d.c.chain) & (decided.c.position == d.c.position))
            .where(r.c.chain == Chain.LIVE.value, r.c.position > position)
            .order_by(r.c.position)
            .limit(_PAGE)
        )
        page = connection.execute(query).all()
        if not page:
            return
        position = page[-1][0]
        for _, crossing_id, review, decision in page:
            yield from _rows_of_review(crossing_id, parsed(review), parsed(decision), since)


def _rows_of_review(crossing_id: str, review: Plain, decision: Plain, since: datetime | None) -> Iterator[Row]:
    """Yield a row per domain that the reviewing agency leads there; one without a domain where it leads none."""
    reviewed_at = instant_from(review["reviewed_at"])
    if since is not None and reviewed_at < since:
        return
    agency = review["agency"]
    led: dict[str | None, str | None] = {
        score["domain"]: "green" for score in decision["domains"] if score["agency"] == agency
    }
    led |= {
        action["domain"]: action["lane"]
        for action in decision["actions"]
        if action["agency"] == agency and action["role"] != INFORMED
    }
    for domain, asked in (led or {None: None}).items():
        yield {
            "crossing_id": crossing_id,
            "decision_id": review["decision_id"],
            "domain": domain,
            "agency": agency,
            "action": review["action"],
            "asked_lane": asked,
            "lane": review["lane"],
            "refer_to": review["refer_to"],
            "reviewed_at": reviewed_at,
        }


def undone_draws(connection: Connection, since: datetime | None, now: datetime) -> list[Inspection]:
    """Return draws of which no result ever came, as results that say so.

    Parameters
    ----------
    connection : Connection
    since : datetime or None
        Only those that count as not done from this instant on.
    now : datetime

    Returns
    -------
    list of Inspection
        ``status`` is ``not_done``; known when the time for a result was over.
    """
    cases = [
        case
        for case in drawn_cases(connection, _EVER, now)
        if case.is_done is None and case.outcome(now) == "not_done" and (since is None or case.due_at + GRACE >= since)
    ]
    plans = _selections(connection, {case.crossing_id for case in cases})
    found = (_undone(case, plans.get((case.crossing_id, case.domain))) for case in cases)
    return [one for one in found if one is not None]


def _selections(connection: Connection, crossing_ids: set[str]) -> dict[tuple[str, str], tuple[float, str | None]]:
    """Return propensity and joint control of drawn crossings, by domain; nothing of what retention removed."""
    t, p = tables.lot_draws, tables.payloads
    found: dict[tuple[str, str], tuple[float, str | None]] = {}
    wanted = sorted(crossing_ids)
    for begin in range(0, len(wanted), _PAGE):
        query = (
            select(t.c.crossing_id, p.c.body)
            .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
            .where(t.c.chain == Chain.LIVE.value, t.c.crossing_id.in_(wanted[begin : begin + _PAGE]))
            .order_by(t.c.position)
        )
        for crossing_id, body in connection.execute(query):
            plain = parsed(body)
            for one in _drawn(plain["selections"]):
                found.setdefault((crossing_id, one["domain"]), (one["propensity"], plain["control_id"]))
    return found


def _drawn(selections: Sequence[Plain]) -> Iterator[Plain]:
    return (one for one in selections if one["propensity"] is not None)


def _undone(case: DrawnCase, known: tuple[float, str | None] | None) -> Inspection | None:
    if known is None:
        return None
    propensity, control_id = known
    over_at = case.due_at + GRACE
    details = {"status": "not_done", "agency": case.agency}
    return Inspection(
        inspection_id=f"undone:{case.domain}:{case.crossing_id}",
        crossing_id=case.crossing_id,
        domain=case.domain,
        inspected_at=over_at,
        known_at=over_at,
        found=False,
        selected_by="random",
        propensity=propensity,
        details=details if control_id is None else details | {"control_id": control_id},
        revision=0,
    )

"""What becomes of the draws of the lot: read from the log for alarms, metrics and ``chekara lot status``."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from datetime import time as time_of_day
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, RowMapping, func, select, true

from chekara.adapters import tables
from chekara.adapters.chain_writer import Clock, now
from chekara.adapters.database import Database
from chekara.adapters.lot_seeds import ServingSeeds
from chekara.policy.lot import LOT_ARM, has_lot, period_of
from chekara.policy.policy import Policy
from chekara.service.chain import instant_from, instant_text
from chekara.service.lot_status import (
    DrawnCase,
    LotAlarm,
    LotTally,
    LotTraffic,
    lot_alarms,
    tally_lot,
    window_at,
)
from chekara.service.payload import inspection_record_from, parsed
from chekara.service.records import Chain

LOOK_EVERY_SECONDS: Final = 600.0


class LotWatch:
    """Looks after the lot of one installation.

    Parameters
    ----------
    database : Database
    policy : Policy
    seeds : ServingSeeds
    clock : callable
        The present instant.
    monotonic : callable
        Seconds of a clock that never steps.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        seeds: ServingSeeds,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._policy = policy
        self._seeds = seeds
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: tuple[float, tuple[LotAlarm, ...]] | None = None

    def problem(self) -> str | None:
        """Return why nothing is drawn at present; None where the lot draws, or the policy has none.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        if not has_lot(self._policy.lot):
            return None
        return self._seeds.problem(period_of(self._clock()))

    def status(self) -> tuple[LotTally, ...]:
        """Return what was drawn within the window, and what became of it.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        at = self._clock()
        begin, end = window_at(at)
        with self._database.reading() as connection:
            cases = _drawn(connection, begin, end, LOT_ARM)
            traffic = _traffic(connection, begin, end, self._policy)
        return tally_lot(cases, traffic, self._policy, now=at)

    def alarms(self) -> tuple[LotAlarm, ...]:
        """Return what is wrong, as of a look at most ten minutes ago.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        with self._lock:
            if self._seen is None or self._monotonic() >= self._seen[0] + LOOK_EVERY_SECONDS:
                self._seen = (self._monotonic(), lot_alarms(self.status(), self._policy))
            return self._seen[1]


def withdrawn_crossings(connection: Connection) -> frozenset[str]:
    """Return ids of crossings whose newest revision in the live log says that they never came."""
    d, v = tables.decisions, tables.voids
    came_again = (
        select(d.c.crossing_id)
        .where(d.c.chain == v.c.chain, d.c.crossing_id == v.c.crossing_id, d.c.revision > v.c.revision)
        .exists()
    )
    query = select(v.c.crossing_id).where(v.c.chain == Chain.LIVE.value, ~came_again)
    return frozenset(connection.execute(query).scalars())


def drawn_cases(connection: Connection, begin: datetime, end: datetime) -> list[DrawnCase]:
    """Return crossings of the live log that were drawn from one instant until another, by domain.

    A correction repeats the draws of what it corrects: the first one counts. Withdrawn crossings are left out.

    Parameters
    ----------
    connection : Connection
    begin, end : datetime
        Drawn at or after the first and before the second.
    """
    return [case for case in _drawn(connection, begin, end) if not case.is_withdrawn]


def _drawn(connection: Connection, begin: datetime, end: datetime, arm: str | None = None) -> list[DrawnCase]:
    """Return draws, of one arm or of all, those of withdrawn crossings among them."""
    t, withdrawn = tables.lot_draws, withdrawn_crossings(connection)
    of_arm = true() if arm is None else t.c.arm == arm
    query = (
        select(t.c.crossing_id, t.c.crossing_point, t.c.domain, t.c.agency, t.c.drawn_at, t.c.due_at)
        .where(
            t.c.chain == Chain.LIVE.value,
            t.c.drawn_at >= instant_text(begin),
            t.c.drawn_at < instant_text(end),
            of_arm,
        )
        .order_by(t.c.position)
    )
    first: dict[tuple[str, str], RowMapping] = {}
    for row in connection.execute(query).mappings():
        first.setdefault((row["crossing_id"], row["domain"]), row)
    results = _results(connection, begin, end)
    return [
        DrawnCase(
            crossing_id=row["crossing_id"],
            crossing_point=row["crossing_point"],
            domain=row["domain"],
            agency=row["agency"],
            drawn_at=instant_from(row["drawn_at"]),
            due_at=instant_from(row["due_at"]),
            is_done=results.get(key),
            is_withdrawn=row["crossing_id"] in withdrawn,
        )
        for key, row in first.items()
    ]


def _results(connection: Connection, begin: datetime, end: datetime) -> dict[tuple[str, str], bool]:
    """Return whether a control was made, by drawn crossing and domain; the newest revision of each result counts."""
    i, t, p = tables.inspections, tables.lot_draws, tables.payloads
    drawn = select(t.c.crossing_id).where(
        t.c.chain == Chain.LIVE.value, t.c.drawn_at >= instant_text(begin), t.c.drawn_at < instant_text(end)
    )
    query = (
        select(i.c.inspection_id, i.c.position, p.c.body)
        .join(p, (p.c.chain == i.c.chain) & (p.c.position == i.c.position))
        .where(i.c.chain == Chain.LIVE.value, i.c.crossing_id.in_(drawn))
        .order_by(i.c.revision)
    )
    newest = {
        inspection_id: inspection_record_from(parsed(body), chain=Chain.LIVE, position=position).inspection
        for inspection_id, position, body in connection.execute(query)
    }
    made: dict[tuple[str, str], bool] = defaultdict(bool)
    for one in newest.values():
        made[one.crossing_id, one.domain] |= one.is_done
    return made


def _traffic(connection: Connection, begin: datetime, end: datetime, policy: Policy) -> LotTraffic:
    """Count crossings by domain, crossing point and shift: each once, by its first decision.

    A domain applies where it was scored; while no model scored it, it may apply to every crossing.
    """
    d, e, s = tables.decisions, tables.decided_elsewhere, tables.decision_domains
    withdrawn = withdrawn_crossings(connection)
    first = (
        select(func.min(d.c.position))
        .where(
            d.c.chain == Chain.LIVE.value,
            d.c.scored_at >= instant_text(begin),
            d.c.scored_at < instant_text(end),
        )
        .group_by(d.c.crossing_id)
    )
    query = (
        select(d.c.position, d.c.crossing_id, d.c.crossing_point, d.c.scored_at, e.c.position.label("left"), s.c.domain)
        .outerjoin(s, s.c.decision_id == d.c.decision_id)
        .outerjoin(e, e.c.decision_id == d.c.decision_id)
        .where(d.c.chain == Chain.LIVE.value, d.c.position.in_(first))
        .order_by(d.c.position)
    )
    scored: Counter[tuple[str, str, time_of_day]] = Counter()
    gone, elsewhere = scored.copy(), scored.copy()
    modelled: set[str] = set()
    for _, rows in groupby(connection.execute(query), key=itemgetter(0)):
        of_one = list(rows)
        one, domains = of_one[0], {row.domain for row in of_one if row.domain is not None}
        modelled |= domains
        counts = gone if one.crossing_id in withdrawn else scored if one.left is None else elsewhere
        shift = policy.capacity.shifts.shift_at(instant_from(one.scored_at))
        applies = [domain for domain in policy.lot.domains if domain in domains or domain not in modelled]
        counts.update((domain, one.crossing_point, shift) for domain in applies)
    return LotTraffic(scored, gone, elsewhere)

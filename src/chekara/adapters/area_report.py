"""What a priority control area brought: its draws and what they found, beside the lot outside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from sqlalchemy import ColumnElement, Connection, select

from chekara.adapters.chain_writer import Clock, now
from chekara.adapters.database import Database, open_database
from chekara.adapters.lot_watch import withdrawn_crossings
from chekara.adapters.policies import policy_that_serves
from chekara.adapters.tables import inspections, lot_draws, payloads
from chekara.errors import ConfigurationError
from chekara.evaluation.calibration import wilson_interval
from chekara.policy.lot import LOT_ARM
from chekara.policy.rules import ControlArea
from chekara.service.chain import instant_text
from chekara.service.payload import inspection_from, parsed
from chekara.service.records import Chain
from chekara.settings import Settings


@dataclass(frozen=True, slots=True)
class DrawnTally:
    """Crossings drawn, those whose control was done, and those where it was a hit."""

    drawn: int
    done: int
    found: int

    @property
    def rate(self) -> tuple[float, float, float] | None:
        """Share found of those done, with its 90 % bounds; None where nothing was done."""
        if not self.done:
            return None
        low, high = wilson_interval(self.found, self.done)
        return self.found / self.done, low, high


@dataclass(frozen=True, slots=True)
class AreaReport:
    """An area so far, or closed.

    Attributes
    ----------
    area : ControlArea
    at : datetime
        Until when was counted.
    inside : DrawnTally
        Drawn by the area.
    outside : DrawnTally
        Drawn by the lot for the same domain while the area held, of crossings that lay outside it: those of which the
        area drew, whether it fell on them or not, are left out, and so are those whose payload retention has removed.
    """

    area: ControlArea
    at: datetime
    inside: DrawnTally
    outside: DrawnTally

    @property
    def stage(self) -> str:
        """``not begun``, ``running``, ``interim review due`` or ``closed``."""
        if self.at < self.area.begins_at:
            return "not begun"
        if self.at >= self.area.ends_at:
            return "closed"
        return "interim review due" if self.at >= self.area.interim_review_at else "running"

    def show(self, console: Console) -> None:
        """Print the report."""
        own = self.area
        console.print(f"{own.area}: {own.title} ({own.domain}), {self.stage}", highlight=False)
        console.print(
            f"from {own.begins_at:%Y-%m-%d} until {own.ends_at:%Y-%m-%d}, "
            f"interim review {own.interim_review_at:%Y-%m-%d}, rate {own.rate:.1%}",
            highlight=False,
        )
        for name, tally in (("in the area", self.inside), ("the lot outside it", self.outside)):
            rate = "" if tally.rate is None else ": {:.2%} ({:.2%} to {:.2%})".format(*tally.rate)
            said = f"{name}: {tally.drawn:,} drawn, {tally.done:,} done, {tally.found:,} hits{rate}"
            console.print(said, highlight=False)


def area_report(settings: Settings, name: str, clock: Clock = now) -> AreaReport:
    """Report on a priority control area of the policy that serves.

    Parameters
    ----------
    settings : Settings
    name : str
        Id of the area.
    clock : callable
        The present instant.

    Raises
    ------
    ConfigurationError
        The policy has no such area.
    LogUnavailableError
        The database does not answer.
    """
    database = open_database(settings)
    try:
        areas = {area.area: area for area in policy_that_serves(settings, database).rules.areas}
        if name not in areas:
            known = ", ".join(areas) or "it has none"
            raise ConfigurationError("the policy that serves has no such area", where="NAME", hint=known)
        return _report(database, areas[name], clock())
    finally:
        database.close()


def _report(database: Database, area: ControlArea, at: datetime) -> AreaReport:
    with database.reading() as connection:
        withdrawn = withdrawn_crossings(connection)
        inside = _drawn_inside(connection, area, at) - withdrawn
        outside = _drawn_outside(connection, area, at) - inside - withdrawn
        results = _results(connection, area.domain, inside | outside)
    return AreaReport(area, at, _tally(inside, results), _tally(outside, results))


def _drawn_inside(connection: Connection, area: ControlArea, at: datetime) -> set[str]:
    query = select(lot_draws.c.crossing_id).where(*_of_arm(area, area.area, at))
    return set(connection.execute(query).scalars())


def _drawn_outside(connection: Connection, area: ControlArea, at: datetime) -> set[str]:
    """Return what the lot drew of that of which the area did not draw: only a payload tells draws that fell on nobody.

    A crossing that one of its revisions puts into the area is not outside it.
    """
    t, p = lot_draws, payloads
    query = (
        select(t.c.crossing_id, p.c.body)
        .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(*_of_arm(area, LOT_ARM, at))
    )
    drawn, in_area = set(), set()
    for crossing_id, body in connection.execute(query):
        drawn.add(crossing_id)
        if any(draw["arm"] == area.area for draw in parsed(body)["grounds"]["draws"]):
            in_area.add(crossing_id)
    return drawn - in_area


def _of_arm(area: ControlArea, arm: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    t = lot_draws
    return (
        t.c.chain == Chain.LIVE.value,
        t.c.domain == area.domain,
        t.c.arm == arm,
        t.c.drawn_at >= instant_text(area.begins_at),
        t.c.drawn_at < instant_text(min(area.ends_at, at)),
    )


def _results(connection: Connection, domain: str, crossings: set[str]) -> dict[str, bool]:
    """Return whether any control done in a domain was a hit, for crossings with one."""
    i, p = inspections, payloads
    query = (
        select(p.c.body)
        .join(i, (i.c.chain == p.c.chain) & (i.c.position == p.c.position))
        .where(i.c.chain == Chain.LIVE.value, i.c.domain == domain)
        .order_by(i.c.position)
    )
    newest = {}
    for body in connection.execute(query).scalars():
        result = inspection_from(parsed(body))
        if result.crossing_id in crossings:
            newest[result.inspection_id] = result
    found: dict[str, bool] = {}
    for result in newest.values():
        if result.is_done:
            found[result.crossing_id] = found.get(result.crossing_id, False) or result.is_hit
    return found


def _tally(crossings: set[str], results: dict[str, bool]) -> DrawnTally:
    done = [results[crossing] for crossing in crossings if crossing in results]
    return DrawnTally(len(crossings), len(done), sum(done))

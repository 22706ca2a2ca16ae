"""What a priority control area brought: its draws and what they found, beside the lot outside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from sqlalchemy import Connection, select

from chekara.adapters.chain_writer import Clock, now
from chekara.adapters.database import Database, open_database
from chekara.adapters.policies import policy_that_serves
from chekara.adapters.tables import inspections, lot_draws, payloads, voids
from chekara.errors import ConfigurationError
from chekara.evaluation.calibration import wilson_interval
from chekara.policy.rules import ControlArea
from chekara.service.chain import instant_text
from chekara.service.payload import inspection_from, parsed
from chekara.service.records import Chain
from chekara.settings import Settings

LOT_ARM = "lot"


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
        Drawn by the lot for the same domain while the area held, and not by the area.
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
        inside = _drawn(connection, area, area.area, at)
        outside = _drawn(connection, area, LOT_ARM, at) - inside
        results = _results(connection, area.domain, inside | outside)
    return AreaReport(area, at, _tally(inside, results), _tally(outside, results))


def _drawn(connection: Connection, area: ControlArea, arm: str, at: datetime) -> set[str]:
    t, v = lot_draws, voids
    withdrawn = select(v.c.crossing_id).where(v.c.chain == Chain.LIVE.value)
    query = select(t.c.crossing_id).where(
        t.c.chain == Chain.LIVE.value,
        t.c.domain == area.domain,
        t.c.arm == arm,
        t.c.drawn_at >= instant_text(area.begins_at),
        t.c.drawn_at < instant_text(min(area.ends_at, at)),
        t.c.crossing_id.not_in(withdrawn),
    )
    return set(connection.execute(query).scalars())


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

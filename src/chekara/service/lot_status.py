"""Whether the lot is still a random sample: what was drawn, what of it was done, and where too little was."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final, TypeAlias

from rich.console import Console
from rich.table import Table

from chekara.evaluation.calibration import Z95, wilson_interval
from chekara.policy.policy import Policy

WINDOW: Final = timedelta(days=28)
GRACE: Final = timedelta(days=3)
"""A draw without a result so long after it was due counts as not done, until a result comes."""

FEWEST_SETTLED: Final = 5
"""Draws that must be settled somewhere before a share of them says anything."""

EVERYWHERE: Final = "*"

_Place: TypeAlias = tuple[str, str, time]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCase:
    """A crossing that was drawn for a domain, by one arm or several.

    Attributes
    ----------
    crossing_id, crossing_point, domain, agency : str
        The agency leads the domain there.
    drawn_at, due_at : datetime
    is_done : bool or None
        Whether the control was made; None where no result of it came.
    is_withdrawn : bool
        The crossing was withdrawn afterwards: whoever sent it said that it never came.
    """

    crossing_id: str
    crossing_point: str
    domain: str
    agency: str
    drawn_at: datetime
    due_at: datetime
    is_done: bool | None
    is_withdrawn: bool = False

    def outcome(self, now: datetime) -> str:
        """Return ``done``, ``not_done``, ``waiting`` while a result may still come, or ``withdrawn``."""
        if self.is_withdrawn:
            return "withdrawn"
        if self.is_done is not None:
            return "done" if self.is_done else "not_done"
        return "not_done" if now > self.due_at + GRACE else "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class LotTally:
    """The lot of one domain at one crossing point, or everywhere.

    Attributes
    ----------
    domain, crossing_point, agency : str
        ``*`` for all crossing points, and for their agencies where these differ.
    crossings : int
        That were scored in the window and that the domain applies to.
    planned : float
        Draws that the policy's propensities expect of them.
    drawn, done, not_done, waiting : int
    withdrawn : int
        Draws of crossings that were withdrawn afterwards; no part of ``drawn``.
    withdrawn_crossings, elsewhere : int
        Crossings that were withdrawn, and those that were decided elsewhere, so that the lot could ask for none of
        them; no part of ``crossings``.
    """

    domain: str
    crossing_point: str
    agency: str
    crossings: int
    planned: float
    drawn: int
    done: int
    not_done: int
    waiting: int
    withdrawn: int = 0
    withdrawn_crossings: int = 0
    elsewhere: int = 0

    @property
    def done_share(self) -> float:
        """Done of those that are settled, in [0, 1]; NaN where none is."""
        settled = self.done + self.not_done
        return self.done / settled if settled else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class LotAlarm:
    """Something that makes the lot worth less than it should be.

    Attributes
    ----------
    code : {'few_done', 'below_floor', 'drawn_withdrawn', 'no_seed'}
    domain, crossing_point, agency : str
    sentence : str
        For whoever runs the service.
    """

    code: str
    domain: str
    crossing_point: str
    agency: str
    sentence: str


def window_at(now: datetime) -> tuple[datetime, datetime]:
    """Return the window of a look at an instant: 28 days, ending when results may be missed."""
    return now - GRACE - WINDOW, now - GRACE


@dataclass(frozen=True, slots=True)
class LotTraffic:
    """Crossings of a window, by (domain, crossing point, local start of the shift); each where the domain applies.

    Attributes
    ----------
    scored, withdrawn, elsewhere : mapping
        Those that the lot could ask for, those that were withdrawn, and those that were decided elsewhere.
    """

    scored: Mapping[_Place, int]
    withdrawn: Mapping[_Place, int] = field(default_factory=dict)
    elsewhere: Mapping[_Place, int] = field(default_factory=dict)


def tally_lot(
    cases: Iterable[DrawnCase], traffic: LotTraffic, policy: Policy, *, now: datetime
) -> tuple[LotTally, ...]:
    """Count draws and what became of them.

    Parameters
    ----------
    cases : iterable of DrawnCase
        Drawn by the lot within `window_at`, each crossing and domain once.
    traffic : LotTraffic
        Of the same window.
    policy : Policy
    now : datetime

    Returns
    -------
    tuple of LotTally
        Of every domain of the policy's lot: everywhere, then by crossing point.
    """
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for case in cases:
        outcome = case.outcome(now)
        for point in (EVERYWHERE, case.crossing_point):
            counts[case.domain, point].update((outcome,) if outcome == "withdrawn" else ("drawn", outcome))
    points = sorted({point for _, point, _ in (*traffic.scored, *traffic.withdrawn, *traffic.elsewhere)})
    return tuple(
        _tally(domain, point, traffic, counts[domain, point], policy)
        for domain in sorted(policy.lot.domains)
        for point in (EVERYWHERE, *points)
    )


def _tally(domain: str, point: str, traffic: LotTraffic, counts: Counter[str], policy: Policy) -> LotTally:
    def counted(of: Mapping[_Place, int]) -> dict[tuple[str, time], int]:
        return {(own, at): n for (name, own, at), n in of.items() if name == domain and point in (EVERYWHERE, own)}

    here = counted(traffic.scored)
    agencies = {policy.agencies(domain, own).lead for own, _ in here}
    return LotTally(
        domain=domain,
        crossing_point=point,
        agency=agencies.pop() if len(agencies) == 1 else EVERYWHERE,
        crossings=sum(here.values()),
        planned=sum(n * policy.lot.propensity_at(domain, own, shift) for (own, shift), n in here.items()),
        drawn=counts["drawn"],
        done=counts["done"],
        not_done=counts["not_done"],
        waiting=counts["waiting"],
        withdrawn=counts["withdrawn"],
        withdrawn_crossings=sum(counted(traffic.withdrawn).values()),
        elsewhere=sum(counted(traffic.elsewhere).values()),
    )


def lot_alarms(tallies: Iterable[LotTally], policy: Policy) -> tuple[LotAlarm, ...]:
    """Return where too few draws were done, beyond what chance explains.

    A share is too low where its upper 95 % bound (Wilson) is, of `FEWEST_SETTLED` draws or more: a post with three
    draws does not cry wolf over one.

    Parameters
    ----------
    tallies : iterable of LotTally
    policy : Policy
        Its lot's ``alarm_share`` of draws and ``floor`` of crossings.
    """
    return tuple(alarm for tally in tallies for alarm in _alarms(tally, policy))


def _alarms(tally: LotTally, policy: Policy) -> Iterable[LotAlarm]:
    where = {"domain": tally.domain, "crossing_point": tally.crossing_point, "agency": tally.agency}
    place = "everywhere together" if tally.crossing_point == EVERYWHERE else f"at {tally.crossing_point}"
    settled, lot = tally.done + tally.not_done, policy.lot
    if settled >= FEWEST_SETTLED and wilson_interval(tally.done, settled, Z95)[1] < lot.alarm_share:
        sentence = f"{tally.domain} {place}: {tally.done} of {settled} draws were done, asked for {lot.alarm_share:.0%}"
        yield LotAlarm(code="few_done", sentence=sentence, **where)
    sampled = tally.done + tally.waiting
    if tally.crossings and wilson_interval(sampled, tally.crossings, Z95)[1] < lot.floor:
        sentence = (
            f"{tally.domain} {place}: the lot controlled {sampled} of {tally.crossings} crossings, "
            f"asked for {lot.floor:.2%} at least"
        )
        yield LotAlarm(code="below_floor", sentence=sentence, **where)
    gone = tally.withdrawn_crossings
    if tally.withdrawn >= FEWEST_SETTLED:
        share_of_all = gone / (tally.crossings + gone)
        if wilson_interval(tally.withdrawn, tally.drawn + tally.withdrawn, Z95)[0] > share_of_all:
            sentence = (
                f"{tally.domain} {place}: {tally.withdrawn} of {tally.drawn + tally.withdrawn} drawn crossings were "
                f"withdrawn, of all {share_of_all:.1%}: somebody may withdraw what is drawn and send it again"
            )
            yield LotAlarm(code="drawn_withdrawn", sentence=sentence, **where)


def show_status(tallies: Iterable[LotTally], alarms: Iterable[LotAlarm], problem: str | None, console: Console) -> None:
    """Print the state of the lot for a person.

    Parameters
    ----------
    tallies : iterable of LotTally
    alarms : iterable of LotAlarm
    problem : str or None
        Why nothing is drawn at present; None where the lot draws.
    console : Console
    """
    if problem is not None:
        console.print(f"[bold red]The lot draws nothing:[/] {problem}.")
    names = (
        "Domain",
        "Crossing point",
        "Lead",
        "Crossings",
        "Planned",
        "Drawn",
        "Done",
        "Not done",
        "Waiting",
        "Done of settled",
        "Withdrawn",
        "Elsewhere",
    )
    title = f"The lot over {WINDOW.days} days, up to {GRACE.days} days ago: what came later may still get its result"
    table = Table(*names, title=title)
    for one in tallies:
        share = "" if not one.done + one.not_done else f"{one.done_share:.0%}"
        counts = (one.crossings, f"{one.planned:.1f}", one.drawn, one.done, one.not_done, one.waiting)
        table.add_row(
            one.domain, one.crossing_point, one.agency, *map(str, counts), share, str(one.withdrawn), str(one.elsewhere)
        )
    console.print(table)
    told = list(alarms)
    for alarm in told:
        console.print(f"[bold red]Alarm[/] {alarm.code}: {alarm.sentence}.", highlight=False)
    if not told and problem is None:
        console.print("No alarm.")

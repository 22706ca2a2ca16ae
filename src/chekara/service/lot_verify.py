"""Repeat every draw of the lot: from crossing ids, what the policy says and seeds that were committed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chekara.domain.selection import Draw
from chekara.policy.lot import LOT_ARM, LotSeed, is_drawn, period_of
from chekara.policy.policy import Policy

TAKEN_UP_WITHIN: Final = timedelta(minutes=1)
"""A service that runs while a seed is committed draws with it so soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingDraws:
    """The draws of one decision.

    Attributes
    ----------
    position : int
        Of the decision in the live chain.
    crossing_id, crossing_point : str
    known_at : datetime
        When it was known; with offset.
    policy_digest : str
        Of the policy that it was drawn under.
    draws : tuple of Draw
    asking : tuple of Draw
        Those that could ask for a control: of domains that apply, while the crossing had not left.
    """

    position: int
    crossing_id: str
    crossing_point: str
    known_at: datetime
    policy_digest: str
    draws: tuple[Draw, ...]
    asking: tuple[Draw, ...] = ()


@dataclass(frozen=True, slots=True)
class CommittedSeed:
    """A published seed, and where and when it was committed."""

    seed: LotSeed
    position: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class LotFinding:
    """A draw that is not what the seed and the policy give.

    Attributes
    ----------
    code : {'wrong_draw', 'redrawn', 'not_committed', 'other_period', 'wrong_propensity', 'missing_draw'}
    position : int
    sentence : str
    """

    code: str
    position: int
    sentence: str


@dataclass(frozen=True, slots=True)
class LotVerification:
    """What repeating the draws found.

    Attributes
    ----------
    crossings, draws, drawn : int
        Checked: crossings, draws of theirs, and those that fell on them.
    unopened : int
        Draws of seeds that are not published yet.
    other_policies : int
        Draws under a policy whose text is not at hand: repeated with the propensity that they state.
    findings : tuple of LotFinding
    """

    crossings: int
    draws: int
    drawn: int
    unopened: int
    other_policies: int
    findings: tuple[LotFinding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every draw is what it should be."""
        return not self.findings

    def show(self, console: Console) -> None:
        """Print the report for a person."""
        said = f"{self.draws:,} draws of {self.crossings:,} crossings repeated, {self.drawn:,} fell on one."
        console.print(said, highlight=False)
        if self.unopened:
            console.print(f"{self.unopened:,} draws wait for their seed to be published.", highlight=False)
        if self.other_policies:
            said = (
                f"{self.other_policies:,} draws were made under a policy whose text is not here: their propensity is "
                "as they state it, and nobody checked it."
            )
            console.print(f"[bold]{said}[/]", highlight=False)
        if self.is_sound and self.other_policies:
            console.print("All else is what seed and policy give.")
            return
        if self.is_sound:
            console.print("[bold green]Every draw is what seed and policy give.[/]")
            return
        table = Table("Entry", "Finding", "What was found", title="The lot does not verify")
        for one in self.findings:
            table.add_row(str(one.position), one.code, escape(one.sentence))
        console.print(table)


def verify_lot(
    records: Iterable[CrossingDraws],
    seeds: Mapping[str, CommittedSeed],
    pending: Mapping[str, int],
    policy_of: Callable[[str], Policy | None],
) -> LotVerification:
    """Repeat draws.

    Parameters
    ----------
    records : iterable of CrossingDraws
        In the order of the log; of a crossing that was corrected, each decision.
    seeds : mapping of str to CommittedSeed
        Published seeds, by commitment.
    pending : mapping of str to int
        Position of every commitment whose seed is not published.
    policy_of : callable
        The policy of a digest; None where its text is not at hand. Propensities of the lot are derived from it.
    """
    crossings = draws = drawn = unopened = other = 0
    findings: list[LotFinding] = []
    first: dict[str, tuple[Draw, ...]] = {}
    for one in records:
        if one.crossing_id in first:
            if one.draws != first[one.crossing_id]:
                findings.append(LotFinding("redrawn", one.position, f"{one.crossing_id} was drawn for again."))
            continue
        first[one.crossing_id] = one.draws
        crossings += 1
        drawn += sum(draw.is_drawn for draw in one.draws)
        draws += len(one.draws)
        unopened += sum(draw.commitment in pending for draw in one.draws)
        policy = policy_of(one.policy_digest)
        other += len(one.draws) if policy is None else 0
        findings += _findings(one, seeds, pending, policy)
    return LotVerification(crossings, draws, drawn, unopened, other, tuple(findings))


def _findings(
    one: CrossingDraws, seeds: Mapping[str, CommittedSeed], pending: Mapping[str, int], policy: Policy | None
) -> Iterator[LotFinding]:
    for draw in one.draws:
        name = f"{draw.arm} of {one.crossing_id} for {draw.domain}"
        known = seeds.get(draw.commitment)
        position = pending.get(draw.commitment) if known is None else known.position
        if position is None or position >= one.position:
            yield LotFinding("not_committed", one.position, f"{name}: its seed was not committed before.")
        elif known is not None:
            yield from _repeated(one, draw, known.seed, name)
    if policy is not None:
        yield from _unlike_policy(one, seeds, policy)


def _repeated(one: CrossingDraws, draw: Draw, seed: LotSeed, name: str) -> Iterator[LotFinding]:
    if seed.period != period_of(one.known_at):
        yield LotFinding("other_period", one.position, f"{name}: the seed is that of {seed.period}.")
    falls = is_drawn(
        seed.seed, arm=draw.arm, domain=draw.domain, crossing_id=one.crossing_id, propensity=draw.propensity
    )
    if falls is not draw.is_drawn:
        yield LotFinding("wrong_draw", one.position, f"{name}: the seed says {'drawn' if falls else 'not drawn'}.")


def _unlike_policy(one: CrossingDraws, seeds: Mapping[str, CommittedSeed], policy: Policy) -> Iterator[LotFinding]:
    shift = policy.capacity.shifts.shift_at(one.known_at)
    planned = {d: policy.lot.propensity_at(d, one.crossing_point, shift) for d in policy.lot.domains}
    told = {draw.domain: draw.propensity for draw in one.draws if draw.arm == LOT_ARM}
    for domain, propensity in told.items():
        expected = planned.get(domain, 0.0)
        if propensity != expected:
            sentence = f"lot of {one.crossing_id} for {domain}: {propensity}, the policy says {expected}."
            yield LotFinding("wrong_propensity", one.position, sentence)
    if any(_draws_for(known, one) for known in seeds.values()):
        for domain in sorted(d for d, propensity in planned.items() if propensity > 0 and d not in told):
            yield LotFinding("missing_draw", one.position, f"lot of {one.crossing_id} for {domain}: not drawn for.")


def _draws_for(known: CommittedSeed, one: CrossingDraws) -> bool:
    """Whether a seed had to draw for a crossing: of its month, committed before, and taken up by the service."""
    is_of_month = known.seed.period == period_of(one.known_at)
    return is_of_month and known.position < one.position and one.known_at > known.recorded_at + TAKEN_UP_WITHIN

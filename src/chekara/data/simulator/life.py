"""The weeks of the simulated border, one after the other: traffic, harm, declaration, inspection, reaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
import pandas as pd

from chekara.data.simulator.border import WEEK_SECONDS, Border, BorderWeek, one_stream
from chekara.data.simulator.controls import MODEL, NOBODY, Controls, Orders, applies_to
from chekara.data.simulator.flow import Flow, join
from chekara.data.simulator.harms import Harms
from chekara.data.simulator.lodged import Corrected
from chekara.data.simulator.names import Names, crossing_ids
from chekara.data.simulator.results import known_results
from chekara.data.simulator.world import DOMAINS, SECONDS_A_DAY, Array, Floats, Ints, Mask, World

# Columns that nobody needs once a week is over.
_SPENT_HEADER = ("journey_kind", "trader", "slot", "is_groupage", "trailer", "carrier")
_SPENT_ITEM = ("deviation", "log_usual", "packing", "is_standard", "place", "slot")


class Policy(Protocol):
    """Whoever selects crossings for inspection in place of rules, hunches and memory."""

    def __call__(self, crossings: pd.DataFrame, results: pd.DataFrame) -> Mapping[str, Sequence[str]]:
        """Choose among the crossings of a week.

        Parameters
        ----------
        crossings : DataFrame
            The week's crossings as lodged: columns of the contract, one row per goods line and revision.
        results : DataFrame
            Results that became known since the last call: ``crossing_id``, ``domain``, ``inspected_at``,
            ``known_at``, ``selected_by``, ``found``, ``status``, ``result``.

        Returns
        -------
        mapping of str to sequence of str
            By domain: crossing ids, the most wanted first. As many are inspected as the domain's capacity in the
            world file allows; crossings to which the domain does not apply are passed over.
        """


@dataclass(frozen=True, slots=True)
class Life:
    """All that happened, over all weeks.

    Attributes
    ----------
    flow : Flow
        Crossings in order of weeks and time, as declared and filled in.
    kind : ndarray of shape (m,)
        Kind of revenue fraud of each line; -1 where it is honest.
    truth : dict of str to ndarray of shape (n,), bool
    bayes : dict of str to ndarray of shape (n,)
        Log-odds of the observer who knows.
    controls : dict of str to Controls
        By domain; positions are those of ``flow``.
    names : Names
    corrected : Corrected
        Declarations corrected after a hit.
    moves : list of (int, str, int, int)
        Week, crew, its number, and the post that it went to.
    """

    flow: Flow
    kind: Ints
    truth: dict[str, Mask]
    bayes: dict[str, Floats]
    controls: dict[str, Controls]
    names: Names
    corrected: Corrected
    moves: list[tuple[int, str, int, int]]


@dataclass(slots=True)
class _Diary:
    """What is kept of each week."""

    flows: list[Flow] = field(default_factory=list)
    harms: list[Harms] = field(default_factory=list)
    bayes: list[dict[str, Floats]] = field(default_factory=list)
    controls: list[dict[str, Controls]] = field(default_factory=list)
    n_crossings: int = 0
    n_lines: int = 0

    def keep(self, said: Flow, harms: Harms, bayes: dict[str, Floats], controls: dict[str, Controls]) -> None:
        """Write a week down."""
        self.controls.append({d: _moved(own, self.n_crossings, self.n_lines) for d, own in controls.items()})
        self.flows.append(_without_spent(said))
        self.harms.append(harms)
        self.bayes.append(bayes)
        self.n_crossings += said.size
        self.n_lines += len(said.of)


def live(
    world: World,
    months: int,
    per_day: int,
    rng: np.random.Generator,
    policy: Policy | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Life:
    """Let the border live for some months.

    Parameters
    ----------
    world : World
    months, per_day : int
        Above zero.
    rng : Generator
    policy : Policy, optional
        Default: rules, hunches and memory select.
    progress : callable, optional
        Told the share of the weeks that are over.

    Returns
    -------
    Life
    """
    days = round(months * 365.25 / 12)
    border = Border(world, days, per_day, one_stream(rng))
    diary = _Diary()
    while not border.is_over:
        week = border.next_week()
        orders = None if policy is None else _ask(policy, border, week, diary)
        controls = border.inspect(week, orders)
        diary.keep(week.said, week.harms, week.bayes, controls)
        progress((week.number + 1) / border.weeks)
    return _told(world, diary, border.names, border.state.moves, rng)


def _told(
    world: World, diary: _Diary, names: Names, moves: list[tuple[int, str, int, int]], rng: np.random.Generator
) -> Life:
    """Put the weeks together; the diary is used up on the way."""
    flow = join(diary.flows)
    diary.flows.clear()
    controls = {domain: _all_of([week[domain] for week in diary.controls]) for domain in DOMAINS}
    return Life(
        flow=flow,
        kind=np.concatenate([harms.kind for harms in diary.harms]),
        truth={d: np.concatenate([harms.by_crossing[d] for harms in diary.harms]) for d in DOMAINS},
        bayes={d: np.concatenate([week[d] for week in diary.bayes]) for d in DOMAINS},
        controls=controls,
        names=names,
        corrected=_corrected(world, controls["revenue_fraud"], rng),
        moves=moves,
    )


def _without_spent(said: Flow) -> Flow:
    header = {name: _small(values) for name, values in said.header.items() if name not in _SPENT_HEADER}
    item = {name: _small(values) for name, values in said.item.items() if name not in _SPENT_ITEM}
    return Flow(header, item, said.lines)


def _small(values: Array) -> Array:
    """Return whole numbers in 32 bits where they fit: a million crossings have a hundred columns."""
    if values.dtype == np.int64 and len(values) and abs(values).max() < 2**31:
        return values.astype(np.int32)
    return values


def _moved(controls: Controls, n_crossings: int, n_lines: int) -> Controls:
    values = {f.name: getattr(controls, f.name) for f in fields(Controls)}
    values["crossing"] = controls.crossing + n_crossings
    values["line"] = np.where(controls.line >= 0, controls.line + n_lines, -1)
    return Controls(**values)


def _all_of(parts: Sequence[Controls]) -> Controls:
    return Controls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Controls)})


def _corrected(world: World, controls: Controls, rng: np.random.Generator) -> Corrected:
    """Pick the declarations whose importer puts them right once the hit is known."""
    hit = controls.is_true & (controls.line >= 0)
    hit &= rng.random(len(hit)) < world.file["paper"]["corrected_after_hit"]
    later = (SECONDS_A_DAY * rng.uniform(0.2, 6.0, len(hit))).astype(np.int64)
    return Corrected(controls.crossing[hit], (controls.known + later)[hit], controls.line[hit])


def _ask(policy: Policy, border: Border, week: BorderWeek, diary: _Diary) -> Orders:
    """Ask a policy, and take as many of its wishes as there is capacity."""
    world, said = border.world, week.said
    frame = border.lodged(week, np.random.default_rng(week.number))
    recent = diary.controls[-26:]  # nothing takes half a year
    so_far = {d: _all_of([past[d] for past in recent]) for d in DOMAINS} if recent else {}
    wishes = policy(frame, known_results(world, so_far, (week.number - 1) * WEEK_SECONDS, week.number * WEEK_SECONDS))
    ids = crossing_ids(np.arange(said.size) + week.first_crossing)
    place = {crossing_id: position for position, crossing_id in enumerate(ids)}
    chosen: dict[str, Ints] = {}
    for domain in DOMAINS:
        capacity = round(world.file["practice"]["domains"][domain]["capacity"] * said.size)
        applies = applies_to(domain, week.scene, said)
        wanted = [place[c] for c in wishes.get(domain, ()) if c in place and applies[place[c]]]
        chosen[domain] = np.full(said.size, NOBODY)
        chosen[domain][wanted[:capacity]] = MODEL
    return Orders(chosen)

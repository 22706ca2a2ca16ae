"""One life: a simulated border under one strategy, week after week, and everything that is counted of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from chekara.data.checks import empty_table, validate_table
from chekara.data.simulator.border import Border, BorderWeek, stream_a_part
from chekara.data.simulator.change import Unrest
from chekara.data.simulator.controls import MODEL, NOBODY, RANDOM, Orders, applies_to
from chekara.data.simulator.results import crossing_points_table
from chekara.data.simulator.world import DOMAINS, Floats, Ints, load_world
from chekara.modelling.spec import ModelSpec
from training._closed_loop_counts import Counts
from training._closed_loop_learner import Learner, WeekLines, novelty, unsureness
from training._strategies import LEAD, LOT, NO_ARM, Bandit, Choice, Leader, Signals, Strategy, choose

LifeTables: TypeAlias = dict[str, list[dict[str, Any]]]
WorldName: TypeAlias = Literal["steady", "drifting", "evasive"]
WORLDS: Mapping[WorldName, str] = {
    "steady": "steady world: the same people do harm in the same ways, and react to being found",
    "drifting": "drifting world: every four weeks other people, other tricks, other posts",
    "evasive": "evasive world: it drifts, and those who begin are those whom nobody suspects",
}
SETTLED_WEEKS = 4
"""Weeks after the strategies took over before the drifting world changes for the first time."""
# Chances that a draw comes to nothing: more at night, and where few officers are.
_NOT_DONE, _AT_NIGHT, _AT_SMALL_POSTS, _SMALL = 0.04, 0.12, 0.12, 10.0
_MARGINAL = 0.2  # share of the leader's choices, from the lowest, that a bandit holds against its arms


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeOrder:
    """What is simulated.

    Attributes
    ----------
    world : {'steady', 'drifting', 'evasive'}
    seed : int
    per_day : int
        Crossings a day.
    warm_up : int
        Weeks of habit before a strategy takes over: the same for all.
    weeks : int
        Weeks under the strategy.
    rounds : int
        Trees of each model.
    """

    world: WorldName
    seed: int
    per_day: int
    warm_up: int
    weeks: int
    rounds: int


def live_strategies(
    order: LifeOrder,
    strategies: Sequence[Strategy],
    specs: Sequence[ModelSpec],
    progress: Callable[[str, float], None] = lambda name, share: None,
) -> Iterator[tuple[str, LifeTables]]:
    """Let a border live under one strategy after the other, from the same warm-up on.

    Parameters
    ----------
    order : LifeOrder
    strategies : sequence of Strategy
    specs : sequence of ModelSpec
        Domains that strategies select for; in the others habit goes on.
    progress : callable, optional
        Told the strategy and the share of its weeks that are over.

    Yields
    ------
    name : str
    tables : dict of str to list of dict
        Rows of the tables of `training._closed_loop_counts.Counts`. The same order gives the same rows, whichever
        strategies are asked for beside.
    """
    warm = _Life(order, specs, learns=any(strategy.leader == "model" for strategy in strategies))
    while warm.n_done < order.warm_up:
        warm.live_week()
    for strategy in strategies:
        life = warm.taken_over_by(strategy)
        while not life.border.is_over:
            life.live_week()
            progress(strategy.name, (life.n_done - order.warm_up) / order.weeks)
        yield strategy.name, life.counts.tables()


class _Life:
    """A border, its learner, and what is counted; habit selects until a strategy takes over."""

    def __init__(self, order: LifeOrder, specs: Sequence[ModelSpec], *, learns: bool) -> None:
        self._order, self._specs = order, tuple(specs)
        self._strategy: Strategy | None = None
        world, n_weeks = load_world(), order.warm_up + order.weeks
        begins = order.warm_up + SETTLED_WEEKS
        unrest = Unrest(first_week=begins, evades=order.world == "evasive") if order.world != "steady" else None
        self.border = Border(world, 7 * n_weeks, order.per_day, stream_a_part(order.seed), unrest)
        self.counts = Counts(world, [spec.domain for spec in specs], order.per_day)
        self.n_done = 0
        self._capacity = {d: world.file["practice"]["domains"][d]["capacity"] for d in DOMAINS}
        points = validate_table(crossing_points_table(world), "crossing_points").frame
        self._learner = Learner(specs, points, seed=order.seed, rounds=order.rounds) if learns else None
        self._bandits: dict[str, Bandit] = {}
        self._arm_of: dict[tuple[str, str], int] = {}
        self._waiting = pd.DataFrame()

    def taken_over_by(self, strategy: Strategy) -> _Life:
        """Return a life of its own that goes on from here under a strategy."""
        life = copy.deepcopy(self)
        life._strategy = strategy
        if strategy.leader != "model":
            life._learner = None
        if strategy.is_bandit:
            life._bandits = {spec.domain: Bandit(self._order.seed) for spec in self._specs}
        return life

    def live_week(self) -> None:
        """Let one week go by."""
        week = self.border.next_week()
        since, before = (self._at(week.number + k) for k in (0, 1))
        lines: dict[str, WeekLines] = {}
        if self._learner is not None:
            frame = self.border.lodged(week, np.random.default_rng([self._order.seed, week.number]))
            news = self._news(since)
            lines = self._learner.see(validate_table(frame, "crossings").frame, news, since, before)
            self._tell_bandits(news)
        choices = {} if self._strategy is None else self._choices(week, lines, self._strategy)
        controls = self.border.inspect(week, self._orders(week, choices) if choices else None)
        if self._learner is not None:
            for domain, own in lines.items():
                selected = np.zeros(week.said.size, dtype=bool)
                selected[controls[domain].crossing] = True
                self._learner.remember(domain, own, selected)
            results = self.border.results(week, controls)
            self._waiting = pd.concat([self._waiting, results], ignore_index=True) if len(self._waiting) else results
        if choices:
            self.counts.add(week, choices, controls, self.border.found_if_drawn(week))
        self.n_done += 1

    def _at(self, week: int) -> np.datetime64:
        return self.border.world.starts_on + np.timedelta64(7 * week, "D")

    def _news(self, before: np.datetime64) -> pd.DataFrame:
        """Take out the results that became known before an instant."""
        if not len(self._waiting):
            return empty_table("inspections")
        is_known = (self._waiting["known_at"] < pd.Timestamp(before, tz="UTC")).to_numpy()
        news = self._waiting[is_known].reset_index(drop=True)
        self._waiting = self._waiting[~is_known]
        return news

    def _tell_bandits(self, news: pd.DataFrame) -> None:
        for domain, bandit in self._bandits.items():
            own = news[(news["domain"] == domain) & (news["status"] == "done")]
            arm = np.array([self._arm_of.pop((domain, c), NO_ARM) for c in own["crossing_id"]], dtype=np.int64)
            bandit.learn(arm[arm >= 0], own["found"].to_numpy(bool)[arm >= 0])

    def _choices(self, week: BorderWeek, lines: Mapping[str, WeekLines], strategy: Strategy) -> dict[str, Choice]:
        if self._learner is not None:
            self._learner.retrain()
        habit = self.border.habit(week) if strategy.leader == "habit" else {}
        choices = {}
        for number, spec in enumerate(self._specs):
            domain = spec.domain
            rng = np.random.default_rng([self._order.seed, week.number, number])
            signals = self._signals(week, domain, lines, habit, strategy.leader, rng)
            budget = round(self._capacity[domain] * week.said.size)
            bandit = self._bandits.get(domain)
            explores = strategy.explores if bandit is None else bandit.shares(week.number)
            choice = choose(explores, signals, budget, rng)
            choices[domain] = _as_lot(choice, signals, budget) if strategy.leader == "chance" else choice
            if bandit is not None:
                self._note_arms(domain, lines[domain], choice, signals)
        return choices

    def _signals(
        self,
        week: BorderWeek,
        domain: str,
        lines: Mapping[str, WeekLines],
        habit: Mapping[str, Ints],
        leader: Leader,
        rng: np.random.Generator,
    ) -> Signals:
        applies = applies_to(domain, week.scene, week.said)
        nothing = np.zeros(week.said.size)
        by_chance = rng.random(week.said.size)
        if leader == "habit":
            return Signals(applies & (habit[domain] != NOBODY), by_chance, nothing, nothing)
        if leader == "truth":
            harmed = week.harms.by_crossing[domain]
            return Signals(applies, harmed + by_chance / 2, nothing, nothing)
        if leader == "observer":
            return Signals(applies, week.bayes[domain], nothing, nothing)
        if leader == "chance" or self._learner is None:
            return Signals(applies, by_chance, nothing, nothing)
        margin = self._learner.margins(domain, lines[domain])
        lead = by_chance if margin is None else margin
        unsure = nothing if margin is None else unsureness(margin)
        return Signals(applies, lead, unsure, novelty(domain, lines[domain]))

    def _note_arms(self, domain: str, lines: WeekLines, choice: Choice, signals: Signals) -> None:
        """Note which arm chose whom; of the leader's choices only the lowest, which an arm could have had."""
        led = np.flatnonzero(choice.arm == LEAD)
        lowest = led[np.argsort(signals.lead[led], kind="stable")][: round(_MARGINAL * len(led))]
        noted = np.concatenate([np.flatnonzero(choice.arm > LEAD), lowest])
        self._arm_of |= {(domain, str(lines.crossing_ids[c])): int(choice.arm[c]) for c in noted}

    def _orders(self, week: BorderWeek, choices: Mapping[str, Choice]) -> Orders:
        """Turn choices into orders; what no strategy plays for goes on by habit."""
        selected = self.border.habit(week) if len(choices) < len(DOMAINS) else {}
        for domain, choice in choices.items():
            by = np.where(choice.arm == LEAD, MODEL, RANDOM)
            selected[domain] = np.where(choice.arm == NO_ARM, NOBODY, by).astype(np.int64)
        return Orders(selected, _not_done(week))


def _not_done(week: BorderWeek) -> Floats:
    small = week.scene.world.posts.capacity[week.said.header["post"]] <= _SMALL
    return np.asarray(_NOT_DONE + _AT_NIGHT * week.scene.is_night + _AT_SMALL_POSTS * small)


def _as_lot(choice: Choice, signals: Signals, budget: int) -> Choice:
    """Take a choice by chance for what it is: a lot as large as the budget."""
    chance = choice.chance.copy()
    n: int = int(signals.applies.sum())
    chance[LOT] = np.where(signals.applies, min(budget / max(n, 1), 1.0), 0.0)
    return Choice(np.where(choice.arm == LEAD, LOT, choice.arm), chance)

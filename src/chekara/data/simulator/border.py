"""The simulated border, week by week: what crosses is shown, somebody selects, and the border reacts to that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from chekara.data.simulator.actors import Actors, make_actors
from chekara.data.simulator.change import Unrest, before_unrest, change_world
from chekara.data.simulator.controls import Controls, Duty, Orders, draw_duty, found_if_drawn, habit, inspect_week
from chekara.data.simulator.flow import Flow
from chekara.data.simulator.harms import Harms, Scene, draw_harms
from chekara.data.simulator.lodged import Corrected, crossings_table
from chekara.data.simulator.names import Names, make_names
from chekara.data.simulator.observer import bayes_log_odds
from chekara.data.simulator.paper import fill_in
from chekara.data.simulator.reaction import Pending, react
from chekara.data.simulator.results import week_results
from chekara.data.simulator.state import State, first_state
from chekara.data.simulator.traces import declare
from chekara.data.simulator.traffic import calendar_of, draw_week, prices_by_origin
from chekara.data.simulator.world import DOMAINS, SECONDS_A_DAY, Floats, Ints, World

WEEK_SECONDS = 7 * SECONDS_A_DAY
_PARTS = ("start", "change", "traffic", "harms", "paper", "duty", "controls", "reaction", "habit", "results", "lodging")

Streams: TypeAlias = Callable[[int, str], np.random.Generator]
"""Told (week, part of it), gives the generator that draws it."""


def one_stream(rng: np.random.Generator) -> Streams:
    """Draw everything from one generator, in the order in which it happens."""
    return lambda week, part: rng


def stream_a_part(seed: int) -> Streams:
    """Draw every part of every week from a generator of its own.

    Two borders of one seed then differ by who is selected and by how the world reacts to it, not by luck: what is
    compared between them is far less noisy.

    Parameters
    ----------
    seed : int

    Returns
    -------
    Streams

    Examples
    --------
    >>> draw = stream_a_part(1)
    >>> draw(3, "traffic").random() == stream_a_part(1)(3, "traffic").random()
    True
    """
    return lambda week, part: np.random.default_rng([seed, week, _PARTS.index(part)])


@dataclass(frozen=True, slots=True)
class BorderWeek:
    """What crosses in a week, as it really is and as it is declared.

    Attributes
    ----------
    number : int
        Of the week, from 0.
    first_crossing : int
        Number of its first crossing.
    scene, harms : what is true
    said : Flow
        As declared.
    bayes : dict of str to ndarray of shape (n,)
        Log-odds of the observer who knows.
    duty : Duty
    """

    number: int
    first_crossing: int
    scene: Scene
    harms: Harms
    said: Flow
    bayes: dict[str, Floats]
    duty: Duty


class Border:
    """A border under way.

    Parameters
    ----------
    world : World
    days, per_day : int
        How long it is simulated; crossings a day on average.
    streams : Streams
        Where luck comes from.
    unrest : Unrest, optional
        Default: characters last.

    Attributes
    ----------
    weeks : int
        How many there are.
    """

    def __init__(self, world: World, days: int, per_day: int, streams: Streams, unrest: Unrest | None = None) -> None:
        self.world, self.weeks = world, -(-days // 7)
        self._days, self._per_day, self._streams, self._unrest = days, per_day, streams, unrest
        rng = streams(0, "start")
        actors = make_actors(world, days, per_day, rng)
        self.names: Names = make_names(world, actors, rng)
        self._actors: Actors = actors if unrest is None else before_unrest(actors)
        self._by_origin = prices_by_origin(world, rng)
        self.state: State = first_state(actors, world, rng)
        self._pending = Pending()
        self._week, self._n_crossings = 0, 0

    @property
    def is_over(self) -> bool:
        """Whether all weeks have gone by."""
        return self._week == self.weeks

    def next_week(self) -> BorderWeek:
        """Let the next week's traffic come; it stands until `inspect` lets it pass."""
        week, draw, world = self._week, self._streams, self.world
        if self._unrest is not None:
            rng = draw(week, "change")
            self._actors = change_world(world, self._actors, self.state, self._unrest, week, rng)
        calendar = calendar_of(world, week, self._days)
        rng = draw(week, "traffic")
        real = draw_week(world, self._actors, self.state, calendar, self._by_origin, self._per_day, rng)
        scene = Scene(world, self._actors, self.state, calendar, real)
        harms = draw_harms(scene, draw(week, "harms"))
        rng = draw(week, "paper")
        said = fill_in(scene, declare(scene, harms, rng), rng)
        bayes = bayes_log_odds(scene, said, self._by_origin)
        return BorderWeek(
            week, self._n_crossings, scene, harms, said, bayes, draw_duty(scene, said, draw(week, "duty"))
        )

    def inspect(self, week: BorderWeek, orders: Orders | None) -> dict[str, Controls]:
        """Inspect whom habit (None) or a policy orders, let the rest pass, and react to what became known.

        Parameters
        ----------
        week : BorderWeek
            Of the last call of `next_week`.
        orders : Orders or None

        Returns
        -------
        dict of str to Controls
            By domain; positions are those of the week.
        """
        rng = self._streams(week.number, "controls")
        controls = inspect_week(week.scene, week.said, week.harms, self._by_origin, week.duty, orders, rng)
        for domain, own in controls.items():
            self._pending.add(domain, own, week.said)
        known = self._pending.due((week.number + 1) * WEEK_SECONDS)
        react(self.world, self._actors, self.state, week.number, known, self._streams(week.number, "reaction"))
        self._week, self._n_crossings = week.number + 1, week.first_crossing + week.said.size
        return controls

    def habit(self, week: BorderWeek) -> dict[str, Ints]:
        """Whom rules, hunches and memory would pick, by domain, as `Orders.selected_by`; needs a stream a part."""
        rng = self._streams(week.number, "habit")
        return {
            domain: habit(domain, week.scene, week.said, week.harms, self._by_origin, week.duty.inspector, rng)
            for domain in DOMAINS
        }

    def found_if_drawn(self, week: BorderWeek) -> dict[str, Floats]:
        """Chance that a draw of each crossing finds something, by domain."""
        return {d: found_if_drawn(d, week.scene, week.said, week.harms, week.duty) for d in DOMAINS}

    def results(self, week: BorderWeek, controls: dict[str, Controls]) -> pd.DataFrame:
        """Lay the week's controls out as the contract's ``inspections`` table; each counts from its ``known_at`` on."""
        rng = self._streams(week.number, "results")
        return week_results(self.world, week.said, week.harms.kind, controls, rng, week.first_crossing)

    def lodged(self, week: BorderWeek, rng: np.random.Generator) -> pd.DataFrame:
        """Lay the week's crossings out as the contract's ``crossings`` table, as far as nobody has corrected them."""
        nobody: Ints = np.zeros(0, dtype=np.int64)
        uncorrected = Corrected(nobody, nobody, nobody)
        return crossings_table(self.world, self.names, week.said, rng, uncorrected, first_number=week.first_crossing)

"""The weeks of the simulated border, one after the other: traffic, harm, declaration, inspection, reaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import pandas as pd

from chekara.data.simulator.actors import make_actors
from chekara.data.simulator.controls import RESULTS, SELECTED_BY, Controls, applies_to, inspect_week
from chekara.data.simulator.flow import Flow, join
from chekara.data.simulator.harms import Harms, Scene, draw_harms
from chekara.data.simulator.observer import bayes_log_odds
from chekara.data.simulator.paper import fill_in
from chekara.data.simulator.reaction import Pending, react
from chekara.data.simulator.state import first_state
from chekara.data.simulator.tables import Corrected, Names, crossing_id_of, crossings_table, instants, make_names
from chekara.data.simulator.traces import declare
from chekara.data.simulator.traffic import calendar_of, draw_week, prices_by_origin
from chekara.data.simulator.world import DOMAINS, SECONDS_A_DAY, Array, Floats, Ints, Mask, World

# Columns that nobody needs once a week is over.
_SPENT_HEADER = ("journey_kind", "trader", "slot", "is_groupage", "trailer")
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


def live(
    world: World,
    months: int,
    per_day: int,
    rng: np.random.Generator,
    policy: Policy | None,
    progress: Callable[[float], None],
) -> Life:
    """Let the border live for some months.

    Parameters
    ----------
    world : World
    months, per_day : int
        Above zero.
    rng : Generator
    policy : Policy or None
    progress : callable
        Told the share of the weeks that are over.

    Returns
    -------
    Life
    """
    days = round(months * 365.25 / 12)
    actors = make_actors(world, days, per_day, rng)
    names = make_names(world, actors, rng)
    by_origin = prices_by_origin(world, rng)
    state = first_state(actors, world, rng)
    pending = Pending()
    weeks = -(-days // 7)
    flows: list[Flow] = []
    harms: list[Harms] = []
    bayes: list[dict[str, Floats]] = []
    controls: list[dict[str, Controls]] = []
    n_crossings = n_lines = 0
    for week in range(weeks):
        calendar = calendar_of(world, week, days)
        real = draw_week(world, actors, state, calendar, by_origin, per_day, rng)
        scene = Scene(world, actors, state, calendar, real)
        harm = draw_harms(scene, rng)
        said = fill_in(scene, declare(scene, harm, by_origin, rng), rng)
        bayes.append(bayes_log_odds(scene, said, by_origin))
        chosen = None
        if policy is not None:
            results = _known_results(world, controls, 7 * (week - 1) * SECONDS_A_DAY, 7 * week * SECONDS_A_DAY)
            chosen = _ask(policy, scene, said, names, results, n_crossings, week)
        looks = inspect_week(scene, said, harm, by_origin, chosen, rng)
        for domain in DOMAINS:
            pending.add(domain, looks[domain], said)
        react(world, actors, state, week, pending.due(7 * (week + 1) * SECONDS_A_DAY), rng)
        flows.append(_without_spent(said))
        harms.append(harm)
        controls.append({domain: _moved(looks[domain], n_crossings, n_lines) for domain in DOMAINS})
        n_crossings, n_lines = n_crossings + said.size, n_lines + len(said.of)
        progress((week + 1) / weeks)
    flow = join(flows)
    all_controls = {domain: _all_of([c[domain] for c in controls]) for domain in DOMAINS}
    return Life(
        flow=flow,
        kind=np.concatenate([h.kind for h in harms]),
        truth={d: np.concatenate([h.by_crossing[d] for h in harms]) for d in DOMAINS},
        bayes={d: np.concatenate([b[d] for b in bayes]) for d in DOMAINS},
        controls=all_controls,
        names=names,
        corrected=_corrected(world, all_controls["revenue_fraud"], rng),
        moves=state.moves,
    )


def _without_spent(said: Flow) -> Flow:
    return Flow(
        {name: values for name, values in said.header.items() if name not in _SPENT_HEADER},
        {name: values for name, values in said.item.items() if name not in _SPENT_ITEM},
        said.lines,
    )


def _moved(controls: Controls, n_crossings: int, n_lines: int) -> Controls:
    values = {f.name: getattr(controls, f.name) for f in fields(Controls)}
    values["crossing"] = controls.crossing + n_crossings
    values["line"] = np.where(controls.line >= 0, controls.line + n_lines, -1)
    return Controls(**values)


def _all_of(parts: list[Controls]) -> Controls:
    return Controls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Controls)})


def _corrected(world: World, controls: Controls, rng: np.random.Generator) -> Corrected:
    """Pick the declarations whose importer puts them right once the hit is known."""
    hit = controls.is_true & (controls.line >= 0)
    hit &= rng.random(len(hit)) < world.file["paper"]["corrected_after_hit"]
    later = (SECONDS_A_DAY * rng.uniform(0.2, 6.0, len(hit))).astype(np.int64)
    return Corrected(controls.crossing[hit], (controls.known + later)[hit], controls.line[hit])


def _known_results(world: World, controls: list[dict[str, Controls]], since: int, before: int) -> pd.DataFrame:
    frames = []
    for domain in DOMAINS:
        for part in controls[-26:]:  # nothing takes half a year
            own = part[domain]
            new = np.flatnonzero((own.known >= since) & (own.known < before))
            frames.append(
                pd.DataFrame(
                    {
                        "crossing_id": crossing_id_of(own.crossing[new]).to_numpy(dtype=object),
                        "domain": domain,
                        "inspected_at": instants(world, own.inspected[new]).to_numpy(),
                        "known_at": instants(world, own.known[new]).to_numpy(),
                        "selected_by": SELECTED_BY[own.selected_by[new]],
                        "found": own.found[new],
                        "status": np.where(own.done[new], "done", "not_done"),
                        "result": np.where(own.done[new], RESULTS[own.result[new]], np.array(None, dtype=object)),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _ask(
    policy: Policy, scene: Scene, said: Flow, names: Names, results: pd.DataFrame, first_number: int, week: int
) -> dict[str, Mask]:
    """Ask a policy, and take as many of its wishes as there is capacity."""
    nothing: Array = np.zeros(0, dtype=np.int64)
    frame = crossings_table(
        scene.world, names, said, np.random.default_rng(week), Corrected(nothing, nothing, nothing), first_number
    )
    ids = crossing_id_of(np.arange(said.size) + first_number).to_numpy(dtype=object)
    place = {crossing_id: position for position, crossing_id in enumerate(ids)}
    wishes = policy(frame, results)
    chosen: dict[str, Mask] = {}
    for domain in DOMAINS:
        capacity = round(scene.world.file["practice"]["domains"][domain]["capacity"] * said.size)
        applies = applies_to(domain, scene, said)
        wanted = [place[c] for c in wishes.get(domain, ()) if c in place and applies[place[c]]]
        chosen[domain] = np.zeros(said.size, dtype=bool)
        chosen[domain][wanted[:capacity]] = True
    return chosen

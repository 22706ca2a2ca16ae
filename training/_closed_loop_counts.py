"""What is counted of a life: harm found and missed, what the draws say of it, whom it falls on, how long they wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.data.simulator.border import BorderWeek
from chekara.data.simulator.controls import Controls, applies_to
from chekara.data.simulator.flow import LOADED
from chekara.data.simulator.world import Floats, Mask, World
from chekara.evaluation.intention import lot_rate
from training._closed_loop_waits import Posts, control_minutes, waits
from training._strategies import LEAD, LOT, Choice

Row: TypeAlias = dict[str, Any]
Texts: TypeAlias = npt.NDArray[np.object_]

_SMALL_TRADERS = 0.5  # importers up to this quantile of volume
_LARGE_TRADERS = 0.9
_NEW_DAYS = 365
_LONG_WAIT_MINUTES = 60.0


class Counts:
    """Counts week after week.

    Parameters
    ----------
    world : World
    domains : sequence of str
        Those that a strategy selects for.
    per_day : int
        Crossings a day.
    """

    def __init__(self, world: World, domains: Sequence[str], per_day: int) -> None:
        self._domains = tuple(domains)
        practice = world.file["practice"]["domains"]
        budget = per_day * sum(practice[domain]["capacity"] for domain in domains)
        self._posts = Posts.staffed(world.posts.capacity, budget)
        self._weeks: list[Row] = []
        self._draws: dict[str, list[dict[str, npt.NDArray[Any]]]] = {domain: [] for domain in domains}
        self._expected = dict.fromkeys(domains, 0.0)
        self._groups: dict[tuple[str, str], Floats] = {}
        self._stopped: list[dict[str, npt.NDArray[Any]]] = []

    def add(
        self,
        week: BorderWeek,
        choices: Mapping[str, Choice],
        controls: Mapping[str, Controls],
        found_if_drawn: Mapping[str, Floats],
    ) -> None:
        """Count a week.

        Parameters
        ----------
        week : BorderWeek
        choices : mapping of str to Choice
            By domain.
        controls : mapping of str to Controls
        found_if_drawn : mapping of str to ndarray of shape (n,)
            Chance that a draw finds something.
        """
        for domain in self._domains:
            self._weeks.append(_week_row(week, domain, choices[domain], controls[domain], found_if_drawn[domain]))
            self._draws[domain].append(_draws(week, choices[domain], controls[domain]))
            self._expected[domain] += float(found_if_drawn[domain].sum())
        selected = {domain: choices[domain].arm >= 0 for domain in self._domains}
        self._count_groups(week, selected)
        stopped = np.flatnonzero(np.any(list(selected.values()), axis=0))
        self._stopped.append(
            {
                "post": week.said.header["post"][stopped].astype(np.int64),
                "minute": week.scene.local_second[stopped] / 60.0,
                "minutes": control_minutes(selected)[stopped],
            }
        )

    def tables(self) -> dict[str, list[Row]]:
        """Return what was counted.

        Returns
        -------
        dict of str to list of dict
            ``weeks``: by domain and week; ``lot``: what the draws say by domain, against the truth; ``groups``: by
            kind of group and group; ``waits``: one row.
        """
        groups = [
            {"kind": kind, "group": group, "crossings": n, "stopped": stopped, "honest": honest, "for_nothing": nothing}
            for (kind, group), (n, stopped, honest, nothing) in sorted(self._groups.items())
        ]
        return {"weeks": self._weeks, "lot": self._lots(), "groups": groups, "waits": [self._waits()]}

    def _count_groups(self, week: BorderWeek, selected: Mapping[str, Mask]) -> None:
        """Count stops by group, and those of crossings without any harm that strategies look for."""
        stopped = np.any(list(selected.values()), axis=0)
        honest = ~np.any([week.harms.by_crossing[domain] for domain in self._domains], axis=0)
        for kind, groups in groups_of(week).items():
            names, code = np.unique(groups, return_inverse=True)
            counts = [np.bincount(code, weights=w, minlength=len(names)) for w in _by_stop(stopped, honest)]
            for name, own in zip(names, np.stack(counts, axis=1), strict=True):
                if name:
                    self._groups[kind, name] = self._groups.get((kind, name), np.zeros(4)) + own

    def _lots(self) -> list[Row]:
        rows = []
        for domain, weeks in self._draws.items():
            told = {name: np.concatenate([week[name] for week in weeks]) for name in weeks[0]} if weeks else {}
            applies = sum(row["applies"] for row in self._weeks if row["domain"] == domain)
            if not len(told.get("hit", ())):
                continue
            rate = lot_rate(told["hit"], told["weight"], told["class"])
            low, high = rate.closed_form_95
            truth = self._expected[domain] / applies
            rows.append(
                {"domain": domain, "drawn": rate.drawn, "unknown": rate.unknown, "hits": rate.hits}
                | {"crossings": applies, "rate": rate.rate.value, "low": low, "high": high, "truth": truth}
                | {"left_out": float(np.nanmean(told["hit"])), "worst_low": rate.bounds_95[0]}
                | {"worst_high": rate.bounds_95[1], "covers": bool(low <= truth <= high)}
            )
        return rows

    def _waits(self) -> Row:
        told = {name: np.concatenate([week[name] for week in self._stopped]) for name in ("post", "minute", "minutes")}
        waited = waits(told["post"], told["minute"], told["minutes"], self._posts)
        return {
            "stopped": len(waited),
            "mean_minutes": float(waited.mean()) if len(waited) else 0.0,
            "p95_minutes": float(np.quantile(waited, 0.95)) if len(waited) else 0.0,
            "long_share": float((waited > _LONG_WAIT_MINUTES).mean()) if len(waited) else 0.0,
            "busiest_hours": _hours_of_busiest(told["post"], told["minutes"]),
        }


def groups_of(week: BorderWeek) -> dict[str, Texts]:
    """Return each crossing's group, by kind of group; empty where it has none.

    Parameters
    ----------
    week : BorderWeek

    Returns
    -------
    dict of str to ndarray of str, shape (n,)
        ``crossing_point``; ``trader_size`` and ``trader_age`` of the first line's importer; ``plates``.
    """
    header, actors, world = week.said.header, week.scene.actors, week.scene.world
    first_line = np.cumsum(week.said.lines) - week.said.lines
    trader = week.said.item["trader"][first_line]
    is_loaded = header["load"] == LOADED
    share = actors.importers.share
    small, large = np.quantile(share, [_SMALL_TRADERS, _LARGE_TRADERS])
    size = np.select([share[trader] <= small, share[trader] > large], ["small", "large"], "middle")
    is_new = 7 * week.number - actors.importers.registered_day[trader] < _NEW_DAYS
    countries = list(world.file["conveyances"]["countries"])
    is_home = header["country"] == countries.index(world.file["country"])
    plates = np.where(week.scene.is_road, np.where(is_home, "domestic", "foreign"), "")
    return {
        "crossing_point": world.posts.code[header["post"]].astype(str),
        "trader_size": np.where(is_loaded, size, ""),
        "trader_age": np.where(is_loaded, np.where(is_new, "first year", "older"), ""),
        "plates": plates,
    }


def _week_row(week: BorderWeek, domain: str, choice: Choice, controls: Controls, found_if_drawn: Floats) -> Row:
    harmed = week.harms.by_crossing[domain]
    is_selected = choice.arm >= 0
    lost = week.said.sum_lines(week.said.item["lost"]) if domain == "revenue_fraud" else np.zeros(len(harmed))
    true_hits = controls.crossing[controls.is_true]
    by_lead = choice.arm[controls.crossing] == LEAD
    line = controls.line[controls.is_true & (controls.line >= 0)]
    recovered = week.said.item["lost"][line].sum() if domain == "revenue_fraud" else 0.0
    return {
        "domain": domain,
        "week": week.number,
        "crossings": week.said.size,
        "applies": int(applies_to(domain, week.scene, week.said).sum()),
        "harm": int(harmed.sum()),
        "amount": float(lost.sum()),
        "selected": int(is_selected.sum()),
        "done": int(controls.done.sum()),
        "hits": int(controls.found.sum()),
        "harm_selected": int((harmed & is_selected).sum()),
        "harm_found": len(true_hits),
        "amount_found": float(recovered),
        "drawn": int((choice.arm > LEAD).sum()),
        "led_done": int((controls.done & by_lead).sum()),
        "led_hits": int((controls.found & by_lead).sum()),
        "expected_if_drawn": float(found_if_drawn.sum()),
    }


def _draws(week: BorderWeek, choice: Choice, controls: Controls) -> dict[str, npt.NDArray[Any]]:
    """Lay out the draws of the lot, or of the only arm there is: outcome, weight, and class of post and shift."""
    arm = LOT if (choice.chance[LOT] > 0).any() else int(choice.chance.sum(axis=1).argmax())
    is_drawn = choice.arm[controls.crossing] == arm if arm > LEAD else np.zeros(len(controls.crossing), dtype=bool)
    crossing = controls.crossing[is_drawn]
    hit = np.where(controls.done[is_drawn], controls.found[is_drawn].astype(np.float64), np.nan)
    post, night = week.said.header["post"][crossing], week.scene.is_night[crossing]
    weight = 1.0 / choice.chance[arm, crossing] if len(crossing) else np.zeros(0)
    return {"hit": hit, "weight": weight, "class": 2 * post + night}


def _by_stop(stopped: Mask, honest: Mask) -> tuple[Floats, ...]:
    return tuple(w.astype(np.float64) for w in (np.ones_like(stopped), stopped, honest, honest & stopped))


def _hours_of_busiest(post: npt.NDArray[np.int64], minutes: Floats) -> float:
    """Hours of control at the post that has most of them."""
    return float(np.bincount(post, weights=minutes).max() / 60.0) if len(post) else 0.0

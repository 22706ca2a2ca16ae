"""What rules would have met in a history, before they are activated, and what became of them since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chekara.domain.vocabulary import Lane
from chekara.evaluation.calibration import wilson_interval
from chekara.policy.rules import Rule
from chekara.service.score_history import PolicyLanes

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class DryRun:
    """What one rule would have done.

    Attributes
    ----------
    rule : Rule
    met : int
        Crossings that meet it.
    per_day : float
        Controls a day that it would have asked for.
    controlled, found : int
        Of these crossings: those with a control done in its domain, and those where it was a hit.
    precision : tuple of float or None
        Share found of the controlled, with its 90 % bounds (Wilson); None where nothing was controlled. Who was
        controlled then was not drawn at random.
    in_model_red, in_model_lane : float or None
        Share of its crossings that models alone put into the red lane of its domain, and into its own lane or a
        stricter one; None where no model of the domain serves or nothing met it.
    """

    rule: Rule
    met: int
    per_day: float
    controlled: int
    found: int
    precision: tuple[float, float, float] | None
    in_model_red: float | None
    in_model_lane: float | None


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """What became of one rule since it holds.

    Attributes
    ----------
    rule : str
    met : int
        Decisions that met it.
    controlled, found : int
        Controls done in its domain of crossings that met it, and those that were hits.
    in_a_row : int
        Newest controls in a row without a hit.
    is_suspended : bool
    """

    rule: str
    met: int
    controlled: int
    found: int
    in_a_row: int
    is_suspended: bool


def dry_run(chunks: Iterable[PolicyLanes], rules: Iterable[Rule], results: pd.DataFrame) -> tuple[DryRun, ...]:
    """Count what rules would have met.

    Parameters
    ----------
    chunks : iterable of PolicyLanes
        Under two policies: one without any rule, and the one that the rules are of.
    rules : iterable of Rule
    results : DataFrame
        ``crossing_id``, ``domain``, ``found`` of controls that were done.

    Returns
    -------
    tuple of DryRun
        In the order of the rules.
    """
    by_id = {rule.rule: rule for rule in rules}
    columns = (results[name].tolist() for name in ("crossing_id", "domain", "found"))
    known = {(crossing, domain): bool(found) for crossing, domain, found in zip(*columns, strict=True)}
    counts = {rule: _Count() for rule in by_id}
    begin, end = None, None
    for chunk in chunks:
        for place, met in chunk.rules[1].items():
            for rule in met:
                counts[rule].add(by_id[rule], chunk, place, known)
        if len(chunk.known_at):
            begin = chunk.known_at.min() if begin is None else min(begin, chunk.known_at.min())
            end = chunk.known_at.max() if end is None else max(end, chunk.known_at.max())
    days = 1.0 if begin is None or end is None else max(float((end - begin) / _DAY), 1.0)
    return tuple(counts[name].told(rule, days) for name, rule in by_id.items())


@dataclass(slots=True)
class _Count:
    met: int = 0
    controlled: int = 0
    found: int = 0
    judged: int = 0
    red: int = 0
    lane: int = 0

    def add(self, rule: Rule, chunk: PolicyLanes, place: int, known: Mapping[tuple[str, str], bool]) -> None:
        self.met += 1
        hit = known.get((str(chunk.crossing_id[place]), rule.domain))
        self.controlled += hit is not None
        self.found += hit is True
        lanes = chunk.lanes[0].get(rule.domain)
        if rule.domain in chunk.modelled and lanes is not None:
            self.judged += 1
            self.red += lanes[place] >= Lane.RED.strictness
            self.lane += lanes[place] >= rule.lane.strictness

    def told(self, rule: Rule, days: float) -> DryRun:
        precision = None
        if self.controlled:
            low, high = wilson_interval(self.found, self.controlled)
            precision = (self.found / self.controlled, float(low), float(high))
        judged = self.judged
        return DryRun(
            rule=rule,
            met=self.met,
            per_day=self.met / days,
            controlled=self.controlled,
            found=self.found,
            precision=precision,
            in_model_red=self.red / judged if judged else None,
            in_model_lane=self.lane / judged if judged else None,
        )

"""Score a stored decision again from what was stored, and compare every number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from chekara.domain.decision import Decision, DomainScore
from chekara.features.build import FeatureTable, items_from_crossings
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.policy.policy import Policy
from chekara.service.champions import Champion
from chekara.service.derive_lanes import PolicyByDigest, lane_differences
from chekara.service.predict import highest_rows
from chekara.service.records import DecisionRecord, Scoring

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """One number that comes out otherwise.

    Attributes
    ----------
    domain : str
    what : str
        ``lane``, ``selections`` (of no domain), ``risk``, ``margin``, ``probability``, ``interval``, ``base_value``,
        ``expected_amount``, ``item_no``,
        ``contribution <feature>`` or ``feature <feature>``.
    """

    domain: str
    what: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What scoring a decision again gave.

    Attributes
    ----------
    decision_id : str
    differences : tuple of Difference
        Empty: the same numbers.
    """

    decision_id: str
    differences: tuple[Difference, ...]

    @property
    def is_same(self) -> bool:
        """Whether every number came out the same."""
        return not self.differences


def replay_decision(
    record: DecisionRecord,
    scoring: Scoring,
    champion: Callable[[str], Champion],
    policy: PolicyByDigest | None = None,
) -> Replay:
    """Score a stored decision again.

    The stored features go through the stored model; and the features themselves are computed again from the stored
    inputs and from what was read of profiles then, which is stored with the decision.

    Parameters
    ----------
    record : DecisionRecord
    scoring : Scoring
    champion : callable
        From a model digest to the model.
    policy : callable, optional
        From a policy digest to the policy, or None where it is not known: risks and lane are derived again, too, from
        stored scores and grounds.

    Returns
    -------
    Replay
        Numbers are compared to 1e-9, features bit for bit.

    Raises
    ------
    BundleRefusedError
        The bundle of a model is gone or does not verify.
    """
    differences: list[Difference] = []
    for score in record.decision.domains:
        model = champion(score.model.digest)
        again = model.features(_items(record, scoring, model))
        features = scoring.features.table(again.names, again.kinds)
        differences += (Difference(score.domain, what) for what in _score_differences(record, score, model, features))
        differences += (Difference(score.domain, what) for what in _feature_differences(again, features))
    own = record.decision
    if policy is not None and (serving := policy(own.policy_digest)) is not None:
        differences += (Difference("", what) for what in lane_differences(own, serving))
        differences += (
            Difference(score.domain, "risk") for score in own.domains if _has_other_risk(own, score, serving)
        )
    return Replay(own.decision_id, tuple(differences))


def _has_other_risk(decision: Decision, score: DomainScore, policy: Policy) -> bool:
    if score.domain not in policy.domains:
        return True
    risk, _ = policy.risk(
        score.domain,
        decision.crossing_point,
        rank=score.rank,
        probability=score.probability,
        expected_amount=score.expected_amount,
    )
    return not abs(risk - score.risk) <= TOLERANCE


def _score_differences(
    record: DecisionRecord, score: DomainScore, model: Champion, features: FeatureTable
) -> Iterator[str]:
    items, crossing_index = items_from_crossings([record.crossing])
    X = model.encode(features)
    margins = np.where(model.applies_to(items), model.margins(X), -np.inf)
    row = int(highest_rows(margins, items.number("item_no"), crossing_index, 1)[0])
    contributions = model.contributions(X[row : row + 1])[0]
    low, high = model.calibration.interval(margins[row : row + 1])
    probability = model.calibration.probability(margins[row : row + 1])
    if record.crossing.items[row].get("item_no", 1) != score.item_no:
        yield "item_no"
    for what, stored, replayed in (
        ("margin", score.margin, float(margins[row])),
        ("base_value", score.base_value, float(contributions[-1])),
        ("probability", score.probability, float(probability[0])),
        ("interval", score.interval[0], float(low[0])),
        ("interval", score.interval[1], float(high[0])),
    ):
        if abs(stored - replayed) > TOLERANCE:
            yield what
    amount = float(model.expected_amount(features.take(np.array([row])))[0])
    if score.expected_amount is not None and not abs(score.expected_amount - amount) <= TOLERANCE:
        yield "expected_amount"
    for name, replayed in zip(model.names, contributions[:-1].tolist(), strict=True):
        # Features that no tree asks for moved nothing, and are not told.
        if abs(score.contributions.get(name, 0.0) - replayed) > TOLERANCE:
            yield f"contribution {name}"


def _items(record: DecisionRecord, scoring: Scoring, model: Champion) -> ItemColumns:
    """Lay out the lines of a decision as they were when it was made."""
    items, _ = items_from_crossings([record.crossing])
    return ItemColumns(items.values | scoring.features.columns(laid_columns(model.names)), items.n_items)


def _feature_differences(again: FeatureTable, features: FeatureTable) -> Iterator[str]:
    for name, kind in zip(features.names, features.kinds, strict=True):
        stored, computed = features.values[name], again.values[name]
        is_same = (
            np.array_equal(stored, computed, equal_nan=True) if kind == "number" else list(stored) == list(computed)
        )
        if not is_same:
            yield f"feature {name}"

"""A history scored from its folder is what a service would have said of it, event after event, profiles included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as arrow
import pytest

from benchmarks.capacity_month import policy_with_budgets
from chekara.adapters.capacity_log import SqlCapacityLog
from chekara.adapters.database import open_database
from chekara.data.bodies import request_bodies
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.sources import History
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features.build import FeatureTable, build_features
from chekara.features.catalogue import ItemColumns
from chekara.modelling.encode import Encoder
from chekara.modelling.severity import Severity
from chekara.service.capacity import MeterFromLog
from chekara.service.grounds import GatherGrounds
from chekara.service.records import DecisionRecord
from chekara.service.score_history import score_history
from chekara.settings import Settings
from tests.explain.test_quadrature import text_of
from tests.profiled import READ
from tests.service.test_live_profiles import requests_of
from tests.small_house import SmallModel, small_house, small_model
from tests.streams import Post, dirty_history, posts_of

WEIGHTS = np.random.default_rng(0).normal(size=len(READ))


STEPS = (1e300, 300.0, 100.0, 30.0, 10.0, 5.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.3, 0.1, 0.03, 0.001, 0.0, -0.3, -1.0)
"""Right of the first step lies what is missing."""


@dataclass(frozen=True, kw_only=True)
class LeaningModel(SmallModel):
    """A model of profiles alone: every single one of them moves its margin."""

    @property
    def asked_features(self) -> frozenset[str]:
        return frozenset(READ)

    def features(self, items: ItemColumns) -> FeatureTable:
        return build_features(items, READ, {})


def leaning_model() -> LeaningModel:
    own = small_model()
    given = {name: getattr(own, name) for name in SmallModel.__dataclass_fields__}
    booster = lgb.Booster(model_str=text_of([stairs(*one) for one in enumerate(WEIGHTS.tolist())], len(READ)))
    changes = {
        "reference_margins": np.linspace(-5, 5, 50),
        "severity": leaning_severity(),
        "booster": booster,
        "explainer": QuadratureTreeShap(booster),
        "encoder": Encoder(names=READ, codes={}, stand_ins={}),
    }
    return LeaningModel(**given | changes)


def stairs(feature: int, weight: float) -> dict[str, list[Any]]:
    """Make a tree of one feature that climbs, or falls, from step to step."""
    n = len(STEPS)
    return {
        "split_feature": [feature] * n,
        "threshold": list(STEPS),
        "decision_type": [8] * n,  # what is missing goes right
        "left_child": [*range(1, n), -1],
        "right_child": [~i for i in range(1, n + 1)],
        "leaf_value": [weight * height / n for height in range(n + 1)],
        "leaf_count": [10] * (n + 1),
        "internal_count": [10 * (n + 1 - i) for i in range(n)],
    }


def leaning_severity() -> Severity:
    """Tell amounts by every profile."""
    n, weight = len(READ), tuple((WEIGHTS / 20).tolist())
    numbers = {"numbers": READ, "centre": (0.5,) * n, "scale": (1.0,) * n, "weight": weight}
    return Severity(n_hits=60, level=6.0, chapters={}, smearing=1.2, largest=5_000.0, **numbers)


def in_file_order(history: History) -> list[Post]:
    """Return what a service receives, equal instants as they stand in the file."""
    posts: list[Post] = [("scores", body) for body in request_bodies(history.crossings)]
    posts += [post for post in posts_of(history) if post[0] == "inspections"]
    return sorted(posts, key=lambda post: (pd.Timestamp(post[1]["known_at"]), post[0] == "inspections"))


BUDGETS = """
[[capacity.budgets]]
agency = "customs"
lane = "red"
inspections = 2

[[capacity.budgets]]
agency = "customs"
lane = "yellow"
inspections = 2
shifts = ["20:00"]
"""


@pytest.mark.parametrize(("seed", "budgets"), [(3, ""), (8, ""), (3, BUDGETS), (8, BUDGETS)])
def test_a_folder_scores_as_a_service_that_lived_it(tmp_path: Path, seed: int, budgets: str) -> None:
    history = dirty_history(tmp_path / "history", seed=seed)
    # Where points lie is known from a loaded history only.
    history = replace(history, crossing_points=history.crossing_points.iloc[:0])
    champions, policy = {"revenue_fraud": leaning_model()}, policy_with_budgets(budgets)
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path / "home"), "CHEKARA_ENV": "dev"})
    tokens = EntityTokens(load_entity_secret(settings))
    database = open_database(settings)
    meter = MeterFromLog(policy, SqlCapacityLog(database))
    grounds = GatherGrounds(capacity=meter)
    house = small_house(
        tmp_path / "home", champions=champions, policy=policy, tokens=tokens, clock="replay", grounds=grounds
    )
    said: dict[tuple[str, int], DecisionRecord] = {}
    for request in requests_of(in_file_order(history)):
        (outcome,) = house.score([request])
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, DecisionRecord):
            said[outcome.decision.crossing_id, outcome.decision.revision] = outcome
    house.database.close()
    database.close()
    rows = arrow.concat_tables(score_history(history, champions, policy, chunk_size=17)).to_pylist()
    assert {row["crossing_id"] for row in rows} == {crossing_id for crossing_id, _ in said}
    assert len({row["margin_revenue_fraud"] for row in rows}) == len(rows)
    assert len({row["expected_amount_revenue_fraud"] for row in rows}) > len(rows) / 2
    for row in rows:
        decision = said[row["crossing_id"], row["revision"]].decision
        (score,) = decision.domains
        assert row["margin_revenue_fraud"] == score.margin
        assert row["rank_revenue_fraud"] == score.rank
        assert row["p_revenue_fraud"] == score.probability
        assert row["expected_amount_revenue_fraud"] == score.expected_amount
        assert row["lane"] == decision.lane
        told = [(reason["feature"], reason["contribution"]) for reason in row["reasons_revenue_fraud"]]
        assert told == [(reason.feature, reason.contribution) for reason in score.reasons]

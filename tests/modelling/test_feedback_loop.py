"""Unknown is not negative, shown by what it costs: a border that inspects what its own model liked.

Most hits that the border knows of are in goods that its old rules look at; other goods hide three times as much, and
only the lot ever opens them. A trainer that reads "nobody looked" as "nothing there" learns where people looked, and
sends them there again. Ours learns from outcomes alone, and finds the other goods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from chekara.data.checks import validate_table
from chekara.data.sources import History
from chekara.modelling.dataset import Dataset, build_dataset
from chekara.modelling.fit import fit_booster, label_items
from chekara.modelling.spec import ModelSpec

Floats = npt.NDArray[np.float64]
START = datetime(2025, 1, 1, tzinfo=UTC)
PER_MONTH, CAPACITY, LOT, DETECTION = 2_000, 0.08, 0.02, 0.9
GOODS = np.array(["610910", "870899", "040210"], dtype=object)  # what rules look at, what nobody looks at, the rest
SHARE, HIT_RATE = np.array([0.3, 0.1, 0.6]), np.array([0.13, 0.35, 0.02])
PARAMETERS = {"objective": "binary", "num_leaves": 7, "learning_rate": 0.1, "min_data_in_leaf": 10, "cat_smooth": 1.0}
Chooser = Callable[[pd.DataFrame], npt.NDArray[np.bool_]]
Told = Callable[[Dataset], Floats]


def as_known(dataset: Dataset) -> Floats:
    """Return outcomes as our labels have them."""
    return dataset.hit


def zero_filled(dataset: Dataset) -> Floats:
    """Return outcomes with everything that nobody looked at taken for a miss."""
    return np.nan_to_num(dataset.hit)


@dataclass
class Border:
    """Traffic of a month, what it hides, and the files that grow month by month."""

    seed: int
    months: int = 0
    crossings: list[pd.DataFrame] = field(default_factory=list)
    inspections: list[pd.DataFrame] = field(default_factory=list)

    def live_a_month(self, choose: Chooser) -> float:
        """Inspect what is chosen and what the lot draws; return the hit rate of what was chosen."""
        rng = np.random.default_rng([self.seed, self.months])
        kind = rng.choice(3, size=PER_MONTH, p=SHARE)
        value = rng.lognormal(8, 1, PER_MONTH)
        at = [START + timedelta(days=30 * self.months, minutes=20 * j) for j in range(PER_MONTH)]
        frame = pd.DataFrame(
            {
                "crossing_id": [f"m{self.months}-{j}" for j in range(PER_MONTH)],
                "occurred_at": at,
                "crossing_point": "AK-JOL",
                "direction": "entry",
                "mode": "road",
                "hs_code": GOODS[kind],
                "declared_value": value,
            }
        )
        hides = rng.random(PER_MONTH) < HIT_RATE[kind]
        drawn, chosen = rng.random(PER_MONTH) < LOT, choose(frame)
        looked = drawn | chosen
        found = hides & (rng.random(PER_MONTH) < DETECTION)
        self.crossings.append(frame)
        self.inspections.append(
            pd.DataFrame(
                {
                    "inspection_id": frame["crossing_id"],
                    "crossing_id": frame["crossing_id"],
                    "domain": "revenue_fraud",
                    "inspected_at": at,
                    "known_at": [instant + timedelta(days=1) for instant in at],
                    "selected_by": np.where(drawn, "random", "model"),
                    "propensity": np.where(drawn, LOT, np.nan),
                    "found": found,
                    "method": "full",
                }
            )[looked]
        )
        self.months += 1
        return float(found[chosen].mean())

    def history(self) -> History:
        """Return everything so far as a checked history."""
        crossings = validate_table(pd.concat(self.crossings, ignore_index=True), "crossings")
        inspections = validate_table(pd.concat(self.inspections, ignore_index=True), "inspections")
        assert not (*crossings.refusals, *inspections.refusals)
        return History(
            crossings=crossings.frame,
            inspections=inspections.frame,
            crossing_points=validate_table(
                pd.DataFrame({"code": ["AK-JOL"], "name": ["Ak-Jol"]}), "crossing_points"
            ).frame,
            refusals=(),
            digest="sha256:0",
            directory=Path("history"),
        )


def columns_of(goods: npt.NDArray[np.object_], value: Floats) -> Floats:
    return np.column_stack([np.searchsorted(np.sort(GOODS), goods.astype(str)), value]).astype(np.float64)


def trained(border: Border, spec: ModelSpec, told: Told) -> Chooser:
    """Fit on everything known, and choose the highest scores of the coming month."""
    dataset = build_dataset(border.history(), spec, START + timedelta(days=30 * border.months))
    labels = label_items(told(dataset), dataset.hit_item_no, dataset.crossing_of_item, dataset.item_no)
    booster = fit_booster(
        columns_of(dataset.items.text("hs_code"), dataset.items.number("declared_value")),
        labels,
        names=("goods", "value"),
        categorical=(0,),
        parameters=PARAMETERS,
        rounds=40,
        seed=1,
    )

    def choose(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
        X = columns_of(frame["hs_code"].to_numpy(object), frame["declared_value"].to_numpy(np.float64))
        place = np.argsort(-np.asarray(booster.predict(X)), kind="stable")
        chosen = np.zeros(len(frame), dtype=np.bool_)
        chosen[place[: int(CAPACITY * len(frame))]] = True
        return chosen

    return choose


def by_old_rules(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Look at every fourth crossing with the goods that rules name."""
    return ((frame["hs_code"] == GOODS[0]) & (frame.index % 4 == 0)).to_numpy(dtype=np.bool_)


def hit_rate_after(rounds: int, seed: int, spec: ModelSpec, told: Told) -> float:
    """Return the hit rate of the last two months, after three months of rules and some of the model's own choice."""
    border = Border(seed)
    for _ in range(3):
        border.live_a_month(by_old_rules)
    rates = [border.live_a_month(trained(border, spec, told)) for _ in range(rounds)]
    return float(np.mean(rates[-2:]))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_trainer_that_fills_in_zeros_loses(seed: int, shipped_spec: ModelSpec) -> None:
    ours, zeros = (hit_rate_after(4, seed, shipped_spec, told) for told in (as_known, zero_filled))
    assert zeros < 0.17, "it goes on where rules went"
    assert ours > 0.24, "unknown has become negative: what nobody looked at is taken for clean"
    assert ours > zeros + 0.08


def test_labels_know_nothing_of_what_nobody_looked_at(shipped_spec: ModelSpec) -> None:
    border = Border(3)
    border.live_a_month(by_old_rules)
    dataset = build_dataset(border.history(), shipped_spec, START + timedelta(days=90))
    looked = set(border.inspections[0]["crossing_id"])
    assert [crossing in looked for crossing in dataset.crossing_ids] == (~np.isnan(dataset.hit)).tolist()

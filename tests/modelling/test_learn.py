"""What one fit learns from."""

from __future__ import annotations

import numpy as np
import pytest

from chekara.modelling import learn
from chekara.modelling.fit import ItemLabels, fit_booster
from chekara.modelling.learn import draw_misses

PARAMETERS: dict[str, float | int | str | bool] = {"objective": "binary", "deterministic": True, "force_row_wise": True}


def _labels(generator: np.random.Generator, x: np.ndarray) -> ItemLabels:
    label = (generator.random(len(x)) < 1 / (1 + np.exp(4 - 2 * x))).astype(float)
    return ItemLabels(label, np.where(label == 1, generator.choice([0.5, 1.0], len(x)), 1.0))


def test_few_misses_are_all_kept(generator: np.random.Generator) -> None:
    labels = _labels(generator, generator.normal(size=500))
    used = generator.random(500) < 0.5
    drawn = draw_misses(labels, used, seed=1)
    assert drawn.weight.tolist() == np.where(used, labels.weight, 0.0).tolist()


@pytest.mark.parametrize("most", [1, 100, 3_000])
def test_drawn_misses_stand_for_all_and_no_hit_is_lost(
    generator: np.random.Generator, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(learn, "MISSES_TO_LEARN", most)
    labels, used = _labels(generator, generator.normal(size=8_000)), generator.random(8_000) < 0.8
    drawn = draw_misses(labels, used, seed=1)
    is_hit = labels.label == 1
    assert drawn.weight[is_hit].tolist() == np.where(used, labels.weight, 0.0)[is_hit].tolist()
    assert (drawn.weight[~is_hit] > 0).sum() == most
    assert drawn.weight[~is_hit].sum() == pytest.approx(labels.weight[~is_hit & used].sum())
    assert not drawn.weight[~used].any()
    assert draw_misses(labels, used, seed=1).weight.tolist() == drawn.weight.tolist()
    assert most == 1 or draw_misses(labels, used, seed=2).weight.tolist() != drawn.weight.tolist()


def test_log_odds_are_those_of_all_lines(generator: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = generator.normal(size=30_000)
    labels = _labels(generator, x)
    monkeypatch.setattr(learn, "MISSES_TO_LEARN", 5_000)
    rates = []
    for told in (labels, draw_misses(labels, np.ones(len(x), dtype=bool), seed=1)):
        booster = fit_booster(
            x[:, None], told, names=["x"], categorical=[], parameters=PARAMETERS | {"num_leaves": 8}, rounds=40, seed=1
        )
        rates.append(np.asarray(booster.predict(x[:, None])))
    assert rates[1].mean() == pytest.approx(rates[0].mean(), rel=0.05)
    assert np.corrcoef(rates[0], rates[1])[0, 1] > 0.98

"""The numbers in the reviewed cards are what the commands beside them give."""

from __future__ import annotations

from pathlib import Path

import pytest

from chekara.data.leakage import find_leakage
from chekara.data.simulate import simulate_border
from chekara.data.sources import load_history
from chekara.modelling.baselines import score_baselines
from chekara.modelling.card import compare_numbers
from chekara.modelling.dataset import build_dataset
from chekara.modelling.judgement import judge_recipe
from chekara.modelling.recipe import evaluate_recipe
from chekara.modelling.selective import selective_facts
from chekara.modelling.spec import load_spec
from training._history import just_after_newest

CARD = Path(__file__).parents[2] / "models" / "revenue_fraud" / "CARD.md"
MONTHS, PER_DAY, SEED = 12, 60, 1


@pytest.mark.slow
def test_the_card_of_revenue_fraud_can_be_made_again(tmp_path: Path) -> None:
    card = CARD.read_text(encoding="utf-8")
    assert f"--months {MONTHS} --per-day {PER_DAY} --seed {SEED}" in card
    simulate_border(tmp_path / "history", months=MONTHS, per_day=PER_DAY, seed=SEED)
    history, spec = load_history(tmp_path / "history"), load_spec(CARD.with_name("model.toml"))
    assert find_leakage(history, rule=spec.target, seed=SEED).leaking_tuple is None
    until = just_after_newest(history)
    dataset, facts = build_dataset(history, spec, until), selective_facts(history, spec, until, seed=SEED)
    scores = evaluate_recipe(dataset, spec, SEED)
    judgements = judge_recipe(scores, score_baselines(scores), facts, seed=SEED)
    metrics = {name: value for judgement in judgements for name, value in judgement.metrics().items()}
    metrics |= facts.metrics()
    assert compare_numbers(card, metrics, tolerance=0.01) == (), "make the card again: the commands stand in it"

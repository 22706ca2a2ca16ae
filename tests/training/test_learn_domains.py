"""Domains that are learned side by side: the same models, one after another or not, and an end that comes soon."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from chekara.data.leakage import search_lines
from chekara.data.simulate import simulate_border
from chekara.data.sources import load_history
from chekara.errors import NotEnoughHitsError
from chekara.modelling.shared import lay_out_lines
from training._history import just_after_newest
from training._learn import LearnedDomain, TrainingOrder, learn_domains
from training.train import MODELS, load_specs

if TYPE_CHECKING:
    from chekara.modelling.forward import Progress
    from chekara.modelling.spec import ModelSpec

SEED = 3


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> TrainingOrder:
    folder = tmp_path_factory.mktemp("border")
    simulate_border(folder, months=8, per_day=60, seed=SEED)
    history = load_history(folder)
    until = just_after_newest(history)
    return TrainingOrder(
        history=history,
        lines=lay_out_lines(history, load_specs(MODELS, []), until, seed=SEED),
        until=until,
        seed=SEED,
        protocol="auto",
        trained_by="nobody",
        models=MODELS,
        findings=(),
        searched=search_lines(history, seed=SEED),
        scratch=folder,
    )


def everything_of(learned: LearnedDomain) -> str:
    """Digest of what is served and of every figure that is told."""
    figures = {name: value for judgement in learned.served.judgements for name, value in judgement.metrics().items()}
    content = [
        learned.model.booster.model_to_string(),
        json.dumps(learned.model.calibration.to_json()),
        json.dumps(learned.model.evidence.to_json()),
        json.dumps(learned.model.encoder.to_json()),
        np.sort(learned.model.reference_margins).tobytes().hex(),
        json.dumps(figures, sort_keys=True),
        json.dumps(learned.facts.metrics(), sort_keys=True),
    ]
    return hashlib.sha256("".join(content).encode()).hexdigest()


def learned_by(workers: int, order: TrainingOrder, specs: list[ModelSpec]) -> list[str]:
    told: list[tuple[str, str]] = []

    def tell(spec: ModelSpec) -> Progress:
        return lambda stage, fraction: told.append((spec.domain, stage))

    found = []
    with learn_domains(specs, order, workers, tell) as futures:
        for future in futures:
            try:
                found.append(everything_of(future.result()))
            except NotEnoughHitsError as error:
                found.append(str(error))
    assert {domain for domain, _ in told} == {spec.domain for spec in specs}
    return found


def test_the_number_of_domains_at_a_time_changes_no_model_and_no_figure(order: TrainingOrder) -> None:
    specs = load_specs(MODELS, ["revenue_fraud", "sps_violation"])
    one_by_one = learned_by(1, order, specs)
    assert learned_by(2, order, specs) == one_by_one
    assert len(set(one_by_one)) == len(specs)


def test_who_leaves_early_does_not_wait_for_domains_that_have_not_begun(order: TrainingOrder) -> None:
    specs = load_specs(MODELS, [])
    begun: list[str] = []

    def tell(spec: ModelSpec) -> Progress:
        begun.append(spec.domain)
        return lambda stage, fraction: None

    with pytest.raises(RuntimeError, match="full disk"), learn_domains(specs, order, 1, tell) as futures:
        raise RuntimeError("full disk")
    assert len(begun) <= 1
    assert all(future.done() for future in futures)

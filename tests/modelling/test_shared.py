"""Lines for several domains: laid out together they are what each domain would have laid out alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chekara.data.sources import History
from chekara.modelling import shared as module
from chekara.modelling.dataset import build_dataset
from chekara.modelling.shared import lay_out_lines
from chekara.modelling.spec import ModelSpec
from tests.modelling.conftest import UNTIL


@pytest.fixture(scope="module")
def specs(spec: ModelSpec) -> list[ModelSpec]:
    other = replace(spec, domain="contraband", target=replace(spec.target, domain="contraband"), applies_to={})
    return [spec, other]


def test_a_domain_learns_the_same_alone_and_among_others(history: History, specs: list[ModelSpec]) -> None:
    lines = lay_out_lines(history, specs, UNTIL, keeps_all=True)
    for spec in specs:
        together, alone = build_dataset(history, spec, UNTIL, shared=lines), build_dataset(history, spec, UNTIL)
        assert together.crossing_ids.tolist() == alone.crossing_ids.tolist()
        assert np.array_equal(together.hit, alone.hit, equal_nan=True)
        for name in alone.table.names:
            left, right = together.table.values[name], alone.table.values[name]
            assert left.tolist() == right.tolist() if left.dtype == object else left.tobytes() == right.tobytes(), name


def test_every_known_outcome_is_kept_and_the_newest_crossings(
    history: History, specs: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEWEST_CROSSINGS", 50)
    monkeypatch.setattr(module, "SAMPLED_CROSSINGS", 100)
    everything = lay_out_lines(history, specs, UNTIL, keeps_all=True)
    kept = lay_out_lines(history, specs, UNTIL)
    assert kept.n_known == everything.n_known
    assert len(kept.frame) < len(everything.frame)
    ids = set(kept.frame["crossing_id"])
    for told in kept.labels.values():
        assert set(told["crossing_id"]) <= ids
    first_known = history.crossings.groupby("crossing_id")["known_at"].min().sort_values(kind="stable")
    assert set(first_known.index[-40:]) <= ids
    whole = everything.frame[everything.frame["crossing_id"].isin(ids)]
    assert len(whole) == len(kept.frame), "crossings are kept whole"
    turned = replace(history, crossings=history.crossings.iloc[::-1].reset_index(drop=True))
    assert set(lay_out_lines(turned, specs, UNTIL).frame["crossing_id"]) == ids

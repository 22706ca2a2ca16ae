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


def test_a_domain_looks_at_its_own_outcomes_and_at_what_is_common_to_all(
    history: History, specs: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEWEST_CROSSINGS", 50)
    monkeypatch.setattr(module, "SAMPLED_CROSSINGS", 100)
    kept = lay_out_lines(history, specs, UNTIL)
    common = set(kept.frame.loc[kept.is_common, "crossing_id"])
    assert 150 <= len(common) <= 151
    assert len(set(kept.frame.loc[~kept.is_common, "crossing_id"]) & common) == 0, "crossings are kept whole"
    for spec in specs:
        own, everything = build_dataset(history, spec, UNTIL, shared=kept), build_dataset(history, spec, UNTIL)
        told = set(kept.labels[spec.domain]["crossing_id"])
        assert set(own.crossing_ids) == (told | common) & set(everything.crossing_ids)
        place = {crossing: number for number, crossing in enumerate(everything.crossing_ids)}
        same = [place[crossing] for crossing in own.crossing_ids]
        assert np.array_equal(own.hit, everything.hit[same], equal_nan=True)
        for name in own.table.names:
            column = everything.table.values[name][np.isin(everything.crossing_of_item, same)]
            assert np.array_equal(own.table.values[name], column, equal_nan=column.dtype != object), name
        shared = [name for name in own.table.names if own.items.values.get(name) is own.table.values[name]]
        assert any(name.startswith("importer_") for name in shared), "a profile is kept once, not twice"

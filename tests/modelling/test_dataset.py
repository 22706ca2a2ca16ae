"""Datasets: only what was known, and unknown is never negative."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from chekara.data.sources import History
from chekara.errors import NotEnoughHitsError
from chekara.features.build import build_features, items_from_frame
from chekara.features.catalogue import laid_columns
from chekara.modelling.dataset import Dataset, build_dataset, lines_that_apply
from chekara.modelling.spec import ModelSpec

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def _assert_same(left: Dataset, right: Dataset) -> None:
    assert left.crossing_ids.tolist() == right.crossing_ids.tolist()
    for name in ("as_of", "known_at", "hit", "hit_item_no", "propensity", "amount", "crossing_of_item", "item_no"):
        assert np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True), name
    for name, column in left.table.values.items():
        assert pd.Series(column).equals(pd.Series(right.table.values[name])), name


def test_crossings_stand_in_the_order_in_which_they_became_known(dataset: Dataset) -> None:
    assert (np.diff(dataset.as_of.astype(np.int64)) >= 0).all()
    assert len(set(dataset.crossing_ids)) == dataset.n_crossings
    assert (np.diff(dataset.crossing_of_item) >= 0).all()
    assert set(dataset.crossing_of_item) == set(range(dataset.n_crossings))
    assert (dataset.items.text("crossing_id") == dataset.crossing_ids[dataset.crossing_of_item]).all()


def test_unknown_is_not_negative(history: History, spec: ModelSpec, dataset: Dataset) -> None:
    done = history.inspections[
        (history.inspections["domain"] == spec.domain) & (history.inspections["status"] == "done")
    ]
    inspected = set(done["crossing_id"])
    known = ~np.isnan(dataset.hit)
    assert set(dataset.crossing_ids[known]) <= inspected
    assert 0 < known.sum() < dataset.n_crossings
    assert np.isnat(dataset.known_at[~known]).all()
    assert all(chosen is None for chosen in dataset.selected_by[~known])
    assert (dataset.amount[dataset.hit != 1] == 0).all()


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_what_comes_later_changes_nothing(history: History, spec: ModelSpec, share: float) -> None:
    times = history.crossings["known_at"].sort_values()
    until = times.iloc[int(len(times) * share)].to_pydatetime()
    past = replace(
        history,
        crossings=history.crossings[history.crossings["known_at"] < until],
        inspections=history.inspections[history.inspections["known_at"] < until],
    )
    with_future = build_dataset(history, spec, until)
    _assert_same(with_future, build_dataset(past, spec, LATER))
    instant = np.datetime64(until.astimezone(UTC).replace(tzinfo=None), "us")
    assert (with_future.as_of < instant).all()
    assert (with_future.known_at[~np.isnan(with_future.hit)] < instant).all()


def test_only_crossings_that_the_domain_applies_to_are_in(dataset: Dataset, history: History, spec: ModelSpec) -> None:
    assert lines_that_apply(dataset.items, spec).all()
    everything = items_from_frame(history.newest_revisions(LATER))
    assert lines_that_apply(everything, spec).sum() == dataset.items.n_items
    assert any("does not apply" in note for note in dataset.notes)


def test_a_lines_crossing_counts_lines_that_are_left_out(history: History, spec: ModelSpec) -> None:
    frame = history.newest_revisions(LATER)
    wide = frame[frame.duplicated("crossing_id", keep=False)].copy()
    wide["procedure"] = np.where(wide["item_no"] == 1, "out", "in")
    narrow = replace(spec, applies_to={"procedure": ("in",)})
    dataset = build_dataset(replace(history, crossings=wide), narrow, LATER)
    counts = wide.groupby("crossing_id").size()
    expected = counts.loc[dataset.items.text("crossing_id").tolist()].to_numpy()
    assert dataset.table.values["item_count"].tolist() == expected.tolist()
    assert (dataset.item_no > 1).all()


def test_a_national_column_that_is_not_there_is_left_out_with_a_note(dataset: Dataset, spec: ModelSpec) -> None:
    absent = set(spec.features) - set(dataset.table.names)
    assert absent <= set(spec.extensions)
    assert absent
    for name in absent:
        assert f"extension {name} is not in this history" in dataset.notes


def test_features_are_those_of_the_one_path(history: History, dataset: Dataset, spec: ModelSpec) -> None:
    frame = history.newest_revisions(LATER).set_index("crossing_id")
    chosen = dataset.crossing_ids[:: max(1, dataset.n_crossings // 20)]
    alike = [name for name in dataset.table.names if not laid_columns([name])]  # profiles: tests/features
    for crossing_id in chosen:
        alone = frame.loc[[crossing_id]].reset_index().sort_values("item_no")
        table = build_features(items_from_frame(alone), alike, spec.extensions)
        lines = dataset.items.text("crossing_id") == crossing_id
        for name in table.names:
            assert pd.Series(dataset.table.values[name][lines]).equals(pd.Series(table.values[name])), name


def test_nothing_known_yet_is_told(history: History, spec: ModelSpec) -> None:
    before = history.crossings["known_at"].min().to_pydatetime() - timedelta(days=1)
    with pytest.raises(NotEnoughHitsError, match="no crossing before"):
        build_dataset(history, spec, before)


def test_the_leaking_tuple_gets_keys_line_by_line(history: History, spec: ModelSpec) -> None:
    keyed = build_dataset(history, spec, LATER, leaking_tuple=("hs_code", "origin_country"), protocol="leak_free")
    assert keyed.tuple_key is not None
    goods = list(zip(keyed.items.text("hs_code"), keyed.items.text("origin_country"), strict=True))
    assert len(set(keyed.tuple_key.tolist())) == len(set(goods))
    assert keyed.protocol == "leak_free"


def test_a_declaration_mended_after_its_result_is_not_learned_from(
    history: History, spec: ModelSpec, dataset: Dataset
) -> None:
    inspected = dataset.crossing_ids[np.flatnonzero(~np.isnan(dataset.hit))[:20]]
    newest = history.newest_revisions()
    mended = newest[newest["crossing_id"].isin(inspected)].copy()
    mended["revision"] = mended["revision"] + 1
    mended["known_at"] = pd.Timestamp(dataset.until) - pd.Timedelta(microseconds=1)
    mended["declared_value"] = 1e9
    later = replace(history, crossings=pd.concat([history.crossings, mended], ignore_index=True))
    _assert_same(build_dataset(later, spec, dataset.until), dataset)

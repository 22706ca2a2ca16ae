"""The recipe: judged on later crossings, refitted on everything, the same bytes for the same seed."""

from __future__ import annotations

from dataclasses import replace
from threading import BoundedSemaphore

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from chekara.data.sources import History
from chekara.errors import NotEnoughHitsError
from chekara.evaluation.ranking import auc
from chekara.features.build import build_features
from chekara.features.profile_measures import REFERENCE_LEVEL
from chekara.modelling import forward
from chekara.modelling.dataset import Dataset, build_dataset
from chekara.modelling.learn import learn, matrix_of
from chekara.modelling.model import Model
from chekara.modelling.recipe import RecipeScores, evaluate_recipe, refit_on_everything
from chekara.modelling.spec import ModelSpec
from tests.modelling.conftest import UNTIL, scored_items, strangers


@pytest.fixture(scope="module")
def scores(dataset: Dataset, spec: ModelSpec) -> RecipeScores:
    return evaluate_recipe(dataset, spec, seed=5)


def test_the_test_slice_lies_after_all_that_was_learned(dataset: Dataset, scores: RecipeScores) -> None:
    as_of = pd.Series(dataset.as_of, index=dataset.crossing_ids)
    known_at = pd.Series(dataset.known_at, index=dataset.crossing_ids)
    begins_at = as_of[scores.test.crossing_ids].min()
    assert known_at[scores.train.crossing_ids].max() < begins_at
    assert not set(scores.train.crossing_ids) & set(scores.test.crossing_ids)
    assert scores.windows["train"][1] < begins_at
    assert scores.windows["test"][0] == begins_at


def test_slices_hold_known_outcomes_alone(dataset: Dataset, scores: RecipeScores) -> None:
    hit = pd.Series(dataset.hit, index=dataset.crossing_ids)
    for part in (scores.train, scores.test):
        assert part.hit.tolist() == hit[part.crossing_ids].tolist()
        assert part.X.shape == (len(part.crossing_of_item), len(scores.feature_names))
        assert set(part.crossing_of_item) == set(range(len(part.hit)))
        assert (part.item_weight > 0).all()
        assert (part.weight >= 1).all()
    assert len(scores.margin) == len(scores.probability) == len(scores.is_random) == len(scores.test.hit)


def test_it_ranks_later_crossings_far_better_than_chance(scores: RecipeScores) -> None:
    assert auc(scores.test.hit, scores.margin) > 0.7
    assert (np.diff(scores.probability[np.argsort(scores.margin)]) >= 0).all()


def test_progress_goes_forward_and_ends(dataset: Dataset, spec: ModelSpec) -> None:
    told: list[tuple[str, float]] = []
    evaluate_recipe(dataset, spec, 5, lambda stage, fraction: told.append((stage, fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(stage for stage, _ in told)


def test_the_future_cannot_reach_back(
    history: History, spec: ModelSpec, scores: RecipeScores, dataset: Dataset
) -> None:
    """Turn every label that became known in the test slice: what was learned before must stay the same."""
    begins_at = scores.windows["test"][0]
    turned = replace(dataset, hit=np.where(dataset.known_at >= begins_at, 1 - dataset.hit, dataset.hit))
    again = evaluate_recipe(turned, spec, 5, test_from=begins_at)
    assert again.margin.tolist() == scores.margin.tolist()
    assert again.calibration == scores.calibration


def test_the_same_seed_gives_the_same_model(dataset: Dataset, spec: ModelSpec, model: Model) -> None:
    again = refit_on_everything(dataset, spec, seed=5)
    assert again.booster.model_to_string() == model.booster.model_to_string()
    assert (again.calibration, again.encoder, again.severity) == (model.calibration, model.encoder, model.severity)
    assert again.golden == model.golden
    assert refit_on_everything(dataset, spec, seed=6).booster.model_to_string() != model.booster.model_to_string()


@pytest.mark.parametrize("fits_at_once", [1, 3])
def test_the_judgements_margins_spare_the_refit_its_own_and_change_nothing(
    dataset: Dataset,
    spec: ModelSpec,
    scores: RecipeScores,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    fits_at_once: int,
) -> None:
    monkeypatch.setattr(forward, "FITS_AT_ONCE", fits_at_once)
    monkeypatch.setattr(forward, "_FITS", BoundedSemaphore(fits_at_once))
    found = evaluate_recipe(dataset, spec, 5).forward
    assert found is not None
    assert scores.forward is not None
    assert [part.tolist() for part in found.by_rounds] == [part.tolist() for part in scores.forward.by_rounds]
    again = refit_on_everything(dataset, spec, 5, forward=found)
    assert again.booster.model_to_string() == model.booster.model_to_string()
    assert again.calibration == model.calibration


def test_every_margin_that_calibrates_is_of_a_later_crossing_than_its_fit(
    dataset: Dataset, spec: ModelSpec, scores: RecipeScores
) -> None:
    assert scores.forward is not None
    rows = scores.forward.rows
    assert len(np.unique(rows)) == len(rows)
    tested = np.isin(dataset.crossing_ids[rows], scores.test.crossing_ids)
    assert dataset.crossing_ids[rows][tested].tolist() == scores.test.crossing_ids.tolist()
    chosen = spec.training.rounds.index(scores.rounds)
    assert scores.forward.by_rounds[chosen][tested].tolist() == scores.margin.tolist()
    earlier = replace(dataset, hit=np.where(dataset.as_of >= scores.windows["test"][0], np.nan, dataset.hit))
    assert not np.isnan(earlier.hit[rows[~tested]]).any()


def test_the_refit_learns_from_the_latest_results_too(dataset: Dataset, spec: ModelSpec, scores: RecipeScores) -> None:
    labelled = ~np.isnan(dataset.hit)
    learned = learn(dataset, spec, labelled, np.ones(dataset.n_crossings, dtype=bool), 5, 1)
    taught = set(dataset.crossing_ids[dataset.crossing_of_item[learned.lines]])
    assert set(scores.test.crossing_ids) <= taught


def test_margins_are_the_boosters_and_contributions_add_up(history: History, model: Model) -> None:
    items = scored_items(history, model.spec, 1000)
    X = model.encode(model.features(items))
    raw = np.asarray(model.booster.predict(X, raw_score=True))
    np.testing.assert_allclose(model.margins(X), raw, rtol=0, atol=1e-10)
    contributions = model.contributions(X)
    np.testing.assert_allclose(contributions.sum(axis=1), raw, rtol=0, atol=1e-9)
    np.testing.assert_allclose(contributions, model.booster.predict(X, pred_contrib=True), rtol=0, atol=1e-9)


def test_training_and_serving_encode_alike(history: History, dataset: Dataset, spec: ModelSpec, model: Model) -> None:
    learned = learn(dataset, spec, ~np.isnan(dataset.hit), np.ones(dataset.n_crossings, dtype=bool), 5, 1)
    everything = np.ones(dataset.n_crossings, dtype=bool)
    trained, _ = matrix_of(learned, dataset, everything)
    items = scored_items(history, spec)
    served = model.encode(model.features(items))[model.applies_to(items)]
    assert served.tobytes() == trained.tobytes()


def test_reference_margins_are_those_of_recent_traffic(dataset: Dataset, model: Model) -> None:
    assert len(model.reference_margins) == min(10_000, dataset.n_crossings)
    assert (np.diff(model.reference_margins) >= 0).all()
    inspected_margins = (~np.isnan(dataset.hit)).sum()
    assert inspected_margins < len(model.reference_margins)


def test_usual_prices_stand_beside_declared_ones(history: History, model: Model) -> None:
    items = scored_items(history, model.spec, 2000)
    said, usual, group = model.usual(items)["unit_price_vs_reference"]
    ratio = model.features(items).values["unit_price_vs_reference"]
    np.testing.assert_allclose((said / usual).astype(np.float32), ratio, rtol=1e-6)
    assert np.isfinite(usual[1000:]).mean() > 0.9
    codes, origins = items.text("hs_code"), items.text("origin_country")
    for code, origin, level, name in zip(codes, origins, items.number(REFERENCE_LEVEL).tolist(), group, strict=True):
        if code is None or np.isnan(level):
            assert name == ""
        else:
            assert name == ("", code[:2], code[:4], code[:6], f"{code[:6]} {origin}")[int(level)]


def test_unseen_categories_are_told(history: History, model: Model) -> None:
    frame = history.newest_revisions(UNTIL).head(3).copy()
    frame["crossing_point"] = "nowhere"
    items = strangers(frame, model.spec)
    told = model.unseen(model.features(items))
    assert [(row, name) for row, name in told if name == "crossing_point"] == [
        (0, "crossing_point"),
        (1, "crossing_point"),
        (2, "crossing_point"),
    ]


def test_a_missing_value_moves_a_score_no_further_than_values_that_training_saw(
    history: History, dataset: Dataset, spec: ModelSpec
) -> None:
    """LightGBM reads a missing number as 0 where training never missed one: a gap must not read as "far too cheap"."""
    learned = learn(dataset, spec, ~np.isnan(dataset.hit), np.ones(dataset.n_crossings, dtype=bool), 30, 5)
    table = build_features(scored_items(history, spec, 12), learned.encoder.names, spec.extensions)
    for place, (name, kind) in enumerate(zip(table.names, table.kinds, strict=True)):
        seen = np.unique(learned.X[:, place])
        X = np.repeat(learned.encoder.encode(table), len(seen), axis=0)
        X[:, place] = np.tile(seen, table.n_items)
        margins = np.asarray(learned.booster.predict(X, raw_score=True)).reshape(table.n_items, len(seen))
        gap = np.full(table.n_items, np.nan, dtype=np.float32) if kind == "number" else np.full(table.n_items, None)
        without = learned.encoder.encode(replace(table, values=table.values | {name: gap}))
        margin = np.asarray(learned.booster.predict(without, raw_score=True))
        if kind == "number" and not np.isnan(seen).any():
            column = np.sort(learned.X[:, place])
            middle = margins[:, np.searchsorted(seen, column[(len(column) - 1) // 2])]
            np.testing.assert_array_equal(margin, middle, err_msg=name)
        assert (margin >= margins.min(axis=1) - 1e-9).all(), name
        assert (margin <= margins.max(axis=1) + 1e-9).all(), name


def test_a_bare_declaration_says_what_it_lacks_and_still_adds_up(history: History, model: Model) -> None:
    splits = set(model.booster.trees_to_dataframe()["split_feature"].dropna())
    assert model.asked_features == splits
    # Of the others a few were missing when it learned, so that a gap is something it has seen.
    assert "duty_rate" in model.encoder.stand_ins
    frame = history.newest_revisions(UNTIL).dropna(subset=["duty_rate"]).head(20)
    items = strangers(frame.drop(columns=["duty_rate"]), model.spec)
    table = model.features(items)
    for is_asked in (True, False):
        asking = replace(model)
        asked = model.asked_features | {"duty_rate"} if is_asked else model.asked_features - {"duty_rate"}
        object.__setattr__(asking, "asked_features", asked)
        whole = strangers(frame, model.spec)
        before = asking.missing(whole, asking.features(whole))
        told = [(row, "duty_rate") for row in range(items.n_items)] if is_asked else []
        assert asking.missing(items, table) == sorted([*before, *told]), "no less certain without what nobody asks for"
    X = model.encode(table)
    raw = np.asarray(model.booster.predict(X, raw_score=True))
    np.testing.assert_allclose(model.contributions(X).sum(axis=1), raw, rtol=0, atol=1e-9)
    np.testing.assert_allclose(model.margins(X), raw, rtol=0, atol=1e-9)


def test_too_few_hits_are_told_with_their_count(dataset: Dataset, spec: ModelSpec) -> None:
    many = replace(spec, minimum_hits=10**6)
    with pytest.raises(NotEnoughHitsError, match=r"\d+ hits known, at least 1000000"):
        evaluate_recipe(dataset, many, 1)
    with pytest.raises(NotEnoughHitsError, match="known in revenue_fraud"):
        refit_on_everything(dataset, many, 1)


def _leaky(history: History) -> History:
    """Copy every tenth earlier crossing into the end of the history, its result with it."""
    frame, done = history.newest_revisions(UNTIL), history.inspections
    known = frame[frame["crossing_id"].isin(done["crossing_id"])]
    end = history.crossings["known_at"].max()
    copies = known.iloc[::3].copy()
    moved = end - pd.to_timedelta(np.arange(len(copies)) % 20, unit="D")
    copies["known_at"] = copies["occurred_at"] = moved
    results = done[done["crossing_id"].isin(copies["crossing_id"])].copy()
    when = copies.drop_duplicates("crossing_id").set_index("crossing_id")["known_at"]
    results["inspected_at"] = results["known_at"] = when.loc[results["crossing_id"]].to_numpy() + pd.Timedelta("1h")
    for part in (copies, results):
        part["crossing_id"] = "copy-" + part["crossing_id"]
    results["inspection_id"] = "copy-" + results["inspection_id"]
    return replace(
        history,
        crossings=pd.concat([history.crossings, copies], ignore_index=True),
        inspections=pd.concat([done, results], ignore_index=True),
    )


TUPLE = ("hs_code", "origin_country", "declared_value", "net_mass_kg")


def test_leak_free_neither_learns_copies_nor_judges_them(history: History, spec: ModelSpec) -> None:
    leaky = _leaky(history)
    judged = {}
    for protocol in ("as_given", "leak_free"):
        dataset = build_dataset(leaky, spec, UNTIL, leaking_tuple=TUPLE, protocol=protocol)  # type: ignore[arg-type]
        judged[protocol] = evaluate_recipe(dataset, spec, 5)
    free = judged["leak_free"]
    assert free.train.tuple_key is not None
    assert free.test.tuple_key is not None
    assert len(np.unique(free.train.tuple_key)) == len(free.train.tuple_key)
    assert not set(free.train.tuple_key.tolist()) & set(free.test.tuple_key.tolist())
    given = judged["as_given"]
    assert given.train.tuple_key is not None
    assert given.test.tuple_key is not None
    assert set(given.train.tuple_key.tolist()) & set(given.test.tuple_key.tolist())
    assert len(free.test.hit) < len(given.test.hit)


def test_a_model_read_from_its_text_scores_the_same(model: Model, history: History) -> None:
    again = lgb.Booster(model_str=model.booster.model_to_string())
    X = model.encode(model.features(strangers(history.newest_revisions(UNTIL).head(300), model.spec)))
    assert (
        np.asarray(again.predict(X, raw_score=True)).tolist()
        == np.asarray(model.booster.predict(X, raw_score=True)).tolist()
    )

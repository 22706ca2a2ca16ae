"""Facts of a domain's lot: what counts, what is weighed, and what nobody but an auditor reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from chekara.data.labels import label_crossings
from chekara.data.sources import History
from chekara.modelling.baselines import chance
from chekara.modelling.judgement import compare_parts, judge_recipe
from chekara.modelling.selective import SelectiveFacts, is_beyond_price, lot_weights, selective_facts
from chekara.modelling.selective_page import inspector_page, selective_sentences
from chekara.modelling.spec import ModelSpec
from tests.modelling.conftest import UNTIL
from tests.modelling.recipe_scores import made_facts, made_scores


@pytest.fixture(scope="module")
def facts(history: History, spec: ModelSpec) -> SelectiveFacts:
    return selective_facts(history, spec, UNTIL, seed=1, replicates=50)


def with_empty_trucks(history: History, crossing_ids: pd.Series) -> History:
    """Unload some crossings, so that the domain does not apply to them."""
    crossings = history.crossings.copy()
    crossings.loc[crossings["crossing_id"].isin(crossing_ids), "load_status"] = "empty"
    return replace(history, crossings=crossings)


def test_draws_equal_what_a_plain_reading_of_the_files_counts(history: History, spec: ModelSpec) -> None:
    drawn = history.inspections.query("domain == 'revenue_fraud' and selected_by == 'random'")
    history = with_empty_trucks(history, drawn["crossing_id"].iloc[:5])
    facts = selective_facts(history, spec, UNTIL, seed=1, replicates=5)
    lines = history.crossings[history.crossings["crossing_id"].isin(drawn["crossing_id"])]
    fits = pd.Series(True, index=lines.index)
    for name, allowed in spec.applies_to.items():
        fits &= lines[name].isna() | lines[name].isin(allowed)
    expected = set(lines.loc[fits, "crossing_id"])
    assert set(facts.draws["crossing_id"]) == expected
    assert not expected & set(drawn["crossing_id"].iloc[:5])
    labels = label_crossings(history.inspections, spec.target).set_index("crossing_id")
    labels = labels[(labels["selected_by"] == "random") & labels.index.isin(expected)]
    told = facts.draws.set_index("crossing_id")["hit"].dropna()
    assert told.astype(bool).to_dict() == labels.loc[told.index, "hit"].to_dict()
    assert facts.rate is not None
    assert facts.rate.unknown == len(expected) - len(told) > 0
    assert sum(row.unknown for row in facts.by_post) == sum(row.unknown for row in facts.by_shift) == facts.rate.unknown


def test_later_results_change_nothing_earlier(history: History, spec: ModelSpec) -> None:
    middle = history.crossings["known_at"].median().to_pydatetime()
    cut = replace(
        history,
        crossings=history.crossings[history.crossings["known_at"] < middle],
        inspections=history.inspections[history.inspections["known_at"] < middle],
    )
    one, other = (selective_facts(each, spec, middle, seed=1, replicates=20) for each in (history, cut))
    pd.testing.assert_frame_equal(one.draws, other.draws)
    assert one.metrics() == other.metrics()
    assert one.inspectors.rows == other.inspectors.rows


def test_judged_draws_stand_for_those_of_their_time_that_came_to_nothing() -> None:
    scores = made_scores(seed=1)
    facts = made_facts(scores)
    window = scores.windows["test"]
    weights = lot_weights(facts, scores.test.crossing_ids, window)
    assert ((weights > 0) == scores.is_random).all()
    as_of = facts.draws["as_of"].dt.tz_localize(None).to_numpy()
    inside = facts.draws["hit"].notna() | ((as_of >= window[0]) & (as_of <= window[1]))
    assert weights.sum() == pytest.approx((1 / facts.draws["propensity"])[inside].sum())
    later = (window[1] + np.timedelta64(1000, "D"), window[1] + np.timedelta64(2000, "D"))
    plain = lot_weights(facts, scores.test.crossing_ids, later)
    known = facts.draws["hit"].notna()
    assert plain.sum() == pytest.approx((1 / facts.draws.loc[known, "propensity"]).sum())


def test_the_lot_is_judged_by_intention_and_price_hits_are_left_out() -> None:
    scores = made_scores(seed=1)
    facts = made_facts(scores)
    judged = judge_recipe(scores, [chance(scores.train, scores.test)], facts, seed=1, replicates=10)
    assert [judgement.part for judgement in judged] == ["inspected", "without_valuation", "lot"]
    whole, beyond, lot = (judgement.model for judgement in judged)
    assert (beyond.n_hits, beyond.n_crossings) == (whole.n_hits - 20, whole.n_crossings - 20)
    weights = lot_weights(facts, scores.test.crossing_ids, scores.windows["test"])
    drawn = weights > 0
    assert lot.n_crossings == drawn.sum()
    assert lot.ranking.base_rate == pytest.approx(np.average(scores.test.hit[drawn], weights=weights[drawn]))
    figures = {figure.name: figure for figure in compare_parts(judged)}
    assert figures["auc"].naive.value == whole.ranking.auc.value
    assert figures["auc"].corrected.value == lot.ranking.auc.value
    assert figures["base_rate"].corrected.closed_form[0] < lot.ranking.base_rate
    assert compare_parts(judged[:2]) == ()
    assert is_beyond_price(facts, scores.test.crossing_ids).sum() == whole.n_crossings - 20


def test_without_a_lot_it_says_so(history: History, spec: ModelSpec) -> None:
    nobody = replace(history, inspections=history.inspections.assign(selected_by="officer", propensity=np.nan))
    facts = selective_facts(nobody, spec, UNTIL, seed=1, replicates=5)
    assert (facts.rate, facts.months, facts.inspectors.rows) == (None, None, ())
    assert "for all traffic nothing is known" in selective_sentences(facts)[0]
    assert "selective/lot/prevalence" not in facts.metrics()
    nobody_found = replace(history, inspections=history.inspections.assign(found=False, result="clear"))
    nothing = selective_facts(nobody_found, spec, UNTIL, seed=1, replicates=5)
    assert any("found nothing" in sentence for sentence in selective_sentences(nothing))
    assert nothing.months is not None
    assert nothing.months.is_upper_bound


def test_inspectors_are_named_on_their_own_page_alone(facts: SelectiveFacts) -> None:
    page = inspector_page(facts, "Revenue fraud")
    assert "insufficient data" in page
    for row in facts.inspectors.rows:
        assert f"| {row.inspector} | {row.controls} | {row.hits} |" in page
        assert not any(row.inspector in sentence for sentence in selective_sentences(facts))
    assert sum(row.controls for row in facts.inspectors.rows) == facts.draws["hit"].notna().sum()


def test_months_follow_the_draws(facts: SelectiveFacts) -> None:
    assert facts.months is not None
    days = facts.draws["as_of"].max() - facts.draws["as_of"].min()
    assert facts.months.draws_per_month == pytest.approx(facts.months.draws_done / (days / timedelta(days=30.44)))

"""The stock pyfunc answers what the service would, whatever shape the raw columns come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chekara.adapters.pyfunc_scoring import score_rows, with_given_profiles
from chekara.data.checks import validate_table
from chekara.domain.crossing import Crossing
from chekara.features.build import items_from_frame
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.features.profile_measures import REFERENCE_LEVEL
from chekara.modelling.bundle import load_trusted_keys, read_bundle
from chekara.modelling.golden import DRAWN_ROWS
from chekara.modelling.model import Model
from chekara.service.predict import predict
from tests.serving import settings_of
from training._example import example_rows

ROW: dict[str, Any] = {
    "crossing_id": "c1",
    "occurred_at": "2026-01-05T10:15:00+06:00",
    "crossing_point": "TORUGART",
    "direction": "entry",
    "mode": "road",
    "movement": "import",
    "load_status": "loaded",
    "hs_code": "610910",
    "origin_country": "CN",
    "declared_value": 1900.0,
    "net_mass_kg": 1000,
    "packages": 40,
    "authorised_operator": False,
}


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    return read_bundle(trained / "new-bundle", load_trusted_keys(settings_of(trained)))


def test_golden_rows_score_their_golden_margins(model: Model) -> None:
    scored = score_rows(model, example_rows(model, limit=DRAWN_ROWS))
    applies = scored["item_margin"].notna()
    assert applies.any()
    assert not scored["warnings"].str.contains("refused|blanked").any()
    golden = np.array(model.golden["margins"][:DRAWN_ROWS])
    np.testing.assert_allclose(scored["item_margin"][applies], golden[applies], atol=1e-9)
    golden = np.array(model.golden["probabilities"][:DRAWN_ROWS])
    np.testing.assert_allclose(scored["probability"][applies], golden[applies], atol=1e-9)
    between = scored[applies]
    assert (between["interval_low"] <= between["probability"]).all()
    assert (between["probability"] <= between["interval_high"]).all()


def test_text_numbers_and_gaps_score_alike(model: Model) -> None:
    as_numbers = pd.DataFrame([ROW, {**ROW, "crossing_id": "c2", "hs_code": "0101", "packages": None}])
    as_text = as_numbers.astype(object).map(lambda value: None if pd.isna(value) else str(value))
    with_numeric_code = as_numbers.assign(hs_code=[610910.0, np.nan])
    whole = score_rows(model, as_numbers)
    pd.testing.assert_frame_equal(whole, score_rows(model, as_text))
    pd.testing.assert_frame_equal(whole.iloc[:1], score_rows(model, with_numeric_code).iloc[:1])


def test_a_day_may_come_as_an_instant(model: Model) -> None:
    as_text = pd.DataFrame([{**ROW, "importer_registered_at": "2025-11-01"}])
    as_instant = pd.DataFrame([{**ROW, "importer_registered_at": pd.Timestamp("2025-11-01")}])
    whole = score_rows(model, as_text)
    pd.testing.assert_frame_equal(whole, score_rows(model, as_instant))
    assert "value_blanked" not in whole["warnings"][0]


def test_required_columns_are_enough_and_others_do_no_harm(model: Model) -> None:
    required = {name: ROW[name] for name in ("crossing_id", "occurred_at", "crossing_point", "direction", "mode")}
    assert np.isfinite(score_rows(model, pd.DataFrame([required]))["margin"]).all()
    extra = {**ROW, "unit_price_vs_reference": 99.0, "x_lane": "7", "made_up": "whatever"}
    pd.testing.assert_frame_equal(score_rows(model, pd.DataFrame([ROW])), score_rows(model, pd.DataFrame([extra])))


def test_a_crossing_scores_as_its_highest_line_and_contributions_add_up(model: Model) -> None:
    lines = pd.DataFrame([ROW, {**ROW, "declared_value": 20.0}, {**ROW, "crossing_id": "c2"}])
    scored = score_rows(model, lines, with_contributions=True)
    assert scored["item_no"].tolist() == [1, 2, 1]
    assert scored["margin"][0] == scored["margin"][1] == scored["item_margin"][:2].max()
    assert scored["margin"][2] == scored["item_margin"][2]
    contributions = scored.filter(like="contribution_")
    assert contributions.shape[1] == len(model.names) + 1
    np.testing.assert_allclose(contributions.sum(axis=1), scored["item_margin"], atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_size_of_a_hit_is_what_the_service_would_tell(model: Model, seed: int) -> None:
    assert model.severity is not None
    generator = np.random.default_rng(seed)
    lines = pd.DataFrame([{**ROW, "declared_value": value} for value in generator.lognormal(7, 2, 30).round(2)])
    lines["crossing_id"] = [f"c{i // 3}" for i in range(30)]
    laid = {name: generator.lognormal(1, 1, 30).astype(np.float32) for name in laid_columns(model.names)}
    laid[REFERENCE_LEVEL] = generator.integers(0, 5, 30).astype(np.float32)
    scored = score_rows(model, pd.concat([lines, pd.DataFrame(laid)], axis=1))
    checked = validate_table(lines.assign(item_no=scored["item_no"]).astype(str), "crossings").frame
    items = items_from_frame(checked)
    crossings = [crossing_from_rows(rows) for _, rows in checked.groupby("crossing_id", sort=False)]
    items = ItemColumns(items.values | laid, 30)
    live = predict({"revenue_fraud": model}, crossings, items, np.arange(0, 31, 3))
    by_line = scored.set_index(["crossing_id", "item_no"])["expected_amount"]
    for crossing, told in zip(crossings, live, strict=True):
        found = told.predictions["revenue_fraud"]
        assert found is not None
        assert found.expected_amount == by_line[crossing.crossing_id, found.item_no]
        assert 0 <= found.expected_amount <= model.severity.largest
    assert by_line.nunique() > 5


def crossing_from_rows(rows: pd.DataFrame) -> Crossing:
    """Make of checked rows what the service keeps of a crossing that predicting reads."""
    first = rows.iloc[0]
    items = tuple({"item_no": int(number)} for number in rows["item_no"])
    return Crossing(first["crossing_id"], 0, first["occurred_at"], first["known_at"], header={}, items=items)


def test_bad_rows_say_so_and_leave_the_others_alone(model: Model) -> None:
    lines = pd.DataFrame(
        [
            {**ROW, "direction": "sideways"},
            {**ROW, "crossing_id": "c2", "crossing_point": "NOWHERE"},
            {**ROW, "crossing_id": "c3", "declared_value": "a lot"},
            {**ROW, "crossing_id": "c4", "load_status": "empty", "packages": None},
            {**ROW, "crossing_id": "c5"},
        ]
    )
    scored = score_rows(model, lines)
    assert scored["crossing_id"].tolist() == ["c1", "c2", "c3", "c4", "c5"]
    assert scored["warnings"][0] == "row_refused"
    assert "unseen_category:crossing_point" in scored["warnings"][1]
    assert "value_blanked:declared_value" in scored["warnings"][2]
    assert "missing_value:declared_value" in scored["warnings"][2], "what is usual stands in for it"
    assert "not_applicable" in scored["warnings"][3]
    assert "missing_value:packages" not in scored["warnings"][3], "nothing was scored"
    assert scored["margin"].isna().tolist() == [True, False, False, True, False]
    alone = score_rows(model, pd.DataFrame([{**ROW, "crossing_id": "c5"}]))
    pd.testing.assert_frame_equal(scored.iloc[4:].reset_index(drop=True), alone)


def test_all_rows_refused_is_an_answer_too(model: Model) -> None:
    scored = score_rows(model, pd.DataFrame([{**ROW, "mode": "teleport"}]), with_contributions=True)
    assert scored["warnings"].tolist() == ["row_refused"]
    assert scored["margin"].isna().all()


def test_profiles_are_taken_as_given_and_missed_aloud() -> None:
    names = ("importer_volume_long", "carrier_burst", "carrier_share", "unit_price_vs_reference", "declared_value")
    raw = pd.DataFrame({"importer_volume_long": ["0.25", None, "no"], "declared_value": ["1", "2", "3"]})
    items = ItemColumns({"declared_value": np.array([1.0, 3.0])}, 2)
    given, absent = with_given_profiles(items, names, raw, np.array([0, 2]))
    np.testing.assert_array_equal(given.values["importer_volume_long"], np.array([0.25, np.nan], dtype=np.float32))
    assert given.values["declared_value"] is items.values["declared_value"]
    assert absent == ("carrier", "usual_price")


def test_example_rows_are_text_and_score(model: Model) -> None:
    example = example_rows(model)
    assert all(isinstance(value, str) for value in example.stack().dropna())
    assert np.isfinite(score_rows(model, example)["margin"]).any()

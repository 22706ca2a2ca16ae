"""A panel says of a micro-batch what each of its models says alone: the oracle is the road of scored histories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chekara.domain.crossing import Crossing
from chekara.errors import ConfigurationError
from chekara.explain.reasons import strongest_reasons
from chekara.features.build import items_from_crossings
from chekara.features.catalogue import ItemColumns
from chekara.features.joined import FeaturesTogether
from chekara.features.laid import LaidColumns
from chekara.modelling.encode import Encoder, field_behind
from chekara.service.predict import REASONS, Prediction, explain_rows, predict, score_highest
from tests.small_house import START, SmallModel, crossing, small_model


def three_models() -> dict[str, SmallModel]:
    """Return models that differ in trees, in what they know of categories, and in what they know of amounts."""
    knows_less = small_model(3)
    points = {"KG-01": 0, "(missing)": 1}
    encoder = Encoder(
        names=knows_less.encoder.names,
        codes={"crossing_point": points, "origin_country": knows_less.encoder.codes["origin_country"]},
        stand_ins={"declared_value": 1096.0},
    )
    return {
        "revenue_fraud": small_model(1),
        "contraband": replace(small_model(2), severity=None),
        "sps_violation": replace(knows_less, encoder=encoder),
    }


def mixed_crossings(seed: int, n: int) -> list[Crossing]:
    """Make crossings with gaps, strange categories, equal lines in any order, and some that no model applies to."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        own = crossing(
            f"c{i}",
            value=round(float(rng.lognormal(7, 2)), 2),
            items=int(rng.integers(1, 6)),
            crossing_point=str(rng.choice(["KG-01", "KG-02", "KG-03", "NOWHERE"])),
            movement=str(rng.choice(["import", "import", "import", "transit"])),
        )
        lines: list[dict[str, Any]] = [dict(line) for line in own.items]
        for line in lines:
            for name in rng.choice(["declared_value", "net_mass_kg", "origin_country", "hs_code"], rng.integers(0, 3)):
                line.pop(name, None)
            if rng.random() < 0.3:
                line |= {"declared_value": 40.0, "net_mass_kg": 10.0}
            if rng.random() < 0.2:
                line["origin_country"] = "XX"
        order = rng.permutation(len(lines))
        made.append(replace(own, items=tuple(lines[place] for place in order), known_at=START))
    return made


def alone(model: SmallModel, one: Crossing) -> Prediction | None:
    """Say what a model says of a crossing, call by call."""
    items, index = items_from_crossings([one])
    found = score_highest(model, items, index, 1)
    if not len(found.rows):
        return None
    row = int(found.rows[0])
    told = explain_rows(model, found.X[[row]])[0]
    low, high = model.calibration.interval(found.margins)
    amount = float(model.expected_amount(found.table, found.rows)[0])
    unseen = model.encoder.unseen(found.table)
    return Prediction(
        item_no=int(one.items[row]["item_no"]),  # type: ignore[call-overload]
        margin=float(found.margins[0]),
        base_value=float(told[-1]),
        probability=float(model.calibration.probability(found.margins)[0]),
        interval=(float(low[0]), float(high[0])),
        expected_amount=None if np.isnan(amount) else amount,
        contributions=dict(zip(model.names, told[:-1].tolist(), strict=True)),  # type: ignore[arg-type]
        reasons=strongest_reasons(
            model.names,
            [found.table.values[name][row] for name in model.names],
            told[:-1],
            model.evidence,
            REASONS,
            unseen=[name for line, name in unseen if line == row],
            goods=items.text("hs_code")[row],
        ),
        unseen_fields=tuple(sorted({name for _, name in unseen})),
        missing_fields=tuple(
            sorted({field_behind(name, items, line) for line, name in model.encoder.missing(found.table)})
        ),
    )


@pytest.mark.parametrize(("seed", "n"), [(1, 1), (2, 2), (3, 3), (4, 40), (5, 300)])
def test_a_panel_says_what_each_model_says_alone(seed: int, n: int) -> None:
    models, crossings = three_models(), mixed_crossings(seed, n)
    items, _ = items_from_crossings(crossings)
    starts = np.cumsum([0, *(len(one.items) for one in crossings)])
    told = predict(models, crossings, items, starts)
    assert len(told) == n
    for domain, model in models.items():
        found = [one.predictions[domain] for one in told]
        expected = [alone(model, one) for one in crossings]
        for own, its in zip(found, expected, strict=True):
            assert own == its
    if n > 10:
        predictions = [one for each in told for one in each.predictions.values()]
        assert {one is None for one in predictions} == {True, False}
        assert {field for one in predictions if one for field in one.unseen_fields} == {
            "crossing_point",
            "origin_country",
        }
        assert {field for one in predictions if one for field in one.missing_fields} >= {"declared_value"}


def test_lines_of_a_crossing_are_stored_with_it() -> None:
    crossings = mixed_crossings(6, 5)
    items, _ = items_from_crossings(crossings)
    starts = np.cumsum([0, *(len(one.items) for one in crossings)])
    for one, told in zip(crossings, predict(three_models(), crossings, items, starts), strict=True):
        own = small_model().features(items_from_crossings([one])[0])
        features = told.features.table(own.names, own.kinds)
        for name in own.names:
            assert features.values[name].tolist() == pytest.approx(own.values[name].tolist(), nan_ok=True)


def test_a_national_column_may_be_a_number_to_one_model_and_a_code_to_another() -> None:
    together = FeaturesTogether([(("x_park",), {"x_park": "number"}), (("x_park",), {"x_park": "category"})])
    given = {"x_park": np.array(["10", "P4", None], dtype=object)}
    laid = LaidColumns(("importer_volume_long",), np.float32([[1.0, 2.0, np.nan]]))
    joined = together.of(ItemColumns(given, 3).beside(laid))
    assert joined.names == ("importer_volume_long", "x_park")
    np.testing.assert_array_equal(joined.numbers, np.float32([[1, 10], [2, np.nan], [np.nan, np.nan]]))
    assert joined.categories == {"x_park": ["10", "P4", None]}


def test_what_compares_needs_to_know_what_is_usual() -> None:
    together = FeaturesTogether([(("unit_price_vs_reference",), {})])
    with pytest.raises(ConfigurationError, match="what is usual"):
        together.of(ItemColumns({}, 1))

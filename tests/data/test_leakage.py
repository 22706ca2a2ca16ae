"""The search for leakage: finds what was planted under any name, and leaves honest trade alone."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.data.labels import TargetRule, first_results, label_crossings
from chekara.data.leakage import LeakageReport, find_leakage, first_of_tuple, search_lines, tuple_key, unseen_tuple
from chekara.data.leakage_rows import EARLIER_SLICES, TIME_SLICES, lay_out
from chekara.data.leakage_tuples import auc_or_nan
from chekara.data.sources import load_history
from chekara.errors import MissingColumnError
from tests.data.worlds import copy_rows, history_of, inspected, list_price_trade, one_off_trade

RULE = TargetRule(domain="revenue_fraud")
KOREA = Path(__file__).parents[3] / "shared" / "data" / "korea54k"


def leakage_of(crossings: pd.DataFrame, inspections: pd.DataFrame, seed: int = 1) -> LeakageReport:
    return find_leakage(history_of(crossings, inspections), rule=RULE, seed=seed)


def codes_of(report: LeakageReport, severity: str = "warning") -> dict[str, tuple[str, ...]]:
    return {f.code: f.columns for f in report.findings if f.severity == severity}


# Copied tuples


@pytest.mark.parametrize(
    ("columns", "share"),
    [
        (("hs_code", "origin_country", "net_mass_kg", "declared_value"), 0.7),
        (("hs_code", "origin_country", "net_mass_kg", "declared_value"), 0.15),
        (("crossing_point", "vehicle_type", "packages", "gross_mass_kg", "duty_rate"), 0.4),
        (("x_lot_code", "origin_country", "dispatch_country", "duty_amount"), 0.4),
        (("importer_id", "hs_code", "net_mass_kg", "declared_value"), 0.5),
    ],
)
def test_names_a_tuple_that_was_copied_with_its_label(columns: tuple[str, ...], share: float) -> None:
    rng = np.random.default_rng(7)
    crossings = one_off_trade(6_000, rng)
    copied, hit = copy_rows(crossings, rng.random(6_000) < 0.2, columns, share=share, rng=rng)
    report = leakage_of(copied, inspected(copied, hit))
    assert report.leaking_tuple is not None
    assert set(report.leaking_tuple) == set(columns)
    assert report.has_findings
    assert "leaking_tuple" in codes_of(report)


def test_finds_the_tuple_although_few_crossings_are_inspected() -> None:
    rng = np.random.default_rng(3)
    columns = ("hs_code", "net_mass_kg", "declared_value")
    crossings = one_off_trade(12_000, rng)
    copied, hit = copy_rows(crossings, rng.random(12_000) < 0.2, columns, share=0.6, rng=rng)
    some = rng.random(12_000) < 0.15
    report = leakage_of(copied, inspected(copied[some], hit[some]))
    assert set(report.leaking_tuple or ()) == set(columns)


def test_copies_whose_labels_were_drawn_anew_are_no_leak() -> None:
    rng = np.random.default_rng(5)
    crossings = one_off_trade(6_000, rng)
    columns = ("hs_code", "origin_country", "net_mass_kg", "declared_value")
    copied, _ = copy_rows(crossings, np.zeros(6_000, dtype=bool), columns, share=0.5, rng=rng)
    report = leakage_of(copied, inspected(copied, rng.random(6_000) < 0.2))
    assert report.leaking_tuple is None
    assert not report.has_findings


@pytest.mark.parametrize("habit", ["importer", "goods", "low_price"])
@pytest.mark.parametrize(
    ("importers", "goods", "sizes", "noise"),
    [(300, 3, 1, 0.0), (300, 3, 1, 0.1), (900, 1, 1, 0.0), (100, 2, 3, 0.0), (60, 2, 6, 0.02)],
)
def test_honest_trade_that_repeats_raises_no_alarm(
    habit: str, importers: int, goods: int, sizes: int, noise: float
) -> None:
    rng = np.random.default_rng(importers + goods)
    crossings, hit = list_price_trade(
        6_000, rng, importers=importers, goods=goods, sizes=sizes, habit=habit, noise=noise
    )
    report = leakage_of(crossings, inspected(crossings, hit))
    assert not codes_of(report)
    assert report.leaking_tuple is None


def test_a_catalogue_that_many_importers_order_from_raises_no_alarm() -> None:
    rng = np.random.default_rng(12)
    crossings = one_off_trade(6_000, rng)
    columns = ["hs_code", "origin_country", "net_mass_kg", "gross_mass_kg", "packages", "declared_value"]
    ordered = rng.integers(0, 80, 6_000)
    for name in columns:
        crossings[name] = crossings[name].to_numpy()[ordered]
    cheats = crossings["importer_id"].map({name: rng.random() < 0.2 for name in sorted(set(crossings["importer_id"]))})
    report = leakage_of(crossings, inspected(crossings, cheats.to_numpy(dtype=bool)))
    assert not codes_of(report)


def test_a_column_that_was_copied_only_mostly_is_no_part_of_the_tuple() -> None:
    rng = np.random.default_rng(13)
    columns = ("hs_code", "net_mass_kg", "declared_value")
    crossings = one_off_trade(6_000, rng)
    copied, hit = copy_rows(crossings, rng.random(6_000) < 0.2, (*columns, "x_lot_code"), share=0.6, rng=rng)
    changed = rng.random(6_000) < 0.25
    copied["x_lot_code"] = np.where(changed, crossings["x_lot_code"], copied["x_lot_code"])
    assert set(leakage_of(copied, inspected(copied, hit)).leaking_tuple or ()) == set(columns)


def test_honest_repetition_is_told_as_a_notice() -> None:
    rng = np.random.default_rng(2)
    crossings, hit = list_price_trade(6_000, rng, importers=300, goods=3, habit="importer", noise=0.02)
    report = leakage_of(crossings, inspected(crossings, hit))
    assert {"importer_id", "hs_code", "declared_value"} <= set(codes_of(report, "notice")["repeated_consignments"])


def test_same_history_and_seed_give_the_same_report() -> None:
    rng = np.random.default_rng(9)
    crossings, hit = list_price_trade(3_000, rng, importers=200, goods=2, habit="importer", noise=0.05)
    once, again = (leakage_of(crossings, inspected(crossings, hit)) for _ in range(2))
    assert repr(once) == repr(again)  # by repr, because NaN is not equal to itself


def test_figures_of_the_tuple_equal_a_slow_count() -> None:
    rng = np.random.default_rng(11)
    columns = ("hs_code", "net_mass_kg", "declared_value")
    crossings = one_off_trade(2_500, rng)
    copied, hit = copy_rows(crossings, rng.random(2_500) < 0.3, columns, share=0.5, rng=rng)
    evidence = leakage_of(copied, inspected(copied, hit)).tuple_evidence
    assert evidence is not None
    tuples = [tuple(row) for row in copied[list(evidence.columns)].itertuples(index=False)]
    labels = defaultdict(list)
    for value, label in zip(tuples, hit, strict=True):
        labels[value].append(bool(label))
    repeated = [found for found in labels.values() if len(found) > 1]
    assert evidence.rows == 2_500
    assert evidence.distinct == len(labels)
    assert evidence.repeated == len(repeated)
    assert evidence.purity == pytest.approx(sum(len(set(found)) == 1 for found in repeated) / len(repeated))
    cut = 2_500 * EARLIER_SLICES // TIME_SLICES
    known = set(tuples[:cut])
    assert evidence.seen_before == pytest.approx(np.mean([value in known for value in tuples[cut:]]))
    prior = hit[:cut].mean()
    rate = {v: (sum(x) + prior) / (len(x) + 1) for v, x in _grouped(tuples[:cut], hit[:cut]).items()}
    score = np.array([rate.get(value, prior) for value in tuples[cut:]])
    assert evidence.lookup_auc == pytest.approx(_slow_auc(hit[cut:], score))


def _grouped(keys: list[tuple[object, ...]], labels: np.ndarray) -> dict[tuple[object, ...], list[bool]]:
    found = defaultdict(list)
    for key, label in zip(keys, labels, strict=True):
        found[key].append(bool(label))
    return found


def _slow_auc(hit: np.ndarray, score: np.ndarray) -> float:
    above, below = score[hit][:, None], score[~hit][None, :]
    return float(((above > below) + 0.5 * (above == below)).mean())


@pytest.mark.skipif(not KOREA.is_dir(), reason="the public Korean declarations are not at ../shared/data/korea54k")
def test_finds_the_korean_leak_unaided() -> None:
    report = find_leakage(load_history(KOREA), rule=RULE, seed=1)
    named = {"hs_code", "dispatch_country", "origin_country", "duty_rate", "preference_code", "net_mass_kg"}
    assert set(report.leaking_tuple or ()) == named | {"declared_value"}
    evidence = report.tuple_evidence
    assert evidence is not None
    # Published of the train part: 98.8 % of repeated tuples pure, a look-up far above .9, item price alone about .95.
    assert evidence.purity == pytest.approx(0.988, abs=0.002)
    assert evidence.permuted_purity < 0.5
    assert evidence.lookup_auc > 0.95
    assert evidence.lookup_auc_of_repeats > 0.98
    assert codes_of(report)["exact_value_predicts"] == ("declared_value",)
    assert report.columns[0].column == "declared_value"
    assert report.columns[0].exact_auc > 0.92


# Single columns


def planted(name: str, values: object, seed: int = 4) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    crossings = one_off_trade(3_000, rng)
    hit = rng.random(3_000) < 0.15
    crossings[name] = values(hit, rng)  # type: ignore[operator]
    return crossings, hit


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("column_predicts_alone", lambda hit, rng: np.where(rng.random(len(hit)) < 0.02, "A", np.where(hit, "B", "A"))),
        ("column_predicts_alone", lambda hit, rng: hit * 2.0 + rng.normal(0, 0.3, len(hit))),
        ("column_predicts_alone", lambda hit, rng: np.where(hit, "yes", None)),
        (
            "filled_where_hit",
            lambda hit, rng: np.where(hit & (rng.random(len(hit)) < 0.5), rng.random(len(hit)), np.nan),
        ),
        (
            "value_means_hit",
            lambda hit, rng: np.where(hit & (rng.random(len(hit)) < 0.5), "Q7", rng.choice(list("abcd"), len(hit))),
        ),
    ],
    ids=["code", "number", "flag", "half filled", "one value"],
)
def test_an_extension_that_knows_the_result_is_named(code: str, values: object) -> None:
    crossings, hit = planted("x_remark", values)
    assert codes_of(leakage_of(crossings, inspected(crossings, hit)))[code] == ("x_remark",)


@pytest.mark.parametrize(
    "values",
    [
        lambda hit, rng: rng.choice(list("abcdefgh"), len(hit)),
        lambda hit, rng: np.where(hit, rng.normal(0.8, 1.0, len(hit)), rng.normal(0, 1.0, len(hit))),
        lambda hit, rng: np.where(rng.random(len(hit)) < np.where(hit, 0.5, 0.2), "old", None),
    ],
    ids=["noise", "an honest risk score", "filled more often on hits"],
)
def test_an_honest_extension_is_not_blamed(values: object) -> None:
    crossings, hit = planted("x_remark", values)
    assert not codes_of(leakage_of(crossings, inspected(crossings, hit)))


def test_exact_values_of_a_copied_number_are_told_apart_from_its_size() -> None:
    rng = np.random.default_rng(8)
    crossings = one_off_trade(6_000, rng)
    copied, hit = copy_rows(crossings, rng.random(6_000) < 0.2, ("declared_value",), share=0.9, rng=rng)
    report = leakage_of(copied, inspected(copied, hit))
    assert codes_of(report) == {"exact_value_predicts": ("declared_value",)}


# The future


def test_crossings_known_after_their_result_are_told() -> None:
    rng = np.random.default_rng(1)
    crossings = one_off_trade(1_000, rng)
    crossings["known_at"] = crossings["occurred_at"] + pd.to_timedelta(np.where(np.arange(1_000) < 50, 9, 0), unit="D")
    report = leakage_of(crossings, inspected(crossings, rng.random(1_000) < 0.3))
    finding = next(f for f in report.findings if f.code == "known_after_result")
    assert finding.severity == "warning"
    assert finding.numbers == {"crossings": 50, "labelled": 1_000}


def test_revisions_after_the_result_are_told_and_not_looked_at() -> None:
    rng = np.random.default_rng(1)
    first = one_off_trade(2_000, rng)
    hit = rng.random(2_000) < 0.3
    first["known_at"], first["revision"] = first["occurred_at"], 0
    corrected = first[hit].copy()
    corrected["known_at"] += pd.Timedelta(days=30)
    corrected["revision"] = 1
    corrected["x_fine"] = 1.0
    crossings = pd.concat([first, corrected], ignore_index=True)
    report = leakage_of(crossings, inspected(first, hit))
    assert codes_of(report, "notice") == {"revised_after_result": ("revision",)}
    assert not report.has_findings


def test_an_extension_written_at_the_inspection_is_named() -> None:
    rng = np.random.default_rng(6)
    crossings = one_off_trade(2_000, rng)
    some = rng.random(2_000) < 0.2
    crossings["x_bay"] = np.where(some, rng.choice(list("abc"), 2_000), None)
    report = leakage_of(crossings, inspected(crossings[some], rng.random(some.sum()) < 0.3))
    assert codes_of(report) == {"filled_after_inspection": ("x_bay",)}


@pytest.mark.parametrize(("column", "result"), [("declared_value", "assessed_value"), ("x_sum", "revenue_recovered")])
def test_a_column_that_repeats_the_result_is_named(column: str, result: str) -> None:
    rng = np.random.default_rng(6)
    crossings = one_off_trade(2_000, rng)
    hit = rng.random(2_000) < 0.2
    controls = inspected(crossings, hit)
    controls[result] = np.where(hit, np.round(rng.lognormal(8, 1, 2_000), 2), np.nan)
    controls["irregularity"] = np.where(hit, "undervaluation", None)
    crossings[column] = np.where(hit, controls[result], crossings["declared_value"])
    assert codes_of(leakage_of(crossings, controls))["equals_result"] == (column,)


def test_values_that_were_right_are_no_correction() -> None:
    rng = np.random.default_rng(6)
    crossings = one_off_trade(2_000, rng)
    hit = rng.random(2_000) < 0.2
    controls = inspected(crossings, hit)
    controls["assessed_value"] = np.where(hit, crossings["declared_value"], np.nan)
    controls["irregularity"] = np.where(hit, "false_origin", None)
    assert not codes_of(leakage_of(crossings, controls))


def test_too_few_hits_are_said() -> None:
    rng = np.random.default_rng(1)
    crossings = one_off_trade(500, rng)
    report = leakage_of(crossings, inspected(crossings, np.arange(500) < 5))
    assert "too_few_hits" in codes_of(report, "notice")
    assert not report.has_findings


def test_no_labels_at_all_are_no_reason_to_fail() -> None:
    crossings = one_off_trade(300, np.random.default_rng(1))
    report = leakage_of(crossings, inspected(crossings, np.zeros(300, dtype=bool)).iloc[:0])
    assert (report.n_labelled, report.n_hits, report.leaking_tuple) == (0, 0, None)


def test_domains_that_share_a_search_are_told_what_each_would_find_alone() -> None:
    rng = np.random.default_rng(5)
    columns = ("hs_code", "origin_country", "net_mass_kg", "declared_value")
    copied, hit = copy_rows(one_off_trade(4_000, rng), rng.random(4_000) < 0.2, columns, share=0.5, rng=rng)
    honest = inspected(copied, rng.random(len(copied)) < 0.2).assign(domain="contraband")
    honest["inspection_id"] = "other-" + honest["inspection_id"]
    history = history_of(copied, pd.concat([inspected(copied, hit), honest], ignore_index=True))
    searched = search_lines(history, seed=1)
    leaks = []
    for domain in ("revenue_fraud", "contraband"):
        rule = TargetRule(domain=domain)
        together = find_leakage(history, rule=rule, seed=1, searched=searched)
        assert repr(together) == repr(find_leakage(history, rule=rule, seed=1))  # NaN equals nothing
        leaks.append(together.leaking_tuple)
    assert set(leaks[0] or ()) == set(columns)
    assert leaks[1] is None, "the same copies leak only the result that was copied with them"


# Rows


def test_a_hit_in_one_item_is_no_hit_in_the_others() -> None:
    rng = np.random.default_rng(1)
    crossings = one_off_trade(8, rng).iloc[:4].copy()
    crossings["crossing_id"], crossings["item_no"] = ["A", "A", "B", "B"], [1, 2, 1, 2]
    crossings["occurred_at"] = pd.Timestamp("2025-01-01T00:00:00Z")
    for name in ("crossing_point", "vehicle_type", "vehicle_id"):
        crossings[name] = crossings[name].iloc[0]
    controls = inspected(crossings.drop_duplicates("crossing_id"), np.array([True, True])).assign(item_no=[2, None])
    history = history_of(crossings, controls)
    rows = lay_out(history.crossings, first_results(history.inspections))
    rows = rows.with_labels(label_crossings(history.inspections, RULE))
    assert rows.hit.tolist() == [0.0, 1.0, 1.0, 1.0]


# The leak-free protocol


CELLS = st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([0.0, -0.0, 1.5, float("nan"), -float("nan")]))


@given(st.lists(CELLS, max_size=30), st.lists(CELLS, max_size=30))
@settings(max_examples=60)
def test_keys_are_equal_exactly_where_tuples_are(
    left: list[tuple[str | None, float]], right: list[tuple[str | None, float]]
) -> None:
    def frame(cells: list[tuple[str | None, float]]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "hs_code": pd.Series([c[0] for c in cells], dtype="str"),
                "net_mass_kg": np.array([c[1] for c in cells], dtype=float),
            }
        )

    def seen(cells: list[tuple[str | None, float]]) -> list[tuple[str | None, str]]:
        return [(text, "missing" if np.isnan(number) else str(number + 0.0)) for text, number in cells]

    columns = ("hs_code", "net_mass_kg")
    keys = np.concatenate([tuple_key(frame(left), columns), tuple_key(frame(right), columns)])
    tuples = seen(left) + seen(right)
    for i, key in enumerate(keys):
        assert [bool(key == other) for other in keys] == [tuples[i] == other for other in tuples]


@given(st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 9), max_size=10))
def test_protocol_masks_equal_sets(keys: list[int], trained: list[int]) -> None:
    as_keys, as_trained = np.array(keys, dtype=np.uint64), np.array(trained, dtype=np.uint64)
    assert first_of_tuple(as_keys).tolist() == [key not in keys[:i] for i, key in enumerate(keys)]
    assert unseen_tuple(as_keys, as_trained).tolist() == [key not in trained for key in keys]


def test_a_tuple_column_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingColumnError, match="x_tax"):
        tuple_key(pd.DataFrame({"hs_code": ["1"]}), ("hs_code", "x_tax"))


def test_auc_needs_ten_of_each() -> None:
    hit = np.repeat([0.0, 1.0], [10, 10])
    assert auc_or_nan(hit, hit) == 1.0
    assert np.isnan(auc_or_nan(hit[1:], hit[1:]))

"""The monitor over a real log: what it counts, when it alarms, what it refuses, and that it changes nothing."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chekara.adapters.live_decisions import LiveDecisions, SampledFeatures, read_live_decisions
from chekara.adapters.reading import open_to_read
from chekara.data.labels import TargetRule
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.errors import ConfigurationError, HistoryError, NotReadyError
from chekara.explain.evidence import CategoryEvidence, Count, Evidence, NumberEvidence
from chekara.service.records import Chain, DecisionFilter
from chekara.service.review import ReviewRequest
from tests.lots import drawing_house, policy_drawing
from tests.small_house import POINTS, START, SmallHouse, actor, crossing, request, result, sent, small_model
from tests.tracked import TrackedHome, run_training
from training._monitor_alarms import Thresholds, alarms_of
from training._monitor_drift import FeatureDrift, feature_drift, score_drift
from training._monitor_page import MonitorReport, metrics_of, page_of, pictures_of, plain_report
from training.monitor import chosen_models, parse_time, read_groups, watch

DOMAIN = "revenue_fraud"
N = 400
POLICY = policy_drawing(0.5, DOMAIN)


class Watched:
    """A small model with the one thing of a spec that is asked for."""

    def __init__(self, model: object) -> None:
        self._model = model
        self.spec = SimpleNamespace(target=TargetRule(domain=DOMAIN))

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)


def later() -> datetime:
    return datetime.now(UTC) + timedelta(days=10)


def looked(house: SmallHouse, until: datetime | None = None, seed: int = 1, **how: object) -> MonitorReport:
    models = {DOMAIN: Watched(small_model(seed))}
    return watch(house.settings, POLICY, models, None, until or later(), **how)  # type: ignore[arg-type]


def crossings(n: int, seed: int, *, times: float = 1.0, first: str = "c"):
    """Make crossings as the small model was trained on; ``times`` shifts their values."""
    values = np.random.default_rng(seed).lognormal(7, 1, n) * times
    return [crossing(f"{first}{i}", value=float(v), crossing_point=POINTS[i % 3]) for i, v in enumerate(values)]


def decided(house: SmallHouse, of: list) -> dict[str, object]:
    return {one.crossing_id: got for one, got in zip(of, house.score([request(one) for one in of]), strict=True)}


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[[], SmallHouse]]:
    """Yield what opens a house whose lot draws every other crossing."""
    opened: list[SmallHouse] = []

    def make() -> SmallHouse:
        opened.append(drawing_house(tmp_path / f"home{len(opened)}", POLICY))
        return opened[-1]

    yield make
    for house in opened:
        house.database.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHouse]:
    """Yield a house with crossings as in training; every draw was made, every third found something. Only read it."""
    opened = drawing_house(tmp_path_factory.mktemp("house") / "home", POLICY)
    settle(opened, crossings(N, 5))
    yield opened
    opened.database.close()


def settle(house: SmallHouse, of: list) -> None:
    drawn = [own for own, got in decided(house, of).items() if is_drawn(got)]
    house.score([sent(result(f"i{own}", crossing_id=own, found=n % 3 == 0, details={})) for n, own in enumerate(drawn)])


def is_drawn(record) -> bool:
    return any(draw.is_drawn for draw in record.decision.grounds.draws)


def codes(report: MonitorReport) -> set[str]:
    return {alarm.code for alarm in report.alarms}


@pytest.mark.parametrize("seed", [1, 2])
def test_shifted_crossings_alarm_and_others_do_not(make_house: Callable[[], SmallHouse], seed: int) -> None:
    calm, shifted = make_house(), make_house()
    decided(calm, crossings(N, seed + 10))
    decided(shifted, crossings(N, seed + 10, times=0.1))
    drift = {"score_drift", "high_scores", "feature_drift"}
    assert not codes(looked(calm)) & drift
    report = looked(shifted)
    assert {"score_drift", "feature_drift"} <= codes(report)
    assert {one.feature for one in report.domains[0].features[:2]} == {"declared_value", "value_per_kg"}
    assert all(alarm.figure > alarm.threshold for alarm in report.alarms if alarm.code != "calibration")


@pytest.mark.parametrize("seed", range(40))
def test_score_drift_is_told_of_shifted_scores_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, live = rng.normal(-3, 1, 5_000), rng.normal(-3, 1, 900)
    at = pd.Series(pd.to_datetime(START) + pd.to_timedelta(np.sort(rng.uniform(0, 21, 900)), unit="D"))
    calm, moved = score_drift(at, live, reference), score_drift(at, live + 1.0, reference)
    assert max(week.index or 0.0 for week in calm.weeks) < 0.25 < moved.newest.index
    assert sum(week.crossings for week in calm.weeks) == calm.whole.crossings == 900
    assert calm.whole.high.value == pytest.approx((live > np.quantile(reference, 0.95)).mean())
    low, high = moved.newest.high.interval_95
    assert 0.05 < low < moved.newest.high.value < high
    assert all(week.monday.weekday() == 0 for week in calm.weeks)


def test_a_quiet_week_has_no_index(house: SmallHouse) -> None:
    scores = looked(house).domains[0].scores
    few = score_drift(pd.Series(pd.to_datetime([START] * 20)), np.zeros(20), np.arange(100.0))
    assert few.whole.index is None
    assert [week.crossings for week in scores.weeks] == [N]


def evidence_of(n: int, inspected: int = 0) -> Evidence:
    """Return evidence of a number known in half of crossings and of a category with three values."""
    half, third = Count(n // 2, inspected // 2, 0), Count(n // 3, inspected // 3, 0)
    number = NumberEvidence((0.0, 1.0, 2.0), (1.0,), (Count(n // 4, inspected // 4, 0),) * 2, half)
    category = CategoryEvidence({"a": third, "b": third, "c": third}, None)
    return Evidence(Count(n, inspected, 0), {"mass": number, "mode": category})


def sampled(mass: list[float], mode: list[str | None]) -> SampledFeatures:
    numbers = {"mass": np.array(mass, dtype=np.float32)}
    return SampledFeatures(np.arange(len(mass)), numbers, {"mode": np.array([*mode, None], dtype=object)[:-1]})


@pytest.mark.parametrize("inspected", [0, 3_000])
def test_features_as_in_training_do_not_drift_and_missing_and_unknown_ones_do(inspected: int) -> None:
    evidence, meant = evidence_of(6_000, inspected), np.ones(1_200, dtype=bool)
    nan = math.nan
    calm = feature_drift(sampled([0.5, 1.5, nan, nan] * 300, ["a", "b", "c"] * 400), meant, evidence)
    assert all(one.index == 0 for one in calm)
    moved = {
        one.feature: one for one in feature_drift(sampled([nan] * 1_200, ["a", "b", "new"] * 400), meant, evidence)
    }
    assert (moved["mass"].where, moved["mass"].live, moved["mass"].training) == ("is missing", 1.0, 0.5)
    assert moved["mode"].where == "has a value that training hardly knew"
    assert min(one.index for one in moved.values()) > 0.5
    assert feature_drift(sampled([nan] * 100, ["a"] * 100), meant[:100], evidence) == ()


def test_a_form_that_changed_raises_ten_alarms_and_says_of_how_many(house: SmallHouse) -> None:
    [told] = looked(house).domains
    moved = tuple(FeatureDrift(f"f{i}", 20.0 - i, "is missing", 1.0, 0.0) for i in range(30))
    alarms = [one for one in alarms_of(replace(told, features=moved), Thresholds()) if one.code == "feature_drift"]
    assert [one.figure for one in alarms] == [20.0 - i for i in range(10)]
    assert "are 19 features" in alarms[0].sentence
    assert "features" not in alarms[1].sentence


def test_a_crossing_of_many_lines_counts_once() -> None:
    features = SampledFeatures(
        np.array([0] * 900 + list(range(1, 300))), {"mass": np.full(1_199, 0.5, dtype=np.float32)}, {}
    )
    [one] = feature_drift(features, np.ones(300, dtype=bool), evidence_of(6_000))
    assert (one.live, one.training) == (1.0, 0.25)


def test_figures_are_those_that_pandas_counts_from_the_log(house: SmallHouse) -> None:
    records = [got.decision for got in everything(house)]
    rows = pd.DataFrame(
        [
            {
                "crossing_id": one.crossing_id,
                "probability": one.domains[0].probability,
                "risk": one.domains[0].risk,
                "drawn": any(draw.is_drawn for draw in one.grounds.draws),
            }
            for one in records
        ]
    )
    yellow = POLICY.domains[DOMAIN].thresholds[Lane.YELLOW]
    rows["flagged"] = rows["risk"] >= yellow
    rows["group"] = np.where(rows.index % 2, "odd", "even")
    rows.loc[rows.index[:12], "group"] = "dozen"
    [told] = looked(house, groups=rows.set_index("crossing_id")[["group"]]).domains
    lot = rows[rows["drawn"]]
    found = pd.Series(
        {one.inspection.crossing_id: one.inspection.found for own in lot["crossing_id"] for one in results(house, own)}
    )
    lot = lot.assign(hit=lot["crossing_id"].map(found).astype(bool))
    assert told.decisions == len(rows) == N
    assert told.calibration.lot.drawn == len(lot)
    assert told.calibration.lot.hits == lot["hit"].sum()
    assert told.calibration.lot.rate.value == pytest.approx(lot["hit"].mean())
    assert told.calibration.said == pytest.approx(lot["probability"].mean())
    assert told.recall.value == pytest.approx(lot[lot["hit"]]["flagged"].mean())
    [channel] = told.channels
    assert (channel.selected_by, channel.controls, channel.hits.count) == ("random", len(lot), lot["hit"].sum())
    for group in told.groups["group"]:
        own = rows[rows["group"] == group.name]
        if group.name == "dozen":
            assert (group.crossings, group.selected, group.hit_rate, group.hits) == (12, None, None, None)
            continue
        clean = lot[~lot["hit"] & (lot["group"] == group.name)]
        assert group.selected.value == pytest.approx(own["flagged"].mean())
        assert group.false_alarms.value == pytest.approx(clean["flagged"].mean())


def everything(house: SmallHouse) -> list:
    found, cursor = [], None
    while not found or cursor:
        page = house.read.decisions(actor(), DecisionFilter(limit=200), cursor)
        found, cursor = found + list(page.records), page.next_cursor
    return found


def results(house: SmallHouse, crossing_id: str):
    return house.log.results(Chain.LIVE, crossing_id)


def test_decisions_of_another_model_are_counted_and_not_mixed_in(make_house: Callable[[], SmallHouse]) -> None:
    house = make_house()
    decided(house, crossings(60, 1))
    house.champions.models[DOMAIN] = small_model(2)
    decided(house, crossings(40, 2, first="d"))
    digests = [small_model(seed).identity.digest for seed in (1, 2)]
    [first] = looked(house, seed=1).domains
    [second] = looked(house, seed=2).domains
    [third] = looked(house, seed=3).domains
    assert (first.decisions, first.other_models) == (60, {digests[1]: 40})
    assert (second.decisions, second.other_models) == (40, {digests[0]: 60})
    assert (third.decisions, third.scores, sum(third.other_models.values())) == (0, None, 100)
    assert "decided nothing" in page_of(looked(house, seed=3), "this")
    assert codes(looked(house, seed=3)) == set()


def read(house: SmallHouse, until: datetime | None = None, **how: object) -> LiveDecisions:
    database = open_to_read(house.settings)
    try:
        return read_live_decisions(database, None, until or later(), **how)  # type: ignore[arg-type]
    finally:
        database.close()


def test_what_counts_is_the_last_revision_before_the_first_result(make_house: Callable[[], SmallHouse]) -> None:
    house = make_house()
    house.score([request(crossing(value=10.0))])
    [corrected] = house.score([request(crossing(revision=1, value=5_000.0))])
    house.score([sent(result("i0", found=False, details={"status": "not_done"}))])
    house.score([sent(result("i1"))])
    house.score([request(crossing(revision=2, value=50.0))])
    house.score([sent(result("i2", domain="contraband", details={}))])
    live = read(house)
    assert live.decisions["decision_id"].tolist() == [corrected.decision.decision_id]
    assert live.scores["margin"].tolist() == [corrected.decision.domains[0].margin]
    assert len(live.inspections) == 3
    assert len(read(house, START).decisions) == 0


def test_a_withdrawn_crossing_is_left_out_and_counted(make_house: Callable[[], SmallHouse]) -> None:
    house = make_house()
    decided(house, crossings(3, 1))
    house.score([request(crossing("c1", revision=1), is_void=True)])
    live = read(house)
    assert sorted(live.decisions["crossing_id"]) == ["c0", "c2"]
    assert (live.withdrawn, len(live.scores)) == (1, 2)


def test_features_are_read_of_a_sample_that_the_seed_draws(house: SmallHouse) -> None:
    drawn = [np.unique(read(house, sample=50, seed=seed).features.decision).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 50
    live = read(house)
    by_id = {one.crossing_id: one for one in crossings(N, 5)}
    values = [by_id[own].items[0]["declared_value"] for own in live.decisions["crossing_id"]]
    assert live.features.numbers["declared_value"] == pytest.approx(np.float32(values))


def test_draws_whose_time_is_over_stay_in_the_count(make_house: Callable[[], SmallHouse]) -> None:
    house = make_house()
    records = decided(house, crossings(80, 3))
    drawn = sum(is_drawn(one) for one in records.values())
    early, over = (looked(house, until).domains[0] for until in (datetime.now(UTC), later()))
    assert (early.calibration.lot, early.undone.n) == (None, 0)
    assert (over.calibration.lot.drawn, over.calibration.lot.unknown, over.undone.value) == (drawn, drawn, 1.0)
    assert "undone_draws" in codes(looked(house))


def test_reviews_are_told_by_lane_and_agency_and_the_newest_counts(make_house: Callable[[], SmallHouse]) -> None:
    house = make_house()
    settle(house, crossings(80, 5))
    red = [one.decision.decision_id for one in everything(house) if one.decision.lane is Lane.RED][:24]
    supervisor = actor(role=Role.SUPERVISOR)
    for n, own in enumerate(red):
        house.review(supervisor, ReviewRequest(decision_id=own, action=ReviewAction.FOLLOW, reason="seen"))
        if n % 4:
            what = {"decision_id": own, "action": ReviewAction.OVERRIDE, "lane": Lane.GREEN, "reason": "no"}
            house.review(supervisor, ReviewRequest(**what))
    report = looked(house)
    [row] = report.domains[0].reviews
    assert (row.agency, row.lane, row.followed.count, row.overridden.count) == ("customs", "red", 6, 18)
    assert "overridden" in codes(report)
    assert "overridden" not in codes(looked(house, thresholds=Thresholds(overridden=0.9)))


def test_nothing_private_leaves_and_nothing_changes(make_house: Callable[[], SmallHouse]) -> None:
    house = make_house()
    settle(house, crossings(80, 5))
    house.database.close()
    path = house.settings.home / "chekara.db"
    before, beside = path.read_bytes(), sorted(house.settings.home.rglob("*"))
    groups = pd.DataFrame({"region": ["a|b *x*", "south"] * 40}, index=[f"c{i}" for i in range(80)])
    report = looked(house, groups=groups)
    assert (path.read_bytes(), sorted(house.settings.home.rglob("*"))) == (before, beside)
    page, plain = page_of(report, "this"), json.dumps(plain_report(report), allow_nan=False)
    for secret in ("c17", "importer 7", "01KG777ABC", *read(house).decisions["decision_id"]):
        assert secret not in page
        assert secret not in plain
    assert "a\\|b \\*x\\*" in page
    assert all(math.isfinite(value) for value in metrics_of(report).values())
    assert metrics_of(report)[f"{DOMAIN}/hits_of_lot"] == report.domains[0].calibration.lot.hits


def test_two_looks_agree_and_pictures_are_drawn(house: SmallHouse, tmp_path: Path) -> None:
    groups = pd.DataFrame({"region": ["north", "south"] * (N // 2)}, index=[f"c{i}" for i in range(N)])
    until = later()
    report = looked(house, until, groups=groups)
    assert plain_report(report) == plain_report(looked(house, until, groups=groups))
    figures = pictures_of(report)
    names = ("high_scores", "score_drift", "features", "groups_1")
    assert set(figures) == {"said_and_found", *(f"{DOMAIN}_{name}" for name in names)}
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            grey = np.asarray(picture.convert("L"))
        assert len(np.unique(grey)) > 10


def test_wrong_times_thresholds_and_domains_are_named() -> None:
    begin, end = parse_time("2026-01-01T00:00:00+06:00", "2026-02-01T00:00:00Z")
    assert (begin, end) == (datetime(2025, 12, 31, 18, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    for since, until in (("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("2026-01-01", ""), ("", "yesterday")):
        with pytest.raises(ConfigurationError, match=r"since|until"):
            parse_time(since, until)
    for setting in ("unknown=1", "undone", "undone=-1", "undone=nan", "fewest_in_group=many"):
        with pytest.raises(ConfigurationError, match="threshold"):
            Thresholds().changed([setting])
    assert Thresholds().changed(["fewest_in_group=40", "undone=0.1"]) == Thresholds(fewest_in_group=40, undone=0.1)
    models = {DOMAIN: Watched(small_model())}
    assert set(chosen_models(models, [])) == {DOMAIN}
    for some, named in (({}, []), (models, ["contraband"])):
        with pytest.raises(NotReadyError, match="no model serves"):
            chosen_models(some, named)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("region\nnorth\n", "told by crossing"),
        ("crossing_id\nc1\n", "no attribute"),
        ("crossing_id,region\nc1,north\nc1,south\n", "comes twice"),
        ("crossing_id,person\n" + "".join(f"c{i},p{i}\n" for i in range(60)), "more than 50"),
        ("", "empty"),
    ],
)
def test_a_file_of_groups_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "audit_groups.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HistoryError, match=said) as refused:
        read_groups(path)
    assert "north" not in str(refused.value)
    with pytest.raises(HistoryError, match="no such file"):
        read_groups(tmp_path / "nowhere.csv")


def test_groups_are_read_from_parquet_and_what_is_not_told_is_a_group(house: SmallHouse, tmp_path: Path) -> None:
    path = tmp_path / "audit_groups.parquet"
    pd.DataFrame({"crossing_id": [f"c{i}" for i in range(200)], "region": [1, 2] * 100}).to_parquet(path)
    groups = looked(house, groups=read_groups(path)).domains[0].groups["region"]
    assert {one.name: one.crossings for one in groups} == {"1": 100, "2": 100, "not given": N - 200}


def test_no_database_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run_training(tmp_path / "nowhere", "training.monitor")
    assert done.returncode == 2
    assert "no database yet" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "nowhere" / "chekara.db").exists()


def test_the_program_writes_report_data_and_a_run(tracked: TrackedHome, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(tracked.home, home)
    done = run_training(home, "training.monitor", "--fail-on-alarm", "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "serves and decided nothing in this time" in page
    told = json.loads((tmp_path / "out" / "monitor.json").read_text(encoding="utf-8"))
    assert [one["domain"] for one in told["domains"]] == [DOMAIN]
    assert "MLflow run" in done.stdout

"""Profiles of live events are those of the history, bit for bit: streamed, restarted, loaded, rebuilt, in any order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chekara.adapters.export import Exported, export_history
from chekara.adapters.loaded_histories import LoadedHistories
from chekara.adapters.profile_load import load_profiles, rebuild_profiles
from chekara.adapters.profile_store import serving_shelf
from chekara.api.parse import ScoreParser
from chekara.api.parse_inspection import InspectionParser
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.report import check_history
from chekara.data.sources import History, load_history, write_history
from chekara.features.profile_state import FIRST_BY, LAST_BY, OTHER_FIRST_BY, OTHER_LAST_BY
from chekara.service.chain import instant_text
from chekara.service.records import Chain, DecisionRecord, InspectionRequest, ProfileHead, ScoreRequest
from chekara.service.replay import replay_decision
from chekara.settings import Limits, Settings
from tests.profiled import hold_against_batch, profiled_model, scorings
from tests.small_house import (
    SmallHouse,
    actor,
    crossing,
    got,
    request,
    result,
    sent,
    small_house,
)
from tests.streams import Post, dirty_history, known_since, known_until, posts_of

WHO_WAS_SEEN = [LAST_BY, OTHER_LAST_BY, FIRST_BY, OTHER_FIRST_BY]
RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)
SCORES, RESULTS = ScoreParser(Limits()), InspectionParser(Limits())


def open_house(home: Path, **more: Any) -> SmallHouse:
    settings = Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"})
    tokens = EntityTokens(load_entity_secret(settings))
    return small_house(
        home, champions={"revenue_fraud": profiled_model()}, tokens=tokens, **({"clock": "replay"} | more)
    )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    opened = open_house(tmp_path / "home")
    yield opened
    opened.database.close()


def requests_of(posts: Sequence[Post]) -> list[ScoreRequest | InspectionRequest]:
    asker, found = actor("border_service"), []
    for kind, body in posts:
        if kind == "scores":
            parsed = SCORES.validate(body, received_at=RECEIVED, is_replay=True)
            found.append(ScoreRequest(crossing=parsed.crossing, actor=asker, received_at=RECEIVED))
        else:
            inspection = RESULTS.validate(body, received_at=RECEIVED, is_replay=True)
            found.append(InspectionRequest(inspection=inspection, actor=asker, received_at=RECEIVED))
    return found


def stream(house: SmallHouse, history: History, groups: Sequence[int]) -> None:
    """Send a history in groups of these sizes, over and over."""
    rest, turn = requests_of(posts_of(history)), 0
    while rest:
        size = groups[turn % len(groups)]
        for outcome in house.score(rest[:size]):
            if isinstance(outcome, Exception):
                raise outcome
        rest, turn = rest[size:], turn + 1


def assert_same_as_batch(house: SmallHouse, history: History, part: History | None = None) -> None:
    hold_against_batch(house.log, house.database, history, part)


def content(house: SmallHouse) -> list[tuple[str, Any, bytes]]:
    with house.database.reading() as connection:
        return list(serving_shelf(connection).content())


def head_of(house: SmallHouse) -> ProfileHead | None:
    with house.database.reading() as connection:
        return serving_shelf(connection).head()


@pytest.mark.parametrize("groups", [[1], [7, 1, 30]])
def test_a_streamed_history_has_the_features_of_the_batch(house: SmallHouse, tmp_path: Path, groups: list[int]) -> None:
    history = dirty_history(tmp_path / "history", seed=3)
    # Where points lie is known from a loaded history only.
    history = replace(history, crossing_points=history.crossing_points.iloc[:0])
    stream(house, history, groups)
    assert_same_as_batch(house, history)


def test_after_a_restart_it_goes_on_as_if_there_had_been_none(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=4)
    history = replace(history, crossing_points=history.crossing_points.iloc[:0])
    middle = history.crossings["known_at"].quantile(0.5)
    stream(house, known_until(history, middle), [5])
    house.database.close()
    again = open_house(house.settings.home)
    stream(again, known_since(history, middle), [3])
    assert_same_as_batch(again, history)
    again.database.close()


def test_a_loaded_history_is_what_live_crossings_see(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=5, n=80)
    middle = history.crossings["known_at"].quantile(0.5)
    write_part(known_until(history, middle), tmp_path / "first")
    made = load_profiles(house.settings, tmp_path / "first")
    assert made.crossings > 20
    stream(house, known_since(history, middle), [4, 9])
    assert_same_as_batch(house, history, known_since(history, middle))


def test_points_alone_can_be_loaded_and_a_streamed_history_then_has_all_features_of_the_batch(
    house: SmallHouse, tmp_path: Path
) -> None:
    history = dirty_history(tmp_path / "history", seed=7)
    write_history({"crossing_points": history.crossing_points}, tmp_path / "points")
    stream(house, known_until(history, middle := history.crossings["known_at"].quantile(0.5)), [6])
    made = load_profiles(house.settings, tmp_path / "points")
    assert (made.crossings, made.results) == (0, 0)
    assert load_profiles(house.settings, tmp_path / "points").was_loaded_before
    rest = known_since(history, middle)
    stream(house, rest, [6])
    assert_same_as_batch(house, history, rest)


def test_a_point_that_lies_nowhere_counts_as_in_the_batch_and_says_so(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=9, n=80)
    points = history.crossing_points[["code", "neighbour", "border_regime"]]
    gaps = points[points["code"] != "KG-02"].assign(neighbour=lambda p: p["neighbour"].mask(p["code"] == "KG-03"))
    history = replace(history, crossing_points=gaps)
    write_history({"crossing_points": gaps}, tmp_path / "points")
    load_profiles(house.settings, tmp_path / "points")
    stream(house, history, [9])
    assert_same_as_batch(house, history)
    at = (history.crossings["known_at"].max() + pd.Timedelta(days=1)).to_pydatetime()
    for point, is_known in (("KG-01", True), ("KG-02", False), ("KG-03", False), ("KG-99", False)):
        record = house.score_one(replace(crossing(f"at {point}", crossing_point=point), known_at=at))
        told = {notice.code: notice.field for notice in record.decision.warnings}
        assert ("unknown_crossing_point" in told) != is_known
        assert told.get("unknown_crossing_point", "crossing_point") == "crossing_point"


def test_a_model_that_does_not_ask_for_points_says_nothing_of_them(tmp_path: Path) -> None:
    plain = small_house(tmp_path)
    assert "unknown_crossing_point" not in {notice.code for notice in plain.score_one(crossing()).decision.warnings}
    plain.database.close()


def write_part(history: History, folder: Path) -> None:
    write_history(history.tables, folder)


def test_loading_again_changes_nothing(house: SmallHouse, tmp_path: Path) -> None:
    dirty_history(tmp_path / "history", seed=6)
    load_profiles(house.settings, tmp_path / "history")
    before = content(house)
    assert before
    assert load_profiles(house.settings, tmp_path / "history").was_loaded_before
    assert content(house) == before


def test_a_rebuild_gives_the_same_bytes(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=7, n=80)
    middle = history.crossings["known_at"].quantile(0.4)
    write_part(known_until(history, middle), tmp_path / "first")
    load_profiles(house.settings, tmp_path / "first")
    stream(house, known_since(history, middle), [1, 6])
    withdrawn = known_since(history, middle).crossings.iloc[3]
    last = history.crossings["known_at"].max() + pd.Timedelta(hours=5)
    of = crossing(withdrawn["crossing_id"], revision=9)
    house.score([request(replace(of, known_at=last.to_pydatetime()), is_void=True)])
    before = content(house)
    made = rebuild_profiles(house.settings)
    assert made.live_events > 20
    assert content(house) == before


def test_a_history_loaded_late_is_folded_in_its_order(house: SmallHouse, tmp_path: Path) -> None:
    """What the live log holds counts once; what lies between its events is folded between them."""
    history = dirty_history(tmp_path / "history", seed=8)
    ids = history.crossings["crossing_id"].drop_duplicates()
    is_live = history.crossings["crossing_id"].isin(ids[::2])
    was_live = history.inspections["crossing_id"].isin(ids[::2])
    live = replace(history, crossings=history.crossings[is_live], inspections=history.inspections[was_live])
    stream(house, live, [1])
    load_profiles(house.settings, tmp_path / "history")
    other = open_house(tmp_path / "other")
    shutil_copy_secret(house, other)
    load_profiles(other.settings, tmp_path / "history")
    mixed, whole = content(house), content(other)
    assert [row[:2] for row in mixed] == [row[:2] for row in whole]
    for (table, key, one), (_, _, other_row) in zip(mixed, whole, strict=True):
        if table == "profile_states":
            mine, theirs = np.frombuffer(one).copy(), np.frombuffer(other_row).copy()
            # Of two that were known at one instant, either may be the one whose mark stays.
            mine[WHO_WAS_SEEN] = theirs[WHO_WAS_SEEN] = 0
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9, err_msg=str(key))
    other.database.close()


def shutil_copy_secret(of: SmallHouse, to: SmallHouse) -> None:
    name = "entity.secret"
    (to.settings.keys_path / name).unlink(missing_ok=True)
    (to.settings.keys_path / name).write_bytes((of.settings.keys_path / name).read_bytes())
    (to.settings.keys_path / name).chmod(0o600)


def test_a_group_that_fails_leaves_no_trace(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=9, n=20)
    stream(house, history, [5])
    before = content(house)
    after = (history.crossings["known_at"].max() + pd.Timedelta(days=9)).to_pydatetime()
    poison = replace(crossing("poison", value=666.0), known_at=after)
    good = [replace(crossing(f"good{i}"), known_at=after + timedelta(minutes=i)) for i in (1, 2)]
    [bad] = house.score([request(poison)])
    assert isinstance(bad, ZeroDivisionError)
    assert content(house) == before, "a poison crossing leaves nothing"
    one, bad, two = house.score([request(good[0]), request(replace(poison, crossing_id="p2")), request(good[1])])
    assert isinstance(bad, ZeroDivisionError)
    assert got(two).decision.position == got(one).decision.position + 1
    rebuild_profiles(house.settings)
    again = content(house)
    alone = open_house(tmp_path / "alone")
    shutil_copy_secret(house, alone)
    alone = open_house(tmp_path / "alone")
    stream(alone, history, [5])
    alone.score([request(one) for one in good])
    assert content(alone) == again, "its neighbours never saw it"
    alone.database.close()


def test_what_the_log_holds_counts_and_not_what_a_file_says_of_it(house: SmallHouse, tmp_path: Path) -> None:
    house.score([request(crossing("a", carrier_id="carrier 1")), request(crossing("b"))])
    before = content(house)
    told = {
        "crossing_id": "a",
        "occurred_at": RECEIVED,
        "crossing_point": "KG-01",
        "direction": "entry",
        "mode": "road",
    }
    write_history(
        {"crossings": pd.DataFrame([told | {"item_no": 1, "revision": 0, "carrier_id": "carrier 2"}])}, tmp_path / "f"
    )
    load_profiles(house.settings, tmp_path / "f")
    assert content(house) == before


def test_an_export_loaded_back_changes_nothing(house: SmallHouse, tmp_path: Path) -> None:
    stream(house, dirty_history(tmp_path / "history", seed=13, n=15), [4])
    before = content(house)
    export_history(house.settings, tmp_path / "out")
    load_profiles(house.settings, tmp_path / "out")
    assert content(house) == before


def test_test_keys_read_and_never_write(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=10, n=20)
    stream(house, history, [5])
    before, head = content(house), head_of(house)
    after = (history.crossings["known_at"].max() + pd.Timedelta(days=9)).to_pydatetime()
    trial = replace(crossing("trial", carrier_id="carrier 1"), known_at=after)
    record = got(house.score([request(trial, by=actor(is_test=True))])[0])
    house.score([sent(result(crossing_id="trial", known_at=after + timedelta(days=1)), is_test=True)])
    assert (content(house), head_of(house)) == (before, head)
    scoring = house.log.scoring(Chain.TEST, record.decision.decision_id)
    assert scoring is not None
    assert np.isfinite(scoring.features.columns(["carrier_volume_long"])["carrier_volume_long"]).all()


def test_the_first_decision_says_that_nothing_is_known(house: SmallHouse, tmp_path: Path) -> None:
    codes = [
        {w.code for w in got(one).decision.warnings}
        for one in house.score([request(crossing("a")), request(crossing("b"))])
    ]
    assert ["profiles_empty" in one for one in codes] == [True, False]
    loaded = open_house(tmp_path / "loaded")
    dirty_history(tmp_path / "history", seed=1, n=5)
    load_profiles(loaded.settings, tmp_path / "history")
    assert "profiles_empty" not in {w.code for w in loaded.score_one(crossing()).decision.warnings}
    loaded.database.close()


def test_a_withdrawal_among_others_changes_nothing_of_those_before_it(house: SmallHouse, tmp_path: Path) -> None:
    """Crossings, a withdrawal weeks later and a crossing, as one group, one by one, and as a rebuild: the same."""
    start = crossing("x").known_at
    posts = [crossing(f"p{i}", value=100.0 + i) for i in range(4)]
    group = [request(replace(crossing(f"x{i}"), known_at=start + timedelta(minutes=1 + i))) for i in range(3)]
    later = start + timedelta(days=40)
    group.append(request(replace(crossing("p3", revision=1), known_at=later), is_void=True))
    group.append(request(replace(crossing("y"), known_at=later + timedelta(minutes=1))))
    alone = open_house(tmp_path / "alone")
    for one in (house, alone):
        one.score([request(post) for post in posts])
    together = house.score(group)
    one_by_one = [alone.score([one])[0] for one in group]
    for a, b in zip(together, one_by_one, strict=True):
        assert isinstance(a, DecisionRecord)
        assert isinstance(b, DecisionRecord)
        assert [d.margin for d in a.decision.domains] == [d.margin for d in b.decision.domains]
    before = content(house)
    rebuild_profiles(house.settings)
    assert content(house) == before
    alone.database.close()


def test_what_comes_late_in_a_replay_says_so(house: SmallHouse) -> None:
    first = crossing("a")
    late = replace(crossing("b"), known_at=first.known_at - timedelta(hours=1))
    house.score_one(first)
    record = house.score_one(late)
    assert "late_event" in {warning.code for warning in record.decision.warnings}
    scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
    assert scoring is not None
    assert scoring.as_of == first.known_at + timedelta(microseconds=1)
    before = content(house)
    rebuild_profiles(house.settings)
    assert content(house) == before


def test_a_live_clock_that_steps_back_is_not_believed(tmp_path: Path) -> None:
    house = open_house(tmp_path / "live", clock="live")
    one = request(crossing("a"))
    two = replace(request(crossing("b")), received_at=one.received_at - timedelta(hours=2))
    house.score([one])
    record = got(house.score([two])[0])
    assert "late_event" not in {warning.code for warning in record.decision.warnings}
    scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
    assert scoring is not None
    assert scoring.as_of == one.received_at + timedelta(microseconds=1)
    house.database.close()


def test_those_who_wait_for_a_clock_do_not_pile_up(tmp_path: Path) -> None:
    house = open_house(tmp_path / "live", clock="live")
    house.score([replace(request(crossing("ahead")), received_at=RECEIVED)])
    for i in range(20):
        house.score([request(crossing(f"behind{i}", carrier_id="carrier 1"))])
    with house.database.reading() as connection:
        head = serving_shelf(connection).head()
    assert head is not None
    assert len(head.pending) < 5_000, "only the newest event is pending"
    seen = scorings(house.log, house.database)["behind19", 0].features.columns(["carrier_volume_long"])[
        "carrier_volume_long"
    ]
    assert seen[0] == pytest.approx(19, abs=0.1)
    house.database.close()


def test_a_decision_tells_where_its_profiles_were_read_and_replays(house: SmallHouse, tmp_path: Path) -> None:
    stream(house, dirty_history(tmp_path / "history", seed=11, n=15), [4])
    after = datetime(2026, 9, 1, tzinfo=UTC)
    outcomes = house.score([request(replace(crossing(f"n{i}", items=2), known_at=after)) for i in range(3)])
    for record in map(got, outcomes):
        scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
        assert scoring is not None
        assert scoring.profile_position == record.decision.position - 1
        replayed = replay_decision(record, scoring, lambda _: profiled_model())
        assert replayed.is_same, replayed.differences


def test_results_of_loaded_crossings_are_taken(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=12, n=20)
    load_profiles(house.settings, tmp_path / "history")
    before = content(house)
    later = (history.crossings["known_at"].max() + pd.Timedelta(days=30)).to_pydatetime()
    given = result("new", crossing_id="c3", inspected_at=later, known_at=later, selected_by="officer")
    [record] = house.score([sent(given)])
    assert not isinstance(record, Exception), record
    house.score([request(replace(crossing("next"), known_at=later + timedelta(days=1)))])
    assert content(house) != before
    [unstated] = house.score([sent(replace(given, inspection_id="unstated", selected_by=None))])
    assert "selected_by" in str(getattr(unstated, "problems", unstated))


def test_late_results_of_loaded_crossings_are_exported_with_them(house: SmallHouse, tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=12, n=20)
    load_profiles(house.settings, tmp_path / "history")
    later = (history.crossings["known_at"].max() + pd.Timedelta(days=30)).to_pydatetime()
    ids = sorted(history.crossings["crossing_id"].unique())[:3]
    late = [result(f"late {one}", crossing_id=one, known_at=later, selected_by="officer") for one in ids]
    own = result("own", crossing_id="own", known_at=later, selected_by="officer")
    scored = request(replace(crossing("own", x_lane="A"), known_at=later - timedelta(days=1)))
    outcomes = house.score([scored, *(sent(replace(one, inspected_at=later)) for one in (*late, own))])
    assert not [one for one in outcomes if isinstance(one, Exception)]
    before = content(house)
    for at_once in (1, 500):
        written = export_history(house.settings, tmp_path / str(at_once), at_once=at_once)
        assert written == Exported(crossings=1, revisions=1, results=4, loaded=3)
        assert not check_history(tmp_path / str(at_once)).has_violations
    tokens = EntityTokens(load_entity_secret(house.settings))
    back = load_history(tmp_path / "500", tokens=tokens)
    assert set(back.inspections["crossing_id"]) == {*ids, "own"}
    of_ids = history.crossings["crossing_id"].isin(ids)
    kept = ["crossing_id", "revision", "item_no", "known_at", "importer_id", "hs_code", "declared_value"]
    loaded = load_history(tmp_path / "history", tokens=tokens).crossings[of_ids][kept]
    exported = back.crossings[back.crossings["crossing_id"] != "own"][kept]
    pd.testing.assert_frame_equal(exported.reset_index(drop=True), loaded.reset_index(drop=True))
    load_profiles(house.settings, tmp_path / "500")
    assert content(house) == before, "loaded back, nothing counts twice"
    shutil.rmtree(house.settings.home / "profiles")
    written = export_history(house.settings, tmp_path / "alone")
    assert written == Exported(crossings=1, revisions=1, results=1, left_out=3)
    assert not check_history(tmp_path / "alone").has_violations


def with_strays(history: History, folder: Path, n: int) -> History:
    """Write a history whose last crossings and a result are known in a wrong year; return it without these rows."""
    crossings, inspections = history.crossings.copy(), history.inspections.copy()
    ids = crossings["crossing_id"].unique()[-n:]
    stray, of_stray = crossings["crossing_id"].isin(ids), inspections["crossing_id"].isin(ids)
    whole = {"crossings": crossings, "inspections": inspections, "crossing_points": history.crossing_points}
    wrong = pd.Timestamp("2199-01-01T00:00:00Z")
    crossings.loc[stray, "known_at"] = wrong
    if not of_stray.any():
        of_stray = inspections.index == inspections.index[-1]
    inspections.loc[of_stray, "known_at"] = wrong
    write_history(whole, folder)
    return replace(history, crossings=history.crossings[~stray], inspections=history.inspections[~of_stray])


def test_a_wrong_year_in_a_history_changes_nothing_that_is_known(tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=21, n=150)
    rest = with_strays(history, tmp_path / "strays", 1)
    write_part(rest, tmp_path / "rest")
    told = {}
    for name in ("strays", "rest"):
        if told:  # one national secret, so that both have the same tokens
            shutil.copytree(tmp_path / "home of strays" / "keys", tmp_path / "home of rest" / "keys")
        house = open_house(tmp_path / f"home of {name}", clock="live")
        made = load_profiles(house.settings, tmp_path / name)
        told[name] = content(house)
        n_stray = len(history.crossings) - len(rest.crossings) + len(history.inspections) - len(rest.inspections)
        assert made.left_out == (n_stray if name == "strays" else 0)
        live = replace(request(crossing("live", carrier_id="carrier 1")), received_at=datetime.now(UTC))
        record = got(house.score([live])[0])
        scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
        assert scoring is not None
        assert scoring.as_of == live.received_at
        assert "profiles_ahead" not in {one.code for one in record.decision.warnings}
        if name == "strays":
            assert rebuild_profiles(house.settings).left_out == n_stray
        house.database.close()
    assert told["strays"] == told["rest"]


def test_rows_left_out_count_when_their_time_has_come(tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=21, n=150)
    with_strays(history, tmp_path / "strays", 1)
    house = open_house(tmp_path / "home")
    load_profiles(house.settings, tmp_path / "strays")
    loaded = LoadedHistories(house.settings, EntityTokens(load_entity_secret(house.settings)))
    whole, left_out = loaded.read(now=datetime(2199, 6, 1, tzinfo=UTC))
    assert whole is not None
    assert (len(whole.crossings), left_out) == (len(history.crossings), 0)
    # The mended rows are loaded beside: what was left out does not stand in their way.
    write_part(history, tmp_path / "mended")
    load_profiles(house.settings, tmp_path / "mended")
    both, _ = loaded.read()
    assert both is not None
    assert (len(both.crossings), len(both.inspections)) == (len(history.crossings), len(history.inspections))
    house.database.close()


def test_a_history_of_another_clock_is_taken_whole_and_live_answers_say_so(tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=22, n=30)
    with_strays(history, tmp_path / "strays", 20)
    house = open_house(tmp_path / "home", clock="live")
    assert load_profiles(house.settings, tmp_path / "strays").left_out == 0
    record = got(house.score([replace(request(crossing("live")), received_at=datetime.now(UTC))])[0])
    assert "profiles_ahead" in {one.code for one in record.decision.warnings}
    house.database.close()


def test_a_result_that_is_sent_ahead_waits_for_its_instant(tmp_path: Path) -> None:
    house = open_house(tmp_path / "live", clock="live")
    first, ahead = request(crossing("a", carrier_id="carrier 1")), timedelta(hours=2)
    given = result(crossing_id="a", known_at=first.received_at + ahead)
    house.score([first, sent(given, received_at=first.received_at + timedelta(minutes=1))])
    told = []
    for minutes in (2, 4, 119, 121):
        later = replace(
            request(crossing(f"b{minutes}", carrier_id="carrier 1")),
            received_at=first.received_at + timedelta(minutes=minutes),
        )
        record = got(house.score([later])[0])
        scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
        assert scoring is not None
        assert scoring.as_of == later.received_at
        told.append(
            float(
                scoring.features.columns(["carrier_hits_recent_revenue_fraud"])["carrier_hits_recent_revenue_fraud"][0]
            )
        )
    assert told[:3] == [0.0, 0.0, 0.0]
    assert told[3] > 0.9
    before = content(house)
    rebuild_profiles(house.settings)
    assert content(house) == before
    house.database.close()


def test_instants_are_written_alike() -> None:
    assert instant_text(RECEIVED) == "2026-06-01T00:00:00.000000Z"

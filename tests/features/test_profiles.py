"""Profiles say what the definition says, never more than was known, and the same from a history as live."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.data.sources import History
from chekara.errors import ConfigurationError
from chekara.features.build import build_features, items_from_frame
from chekara.features.catalogue import laid_columns
from chekara.features.profile_fold import HistoryFold
from chekara.features.profile_frames import lay_out_history
from chekara.features.profile_keys import slots_of
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_link import empty_links, link_events
from chekara.features.profile_live import (
    CrossingEvent,
    GroupOutcome,
    LiveProfiles,
    ProfileEvent,
    VoidEvent,
    neighbourhoods,
)
from chekara.features.profile_measures import REFERENCE_LEVEL, REFERENCE_PRICE, profile_names
from chekara.features.profile_plan import plan_columns
from chekara.features.profile_planes import make_planes
from chekara.features.profile_state import day_of, days_of
from chekara.features.profile_step import Wanted, fold_tape
from chekara.features.profile_whole import FoldedHistory
from chekara.features.profiles import ProfileStream, fold_history, profile_columns
from tests.features.dirty_history import DOMAINS, dirty_history, history_of, live_events
from tests.features.profile_oracle import profiles_by_hand

NAMES = (*profile_names([kind.name for kind in KINDS], DOMAINS), REFERENCE_PRICE, REFERENCE_LEVEL)
Columns = dict[str, npt.NDArray[np.float32]]
seeds = st.integers(0, 10_000)


def columns_of(history: History) -> Columns:
    return profile_columns(history, NAMES, domains=DOMAINS)


def assert_same(left: Columns, right: Columns) -> None:
    for name, column in left.items():
        np.testing.assert_array_equal(column, right[name], err_msg=name)


def known_at(event: ProfileEvent) -> datetime:
    if isinstance(event, CrossingEvent):
        return event.crossing.known_at
    return event.known_at if isinstance(event, VoidEvent) else event.inspection.known_at


class Live:
    """A live store in memory."""

    def __init__(self, history: History, names: tuple[str, ...] = NAMES) -> None:
        self.profiles = LiveProfiles(names, domains=DOMAINS, neighbourhoods=neighbourhoods(history.crossing_points))
        self.states: dict[int, bytes] = {}
        self.records: dict[str, bytes] = {}
        self.pending = b""

    def read(self, events: list[ProfileEvent]) -> GroupOutcome:
        group = self.profiles.group(events, self.pending)
        keys = group.state_keys({name: self.records[name] for name in group.crossing_ids if name in self.records})
        return group.fold({key: self.states[key] for key in keys if key in self.states})

    def fold(self, events: list[ProfileEvent]) -> GroupOutcome:
        outcome = self.read(events)
        self.states |= outcome.states
        self.records |= outcome.records
        self.pending = outcome.pending
        return outcome


def states_of(folded: FoldedHistory) -> dict[int, bytes]:
    """Lay out what a live store would hold."""
    told = (zip(slots_of(kind, keys), rows, strict=True) for kind, keys, rows in folded.states())
    return {int(slot): row.tobytes() for pairs in told for slot, row in pairs}


def in_time(events: list[ProfileEvent]) -> list[ProfileEvent]:
    return sorted(events, key=lambda event: (known_at(event), not isinstance(event, CrossingEvent)))


def live_columns(live: Live, history: History, group: int) -> Columns:
    """Columns of a history's rows as the service would have told them."""
    frame = history.crossings
    row = {key: place for place, key in enumerate(zip(frame.crossing_id, frame.revision, frame.item_no, strict=True))}
    out = {name: np.full(len(frame), -1, dtype=np.float32) for name in NAMES}
    events = in_time(live_events(history))
    for start in range(0, len(events), group):
        part = events[start : start + group]
        outcome = live.fold(part)
        crossings = [event.crossing for event in part if isinstance(event, CrossingEvent)]
        rows = [row[c.crossing_id, c.revision, item["item_no"]] for c in crossings for item in c.items]  # type: ignore[index]
        for name in NAMES:
            out[name][rows] = outcome.columns[name]
    return out


def test_every_column_is_what_the_definition_says() -> None:
    for seed in range(2):
        history = dirty_history(seed)
        told, expected = columns_of(history), profiles_by_hand(history, DOMAINS)
        for name in NAMES:
            np.testing.assert_allclose(told[name], expected[name], rtol=1e-6, atol=1e-7, err_msg=name)


@settings(deadline=None, max_examples=5)
@given(seed=seeds, share=st.floats(0.1, 0.9))
def test_the_future_changes_nothing(seed: int, share: float) -> None:
    history = dirty_history(seed, 25)
    instants = history.crossings["known_at"].sort_values()
    until = instants.iloc[int(share * len(instants))]
    before = history.crossings["known_at"] <= until
    past = replace(
        history,
        crossings=history.crossings[before].reset_index(drop=True),
        inspections=history.inspections[history.inspections["known_at"] <= until].reset_index(drop=True),
    )
    whole = columns_of(history)
    assert_same(columns_of(past), {name: column[before.to_numpy()] for name, column in whole.items()})


@settings(deadline=None, max_examples=5)
@given(seed=seeds, group=st.sampled_from([1, 2, 7, 1000]))
def test_live_groups_tell_and_leave_what_the_history_does_bit_for_bit(seed: int, group: int) -> None:
    history = dirty_history(seed, 25)
    live = Live(history)
    assert_same(live_columns(live, history, group), columns_of(history))
    folded = fold_history(history, domains=DOMAINS)
    assert live.states == states_of(folded)
    assert live.records == dict(folded.records())
    assert live.profiles.layout_digest == folded.layout_digest


@settings(deadline=None, max_examples=4)
@given(seed=seeds, cut=st.floats(0.2, 0.8))
def test_a_loaded_history_goes_on_live_as_if_it_had_all_been_live(seed: int, cut: float) -> None:
    history = dirty_history(seed, 25)
    events = in_time(live_events(history))
    until = known_at(events[int(cut * (len(events) - 1))])
    past = replace(
        history,
        crossings=history.crossings[history.crossings["known_at"] <= until].reset_index(drop=True),
        inspections=history.inspections[history.inspections["known_at"] <= until].reset_index(drop=True),
    )
    folded = fold_history(past, domains=DOMAINS)
    loaded, lived = Live(history), Live(history)
    loaded.states = states_of(folded)
    loaded.records, loaded.pending = dict(folded.records()), folded.pending
    lived.fold([event for event in events if known_at(event) <= until])
    later = [event for event in events if known_at(event) > until]
    assert_same(loaded.fold(later).columns, lived.fold(later).columns)
    assert loaded.states == lived.states
    assert loaded.records == lived.records


@settings(deadline=None, max_examples=4)
@given(seed=seeds, chunk=st.integers(1, 40), data=st.data())
def test_a_history_told_in_pieces_is_the_history_told_at_once(seed: int, chunk: int, data: st.DataObject) -> None:
    history = dirty_history(seed, 25)
    whole = columns_of(history)
    wanted = np.random.default_rng(seed).random(len(history.crossings)) < data.draw(st.sampled_from([0.3, 1.0]))
    stream = ProfileStream(history, NAMES, domains=DOMAINS, rows=wanted)
    rows = np.argsort(history.crossings["known_at"].to_numpy(), kind="stable")
    rows = rows[wanted[rows]]
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        assert_same(stream.columns(part), {name: column[part] for name, column in whole.items()})
    assert_same(
        profile_columns(history, NAMES, domains=DOMAINS, rows=wanted),
        {name: column[wanted] for name, column in whole.items()},
    )


def test_chunks_of_events_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    history = dirty_history(3)
    whole = columns_of(history)
    monkeypatch.setattr("chekara.features.profile_fold.CHUNK_EVENTS", 3)
    assert_same(columns_of(history), whole)


@settings(deadline=None, max_examples=4)
@given(seed=seeds)
def test_the_order_of_a_file_is_irrelevant(seed: int) -> None:
    history = dirty_history(seed, 25, instants=12)
    rng = np.random.default_rng(seed)
    groups = history.crossings.groupby(["crossing_id", "revision"]).ngroup().to_numpy()
    order = np.argsort(rng.permutation(groups.max() + 1)[groups], kind="stable")  # lines of a revision stay in order
    shuffled = replace(
        history,
        crossings=history.crossings.iloc[order].reset_index(drop=True),
        inspections=history.inspections.sample(frac=1, random_state=seed).reset_index(drop=True),
    )
    left, right = columns_of(history), columns_of(shuffled)
    for name in NAMES:  # rounding of sums is all that the order may change
        np.testing.assert_allclose(left[name][order], right[name], rtol=3e-6, atol=1e-6, err_msg=name)


def test_own_lines_revisions_and_results_are_never_history() -> None:
    # An entity's price level is left out: what others declared is held against what was usual then, and in that the
    # crossing's own earlier revision had its part (docs/profiles.md).
    told_by_others = [name for name in NAMES if "_price_" not in name or name.startswith(("all_", "hs"))]
    told_by_others = [name for name in told_by_others if not name.startswith("hs4_x_origin_price")]
    history = dirty_history(5, 40)
    frame, results = history.crossings, history.inspections
    for crossing in frame["crossing_id"].unique()[:6]:
        own, own_result = frame["crossing_id"] == crossing, results["crossing_id"] == crossing
        newest = own & (frame["revision"] == frame.loc[own, "revision"].max())
        alone = replace(
            history,
            crossings=frame[~own | newest].reset_index(drop=True),
            inspections=results[~own_result].reset_index(drop=True),
        )
        with_own, without = columns_of(history), columns_of(alone)
        here = newest[~own | newest].to_numpy()
        for name in told_by_others:
            left, right = with_own[name][newest.to_numpy()], without[name][here]
            np.testing.assert_allclose(left, right, rtol=2e-6, atol=1e-6, err_msg=name)


def test_what_is_taken_back_leaves_the_sums_as_they_were() -> None:
    history = dirty_history(7, 40)
    events = lay_out_history(history, KINDS, DOMAINS)
    fold = HistoryFold(events, plan_columns((), DOMAINS, every_kind=True), len(DOMAINS))
    while not fold.is_done:
        fold.advance(None)
    before = fold.states.sums[:, :7].copy(), fold.states.controls.copy()
    for sign in (1.0, -1.0):
        links = empty_links(len(events.crossing_ids), len(events.inspection_ids))
        tape, _ = link_events(events.events, events.ledger.revisions, events.ledger.results, links)
        tape = tape[tape["code"] != 0]
        tape["sign"] = sign * tape["sign"]
        plan = plan_columns((), DOMAINS, every_kind=True)
        places = np.full(len(events.row_of_line), -1, dtype=np.int64)
        wanted = Wanted(plan.kind_records, plan.requests, -1, -1, places)
        planes = make_planes(len(KINDS), 0, len(DOMAINS))
        fold_tape(tape, tape[:0], events.ledger, fold.states, wanted, planes, np.empty((0, 0), dtype=np.float32))
    largest = np.abs(before[0]).max(axis=0, initial=1e-300)
    assert (np.abs(fold.states.sums[:, :7] - before[0]) <= 1e-9 * largest).all()
    largest = np.abs(before[1]).max(axis=0, initial=1e-300)
    assert (np.abs(fold.states.controls - before[1]) <= 1e-9 * largest).all()


def test_a_crossing_that_never_came_is_taken_back_and_stays_seen() -> None:
    history = dirty_history(1, 1)
    live = Live(history)
    first, *_ = (event for event in live_events(history) if isinstance(event, CrossingEvent))
    later = pd.Timedelta(days=1).to_pytimedelta()
    again = replace(
        first, crossing=replace(first.crossing, crossing_id="other", known_at=first.crossing.known_at + 2 * later)
    )
    void = VoidEvent(crossing_id="K0", revision=9, known_at=first.crossing.known_at + later, position=2)
    live.fold([first])
    told = live.fold([void, again]).columns
    assert (told["all_volume_long"] == 0).all()
    np.testing.assert_allclose(told["all_days_since_last"], 2.0, rtol=1e-6)
    assert np.isnan(told[REFERENCE_PRICE]).all()


def test_what_does_not_count_reads_all_and_leaves_nothing() -> None:
    history = dirty_history(2, 40)
    events = in_time(live_events(history))
    live = Live(history)
    live.fold(events[:60])
    before = dict(live.states), dict(live.records), live.pending
    trial = next(event for event in events[60:] if isinstance(event, CrossingEvent))
    counted = live.read([trial])
    tried = live.fold([replace(trial, is_counted=False)])
    assert_same(tried.columns, counted.columns)
    assert (live.states, live.records) == before[:2]
    # Beside events that count, it neither sees more nor is it seen.
    others = [event for event in events[60:] if event is not trial]
    together = Live(history)
    together.states, together.records, together.pending = dict(before[0]), dict(before[1]), before[2]
    outcome = together.fold([*others, replace(trial, is_counted=False)])
    live.fold(others)
    assert (together.states, together.records, together.pending) == (live.states, live.records, live.pending)
    n_trial = len(trial.crossing.items)
    assert all(len(column) >= n_trial for column in outcome.columns.values())


def test_an_event_from_before_what_is_known_is_late_and_counts_from_now() -> None:
    history = dirty_history(4, 40)
    events = in_time(live_events(history))
    live = Live(history)
    live.fold(events[30:])
    late = next(event for event in events[:30] if isinstance(event, CrossingEvent))
    outcome = live.fold([late])
    assert outcome.late == (late.position,)
    assert np.nanmin(outcome.columns["all_days_since_last"]) > 0


def test_columns_are_laid_beside_items_and_become_features() -> None:
    history = dirty_history(6, 40)
    names = ["importer_hit_rate_contraband", "unit_price_vs_reference", "carrier_days_since_last"]
    laid = profile_columns(history, laid_columns(names), domains=DOMAINS)
    items = items_from_frame(history.crossings)
    items.values.update(laid)
    table = build_features(items, names, {})
    np.testing.assert_array_equal(table.values[names[0]], laid[names[0]])
    price = build_features(items, ["value_per_kg"], {}).values["value_per_kg"]
    np.testing.assert_allclose(table.values[names[1]], price / laid[REFERENCE_PRICE], rtol=1e-5)


def test_a_domain_tells_the_same_whichever_others_are_kept() -> None:
    history = dirty_history(8, 40)
    names = [name for name in NAMES if not name.endswith("revenue_fraud")]
    alone = profile_columns(history, names, domains=["contraband"])
    assert_same(alone, columns_of(history))


def test_an_unknown_name_or_domain_is_refused() -> None:
    history = dirty_history(8, 3)
    for name in ("importer_shoe_size", "importer_hit_rate_smuggled_cheese"):
        with pytest.raises(ConfigurationError):
            profile_columns(history, [name], domains=DOMAINS)


def test_a_row_is_told_once() -> None:
    stream = ProfileStream(dirty_history(8, 3), NAMES[:1], domains=DOMAINS)
    stream.columns(np.array([0]))
    with pytest.raises(ConfigurationError, match="told before"):
        stream.columns(np.array([0]))


def test_states_of_another_layout_are_refused() -> None:
    history = dirty_history(8, 10)
    live = Live(history)
    events = in_time(live_events(history))
    group = live.profiles.group(events)
    keys = group.state_keys({})
    with pytest.raises(ConfigurationError, match="layout"):
        group.fold({keys[0]: b"\0" * 24})
    with pytest.raises(ConfigurationError, match="state_keys"):
        group.fold({})
    with pytest.raises(ConfigurationError, match="read by this version"):
        live.profiles.group(events, b"nonsense")


def test_a_history_without_any_inspection_or_crossing_point_has_profiles() -> None:
    full = dirty_history(9, 20)
    bare = history_of(
        full.crossings[["crossing_id", "occurred_at", "crossing_point", "direction", "mode"]], full.inspections[:0]
    )
    told = columns_of(bare)
    assert np.isnan(told["importer_volume_long"]).all()
    assert np.isnan(told["neighbour_and_regime_volume_long"]).sum() < len(bare.crossings)
    assert np.isnan(told["all_hit_rate_contraband"]).all()


@given(st.datetimes(datetime(1900, 1, 1), datetime(2150, 1, 1), timezones=st.timezones()))
def test_an_instant_alone_has_the_day_of_a_column(instant: datetime) -> None:
    column = np.array([instant.astimezone(UTC).replace(tzinfo=None)], dtype="datetime64[us]")
    assert day_of(instant) == days_of(column)[0]

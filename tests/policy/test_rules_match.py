"""Matching rules: the index leaves out none that applies, items and lists are named, caps and ends hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.vocabulary import Lane
from chekara.policy.criteria import compile_criteria
from chekara.policy.readable import readable
from chekara.policy.rules import ControlArea, Rule
from chekara.policy.rules_match import RuleBook, areas_of
from chekara.policy.watch import WatchList

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CRITERIA = [
    "hs_code == '1001'",
    "starts_with(hs_code, '10', '2203')",
    "crossing_point in ['P1', 'P2'] and direction == 'entry'",
    "origin_country == 'CN' and net_mass_kg > 5",
    "net_mass_kg > 5 or hs_code == '1001'",
    "not given(weighed_mass_kg)",
    "hs_code != '1001' and crossing_point == 'P1'",
    "weighed_mass_kg > 40000",
    "5 < net_mass_kg and net_mass_kg < 50",
    "net_mass_kg >= 10",
    "net_mass_kg > 10",
]


def rule(name: str, criteria: str | None = None, **given_too: Any) -> Rule:
    stated: dict[str, Any] = {
        "risk": "r",
        "domain": "d",
        "owner": "customs",
        "lane": Lane.YELLOW,
        "selected_by": "rule",
        "texts": {"en": name},
        "instructions": {},
        "criteria": None if criteria is None else compile_criteria(criteria, partial(readable)),
        "watch_list": None,
        "valid_from": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(days=1),
        "review_at": date(2026, 6, 1),
    }
    return Rule(rule=name, **(stated | given_too))


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "crossing_point": st.sampled_from(["P1", "P2", "P3"]),
        "direction": st.sampled_from(["entry", "exit"]),
        "weighed_mass_kg": st.sampled_from([1.0, 50_000.0]),
    },
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "hs_code": st.sampled_from(["1001", "1002", "22", "220300", "9999"]),
        "origin_country": st.sampled_from(["CN", "KZ"]),
        "net_mass_kg": st.sampled_from([1.0, 10.0]),
    },
)


@given(HEADERS, st.lists(ITEMS, min_size=1, max_size=3), st.permutations(CRITERIA))
def test_the_index_leaves_out_no_rule_that_applies(header: Any, items: list[Any], texts: list[str]) -> None:
    rules = [rule(f"r{i}", text) for i, text in enumerate(texts)]
    lines = [header | item | {"item_no": 7 + i} for i, item in enumerate(items)]
    expected = []
    for own in rules:
        assert own.criteria is not None
        met = own.criteria.first_met(header, lambda: lines)
        if met is not None:
            expected.append((own.rule, None if met == -1 else 7 + met))
    found = RuleBook(rules).hits(header, items, lambda: lines, NOW)
    assert [(hit.rule, hit.item_no) for hit in found] == expected


def test_a_rule_is_met_up_to_its_end_alone() -> None:
    own = rule("r", "mode == 'road'")
    book, header = RuleBook([own]), {"mode": "road"}
    assert book.hits(header, [{}], lambda: [header], own.expires_at - timedelta(microseconds=1))
    assert not book.hits(header, [{}], lambda: [header], own.expires_at)
    assert not book.hits(header, [{}], lambda: [header], own.valid_from - timedelta(microseconds=1))


def test_a_list_names_the_line_and_its_entries_end() -> None:
    lists = {
        "stolen": WatchList("stolen", "vehicle_id", {"v1": NOW + timedelta(hours=1)}),
        "traders": WatchList("traders", "importer_id", {"i1": NOW + timedelta(hours=1)}),
    }
    rules = [
        rule("s", watch_list="stolen", selected_by="intelligence"),
        rule("t", "net_mass_kg > 5", watch_list="traders", selected_by="intelligence"),
        rule("n", watch_list="no such list", selected_by="intelligence"),
    ]
    book = RuleBook(rules, lists=lists)
    header = {"vehicle_id": "v1"}
    items = [{"importer_id": "i1", "net_mass_kg": 1.0}, {"net_mass_kg": 9.0}, {"importer_id": "i1", "net_mass_kg": 9.0}]
    lines = [header | item | {"item_no": i} for i, item in enumerate(items, start=1)]
    found = [(hit.rule, hit.selected_by, hit.item_no) for hit in book.hits(header, items, lambda: lines, NOW)]
    assert found == [("s", "intelligence", None), ("t", "intelligence", 3)]
    assert book.hits(header, items, lambda: lines, NOW + timedelta(hours=1)) == ()
    lists["stolen"] = WatchList("stolen", "vehicle_id")
    assert [hit.rule for hit in book.hits(header, items, lambda: lines, NOW)] == ["t"], (
        "a list that changes counts at once"
    )


def test_a_suspended_rule_demands_nothing() -> None:
    suspended: set[str] = set()
    book = RuleBook([rule("a", "mode == 'road'"), rule("b", "mode == 'road'")], suspended=lambda: frozenset(suspended))
    header = {"mode": "road"}
    assert [hit.rule for hit in book.hits(header, [{}], lambda: [header], NOW)] == ["a", "b"]
    suspended.add("a")
    assert [hit.rule for hit in book.hits(header, [{}], lambda: [header], NOW)] == ["b"]


def test_areas_hold_for_their_time_and_scope() -> None:
    scope = compile_criteria("starts_with(hs_code, '08')", partial(readable))
    area = ControlArea(
        *("fruit", "Fruit in autumn", "d", "customs", "r"),
        *(scope, 0.1, Lane.RED, NOW, NOW + timedelta(days=9), NOW + timedelta(days=5)),
    )
    fruit, other = [{"hs_code": "080510"}], [{"hs_code": "4011"}]
    assert areas_of([area], {}, lambda: fruit, NOW) == [area]
    assert areas_of([area], {}, lambda: other, NOW) == []
    assert areas_of([area], {}, lambda: fruit, NOW + timedelta(days=9)) == []

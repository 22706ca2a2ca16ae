"""Criteria: their logic against another one, what is refused, and that nothing is run as code."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import ConfigurationError
from chekara.policy.conditions import Readable
from chekara.policy.criteria import LONGEST, compile_criteria
from chekara.policy.readable import readable

# The oracle's logic: 1 true, -1 false, 0 unknown; `and` is the least, `or` the greatest, `not` the opposite.
Oracle = Callable[[Mapping[str, Any]], int]
COLUMNS = {
    "n": Readable("number"),
    "m": Readable("number", is_header=True),
    "t": Readable("text"),
    "b": Readable("boolean", is_header=True),
}
ORDERS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def sign(is_true: bool) -> int:
    return 1 if is_true else -1


def numbers() -> st.SearchStrategy[tuple[str, Callable[[Mapping[str, Any]], float | None]]]:
    names = st.sampled_from(["n", "m"]).map(lambda name: (name, lambda row: row.get(name)))
    constants = st.integers(-3, 3).map(lambda value: (f"({value})", lambda _row: float(value)))

    def calculated(inner: Any) -> Any:
        def made(parts: tuple[Any, str, Any]) -> Any:
            (left, a), op, (right, b) = parts
            functions = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}

            def value(row: Mapping[str, Any]) -> float | None:
                x, y = a(row), b(row)
                if x is None or y is None or (op == "/" and y == 0):
                    return None
                return float(functions[op](x, y))

            return f"({left} {op} {right})", value

        return st.tuples(inner, st.sampled_from("+-*/"), inner).map(made)

    return st.recursive(names | constants, calculated, max_leaves=3)


def comparisons() -> st.SearchStrategy[tuple[str, Oracle]]:
    def compared(parts: tuple[Any, str, Any]) -> tuple[str, Oracle]:
        (left, a), op, (right, b) = parts

        def value(row: Mapping[str, Any]) -> int:
            x, y = a(row), b(row)
            return 0 if x is None or y is None else sign(ORDERS[op](x, y))

        return f"{left} {op} {right}", value

    def listed(words: list[str]) -> tuple[str, Oracle]:
        return f"t in {words!r}", lambda row: 0 if row.get("t") is None else sign(row["t"] in words)

    def numbered(members: list[int]) -> tuple[str, Oracle]:
        return f"n in {members!r}", lambda row: 0 if row.get("n") is None else sign(row["n"] in members)

    def begins(word: str) -> tuple[str, Oracle]:
        return f"starts_with(t, {word!r})", lambda row: 0 if row.get("t") is None else sign(row["t"].find(word) == 0)

    given_names = st.sampled_from(sorted(COLUMNS)).map(
        lambda name: (f"given({name})", lambda row: sign(row.get(name) is not None))
    )
    flag = ("b", lambda row: 0 if row.get("b") is None else sign(row["b"]))
    words = st.text("ab", min_size=1, max_size=2)
    return (
        st.tuples(numbers(), st.sampled_from(sorted(ORDERS)), numbers()).map(compared)
        | st.lists(words, min_size=1, max_size=3).map(listed)
        | st.lists(st.integers(-3, 3), min_size=1, max_size=3).map(numbered)
        | words.map(begins)
        | given_names
        | st.just(flag)
    )


def expressions() -> st.SearchStrategy[tuple[str, Oracle]]:
    def combined(inner: Any) -> Any:
        def joined(parts: tuple[Any, str, Any]) -> tuple[str, Oracle]:
            (left, a), op, (right, b) = parts
            pick = min if op == "and" else max
            return f"({left}) {op} ({right})", lambda row: pick(a(row), b(row))

        both = st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(joined)
        return both | inner.map(lambda one: (f"not ({one[0]})", lambda row: -one[1](row)))

    return st.recursive(comparisons(), combined, max_leaves=4)


ROWS = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-3, 3).map(float),
        "m": st.integers(-3, 3),
        "t": st.text("ab", max_size=2),
        "b": st.booleans(),
    },
)


@given(expressions(), st.lists(ROWS, min_size=1, max_size=3))
def test_a_crossing_is_met_exactly_where_another_logic_says_true(made: tuple[str, Oracle], rows: list[Any]) -> None:
    text, oracle = made
    header = {name: value for name, value in rows[0].items() if COLUMNS[name].is_header}
    lines = [{name: v for name, v in row.items() if not COLUMNS[name].is_header} | header for row in rows]
    try:
        criteria = compile_criteria(text, COLUMNS.__getitem__)
    except ConfigurationError as error:
        assert "reads nothing" in error.detail or "deep" in error.detail  # noqa: PT017  # the only two that can be
        return
    expected = next((i for i, line in enumerate(lines) if oracle(line) == 1), None)
    found = criteria.first_met(header, lambda: lines)
    assert found == (-1 if expected is not None and not criteria.lines else expected)


@pytest.mark.parametrize(
    "text",
    ["net_mass_kg > 3", "not net_mass_kg > 3", "net_mass_kg != 3", "net_mass_kg / packages < 1", "hs_code != '1001'"],
)
def test_what_was_not_given_never_meets_and_never_raises(text: str) -> None:
    assert compile_criteria(text, readable).first_met({}, lambda: [{}, {"packages": 0}]) is None


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("1 +", "not an expression"),
        ("declared_value", "neither true nor false"),
        ("declared_value == 'a'", "a number is compared with a text"),
        ("hs_code < '3'", "only numbers have an order"),
        ("declared_value in [1, 'a']", "this is a text"),
        ("declared_value in [1, -'a']", "this is a text"),
        (f"declared_value > 1{'0' * 400}", "too large"),
        ("declared_value in [1, -net_mass_kg]", "texts or numbers"),
        ("hs_code in ['1001', -1]", "this is a number"),
        ("origin_country == 'China'", "never holds this"),
        ("direction in ['entry', 'out']", "never holds this"),
        ("vehicle_id == 'A'", "an id is not compared"),
        ("occurred_at > 3", "do not read this"),
        ("nothing_like_it > 3", "no such column"),
        ("nationality == 'XX'", "may not read nationality"),
        ("driver_sex == 'f'", "may not read sex"),
        ("x_driver_age > 3", "may not read age"),
        ("vehicle_country == 'UZ'", "sensitive"),
        ("x_tonnage > 3", "what kind of column"),
        ("1 < 2", "reads nothing"),
        ("__import__('os').system('true')", "no function"),
        ("().__class__", "do nothing else"),
        ("[x for x in [1]]", "do nothing else"),
        ("(lambda: hs_code)()", "no function"),
        ("hs_code[0] == '1'", "do nothing else"),
        ("f'{hs_code}' == '1'", "do nothing else"),
        ("net_mass_kg ** 9 > 1", "operator"),
        ("net_mass_kg > (y := 3)", "do nothing else"),
        ("given(hs_code, mode)", "one name"),
        ("contains(hs_code)", "needs a text"),
        ("contains('a', 'b')", "no function"),
        ("matches(goods_description, '(a+)+$')", "is repeated"),
        (")(", "not an expression"),
        ("authorised_operator) and (given(mode)", "not an expression"),
        ("not " * 20 + "authorised_operator", "nested too deeply"),
        ("(" * 400 + "authorised_operator" + ")" * 400, "not an expression"),
        ("hs_code == '1001' and " * 100 + "authorised_operator", "too long"),
    ],
)
def test_what_is_refused(text: str, refused: str) -> None:
    assert refused == "too long" or len(text) <= LONGEST
    with pytest.raises(ConfigurationError, match=refused):
        compile_criteria(text, readable)


def test_reasons_and_kinds_open_what_is_closed() -> None:
    def resolve(name: str) -> Readable:
        return readable(name, sensitive={"vehicle_country": "a corridor"}, extensions={"x_tonnage": "number"})

    criteria = compile_criteria("vehicle_country == 'UZ' and x_tonnage > 3", resolve)
    assert criteria.first_met({"vehicle_country": "UZ"}, lambda: [{"x_tonnage": 4}]) == 0
    with pytest.raises(ConfigurationError, match="sensitive"):
        readable("vehicle_country", sensitive={"vehicle_country": " "})


def test_an_error_says_where() -> None:
    with pytest.raises(ConfigurationError) as caught:
        compile_criteria("mode == 'road' and nope > 3", readable)
    assert caught.value.where == "character 20"
    with pytest.raises(ConfigurationError) as caught:
        compile_criteria("mode == 'road'\nand nope > 3", readable)
    assert caught.value.where == "line 2 of the expression"

"""Every key that the parser sees has its line, and a text that is not TOML is told without being repeated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import ConfigurationError
from chekara.toml_lines import Key, LineIndex, parse_toml

ROOT = Path(__file__).parents[1]
SHIPPED = {
    "policy": files("chekara.policy").joinpath("default.toml").read_text("utf-8"),
    **{path.parent.name: path.read_text("utf-8") for path in sorted((ROOT / "models").glob("*/model.toml"))},
}
names = st.sampled_from(["a", "b", "c-d", "e_f", "9"])


def keys_of(content: Any, key: Key = ()) -> Iterator[Key]:
    """Every leaf as tomllib, which knows no lines, sees it."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from keys_of(value, (*key, name))
    elif isinstance(content, list) and content and all(isinstance(one, dict) for one in content):
        for position, one in enumerate(content):
            yield from keys_of(one, (*key, position))
    else:
        yield key


@pytest.mark.parametrize("name", SHIPPED)
def test_every_key_of_what_ships_has_its_own_line(name: str) -> None:
    index, lines = LineIndex.of(SHIPPED[name]), SHIPPED[name].splitlines()
    found = {}
    for key in keys_of(tomllib.loads(SHIPPED[name])):
        line = index.line(key)
        assert line is not None, key
        assert re.match(rf'"?{re.escape(str(key[-1]))}"?\s*=', lines[line - 1]), key
        found[key] = line
    assert len(set(found.values())) == len(found) > 10


@given(st.dictionaries(names, st.dictionaries(names, st.integers(), min_size=1), min_size=1), st.data())
def test_lines_of_tables_in_any_order(tables: dict[str, dict[str, int]], data: st.DataObject) -> None:
    lines: list[str] = []
    expected: dict[Key, int] = {}
    for table, content in tables.items():
        lines += data.draw(st.lists(st.sampled_from(["", "# a = 1", "  "]), max_size=2))
        lines.append(f"[{table}]")
        for name, value in content.items():
            lines.append(f"{name} = {value}")
            expected[table, name] = len(lines)
    index = LineIndex.of("\n".join(lines))
    assert {key: index.line(key) for key in expected} == expected
    assert set(expected) == set(keys_of(tomllib.loads("\n".join(lines))))


def test_a_key_that_is_not_there_points_at_its_table() -> None:
    index = LineIndex.of("x = 1\n[a]\n[[a.b]]\ny = 1\n[[a.b]]\n")
    assert index.line(("a", "b", 1, "y")) == 5
    assert index.line(("a", "z")) == 2
    assert index.line(("z",)) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ok = 1\nsecret = = 1", "at line 2, column 10"),
        ("secret = 1\nsecret = 2", "at line 2, column 11|at end"),
        ("secret = [", "at end of document"),
    ],
)
def test_what_is_not_toml_is_placed_and_not_repeated(text: str, place: str) -> None:
    with pytest.raises(ConfigurationError, match=f"not valid TOML.*a.toml, (?:{place})") as refused:
        parse_toml(text, "a.toml")
    assert "secret" not in str(refused.value)


def test_a_number_of_more_digits_than_are_read_is_no_crash() -> None:
    with pytest.raises(ConfigurationError, match="too many digits") as caught:
        parse_toml("a = 1" + "0" * 5_000, "a.toml")
    assert caught.value.where == "a.toml"

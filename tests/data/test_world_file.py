"""A world file is refused in one line with the key and its line, or a border can be made from it."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from chekara.data.simulate import simulate_border
from chekara.data.simulator.world import load_world
from chekara.data.simulator.world_file import check_world
from chekara.errors import ConfigurationError
from chekara.toml_lines import LineIndex

TEXT = (resources.files("chekara.data") / "worlds" / "kyrgyz_republic.toml").read_text(encoding="utf-8")
SHIPPED = tomllib.loads(TEXT)
LINES = LineIndex.of(TEXT)
Key = tuple[str | int, ...]


def places_in(value: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every table, list and value of the shipped file."""
    if key:
        yield key, value
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places_in(inner, (*key, name))


PLACES = list(places_in(SHIPPED))


def changed(key: Key, value: Any = ...) -> dict[str, Any]:
    """Return the shipped world with another value at a key; without one, without the key."""
    file = dict(SHIPPED)
    inner: Any = file
    for part in key[:-1]:
        inner[part] = copy.copy(inner[part])
        inner = inner[part]
    if value is ...:
        del inner[key[-1]]
    else:
        inner[key[-1]] = value
    return file


def refusal(file: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        check_world(file, SHIPPED, TEXT, "mine.toml")
    return str(raised.value)


def test_the_shipped_world_is_one() -> None:
    check_world(SHIPPED, SHIPPED, TEXT, "mine.toml")


@pytest.mark.parametrize("wrong", [True, "x", -5, float("nan")], ids=repr)
def test_a_number_is_a_number_within_bounds_wherever_one_belongs(wrong: Any) -> None:
    for key, value in PLACES:
        if isinstance(value, int | float) and not (
            wrong == -5 and key[-1] in ("latitude", "longitude", "utc_offset_hours")
        ):
            said = refusal(changed(key, wrong))
            assert f"mine.toml, line {LINES.line(key)}: {'.'.join(map(str, key))}" in said
            assert "\n" not in said


@pytest.mark.parametrize("wrong", [True, 3, [], {}], ids=repr)
def test_text_is_text_wherever_it_belongs(wrong: Any) -> None:
    for key, value in PLACES:
        if isinstance(value, str):
            assert ".".join(map(str, key)) in refusal(changed(key, wrong))


def test_every_table_refuses_keys_that_no_world_has_and_misses_its_own() -> None:
    optional = {("posts", 13, "from_month")}
    named = {"routes", "export_destinations", "countries", "neighbours", "transit_hours"}
    for key, value in PLACES:
        is_named = bool(named & set(map(str, key)))
        if isinstance(value, dict) and not is_named:
            assert ".colour" in refusal(changed((*key, "colour"), 1))
        if isinstance(key[-1], str) and key not in optional and not is_named:
            said = refusal(changed(key))
            assert "lacks something" in said
            assert ".".join(map(str, key)) in said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("utc_offset_hours",), 99),
        (("starts_on",), "2025-13-01"),
        (("starts_on",), "1492-10-12"),
        (("closures", 0, "from"), "02-30"),
        (("closures", 0, "post"), "NOWHERE"),
        (("posts", 0, "latitude"), 91),
        (("posts", 0, "mode"), "tram"),
        (("posts", 1, "code"), "TORUGART"),
        (("posts", 0, "neighbour"), "China"),
        (("routes", "CN", "XX"), 0.5),
        (("routes", "CN"), {"CN": 0.0}),
        (("season", "traffic"), [1.0] * 11),
        (("season", "hours"), [0] * 24),
        (("harms", "contraband", "ring_rate"), [0.9, 0.1]),
        (("harms", "contraband", "ring_corridors"), ["XX"]),
        (("harms", "vehicle_crime", "days"), [150, 150]),
        (("practice", "lot"), 1.01),
        (("practice", "domains", "contraband", "methods", 0, 0), "guess"),
        (("goods", "imports", 0, 0), "meat"),
        (("goods", "imports", 0, 2), 0.0),
        (("goods", "imports", 0, 8), "999999"),
        (("goods", "imports", 0), ["020230", "Frozen boneless beef"]),
        (("paper", "missing", "importer_id"), 1.5),
    ],
    ids=str,
)
def test_what_no_border_can_have_is_named(key: Key, value: Any) -> None:
    assert str(key[0]) in refusal(changed(key, value))


def test_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(TEXT.encode("utf-16"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_world(path)
    path.write_text(TEXT.replace('starts_on = "2025-01-01"', 'starts_on = "2025-13-01"'), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"no day of the calendar.*mine\.toml, line 8: starts_on"):
        load_world(path)


def test_another_country_is_a_world(tmp_path: Path) -> None:
    text = TEXT.replace('country = "KG"', 'country = "UZ"').replace("utc_offset_hours = 6", "utc_offset_hours = -12")
    text = text.replace("IN = { KG = 0.5,", "AU = { KG = 1.0 }\nIN = { KG = 0.5,").replace("lot = 0.02", "lot = 0.0")
    (tmp_path / "mine.toml").write_text(text.replace("sunday = 0.6", "sunday = 1.4"), encoding="utf-8")
    simulate_border(tmp_path / "out", months=1, per_day=20, seed=1, world=tmp_path / "mine.toml")
    assert (tmp_path / "out" / "truth.parquet").exists()

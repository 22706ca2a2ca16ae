"""A world file as somebody wrote it, held against the one that ships: same keys, same kinds of values, in bounds.

The shipped file is the only list of what a world has; here stands which of its numbers are chances, which tables name
things of the world (countries, neighbours) and so may have other keys, and what refers to what.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

from chekara.data.schema import EARLIEST, LATEST
from chekara.domain.vocabulary import BORDER_REGIMES, INSPECTION_METHODS, MODES
from chekara.errors import ConfigurationError
from chekara.toml_lines import Key, LineIndex

# Tables whose keys are names of the world; of the last one only modes and `other` must be there.
_NAMED: Final = (
    ("routes",),
    ("routes", "*"),
    ("goods", "export_destinations"),
    ("conveyances", "countries"),
    ("harms", "contraband", "neighbours"),
    ("conveyances", "transit_hours"),
)
_OPTIONAL: Final[dict[tuple[str, ...], dict[str, Any]]] = {("posts", "*"): {"from_month": 0}}
_CHANCES: Final = frozenset(
    (
        "rate",
        "way_back",
        "honest_rate",
        "base_rate",
        "ring_rate",
        "gang_rate",
        "network_rate",
        "solo_rate",
        "fence_rate",
        "outbreak_rate",
        "other_goods",
        "collusive_declarants",
        "ring_trips",
        "gang_trips",
        "network_trips",
        "asleep",
        "elsewhere",
        "fences",
        "newcomers_share",
        "deterrence",
        "moves",
        "burnt",
        "lot",
        "lot_not_done",
        "false_alarms",
        "overturned",
        "blind_inspectors",
        "colluding_inspectors",
        "memory",
        "most_from_memory",
        "officer_rate",
        "rule_rate",
        "value_added_tax",
    )
)
_CHANCE_TABLES: Final = (("paper",), ("practice", "domains"))
_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "latitude": (-90, 90),
    "longitude": (-180, 180),
    "utc_offset_hours": (-12, 14),
    "price_drift_a_year": (-0.9, 10),
}
_MOST: Final = {"actors": 100.0, "harms": 10_000.0}  # for each crossing a day; days and numbers of a year
_ABOVE_ZERO: Final = frozenset({"forgotten_after_days", "remembered_days", "vehicles_a_carrier"})
_WORDS: Final[dict[str, tuple[str, ...]]] = {"mode": MODES, "border_regime": BORDER_REGIMES}
_LENGTHS: Final = {"traffic": 12, "hours": 24, "season": 12}
_PATTERNS: Final = {
    "country": r"[A-Z]{2}",
    "neighbour": r"[A-Z]{2}",
    "from": r"[0-9]{2}-[0-9]{2}",
    "to": r"[0-9]{2}-[0-9]{2}",
}

Refuse = Callable[[Key, str], ConfigurationError]


def check_world(file: dict[str, Any], shipped: dict[str, Any], text: str, where: str) -> None:
    """Refuse a world file that no border can be made from.

    Parameters
    ----------
    file, shipped : dict
        As parsed: the file to judge, and the one that ships.
    text : str
        Of the file, to find lines.
    where : str
        Its name.

    Raises
    ------
    ConfigurationError
        One line with the key and its line: a key is missing or unknown, a value is of another kind or impossible, or
        something refers to what is not there.
    """

    def refuse(key: Key, what: str) -> ConfigurationError:
        line = LineIndex.of(text).line(key)
        place = where if line is None else f"{where}, line {line}"
        return ConfigurationError(f"the world file {what}", where=f"{place}: {'.'.join(map(str, key))}")

    _check_table(file, shipped, (), refuse)
    _check_references(file, refuse)


def _check_table(table: dict[str, Any], model: dict[str, Any], key: Key, refuse: Refuse) -> None:
    pattern = _pattern(key)
    model = model | _OPTIONAL.get(pattern, {})
    is_named = pattern in _NAMED
    for name in table:
        if name not in model and not is_named:
            raise refuse((*key, name), "has a key that no world has")
    for name, value in model.items():
        if name in table:
            continue
        is_optional = name in _OPTIONAL.get(pattern, {}) or (
            is_named and (len(name) == 2 or not isinstance(value, float))
        )
        if not is_optional:
            raise refuse((*key, name), "lacks something that every world has")
    for name, value in table.items():
        _check_value(value, model.get(name, next(iter(model.values()))), (*key, name), refuse)


def _check_value(value: Any, model: Any, key: Key, refuse: Refuse) -> None:
    if isinstance(model, dict):
        if not isinstance(value, dict):
            raise refuse(key, "has a value where a table belongs")
        _check_table(value, model, key, refuse)
    elif isinstance(model, list):
        if not isinstance(value, list):
            raise refuse(key, "has no list where one belongs")
        _check_list(value, model, key, refuse)
    elif isinstance(model, str):
        _check_text(value, key, refuse)
    else:
        _check_number(value, key, refuse)


def _check_list(values: list[Any], model: list[Any], key: Key, refuse: Refuse) -> None:
    name = str(key[-1])
    is_row = isinstance(model[0], list)
    if not values and name not in ("closures", "ring_corridors", "network_corridors", "free_trade_origins"):
        raise refuse(key, "has an empty list")
    if name in _LENGTHS and len(values) != _LENGTHS[name]:
        raise refuse(key, f"has not {_LENGTHS[name]} numbers here")
    if is_row:
        for place, row in enumerate(values):
            if not isinstance(row, list) or len(row) != len(model[0]):
                raise refuse((*key, place), f"has a row that has not {len(model[0])} values")
            for column, (value, own) in enumerate(zip(row, model[0], strict=True)):
                _check_value(value, own, (*key, place, column), refuse)
        return
    for place, value in enumerate(values):
        _check_value(value, model[0], (*key, place), refuse)
    if _is_pair(key, model):
        is_drawn_whole = not name.endswith("rate")  # from the lower bound up to, without, the upper one
        if len(values) != 2 or values[0] > values[1] or (is_drawn_whole and int(values[0]) >= int(values[1])):
            raise refuse(key, "has not a lower and a higher bound here")
    elif name in _LENGTHS and not sum(values):
        raise refuse(key, "has only zeros here")


def _is_pair(key: Key, model: list[Any]) -> bool:
    return len(model) == 2 and not isinstance(model[0], str | dict | list) and key[-1] not in _LENGTHS


def _check_text(value: Any, key: Key, refuse: Refuse) -> None:
    name = str(key[-1])
    if not isinstance(value, str):
        raise refuse(key, "has something else where text in quotes belongs")
    if name in _WORDS and value not in _WORDS[name]:
        raise refuse(key, f"has none of: {', '.join(_WORDS[name])}")
    if name in _PATTERNS and re.fullmatch(_PATTERNS[name], value) is None:
        raise refuse(key, "has text of another form than the shipped one")
    if key[-3:-2] == ("methods",) and key[-1] == 0 and value not in INSPECTION_METHODS:
        raise refuse(key, f"has none of: {', '.join(INSPECTION_METHODS)}")
    is_code = key[0] == "goods" and len(key) == 4 and key[-1] == 0
    if is_code and re.fullmatch(r"[0-9]{4,12}", value) is None:
        raise refuse(key, "has no HS code of 4 to 12 digits")
    if name in ("starts_on", "from", "to"):
        _check_day(value if name == "starts_on" else f"2024-{value}", key, refuse)


def _check_day(text: str, key: Key, refuse: Refuse) -> None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise refuse(key, "has no day of the calendar here") from None
    if not EARLIEST.date() <= day < LATEST.date():
        raise refuse(key, f"has a day outside of {EARLIEST.year} to {LATEST.year - 1}")


def _check_number(value: Any, key: Key, refuse: Refuse) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refuse(key, "has no number where one belongs")
    names = [str(part) for part in key if not isinstance(part, int)]
    is_chance = names[-1] in _CHANCES or (names[-1] == "share" and names[0] != "posts")
    is_chance |= tuple(names[:1]) in _CHANCE_TABLES or (
        tuple(names[:2]) in _CHANCE_TABLES and names[-1] in ("capacity", "methods")
    )
    low, high = _BOUNDS.get(names[-1], (0.0, 1.0 if is_chance else _MOST.get(names[0], 1e9)))
    if not low <= value <= high or (value == 0 and _is_above_zero(key)):
        raise refuse(key, f"has a number outside of {low:g} to {high:g}")


def _is_above_zero(key: Key) -> bool:
    is_price = key[0] == "goods" and len(key) == 4 and key[-1] == 2
    return is_price or key[-2] == "transit_hours" or key[-1] in _ABOVE_ZERO


def _check_references(file: dict[str, Any], refuse: Refuse) -> None:
    posts = file["posts"]
    codes = [post["code"] for post in posts]
    for place, code in enumerate(codes):
        if code in codes[:place]:
            raise refuse(("posts", place, "code"), "has a post twice")
    for place, closure in enumerate(file["closures"]):
        if closure["post"] not in codes:
            raise refuse(("closures", place, "post"), "closes a post that it has not")
    open_ones = {post["neighbour"] for post in posts if post["share"] > 0}
    for key, neighbour in _neighbours(file):
        if neighbour not in open_ones:
            raise refuse(key, "leads to a neighbour without a post that has a share")
    for kind in ("imports", "exports"):
        rows = file["goods"][kind]
        known = {row[0] for table in ("imports", "exports") for row in file["goods"][table]}
        for place, row in enumerate(rows):
            if row[8] and row[8] not in known:
                raise refuse(("goods", kind, place, 8), "passes goods off as goods that it has not")
        if not sum(row[6] for row in rows):
            raise refuse(("goods", kind), "has only goods without a share")


def _neighbours(file: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    for origin, shares in file["routes"].items():
        for neighbour, share in shares.items():
            if share:
                yield ("routes", origin, neighbour), neighbour
        if not sum(shares.values()):
            yield ("routes", origin), ""
    for domain, name in (("contraband", "ring_corridors"), ("concealed_persons", "network_corridors")):
        for place, neighbour in enumerate(file["harms"][domain][name]):
            yield ("harms", domain, name, place), neighbour


def _pattern(key: Key) -> tuple[str, ...]:
    """Return a key with places in lists, and the origins of routes, as `*`."""
    parts = tuple("*" if isinstance(part, int) else part for part in key)
    return ("routes", "*") if len(parts) == 2 and parts[0] == "routes" else parts

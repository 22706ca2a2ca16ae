"""Which kinds a fold must go through, and what it must tell, so that some columns come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chekara.errors import ConfigurationError
from chekara.features.profile_kinds import KINDS, ProfileKind
from chekara.features.profile_measures import REFERENCE_LEVEL, REFERENCE_PRICE, ProfileName, parse_profile_name
from chekara.features.profile_state import KIND, REQUEST, Records
from chekara.features.profile_tell import MEASURE_CODES

_RATES = ("hit_rate", "hit_rate_recent")
_MASSES = ("mass_level", "mass_vs_own")
_PRICES = ("price_level", "price_spread", "price_vs_own", "price_deviation")


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What a fold tells.

    Attributes
    ----------
    names : tuple of str
        Columns, in the order asked; each once.
    kinds : tuple of ProfileKind
        Those that it goes through, in the order of `KINDS`.
    kind_records : ndarray of KIND
    requests : ndarray of REQUEST
    price_column, level_column : int
        Place of `REFERENCE_PRICE` and `REFERENCE_LEVEL` in ``names``; -1 where not asked for.
    """

    names: tuple[str, ...]
    kinds: tuple[ProfileKind, ...]
    kind_records: Records
    requests: Records
    price_column: int
    level_column: int


def plan_columns(names: Sequence[str], domains: Sequence[str], *, every_kind: bool = False) -> ColumnPlan:
    """Plan a fold.

    Parameters
    ----------
    names : sequence of str
        Profile features, `REFERENCE_PRICE`, `REFERENCE_LEVEL`.
    domains : sequence of str
        Those that are kept.
    every_kind : bool
        Go through all kinds, also those that no column needs: states that are kept must be whole.

    Returns
    -------
    ColumnPlan

    Raises
    ------
    ConfigurationError
        A name that the engine does not know, or of a domain that is not kept.
    """
    asked = tuple(dict.fromkeys(names))
    parsed = {name: _parse(name, domains) for name in asked if name not in (REFERENCE_PRICE, REFERENCE_LEVEL)}
    needs_prices = len(parsed) < len(asked) or any(one.measure.name in _PRICES for one in parsed.values())
    wanted = {one.kind.name for one in parsed.values()} | {k.name for k in KINDS if k.is_goods and needs_prices}
    wanted |= {ancestor for name in wanted for ancestor in _ancestors(name)}
    kinds = tuple(kind for kind in KINDS if every_kind or kind.name in wanted)
    place = {name: column for column, name in enumerate(asked)}
    by_kind = {kind.name: [(place[n], one) for n, one in parsed.items() if one.kind == kind] for kind in kinds}
    rated = {k for k, told in by_kind.items() if any(one.measure.name in _RATES for _, one in told)}
    rated |= {ancestor for name in rated for ancestor in _ancestors(name)}
    requests = [
        (MEASURE_CODES[one.measure.name], domains.index(one.domain) if one.domain else -1, column)
        for kind in kinds
        for column, one in by_kind[kind.name]
    ]
    return ColumnPlan(
        names=asked,
        kinds=kinds,
        kind_records=_kind_records(kinds, rated, [[one for _, one in by_kind[kind.name]] for kind in kinds]),
        requests=np.array(requests, dtype=REQUEST) if requests else np.zeros(0, dtype=REQUEST),
        price_column=place.get(REFERENCE_PRICE, -1),
        level_column=place.get(REFERENCE_LEVEL, -1),
    )


def _parse(name: str, domains: Sequence[str]) -> ProfileName:
    parsed = parse_profile_name(name)
    if parsed is None:
        raise ConfigurationError("no such profile feature", where=name, hint="see docs/profiles.md")
    if parsed.domain is not None and parsed.domain not in domains:
        raise ConfigurationError("a profile feature of a risk domain that is not kept", where=name)
    return parsed


def _ancestors(name: str) -> tuple[str, ...]:
    parent = next(kind.parent for kind in KINDS if kind.name == name)
    return (parent, *_ancestors(parent)) if parent else ()


def _kind_records(kinds: Sequence[ProfileKind], rated: set[str], told: Sequence[Sequence[ProfileName]]) -> Records:
    """Lay out kinds; ``told``: what is wanted of each."""
    out = np.zeros(len(kinds), dtype=KIND)
    names = [kind.name for kind in kinds]
    goods = [kind.name for kind in kinds if kind.is_goods]
    last = np.cumsum([len(asked) for asked in told])
    for k, kind in enumerate(kinds):
        measures = {one.measure.name for one in told[k]}
        out[k]["parent"] = names.index(kind.parent) if kind.parent else -1
        out[k]["is_crossing_level"] = kind.level == "crossing"
        out[k]["is_goods"] = kind.is_goods
        # Where not all goods are gone through, nobody asked for prices.
        out[k]["is_narrowest"] = len(goods) == 5 and kind.name == goods[-1]
        out[k]["needs_rates"] = kind.name in rated
        out[k]["tells_prices"] = not measures.isdisjoint(_PRICES)
        out[k]["tells_masses"] = not measures.isdisjoint(_MASSES)
        out[k]["first_request"], out[k]["last_request"] = last[k] - len(told[k]), last[k]
    return out

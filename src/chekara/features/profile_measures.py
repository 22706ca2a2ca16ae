"""What a profile tells: its measures, and the grammar of feature names built from kinds, measures and domains.

``importer_days_since_last``, ``hs4_x_origin_volume_long``, ``importer_hit_rate_contraband``: the name says it all, so
nothing is registered one by one. ``features.catalogue.find_feature`` reads such a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from chekara.features.profile_kinds import KINDS, ProfileKind

REFERENCE_PRICE = "reference_price_per_kg"
"""Column laid beside goods lines: the usual price of such goods as known before, currency/kg."""
REFERENCE_LEVEL = "reference_goods_level"
"""Column laid beside goods lines: which group of goods answered, 0 all goods, 1 chapter, 2 HS4, 3 HS6, 4 HS6 from
this origin; NaN where no price was known."""

Scope = Literal["every", "unlike_goods", "weighed", "pair"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that a profile tells.

    Attributes
    ----------
    name : str
        Second part of its features' names.
    unit : str
    explanation : str
        Public explanation, with ``{kind}`` and, where it is of a domain, ``{domain}``.
    by_domain : bool
        Whether it is told for each risk domain; its names then end in the domain's.
    scope : {'every', 'unlike_goods', 'weighed', 'pair'}
        Kinds that have it.
    """

    name: str
    unit: str
    explanation: str
    by_domain: bool = False
    scope: Scope = "every"

    def is_of(self, kind: ProfileKind) -> bool:
        """Whether profiles of a kind have this measure."""
        return {
            "every": True,
            "unlike_goods": not kind.is_goods,
            "weighed": kind.is_weighed,
            "pair": kind.is_pair,
        }[self.scope]


_RECENT, _LONG = "(half-life 30 days)", "(half-life 365 days)"

MEASURES: tuple[Measure, ...] = (
    Measure("volume_recent", "decayed count", f"How much was seen of this {{kind}} lately {_RECENT}."),
    Measure("volume_long", "decayed count", f"How much was seen of this {{kind}} over the years {_LONG}."),
    Measure("burst", "ratio", "Recent traffic of this {kind} over its usual traffic: 1 is steady, 12 is all new."),
    Measure("days_since_first", "days", "Days since this {kind} was first seen."),
    Measure("days_since_last", "days", "Days since this {kind} was last seen."),
    Measure(
        "price_level",
        "times the usual",
        "Prices that this {kind} declares, over what is usual for the goods.",
        scope="unlike_goods",
    ),
    Measure("price_spread", "log ratio", "How much the prices of this {kind} vary (standard deviation of logarithms)."),
    Measure("price_vs_own", "ratio", "Price of this line over the usual price of this {kind}."),
    Measure(
        "price_deviation",
        "standard deviations",
        "How far the price of this line is from the usual price of this {kind}, in its own standard deviations.",
    ),
    Measure("mass_level", "ratio", "Weighed over declared mass, as it usually is with this {kind}.", scope="weighed"),
    Measure(
        "mass_vs_own",
        "ratio",
        "Weighed over declared mass of this crossing, over what is usual with this {kind}.",
        scope="weighed",
    ),
    Measure("share", "fraction", "Share of this {kind} in all that was seen of its first part.", scope="pair"),
    Measure("inspections", "decayed count", f"Inspections of this {{kind}} for {{domain}} {_LONG}.", by_domain=True),
    Measure(
        "hit_rate",
        "fraction",
        f"Share of hits in inspections of this {{kind}} for {{domain}} {_LONG}, shrunk to its parent.",
        by_domain=True,
    ),
    Measure(
        "hit_rate_recent",
        "fraction",
        f"Share of hits in recent inspections of this {{kind}} for {{domain}} {_RECENT}, shrunk to its long rate.",
        by_domain=True,
    ),
    Measure("hits_recent", "decayed count", f"Recent hits of this {{kind}} in {{domain}} {_RECENT}.", by_domain=True),
    Measure(
        "amount",
        "currency",
        "Money found per inspection of this {kind} for {domain}, shrunk to nothing.",
        by_domain=True,
    ),
)


@dataclass(frozen=True, slots=True)
class ProfileName:
    """A feature's name, taken apart.

    Attributes
    ----------
    kind : ProfileKind
    measure : Measure
    domain : str or None
    """

    kind: ProfileKind
    measure: Measure
    domain: str | None

    @property
    def name(self) -> str:
        """The feature's name."""
        return "_".join(filter(None, (self.kind.name, self.measure.name, self.domain)))


_DOMAIN = re.compile(r"[a-z][a-z0-9_]*")
# Longest first, so that `importer_x_hs4` is not read as `importer`, nor `hit_rate_recent` as `hit_rate`.
_KINDS = sorted(KINDS, key=lambda kind: -len(kind.name))
_MEASURES = sorted(MEASURES, key=lambda measure: -len(measure.name))


@lru_cache(maxsize=8192)
def parse_profile_name(name: str) -> ProfileName | None:
    """Read a feature's name by the grammar ``<kind>_<measure>`` or ``<kind>_<measure>_<domain>``.

    Parameters
    ----------
    name : str

    Returns
    -------
    ProfileName or None
        None where it is no profile feature, or a kind without that measure.

    Examples
    --------
    >>> parsed = parse_profile_name("importer_x_hs4_hit_rate_recent_contraband")
    >>> parsed.kind.name, parsed.measure.name, parsed.domain
    ('importer_x_hs4', 'hit_rate_recent', 'contraband')
    >>> parse_profile_name("importer_age_days") is None
    True
    """
    for kind in _KINDS:
        if name.startswith(kind.name + "_"):
            rest = name[len(kind.name) + 1 :]
            found = _parse_measure(kind, rest)
            if found is not None:
                return found
    return None


def _parse_measure(kind: ProfileKind, rest: str) -> ProfileName | None:
    for measure in _MEASURES:
        if not measure.is_of(kind):
            continue
        if not measure.by_domain and rest == measure.name:
            return ProfileName(kind, measure, None)
        domain = rest.removeprefix(measure.name + "_")
        if measure.by_domain and domain != rest and _DOMAIN.fullmatch(domain):
            return ProfileName(kind, measure, domain)
    return None


def profile_names(kinds: Iterable[str], domains: Iterable[str]) -> tuple[str, ...]:
    """Name every feature of some kinds.

    Parameters
    ----------
    kinds : iterable of str
        Names in `KINDS`.
    domains : iterable of str
        Domains whose inspection results may be used.

    Returns
    -------
    tuple of str
        Kinds in the order given; of each its measures, those by domain last.

    Examples
    --------
    >>> profile_names(["origin"], ["contraband"])[:2]
    ('origin_volume_recent', 'origin_volume_long')
    """
    by_name = {kind.name: kind for kind in KINDS}
    asked = tuple(domains)
    names: list[str] = []
    for kind in (by_name[name] for name in kinds):
        measures = [measure for measure in MEASURES if measure.is_of(kind)]
        names += [ProfileName(kind, measure, None).name for measure in measures if not measure.by_domain]
        names += [ProfileName(kind, m, domain).name for domain in asked for m in measures if m.by_domain]
    return tuple(names)

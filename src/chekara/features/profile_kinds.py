"""Whose history is kept: the kinds of profile, what each is keyed by, and whom it leans on.

A *key* is one entity of a kind: one importer, one importer with one kind of goods. Its history is a handful of
decayed sums (``docs/profiles.md``). Where little is known of a key, its hit rates lean on its parent's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["crossing", "item"]

FIELDS = (
    "importer",
    "exporter",
    "declarant",
    "carrier",
    "vehicle",
    "trailer",
    "hs6",
    "hs4",
    "hs_chapter",
    "origin",
    "crossing_point",
    "neighbour_and_regime",
)
"""What keys are made of; a key is one of these, two of them, or nothing at all (``all``)."""


@dataclass(frozen=True, slots=True)
class ProfileKind:
    """One kind of profile.

    Attributes
    ----------
    name : str
        First part of its features' names.
    fields : tuple of str
        Of `FIELDS`: none, one or two. A line that lacks one of them has no key of this kind.
    level : {'crossing', 'item'}
        Whether a crossing of many lines counts once, or each of its lines.
    parent : str or None
        Kind that its hit rates (and, of goods, its prices) are shrunk to; None for ``all``.
    is_goods : bool
        Whether it answers what is usual for such goods; its prices are in currency per kilogram, those of all other
        kinds relative to what is usual for the goods.
    is_weighed : bool
        Whether the weighbridge tells of it.
    home : int
        Which of its two fields it lies beside in the store: what a goods line touches together should lie together.
    """

    name: str
    fields: tuple[str, ...]
    level: Level
    parent: str | None
    is_goods: bool = False
    is_weighed: bool = False
    home: int = 0

    @property
    def is_pair(self) -> bool:
        """Whether it is one entity together with another."""
        return len(self.fields) == 2 and not self.is_goods


# Parents come before their children, goods before all others: the engine goes through them in this order.
KINDS: tuple[ProfileKind, ...] = (
    ProfileKind("all", (), "crossing", None, is_goods=True),
    ProfileKind("hs_chapter", ("hs_chapter",), "item", "all", is_goods=True),
    ProfileKind("hs4", ("hs4",), "item", "hs_chapter", is_goods=True),
    ProfileKind("hs6", ("hs6",), "item", "hs4", is_goods=True),
    ProfileKind("hs6_from_origin", ("hs6", "origin"), "item", "hs6", is_goods=True),
    ProfileKind("origin", ("origin",), "item", "all"),
    ProfileKind("neighbour_and_regime", ("neighbour_and_regime",), "crossing", "all"),
    ProfileKind("crossing_point", ("crossing_point",), "crossing", "neighbour_and_regime"),
    ProfileKind("declarant", ("declarant",), "item", "all", is_weighed=True),
    ProfileKind("importer", ("importer",), "item", "declarant", is_weighed=True),
    ProfileKind("exporter", ("exporter",), "item", "origin", is_weighed=True),
    ProfileKind("carrier", ("carrier",), "crossing", "all", is_weighed=True),
    ProfileKind("vehicle", ("vehicle",), "crossing", "carrier", is_weighed=True),
    ProfileKind("trailer", ("trailer",), "crossing", "carrier", is_weighed=True),
    ProfileKind("importer_x_hs4", ("importer", "hs4"), "item", "importer"),
    ProfileKind("importer_x_origin", ("importer", "origin"), "item", "importer"),
    ProfileKind("importer_x_declarant", ("importer", "declarant"), "item", "importer"),
    ProfileKind("declarant_x_origin", ("declarant", "origin"), "item", "declarant"),
    ProfileKind("declarant_x_hs4", ("declarant", "hs4"), "item", "declarant"),
    ProfileKind("importer_x_carrier", ("importer", "carrier"), "item", "importer"),
    ProfileKind("exporter_x_importer", ("exporter", "importer"), "item", "exporter", home=1),
    ProfileKind("exporter_x_hs4", ("exporter", "hs4"), "item", "exporter"),
    ProfileKind("hs4_x_origin", ("hs4", "origin"), "item", "hs4"),
    ProfileKind("carrier_x_vehicle", ("carrier", "vehicle"), "crossing", "carrier"),
    ProfileKind("carrier_x_origin", ("carrier", "origin"), "item", "origin"),
    ProfileKind("carrier_x_crossing_point", ("carrier", "crossing_point"), "crossing", "carrier"),
)

KIND_BY_NAME: dict[str, ProfileKind] = {kind.name: kind for kind in KINDS}

"""What goes wrong on paper: fields left out, ids spelt in other ways or wrongly, values in the wrong field."""

from __future__ import annotations

import numpy as np

from chekara.data.simulator.flow import Flow
from chekara.data.simulator.harms import Scene
from chekara.data.simulator.world import Array, Ints

SOM_A_DOLLAR = 87.0
# How an id is written: as it is, in small letters, with separators, with look-alike letters, with a wrong character.
PLAIN, SMALL, SEPARATED, LOOK_ALIKE, WRONG = range(5)
HEADER_IDS = ("carrier_id", "vehicle_id", "trailer_id")
ITEM_IDS = ("importer_id", "exporter_id", "declarant_id")
_ITEM_FIELDS = (
    "importer_id",
    "exporter_id",
    "declarant_id",
    "net_mass_kg",
    "gross_mass_kg",
    "declared_value",
    "goods_description",
    "packages",
    "dispatch_country",
)
_HEADER_FIELDS = ("carrier_id", "transit_hours", "occupants")


def fill_in(scene: Scene, said: Flow, rng: np.random.Generator) -> Flow:
    """Add how the papers of a week are filled in: columns ``no_<field>``, ``spelt_<id>``, and the slips of the pen.

    Parameters
    ----------
    scene : Scene
    said : Flow
        As declared.
    rng : Generator

    Returns
    -------
    Flow
    """
    paper = scene.world.file["paper"]
    n, m = said.size, len(said.of)
    header: dict[str, Array] = {f"no_{f}": rng.random(n) < paper["missing"][f] for f in _HEADER_FIELDS}
    header |= {f"spelt_{name}": _spelling(n, paper, rng) for name in HEADER_IDS}
    # Some posts send what they took in only at the end of a shift.
    is_late = rng.random(n) < np.where(np.arange(len(scene.world.posts.code)) % 5 == 3, 0.25, 0.03)[said.header["post"]]
    header["late"] = np.where(is_late, rng.integers(600, 10 * 3600, n), rng.integers(0, 600, n))
    item: dict[str, Array] = {f"no_{f}": rng.random(m) < paper["missing"][f] for f in _ITEM_FIELDS}
    item |= {f"spelt_{name}": _spelling(m, paper, rng) for name in ITEM_IDS}
    slips = np.cumsum([paper["swapped_value"], paper["other_currency"]])
    item["slip"] = np.searchsorted(slips, rng.random(m), side="right")  # 0 swapped, 1 other currency, 2 none
    item["is_short_code"] = rng.random(m) < paper["short_code"]
    item["says_dispatch"] = rng.random(m)
    item["bound_for"] = rng.integers(0, 100, m)
    item["is_authorised"] = scene.actors.importers.is_authorised[said.item["trader"]]
    item["registered_day"] = scene.actors.importers.registered_day[said.item["trader"]]
    item["is_method_1"] = rng.random(m) < 0.9
    return said.changed(header, item)


def _spelling(n: int, paper: dict[str, float], rng: np.random.Generator) -> Ints:
    luck = rng.random(n)
    variant = 1 + (luck / paper["spelling"] * 3).astype(int)
    wrong = luck > 1 - paper["typing_error"]
    return np.where(luck < paper["spelling"], variant, np.where(wrong, WRONG, PLAIN))


def as_spelt(names: Array, which: Ints, variant: Ints) -> tuple[list[str | None], Ints]:
    """Return the distinct spellings of some ids, and the position of each row's one.

    Parameters
    ----------
    names : ndarray of str
        Ids by number.
    which : ndarray of shape (n,)
        Number of each row; -1 for none.
    variant : ndarray of shape (n,)
        How it is written.

    Returns
    -------
    tuple of (list of str or None, ndarray of shape (n,))

    Examples
    --------
    >>> as_spelt(np.array(["01KG123ABC"]), np.array([0, 0, -1]), np.array([0, 3, 0]))
    ([None, '01KG123ABC', '01КG123АВС'], array([1, 2, 0]))
    """
    key = np.where(which < 0, -1, which * (WRONG + 1) + variant)
    distinct, rows = np.unique(key, return_inverse=True)
    texts = [None if k < 0 else _spell(str(names[k // (WRONG + 1)]), int(k % (WRONG + 1))) for k in distinct.tolist()]
    return texts, rows


def _spell(name: str, variant: int) -> str:
    if variant == SMALL:
        return name.lower()
    if variant == SEPARATED:
        return f"{name[:2]} {name[2:-3]}-{name[-3:]}"
    if variant == LOOK_ALIKE:
        return name.translate(str.maketrans("ABEKMHOPCTX", "АВЕКМНОРСТХ"))
    if variant == WRONG:
        place = len(name) - 2
        return f"{name[:place]}{(int(name[place], 36) + 1) % 10}{name[place + 1 :]}"
    return name

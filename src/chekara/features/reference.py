"""What is usual: prices per kilogram by kind of goods and origin, frozen in a model's bundle.

The usual price of a group is the median of the logarithm of value per kilogram, shrunk to its parent's: HS6 from
one origin, HS6, HS4, chapter, all goods. A group of fewer than `MINIMUM_LINES` lines has no entry of its own: its
median would be noise, and would tell one trader another's price. Labels play no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.features import declared
from chekara.features.catalogue import ItemColumns
from chekara.features.goods import ALL_GOODS, ancestors

MINIMUM_LINES = 5


@dataclass(frozen=True, slots=True)
class PriceReference:
    """Usual prices per kilogram.

    Attributes
    ----------
    log_prices : mapping of str to float
        Natural logarithm of currency/kg by group: ``""`` for all goods, ``"61"``, ``"6109"``, ``"610910"``,
        ``"610910 CN"``. Empty where no line had both value and mass.
    """

    log_prices: Mapping[str, float]

    def usual_price(self, items: ItemColumns) -> npt.NDArray[np.float64]:
        """Usual price of each line's goods, currency/kg; shape (n_items,), NaN where nothing is known.

        The narrowest known group answers; goods never seen before get their heading's, chapter's or everybody's.
        """
        prices = [np.nan if key is None else self.log_prices[key] for key in self.answering_group(items)]
        return np.exp(np.array(prices, dtype=np.float64))

    def answering_group(self, items: ItemColumns) -> npt.NDArray[np.object_]:
        """Name the group whose price is each line's usual one, as in ``log_prices``; shape (n_items,).

        None where nothing is known.
        """
        found: dict[tuple[str | None, str | None], str | None] = {}
        goods = list(zip(items.text("hs_code"), items.text("origin_country"), strict=True))
        for code, origin in goods:
            if (code, origin) not in found:
                narrowest = _narrowest_group(code, origin)
                known = (key for key in (narrowest, *ancestors(narrowest)) if key in self.log_prices)
                found[code, origin] = next(known, None)
        return np.array([found[line] for line in goods], dtype=object)

    def to_json(self) -> dict[str, float]:
        """Plain mapping for the bundle, keys sorted."""
        return dict(sorted(self.log_prices.items()))

    @classmethod
    def from_json(cls, stored: Mapping[str, float]) -> PriceReference:
        """Read what `to_json` wrote."""
        return cls({key: float(value) for key, value in stored.items()})


def fit_price_reference(items: ItemColumns, strength: float) -> PriceReference:
    """Learn usual prices from history.

    Parameters
    ----------
    items : ItemColumns
        Goods lines, inspected or not.
    strength : float
        How many lines the parent's price weighs as; above zero.

    Returns
    -------
    PriceReference
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_price = np.log(declared.value_per_kg(items))
    usable = np.isfinite(log_price)
    if not usable.any():
        return PriceReference({})
    prices = {ALL_GOODS: float(np.median(log_price[usable]))}
    parent_of_line = np.full(int(usable.sum()), ALL_GOODS, dtype=object)
    for keys in _group_keys(items)[1:]:
        lines = pd.DataFrame({"key": keys[usable], "parent": parent_of_line, "log_price": log_price[usable]})
        groups = lines.groupby("key", sort=True).agg(
            n=("log_price", "size"), median=("log_price", "median"), parent=("parent", "first")
        )
        # A line without a narrower code repeats its parent's key, which has its price already.
        groups = groups[(groups["n"] >= MINIMUM_LINES) & ~groups.index.isin(list(prices))]
        for key, n, median, parent in groups.itertuples():
            prices[str(key)] = (n * median + strength * prices[parent]) / (n + strength)
        parent_of_line = np.where(pd.Series(keys[usable]).isin(list(prices)), keys[usable], parent_of_line)
    return PriceReference(prices)


def _narrowest_group(code: str | None, origin: str | None) -> str:
    hs6 = (code or "")[:6]
    return f"{hs6} {origin}" if len(hs6) == 6 and origin is not None else hs6


def _group_keys(items: ItemColumns) -> tuple[npt.NDArray[np.object_], ...]:
    """Group of each line at every level, from all goods to HS6 from one origin."""
    hs6, hs4, chapter = declared.hs6(items), declared.hs4(items), declared.hs_chapter(items)
    everything = np.full(items.n_items, ALL_GOODS, dtype=object)
    levels = [everything]
    for narrower in (chapter, hs4, hs6):
        levels.append(np.where(narrower == None, levels[-1], narrower))  # noqa: E711  # elementwise on objects
    origin = items.text("origin_country")
    named = (hs6 != None) & (origin != None)  # noqa: E711  # elementwise on objects
    from_origin = levels[-1].copy()
    from_origin[named] = hs6[named] + " " + origin[named]
    return (*levels, from_origin)

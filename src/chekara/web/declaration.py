"""The declaration as an officer reads it: labelled values of the crossing and its goods lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from chekara import messages
from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS, Column
from chekara.domain.crossing import Crossing, Value
from chekara.explain.reasons import feature_label, shown_value
from chekara.web.pages import Fact, ItemFacts

MOST_ITEMS = 50
"""Goods lines shown; the ones that carry a score always are."""

_IN_TITLES = ("item_no", "hs_code", "goods_description", "hs_version")
_MONEY = ("declared_value", "duty_amount")


def header_facts(crossing: Crossing, language: str) -> tuple[Fact, ...]:
    """Return what was lodged of the crossing itself, in the contract's order.

    Entity ids are left out: what is stored are internal tokens, which say nothing to a person. What an officer reads
    on paper and plate comes with the labels.
    """
    times: dict[str, Value] = {"occurred_at": crossing.occurred_at, "known_at": crossing.known_at}
    return _facts({**crossing.header, **times}, HEADER_COLUMNS, language)


def item_facts(crossing: Crossing, scored: Iterable[int], language: str) -> tuple[ItemFacts, ...]:
    """Return the goods lines: those that carry a score first, then the others as lodged, `MOST_ITEMS` at most.

    Parameters
    ----------
    crossing : Crossing
    scored : iterable of int
        Numbers of the lines that carry a domain's score.
    language : str
    """
    carrying = frozenset(scored)
    items = sorted(crossing.items, key=lambda item: item.get("item_no") not in carrying)
    return tuple(_item(item, item.get("item_no") in carrying, language) for item in items[:MOST_ITEMS])


def _item(item: Mapping[str, Value], is_scored: bool, language: str) -> ItemFacts:
    number = str(item.get("item_no", 1))
    goods = [str(item[name]) for name in ("hs_code", "goods_description") if item.get(name)]
    return ItemFacts(
        item_no=number,
        title=messages.text("page.case.item_title", language, item=number),
        goods=" · ".join(goods),
        facts=_facts(item, ITEM_COLUMNS, language, without=_IN_TITLES),
        is_scored=is_scored,
    )


def _facts(
    values: Mapping[str, Value], columns: Iterable[Column], language: str, without: Iterable[str] = ()
) -> tuple[Fact, ...]:
    told = [
        Fact(messages.text(f"column.{column.name}", language), _shown(column.name, values[column.name], language))
        for column in columns
        if column.entity is None and column.name not in without and values.get(column.name) is not None
    ]
    extensions = [
        Fact(feature_label(name, language), _shown(name, value, language))
        for name, value in sorted(values.items())
        if name.startswith("x_") and value is not None
    ]
    return (*told, *extensions)


def _shown(name: str, value: Value, language: str) -> str:
    if isinstance(value, datetime):
        return messages.instant(value, language)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return messages.text("value.yes" if value else "value.no", language)
    if name == "duty_rate" and isinstance(value, int | float):
        return messages.share(float(value), language)
    if name in _MONEY and isinstance(value, int | float):
        return messages.money(float(value), language)
    return shown_value(name, value if isinstance(value, str) else float(value), language)

"""Walk every compiled path once, so that nothing is compiled or loaded while somebody waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from chekara import messages
from chekara.api.parse import ScoreParser
from chekara.domain.crossing import Crossing
from chekara.features.build import items_from_crossings
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.features.profile_live import CrossingEvent, LiveProfiles
from chekara.service.champions import Champions
from chekara.settings import Limits


def warm_texts() -> None:
    """Read every language's catalogue and number formats."""
    for language in messages.languages():
        messages.text("lane.red", language)
        messages.number(1234.5, language)
        messages.money(1234.5, language)


def warm_profiles(domains: Iterable[str], example: Mapping[str, Any], limits: Limits) -> None:
    """Fold an example into profiles of its own, twice, and throw them away.

    Parameters
    ----------
    domains : iterable of str
        Risk domains whose results are kept.
    example : mapping
        A body of ``POST /v1/scores``.
    limits : Limits
    """
    first = _parsed(example, limits)
    live = LiveProfiles((), domains=tuple(domains), neighbourhoods={})
    pending = b""
    for days in range(2):
        crossing = replace(first, crossing_id=str(days), known_at=first.known_at + timedelta(days=days))
        group = live.group([CrossingEvent(crossing=crossing, position=days)], pending)
        group.state_keys({})
        pending = group.fold({}).pending


def warm_champions(champions: Champions, example: Mapping[str, Any], limits: Limits) -> None:
    """Score an example with every champion, alone and in a small group, and throw the numbers away.

    Parameters
    ----------
    champions : Champions
    example : mapping
        A body of ``POST /v1/scores``. It goes through the real parser and the real features; nothing is logged.
    limits : Limits
    """
    crossing = _parsed(example, limits)
    for champion in champions.serving().values():
        for size in (1, 2, 32):
            items, _ = items_from_crossings([crossing] * size)
            unknown = np.full(items.n_items, np.nan, dtype=np.float32)
            items = ItemColumns(items.values | dict.fromkeys(laid_columns(champion.names), unknown), items.n_items)
            X = champion.encode(champion.features(items))
            margins = champion.margins(X)
            champion.contributions(X)
            champion.calibration.interval(margins)


def _parsed(example: Mapping[str, Any], limits: Limits) -> Crossing:
    body = msgspec.json.encode(example)
    return ScoreParser(limits).parse(body, received_at=datetime.now(UTC), is_replay=True).crossing

"""Walk every compiled path once, so that nothing is compiled or loaded while somebody waits."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from chekara import messages
from chekara.api.parse import ScoreParser
from chekara.domain.crossing import Crossing
from chekara.features.profile_live import CrossingEvent, LiveProfiles
from chekara.settings import Limits

COLLECT_AFTER: Final = (50_000, 20, 50)
"""Objects made more than freed before the youngest are looked at (some ten megabytes), and how seldom the older are."""


def quieten_collector() -> None:
    """Leave what was made so far out of garbage collections, and let these come seldom; call it when all is warm.

    What was made so far lives as long as the process. A decision is some thousand objects without a cycle among them,
    freed when the last one lets go: looking for cycles after every seven hundred took a tenth of the time of a full
    group (``python -m benchmarks.request_path``).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


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
    first = example_crossing(example, limits)
    live = LiveProfiles((), domains=tuple(domains), neighbourhoods={})
    pending = b""
    for days in range(2):
        crossing = replace(first, crossing_id=str(days), known_at=first.known_at + timedelta(days=days))
        group = live.group([CrossingEvent(crossing=crossing, position=days)], pending)
        group.state_keys({})
        pending = group.fold({}).pending


def example_crossing(example: Mapping[str, Any], limits: Limits) -> Crossing:
    """Parse an example by the real parser, so that this road is warm, too.

    Parameters
    ----------
    example : mapping
        A body of ``POST /v1/scores``.
    limits : Limits
    """
    body = msgspec.json.encode(example)
    return ScoreParser(limits).parse(body, received_at=datetime.now(UTC), is_replay=True).crossing

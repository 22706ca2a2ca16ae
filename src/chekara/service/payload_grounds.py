"""What a log entry holds of the grounds of a lane: plain data in, the same dataclasses out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chekara.domain.selection import CapacityState, Draw, Floor, Grounds, RuleHit, Selection
from chekara.domain.vocabulary import Lane

Plain = dict[str, Any]


def plain_grounds(grounds: Grounds) -> Plain:
    """Write what a lane was derived from as plain data; parts that say nothing are left out.

    Examples
    --------
    >>> plain_grounds(Grounds(without_models=("customs",)))
    {'without_models': ('customs',)}
    """
    plain = {name: value for name in grounds.__slots__ if (value := getattr(grounds, name))}
    for name in ("draws", "rules"):
        if name in plain:
            # Rows beside the log are read from here again, so they are plain at once.
            plain[name] = [{field: getattr(one, field) for field in one.__slots__} for one in plain[name]]
    return plain


def grounds_from(plain: Plain) -> Grounds:
    """Read back what a lane was derived from."""
    return Grounds(
        rules=tuple(RuleHit(**_with_lane(one)) for one in plain.get("rules", ())),
        draws=tuple(Draw(**_with_lane(one)) for one in plain.get("draws", ())),
        capacity=tuple(_capacity_from(one) for one in plain.get("capacity", ())),
        floors={domain: Floor(**_with_lane(one)) for domain, one in plain.get("floors", {}).items()},
        without_models=tuple(plain.get("without_models", ())),
        not_applicable=tuple(plain.get("not_applicable", ())),
    )


def selections_from(plain: Sequence[Plain]) -> tuple[Selection, ...]:
    """Read back what each domain asked for."""
    return tuple(Selection(**_with_lane(one)) for one in plain)


def _capacity_from(plain: Plain) -> CapacityState:
    # JSON has no infinity; the encoder writes null.
    threshold = float("inf") if plain["threshold"] is None else plain["threshold"]
    return CapacityState(**(_with_lane(plain) | {"threshold": threshold}))


def _with_lane(plain: Plain) -> Plain:
    return plain | {"lane": Lane(plain["lane"])}

"""Shifts as spans of time: days of 23 and 25 hours have shifts of 11 and 13, and no instant falls between two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from chekara.policy.plans import Shifts


@dataclass(frozen=True, slots=True)
class ShiftSpan:
    """One shift of one day.

    Attributes
    ----------
    starts_at, ends_at : datetime
        UTC; the end is the start of the next one.
    start : datetime.time
        The local start that the policy names it by.
    """

    starts_at: datetime
    ends_at: datetime
    start: time

    def holds(self, at: datetime) -> bool:
        """Whether an instant falls into it."""
        return self.starts_at <= at < self.ends_at


def shift_span(shifts: Shifts, at: datetime) -> ShiftSpan:
    """Return the shift that an instant falls into.

    Parameters
    ----------
    shifts : Shifts
    at : datetime
        With offset.

    Examples
    --------
    >>> span = shift_span(Shifts("Europe/Riga", (time(8), time(20))), datetime(2026, 3, 28, 20, tzinfo=UTC))
    >>> span.ends_at - span.starts_at  # the clock goes forward in this night
    datetime.timedelta(seconds=39600)
    """
    day = at.astimezone(shifts.zone).date()
    begun = sorted(
        (datetime.combine(day + timedelta(days=days), start, shifts.zone).astimezone(UTC), start)
        for days in (-1, 0, 1, 2)
        for start in shifts.starts
    )
    place = max(place for place, (starts_at, _) in enumerate(begun) if starts_at <= at)
    return ShiftSpan(begun[place][0], begun[place + 1][0], begun[place][1])

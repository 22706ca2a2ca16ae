"""How many crossings are still to come in a shift, as far as the past and the shift itself tell.

A crossing point has a usual week: crossings per hour of it, recent weeks counting more. What comes now is that week
times how busy the last hours were compared with it, so that a festival, a closed neighbour post or a quiet night show
within an hour or two. Only counts are kept, and every number is computed from them anew: whoever begins from a log has
the same numbers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chekara.policy.capacity_shifts import ShiftSpan
from chekara.policy.plans import Shifts

WEEKS: Final = 8
"""Weeks that a usual week is made of."""
_WEEK_WEIGHT: Final = 0.7
_HOURS_BACK: Final = 12
_HOUR_WEIGHT: Final = 0.75
# How many crossings the usual week is worth against those of the last hours.
_TRUST: Final = 5.0
# An hour without a crossing, where so many are usual, was an hour closed: it tells nothing of hours that are open.
_CLOSED_IF_USUAL: Final = 3.0
_HOURLY_IF_UNKNOWN: Final = 4.0
_HOUR_SECONDS: Final = 3600

Hours = dict[int, int]
"""Crossings by hour, counted from 1970 in UTC."""


def hour_of(at: datetime) -> int:
    """Return the hour since 1970 that an instant falls into."""
    return int(at.timestamp()) // _HOUR_SECONDS


@dataclass(slots=True)
class Flow:
    """What is expected at one crossing point in one shift.

    Attributes
    ----------
    first_hour : int
        Hour that ``usual`` begins with: some hours before the shift.
    usual : tuple of float
        Crossings per hour, before the shift and until its end.
    ends : float
        End of the shift, seconds since 1970.
    counts : dict of int to int
        Crossings seen, shared with `Traffic`.
    """

    first_hour: int
    usual: tuple[float, ...]
    ends: float
    counts: Hours
    _hour: int = -1
    _seen_before: float = 0.0
    _usual_before: float = 0.0
    _after: float = 0.0

    def coming(self, seconds: float) -> float:
        """Return the crossings still to come in the shift after an instant (seconds since 1970), in expectation."""
        hour = int(seconds) // _HOUR_SECONDS
        if hour != self._hour:
            self._turn_to(hour)
        usual = self.usual[hour - self.first_hour]
        begun = hour * _HOUR_SECONDS
        ends = min(self.ends, begun + _HOUR_SECONDS)
        seen, until_now = self.counts.get(hour, 0), usual * (seconds - begun) / _HOUR_SECONDS
        if not seen and until_now >= _CLOSED_IF_USUAL:
            until_now = 0.0
        pace = (_TRUST + self._seen_before + seen) / (_TRUST + self._usual_before + until_now)
        return pace * (usual * (ends - seconds) / _HOUR_SECONDS + self._after)

    def _turn_to(self, hour: int) -> None:
        """Sum up what does not change within an hour."""
        self._hour = hour
        self._seen_before = self._usual_before = 0.0
        weight = 1.0
        for back in range(1, _HOURS_BACK + 1):
            weight *= _HOUR_WEIGHT
            place = hour - back - self.first_hour
            if place < 0:
                break
            seen, usual = self.counts.get(hour - back, 0), self.usual[place]
            if seen or usual < _CLOSED_IF_USUAL:
                self._seen_before += weight * seen
                self._usual_before += weight * usual
        last = int(self.ends) // _HOUR_SECONDS
        after = sum(self.usual[one - self.first_hour] for one in range(hour + 1, last))
        if last > hour:
            after += self.usual[last - self.first_hour] * (self.ends - last * _HOUR_SECONDS) / _HOUR_SECONDS
        self._after = after


class Traffic:
    """Crossings per crossing point and hour.

    Parameters
    ----------
    shifts : Shifts
        Weeks are weeks of their time zone.
    """

    def __init__(self, shifts: Shifts) -> None:
        self._zone = shifts.zone
        self._counts: dict[str, Hours] = {}
        self._first: dict[str, int] = {}
        self._back: dict[int, tuple[int, ...]] = {}
        self._of_all: dict[int, float] = {}

    def count(self, crossing_point: str, hour: int, crossings: int = 1) -> None:
        """Count crossings of an hour."""
        own = self._counts.setdefault(crossing_point, {})
        own[hour] = own.get(hour, 0) + crossings
        first = self._first.get(crossing_point)
        self._first[crossing_point] = hour if first is None else min(first, hour)

    def forget_before(self, hour: int) -> None:
        """Drop hours that no usual week looks back to."""
        for point in list(self._counts):
            kept = {one: count for one, count in self._counts[point].items() if one >= hour}
            if kept:
                self._counts[point], self._first[point] = kept, min(kept)
            else:
                del self._counts[point]
                self._first.pop(point, None)

    def open_shift(self, span: ShiftSpan) -> None:
        """Look up which hours of past weeks each hour of a shift, and those before it, are compared with."""
        first, last = hour_of(span.starts_at) - _HOURS_BACK, hour_of(span.ends_at)
        self._back = {hour: self._weeks_before(hour) for hour in range(first, last + 1)}
        self._of_all = {}

    def flow(self, crossing_point: str, span: ShiftSpan) -> Flow:
        """Return what is expected at a crossing point in the shift that was opened last."""
        counts = self._counts.setdefault(crossing_point, {})
        own = _usual_week(counts, self._first.get(crossing_point), self._back)
        # A post that opens anew has the shape of all posts' week; how busy it is shows in its own first hours.
        usual = tuple(self._mean_of_all(hour) if rate is None else rate for hour, rate in own.items())
        return Flow(min(self._back), usual, span.ends_at.timestamp(), counts)

    def _weeks_before(self, hour: int) -> tuple[int, ...]:
        """Return the same hour of the local week, one to eight weeks ago: also across a change of the clock."""
        local = datetime.fromtimestamp(hour * _HOUR_SECONDS, self._zone)
        return tuple(hour_of((local - timedelta(weeks=weeks)).astimezone(UTC)) for weeks in range(1, WEEKS + 1))

    def _mean_of_all(self, hour: int) -> float:
        if hour not in self._of_all:
            back = {hour: self._back[hour]}
            # By name, so that sums come out alike whoever was counted first.
            weeks = (_usual_week(self._counts[one], self._first.get(one), back)[hour] for one in sorted(self._counts))
            rates = [rate for rate in weeks if rate is not None]
            self._of_all[hour] = sum(rates) / len(rates) if rates else _HOURLY_IF_UNKNOWN
        return self._of_all[hour]


def _usual_week(counts: Hours, first: int | None, back: Mapping[int, tuple[int, ...]]) -> dict[int, float | None]:
    """Return crossings per hour, by hour; None where nothing was counted yet in the same hour of any week."""
    found: dict[int, float | None] = {}
    for hour, earlier in back.items():
        weight, seen, weights = 1.0, 0.0, 0.0
        for one in earlier:
            # Half a day without any crossing was a closed post, and says nothing of one that is open.
            if first is not None and one >= first and _is_open(counts, one):
                seen += weight * counts.get(one, 0)
                weights += weight
            weight *= _WEEK_WEIGHT
        found[hour] = seen / weights if weights else None
    return found


def _is_open(counts: Hours, hour: int) -> bool:
    return hour in counts or any(hour + near in counts for near in range(-6, 7))

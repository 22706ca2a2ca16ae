"""The threshold that follows the stream: budgets are met whatever the traffic, without knowing the future.

So many places are left, and so many crossings are still to come: a crossing is sent to the lane if its risk is among
the highest ``left / coming`` of recent ones. Asked anew at every crossing, the answer corrects itself: a forecast that
was wrong moves the threshold, not the budget (``docs/capacity.md``).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

NOTHING_LEFT: Final = math.inf
# Places are planned for fewer crossings than expected, by so many standard deviations of their number, and kept for
# more demands than expected: so the threshold falls early enough that no place is left over, and a last place is not
# given away just before a rule asks for it. Both hardly matter early in a shift.
CROSSINGS_CAUTION: Final = 1.5
DEMANDS_CAUTION: Final = 1.0
# Share of what later hours are due by forecast that models never take in advance.
KEPT_FOR_LATER: Final = 0.5


def share_to_send(budget: float, used: int, *, seen: int, coming: float, demanded: float) -> float:
    """Return the share of crossings without another demand that models may send to a lane now, in [0, 1].

    Parameters
    ----------
    budget : float
        Controls of the whole shift that models may ask for.
    used : int
        Those asked for already.
    seen : int
        Crossings of the shift so far.
    coming : float
        Crossings still to come after this one, in expectation.
    demanded : float
        Share of crossings that rules and draws send to the lane, whatever the models say; in [0, 1].

    Examples
    --------
    Ten places for a hundred crossings that are still to come, this one among them; and the last place where hardly
    anybody else will come:

    >>> round(share_to_send(20, 10, seen=100, coming=99.0, demanded=0.0), 2)
    0.12
    >>> share_to_send(20, 19, seen=200, coming=0.4, demanded=0.0)
    1.0
    """
    left = budget - used
    if left <= 0 or left <= KEPT_FOR_LATER * budget * coming / (seen + 1 + coming):
        return 0.0
    at_least = coming - CROSSINGS_CAUTION * math.sqrt(coming)
    demands = demanded * coming
    for_models = left - demands - DEMANDS_CAUTION * math.sqrt(demands)
    share = for_models / (1.0 + (1.0 - demanded) * at_least) if at_least > 0.0 else for_models
    return 0.0 if share < 0.0 else 1.0 if share > 1.0 else share


def threshold_of(share: float, recent: Sequence[float], *, risk: float, crossing_id: str, taken: float = 0.0) -> float:
    """Return the lowest risk that is sent to a lane, so that a share of crossings such as recent ones is.

    Parameters
    ----------
    share : float
        In [0, 1]; 0 sends none.
    recent : sequence of float
        Risks of recent crossings, ascending.
    risk : float
        Of this crossing. It matters only where many have the very same risk.
    crossing_id : str
        Of many with the same risk, its checksum decides which are sent: as many as there are places, early and late.
    taken : float
        Share of crossings above the threshold that a stricter lane takes; they need no place in this one.

    Examples
    --------
    >>> threshold_of(0.25, [0.1, 0.4, 0.6, 0.9], risk=0.5, crossing_id="c1")
    0.9
    >>> threshold_of(0.25, [0.1, 0.4, 0.6, 0.9], risk=0.5, crossing_id="c1", taken=0.25)
    0.6
    """
    if share <= 0.0:
        return NOTHING_LEFT
    number = len(recent)
    above = (share + taken) * number
    if share >= 1.0 or above >= number:
        return 0.0
    place = min(number - 1, math.ceil(number - above - 1e-9))
    threshold = recent[place]
    if threshold == risk:
        first, after = bisect_left(recent, threshold), bisect_right(recent, threshold)
        sent = (above - (number - after)) / (after - first)
        if after - first > 1 and _drawn_from(crossing_id) >= sent:
            return math.nextafter(threshold, math.inf)
    return max(0.0, threshold)


def _drawn_from(crossing_id: str) -> float:
    """Return a number in [0, 1) that is even over crossings, and always the same for one."""
    return int.from_bytes(blake2b(crossing_id.encode(), digest_size=6).digest()) / 2**48

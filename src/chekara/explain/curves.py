"""The compiled numbers behind a margin and an amount: one function for a request and for a history, bit for bit.

A request asks them of a handful of values, where each call of numpy would cost more than all of them together. What
is looked up of one value never depends on how many are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])

EXACT_LOGIT = 12.0
"""Beyond it the logit is compressed, so that float64 still tells neighbours apart near 0 and 1."""
NORMAL_95 = 1.6448536269514722
"""95 % quantile: two sides of 5 % make a 90 % interval."""
FARTHEST = 3.0
"""Standard deviations: beyond what hits looked like, a line is as far as the farthest."""
_CENTS = 100.0


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


@_compiled
def _probability(logit: float) -> float:
    """Logistic function of a logit that grows like a logarithm beyond ±12 (p < 6e-6)."""
    if math.isnan(logit):
        return math.nan
    size = abs(logit)
    if size > EXACT_LOGIT:
        size = EXACT_LOGIT + math.log1p(size - EXACT_LOGIT)
    small = math.exp(-size)
    return (1.0 if logit >= 0.0 else small) / (1.0 + small)


@_compiled
def fill_curves(curves: Floats, margins: Floats, out: Floats) -> None:
    """Write probability, low and high of margins.

    Parameters
    ----------
    curves : ndarray of shape (n_members, 5)
        Intercept, slope; variance of the first, covariance, variance of the second.
    margins : ndarray of shape (n_members, n)
    out : ndarray of shape (3, n_members, n)
    """
    for member in range(margins.shape[0]):
        intercept, slope = curves[member, 0], curves[member, 1]
        a, ab, b = curves[member, 2], curves[member, 3], curves[member, 4]
        for i in range(margins.shape[1]):
            margin = margins[member, i]
            logit = intercept + slope * margin
            variance = a + 2 * margin * ab + margin * margin * b
            spread = NORMAL_95 * math.sqrt(variance) if variance > 0.0 else 0.0
            out[0, member, i] = _probability(logit)
            out[1, member, i] = _probability(logit - spread)
            out[2, member, i] = _probability(logit + spread)


@_compiled
def fill_amounts(
    members: Floats, numbers: Floats, departures: Floats, values: npt.NDArray[np.float32], out: Floats
) -> None:
    """Write the amounts to expect of lines as hits.

    Parameters
    ----------
    members : ndarray of shape (n_members, 4)
        Level, logarithm of the largest, largest, smearing; NaN where nothing is known of amounts.
    numbers : ndarray of shape (n_members, n_numbers, 3)
        Centre, scale and weight.
    departures : ndarray of shape (n_members, n)
        Of the HS chapter.
    values : ndarray of shape (n_numbers, n_members, n), float32
    out : ndarray of shape (n_members, n)
    """
    for member in range(out.shape[0]):
        log_largest, largest, smearing = members[member, 1], members[member, 2], members[member, 3]
        for i in range(out.shape[1]):
            log = members[member, 0] + departures[member, i]
            for k in range(numbers.shape[1]):
                value = np.float64(values[k, member, i])
                size = math.copysign(math.log1p(abs(value)), value)
                z = (size - numbers[member, k, 0]) / numbers[member, k, 1]
                if not math.isnan(z):
                    log += min(max(z, -FARTHEST), FARTHEST) * numbers[member, k, 2]
            if math.isnan(log):
                out[member, i] = math.nan
            else:
                amount = math.exp(min(log, log_largest)) * smearing
                out[member, i] = min(np.rint(amount * _CENTS) / _CENTS, largest)

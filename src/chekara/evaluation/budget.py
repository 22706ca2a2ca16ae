"""What a budget selects: the highest scores of a period, ties shared out, and what is found among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """What a selection found among crossings whose outcome is known. Sums, so that periods add up.

    Attributes
    ----------
    crossings, hits : float
        Known outcomes and hits among them, weighted.
    selected, found : float
        Those of them that were selected, expected over ties.
    n_hits : float
        Hits, unweighted: how much the figures rest on.
    """

    crossings: float
    hits: float
    selected: float
    found: float
    n_hits: float


def selected_at(score: Floats, share: float) -> Floats:
    """Tell how likely each crossing is to be selected when a share of them is, highest scores first.

    Parameters
    ----------
    score : ndarray of shape (n,)
    share : float
        In [0, 1].

    Returns
    -------
    ndarray of shape (n,)
        1 above the threshold, 0 below it; equal scores at the threshold share what is left. Sums to ``share * n``.

    Examples
    --------
    >>> selected_at(np.array([3.0, 1.0, 1.0, 0.0]), 0.5).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    budget = share * len(score)
    if budget <= 0:
        return np.zeros(len(score))
    descending = np.sort(score)[::-1]
    threshold = descending[min(int(np.ceil(budget)), len(score)) - 1]
    above, at = score > threshold, score == threshold
    return np.where(above, 1.0, np.where(at, (budget - above.sum()) / at.sum(), 0.0))


def found_by(selected: Floats, hit: Floats, weight: Floats | None = None) -> Found:
    """Count what a selection finds.

    Parameters
    ----------
    selected : ndarray of shape (n,)
        Of `selected_at`, over all traffic.
    hit : ndarray of shape (n,)
        1.0 or 0.0; NaN where the outcome is unknown: such crossings are selected, but tell nothing.
    weight : ndarray of shape (n,), optional
        How many crossings each stands for, 0 for none; default 1.

    Returns
    -------
    Found
    """
    known = ~np.isnan(hit)
    weight = np.ones(len(hit)) if weight is None else weight
    w, s, h = weight[known], selected[known], hit[known]
    return Found(
        crossings=float(w.sum()),
        hits=float((w * h).sum()),
        selected=float((w * s).sum()),
        found=float((w * s * h).sum()),
        n_hits=float(h[w > 0].sum()),
    )


def list_overlap(one: Floats, other: Floats) -> float:
    """Tell which share of one selection is in the other as well.

    Parameters
    ----------
    one, other : ndarray of shape (n,)
        Of `selected_at`, with the same share.

    Returns
    -------
    float
        In [0, 1]; NaN where nothing is selected.

    Examples
    --------
    >>> list_overlap(np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0]))
    0.5
    """
    total = float(one.sum())
    return float(np.minimum(one, other).sum()) / total if total > 0 else float("nan")

"""Cutting history in time, as it was known: what could have been learned before an instant, and what came later.

A result takes days or months to become known. Two rules follow. A crossing may teach only what was known before the
cut (``known_at < cut``). And the last stretch before the cut, the *embargo*, teaches nothing at all: of its
crossings only the quickly decided ones are known yet, and those are not like the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.errors import NotEnoughHitsError

Mask: TypeAlias = npt.NDArray[np.bool_]
Instants: TypeAlias = npt.NDArray[np.datetime64]

DELAY_QUANTILE = 0.95
LONGEST_EMBARGO = 0.2  # of the time before the cut: a longer one would eat a short history


@dataclass(frozen=True, slots=True)
class Block:
    """One forward step: fit on what was known before ``begins_at``, judge what came after.

    Attributes
    ----------
    fit, judge : ndarray of bool, shape (n_crossings,)
        Labelled crossings only; they never overlap.
    begins_at : datetime64[us]
        First ``as_of`` that is judged.
    embargo : timedelta64[us]
        Stretch before it that is neither fitted nor judged.
    """

    fit: Mask
    judge: Mask
    begins_at: np.datetime64
    embargo: np.timedelta64


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """History cut once for a judgement: train | embargo | calibrate | test.

    Attributes
    ----------
    train : ndarray of bool, shape (n_crossings,)
        Labelled crossings that were known before the test begins, embargo left out. ``calibrate`` lies inside it:
        its out-of-fold margins make the calibration, and then it teaches, too.
    embargo, calibrate, test : ndarray of bool, shape (n_crossings,)
    blocks : tuple of Block
        Forward steps inside ``train``, for calibration and for the number of rounds.
    begins_at : datetime64[us]
        First ``as_of`` of the test.
    delay : timedelta64[us]
        Time that 95 % of results take to become known.
    last_block : Block
        The test as one more step forward.
    """

    train: Mask
    embargo: Mask
    calibrate: Mask
    test: Mask
    blocks: tuple[Block, ...]
    begins_at: np.datetime64
    delay: np.timedelta64
    last_block: Block


def result_delay(as_of: Instants, known_at: Instants, quantile: float = DELAY_QUANTILE) -> np.timedelta64:
    """Time that a share of the results take to become known.

    Parameters
    ----------
    as_of, known_at : ndarray of shape (n,), datetime64
        ``known_at`` is NaT where there is no result.
    quantile : float
        In (0, 1].

    Returns
    -------
    timedelta64[us]
        Zero where there is no result; never negative.
    """
    labelled = ~np.isnat(known_at)
    if not labelled.any():
        return np.timedelta64(0, "us")
    waits = (known_at[labelled] - as_of[labelled]).astype("timedelta64[us]").astype(np.int64)
    return np.timedelta64(max(0, int(np.quantile(waits, quantile, method="higher"))), "us")


def cut_at(
    as_of: Instants, known_at: Instants, begins_at: np.datetime64, ends_at: np.datetime64 | None = None
) -> Block:
    """Cut history at one instant.

    Parameters
    ----------
    as_of, known_at : ndarray of shape (n,), datetime64
        NaT in ``known_at``: no result, so in neither part.
    begins_at, ends_at : datetime64
        What is judged has ``begins_at <= as_of < ends_at`` (no end: all that follows).

    Returns
    -------
    Block
    """
    labelled = ~np.isnat(known_at)
    before = as_of < begins_at
    known = labelled & before & (known_at < begins_at)
    longest = np.timedelta64(0, "us")
    if before.any():
        span = (begins_at - as_of[before].min()).astype("timedelta64[us]").astype(np.int64)
        longest = np.timedelta64(int(span * LONGEST_EMBARGO), "us")
    embargo = min(result_delay(as_of[known], known_at[known]), longest)
    judge = labelled & ~before if ends_at is None else labelled & ~before & (as_of < ends_at)
    return Block(known & (as_of < begins_at - embargo), judge, begins_at, embargo)


def forward_blocks(
    as_of: Instants, known_at: Instants, hit: npt.NDArray[np.float64], n_blocks: int
) -> tuple[Block, ...]:
    """Cut history into steps forward in time, for margins that no row's own label has touched.

    The first third of the labelled crossings is only ever fitted on; the rest is judged in blocks of equal numbers.
    A block is left out while fewer than ten hits, or not a single miss, are known before it.

    Parameters
    ----------
    as_of, known_at : ndarray of shape (n,), datetime64
    hit : ndarray of shape (n,)
        1.0, 0.0, or NaN where unknown.
    n_blocks : int

    Returns
    -------
    tuple of Block
        May be empty.
    """
    labelled = ~np.isnat(known_at)
    if labelled.sum() < n_blocks + 1:
        return ()
    ordered = np.sort(as_of[labelled])
    shares = np.linspace(1 / 3, 1, n_blocks + 1)[:-1]
    begins = np.unique(ordered[(shares * len(ordered)).astype(np.int64)])
    ends: list[np.datetime64 | None] = [*begins[1:], None]
    blocks = (cut_at(as_of, known_at, begin, end) for begin, end in zip(begins, ends, strict=True))
    return tuple(b for b in blocks if b.judge.any() and hit[b.fit].sum() >= 10 and (hit[b.fit] == 0).any())


def split_in_time(
    as_of: Instants,
    known_at: Instants,
    hit: npt.NDArray[np.float64],
    *,
    test_share: float,
    n_blocks: int,
    minimum_hits: int,
    test_from: np.datetime64 | None = None,
) -> TimeSplit:
    """Cut history for a judgement of the recipe.

    Parameters
    ----------
    as_of, known_at : ndarray of shape (n_crossings,), datetime64
        When each crossing was known, and its outcome (NaT: unknown).
    hit : ndarray of shape (n_crossings,)
        1.0, 0.0, or NaN where unknown.
    test_share : float
        Share of labelled crossings that are judged: the latest.
    n_blocks : int
        Forward steps for the calibration.
    minimum_hits : int
        Fewest known hits. What comes before the test may hold fewer, down to a half: the recipe is judged on it, and
        what serves learns from all.
    test_from : datetime64, optional
        Judge from here on, instead of a share.

    Returns
    -------
    TimeSplit

    Raises
    ------
    NotEnoughHitsError
        Too few hits in all or before the test, or none in it: says how many there are.
    """
    labelled = ~np.isnat(known_at)
    if not labelled.any():
        raise NotEnoughHitsError("no crossing has a known outcome", hint="inspections with results are needed")
    ordered = np.sort(as_of[labelled])
    begins_at = ordered[int(len(ordered) * (1 - test_share))] if test_from is None else test_from
    cut = cut_at(as_of, known_at, begins_at)
    require_hits(hit[labelled], minimum_hits, "known")
    require_hits(hit[cut.fit], max(minimum_hits // 2, 1), "before the test slice")
    require_hits(hit[cut.judge], 1, "in the test slice")
    inside_known_at = np.where(cut.fit, known_at, np.datetime64("NaT", "us"))
    blocks = forward_blocks(as_of, inside_known_at, hit, n_blocks)
    calibrate = np.zeros(len(as_of), dtype=bool)
    for block in blocks:
        calibrate |= block.judge
    embargo = labelled & (as_of < begins_at) & ~cut.fit
    return TimeSplit(cut.fit, embargo, calibrate, cut.judge, blocks, begins_at, result_delay(as_of, known_at), cut)


def require_hits(hit: npt.NDArray[np.float64], minimum: int, where: str) -> None:
    """Refuse a part of history with too few hits, or with nothing else.

    Parameters
    ----------
    hit : ndarray of shape (n,)
        1.0, 0.0, or NaN where unknown.
    minimum : int
    where : str
        The part, as it completes "12 hits ...".

    Raises
    ------
    NotEnoughHitsError
    """
    n_hits = int(np.nansum(hit))
    if n_hits < minimum:
        raise NotEnoughHitsError(f"{n_hits} hits {where}, at least {minimum} are needed", hint="add history")
    if n_hits == np.count_nonzero(~np.isnan(hit)):
        raise NotEnoughHitsError(f"every known outcome {where} is a hit", hint="inspections that found nothing count")

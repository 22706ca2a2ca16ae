"""Steps forward in time: margins of crossings by fits that knew nothing of them, and what is chosen on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.errors import NotEnoughHitsError
from chekara.modelling.calibration import Calibration, calibrated_loss, fit_calibration, natural_weights
from chekara.modelling.dataset import Dataset
from chekara.modelling.learn import Learned, judgeable, learn, margins_by_rounds
from chekara.modelling.spec import ModelSpec
from chekara.modelling.split import Block, require_hits

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Progress: TypeAlias = Callable[[str, float], None]  # (stage, fraction done in [0, 1])

FITS_AT_ONCE = 2  # of all domains together: each keeps a matrix of its own in memory
_FITS = BoundedSemaphore(FITS_AT_ONCE)


def silent(stage: str, fraction: float) -> None:
    """Tell nobody."""


def learn_in_turn(dataset: Dataset, spec: ModelSpec, fit: Mask, visible: Mask, rounds: int, seed: int) -> Learned:
    """Fit as `chekara.modelling.learn.learn` does, few at a time in the whole process.

    Parameters
    ----------
    dataset, spec, fit, visible, rounds, seed
        As there.

    Returns
    -------
    Learned
    """
    with _FITS:
        return learn(dataset, spec, fit, visible, rounds, seed)


@dataclass(frozen=True, slots=True)
class ForwardMargins:
    """Margins of crossings that later blocks of time hold, each by a fit on its past.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Positions of the crossings in the dataset.
    by_rounds : tuple of ndarray, each of shape (n,)
        One per number of trees of the spec.
    """

    rows: Ints
    by_rounds: tuple[Floats, ...]

    def losses(self, hit: Floats) -> list[float]:
        """Log loss after a fit of height and slope, per number of trees."""
        return [calibrated_loss(margin, hit[self.rows]) for margin in self.by_rounds]


@dataclass(frozen=True, slots=True)
class Step:
    """What a fit on the past of a block says of it.

    Attributes
    ----------
    learned : Learned or None
        The fit, which is large: of the last block alone.
    rows : ndarray of int64, shape (n,)
        Positions of the judged crossings in the dataset.
    by_rounds : tuple of ndarray, each of shape (n,)
        Margins, one array per number of trees of the spec.
    """

    learned: Learned | None
    rows: Ints
    by_rounds: tuple[Floats, ...]


def forward_margins(
    dataset: Dataset, spec: ModelSpec, blocks: Sequence[Block], seed: int, progress: Progress | None = None
) -> ForwardMargins:
    """Score forward blocks by fits that did not learn from them.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    blocks : sequence of Block
    seed : int
    progress : callable, optional

    Returns
    -------
    ForwardMargins

    Raises
    ------
    NotEnoughHitsError
        There is no later crossing, or no hit among them.
    """
    steps = step_forward(dataset, spec, blocks, seed, progress or silent)
    return joined(dataset, steps)


def step_forward(
    dataset: Dataset, spec: ModelSpec, blocks: Sequence[Block], seed: int, tell: Progress
) -> list[Step | None]:
    """Score each block by a fit on its past.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    blocks : sequence of Block
    seed : int
    tell : callable
        Told (stage, fraction done).

    Returns
    -------
    list of Step or None
        None for a block of which nothing may be judged.
    """
    choices = spec.training.rounds

    def judge(block: Block) -> Step | None:
        learned = learn_in_turn(dataset, spec, block.fit, dataset.as_of < block.begins_at, choices[-1], seed)
        crossings = judgeable(dataset, learned.lines, block.judge)
        if not crossings.any():
            return None
        margins = margins_by_rounds(learned, dataset, crossings, choices)
        return Step(learned if block is blocks[-1] else None, np.flatnonzero(crossings), margins)

    # Blocks do not need each other, and LightGBM lets go of the interpreter while it fits: threads suffice. Each fit
    # runs on one thread, so that how many blocks are under way changes nothing.
    with ThreadPoolExecutor(max_workers=FITS_AT_ONCE) as pool:
        steps = []
        for number, step in enumerate(pool.map(judge, blocks)):
            steps.append(step)
            tell(f"forward block {number + 1} of {len(blocks)}", 0.85 * (number + 1) / len(blocks))
    return steps


def joined(dataset: Dataset, steps: Sequence[Step | None]) -> ForwardMargins:
    """Put the margins of several steps together.

    Parameters
    ----------
    dataset : Dataset
    steps : sequence of Step or None

    Returns
    -------
    ForwardMargins

    Raises
    ------
    NotEnoughHitsError
        There is no later crossing, or no hit among them.
    """
    judged = [step for step in steps if step is not None]
    if not judged:
        raise NotEnoughHitsError("no later crossings to calibrate on", hint="a longer history is needed")
    rows = np.concatenate([step.rows for step in judged])
    require_hits(dataset.hit[rows], 1, "in the forward blocks that calibrate")
    by_rounds = zip(*(step.by_rounds for step in judged), strict=True)
    return ForwardMargins(rows, tuple(np.concatenate(parts) for parts in by_rounds))


def calibrate_recipe(
    dataset: Dataset, spec: ModelSpec, blocks: Sequence[Block], seed: int, progress: Progress | None = None
) -> tuple[Calibration, int]:
    """Choose the number of trees and fit the calibration, both on margins of forward blocks.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    blocks : sequence of Block
        Of `chekara.modelling.split.forward_blocks`.
    seed : int
    progress : callable, optional

    Returns
    -------
    Calibration, int
        And how many trees to fit.

    Raises
    ------
    NotEnoughHitsError
        There is nothing to calibrate on.
    """
    return calibrated(dataset, spec, forward_margins(dataset, spec, blocks, seed, progress))


def calibrated(dataset: Dataset, spec: ModelSpec, forward: ForwardMargins) -> tuple[Calibration, int]:
    """Choose the number of trees and fit the calibration on margins that are at hand.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    forward : ForwardMargins

    Returns
    -------
    Calibration, int
        And how many trees to fit.
    """
    best = int(np.argmin(forward.losses(dataset.hit)))
    rows = forward.rows
    weight = natural_weights(dataset.selected_by[rows], dataset.propensity[rows])
    calibration = fit_calibration(forward.by_rounds[best], dataset.hit[rows], weight, lot_hits=spec.lot_hits)
    return calibration, spec.training.rounds[best]

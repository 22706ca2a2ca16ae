"""How long a random lot has to run before it says how often a harm occurs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isfinite

from chekara.errors import TrainingError
from chekara.evaluation.calibration import Z95

RELATIVE_PRECISION = 0.25
WANTED_HITS = 50


@dataclass(frozen=True, slots=True)
class MonthsUntilKnown:
    """What the lot still has to do in one domain.

    Attributes
    ----------
    prevalence : float
        Share of crossings with the harm that the plan assumes, in [0, 1].
    is_upper_bound : bool
        The lot has found nothing yet: the prevalence is the highest that this leaves open, and the months are the
        fewest that it can take.
    draws_per_month, hits_per_month : float
        Draws with an outcome in a mean month of the lot (30.44 days), and hits among them.
    draws_done : int
        Draws with an outcome so far.
    draws_needed : float
        Outcomes until the prevalence is known to within a quarter of itself, 95 % of the time.
    months_until_precise, months_until_hits : float
        From now on, until then, and until 50 hits of the lot; 0 where it is so already, infinite without a lot.
    """

    prevalence: float
    is_upper_bound: bool
    draws_per_month: float
    hits_per_month: float
    draws_done: int
    draws_needed: float
    months_until_precise: float
    months_until_hits: float


def draws_needed(
    prevalence: float, *, relative: float = RELATIVE_PRECISION, z: float = Z95, design_effect: float = 1.0
) -> float:
    """Return how many random draws tell a prevalence to within a part of itself.

    The half width of the interval of a share, ``z * sqrt(p (1 - p) / n)``, is set to ``relative * p``.

    Parameters
    ----------
    prevalence : float
        In [0, 1].
    relative : float
        Above 0; 0.25 for plus or minus a quarter.
    z : float
        Normal quantile; the default means 95 % of the time.
    design_effect : float
        At least 1: rows that tell as much as one, where draws have different propensities (Kish).

    Returns
    -------
    float
        A whole number; infinite where nothing occurs.

    Raises
    ------
    TrainingError
        A number lies outside its range.

    Examples
    --------
    >>> draws_needed(0.0022)
    27877.0
    """
    if not (0 <= prevalence <= 1 and relative > 0 and z > 0 and design_effect >= 1):
        raise TrainingError("a prevalence lies in [0, 1], a precision above 0, a design effect at 1 or above")
    if prevalence == 0:
        return inf
    return float(ceil(design_effect * z * z * (1 - prevalence) / (prevalence * relative * relative)))


def months_until_known(
    prevalence: float,
    *,
    draws_done: int,
    hits_so_far: int,
    months_so_far: float,
    design_effect: float = 1.0,
) -> MonthsUntilKnown:
    """Plan a lot that goes on as it has.

    Parameters
    ----------
    prevalence : float
        By the lot itself, weighted; used only where it has hits.
    draws_done, hits_so_far : int
        Draws with an outcome, and hits among them.
    months_so_far : float
        Months in which they were made, above 0.
    design_effect : float
        As in `draws_needed`.

    Returns
    -------
    MonthsUntilKnown

    Raises
    ------
    TrainingError
        As in `draws_needed`, or the months are not above 0.

    Examples
    --------
    >>> plan = months_until_known(0.0022, draws_done=5000, hits_so_far=11, months_so_far=10)
    >>> round(plan.months_until_precise, 1), round(plan.months_until_hits, 1)
    (45.8, 35.5)
    """
    if not months_so_far > 0:
        raise TrainingError("a lot that runs has months above 0", where="months_so_far")
    is_upper_bound = hits_so_far == 0
    # No hit in n draws leaves up to 3 / n open, 95 % of the time (the rule of three).
    assumed = min(1.0, 3.0 / draws_done) if is_upper_bound and draws_done else prevalence if draws_done else 0.0
    needed = draws_needed(assumed, design_effect=design_effect)
    per_month = draws_done / months_so_far
    hits_per_month = per_month * assumed if is_upper_bound else hits_so_far / months_so_far
    return MonthsUntilKnown(
        prevalence=assumed,
        is_upper_bound=is_upper_bound,
        draws_per_month=per_month,
        hits_per_month=hits_per_month,
        draws_done=draws_done,
        draws_needed=needed,
        months_until_precise=_months(needed - draws_done, per_month),
        months_until_hits=_months(WANTED_HITS - hits_so_far, hits_per_month),
    )


def _months(missing: float, per_month: float) -> float:
    if missing <= 0:
        return 0.0
    return missing / per_month if per_month > 0 and isfinite(missing) else inf

"""Strategies that a closed loop compares: who is selected, by which arm, and with which chance of being drawn.

Every strategy has the same budget. Exploration arms draw first, each crossing with its own chance, known beforehand;
whoever leads (a model, habit, chance or somebody who knows) takes what is left of the budget, best first.

References
----------
Horvitz and Thompson (1952) for weights of draws; Lewis and Gale (1994) for uncertainty sampling; Thompson (1933) and
Raj and Kalyani (2017) for the discounted bandit. Kim et al. (2021), "Take a chance", compare such strategies on
customs declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.errors import ConfigurationError

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Leader: TypeAlias = Literal["model", "habit", "chance", "truth", "observer"]

ARMS = ("lead", "lot", "uncertainty", "novelty")
LEAD, LOT, UNCERTAINTY, NOVELTY = range(4)
NO_ARM = -1
_EVENLY = 0.2  # share of a weighted arm that is drawn evenly: so nobody has no chance at all
_BANDIT_SHARE = 0.2  # of the budget: what the bandit shares out
_BANDIT_FLOOR = 0.01  # of the budget: what the lot always keeps
_FORGETS = 0.9  # what a week's news is worth to the bandit a week later
_BANDIT_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Strategy:
    """Who leads, and which share of the budget explores.

    Attributes
    ----------
    name, title : str
    leader : {'model', 'habit', 'chance', 'truth', 'observer'}
        Who takes what the arms leave: a model that learns from all results, the border's habit, chance, somebody
        who knows every outcome, somebody who knows every character but no outcome.
    explores : mapping of int to float
        Share of the budget of each arm.
    is_bandit : bool
        Whether the last fifth of the budget goes to what found most of late.
    """

    name: str
    title: str
    leader: Leader
    explores: Mapping[int, float] = field(default_factory=dict)
    is_bandit: bool = False


STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Strategy("random", "at random", "chance"),
        Strategy("legacy", "rules and officers, as always", "habit"),
        Strategy("model", "model only", "model"),
        Strategy("lot_1", "model + lot of 1 %", "model", {LOT: 0.01}),
        Strategy("lot_5", "model + lot of 5 %", "model", {LOT: 0.05}),
        Strategy("lot_10", "model + lot of 10 %", "model", {LOT: 0.10}),
        Strategy("lot_20", "model + lot of 20 %", "model", {LOT: 0.20}),
        Strategy("uncertainty", "model + 10 % where it is unsure", "model", {UNCERTAINTY: 0.10}),
        Strategy("novelty", "model + 10 % where nobody looked", "model", {NOVELTY: 0.10}),
        Strategy("bandit", "bandit over the arms", "model", is_bandit=True),
        Strategy("observer", "knows every character", "observer"),
        Strategy("oracle", "knows every outcome", "truth"),
    )
}


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of a week's crossings in one domain, as arrays of shape (n,).

    Attributes
    ----------
    applies : bool
        Whether the domain applies.
    lead : float
        What the leader ranks by, the highest first.
    uncertainty, novelty : float
        0 and above: how unsure the model is, how little those who cross were ever looked at.
    """

    applies: Mask
    lead: Floats
    uncertainty: Floats
    novelty: Floats


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is selected.

    Attributes
    ----------
    arm : ndarray of shape (n,), int64
        Position in ``ARMS``; -1 where nobody looks.
    chance : ndarray of shape (n_arms, n)
        Chance of having been drawn by each exploration arm; 0 in the leader's row.
    """

    arm: Ints
    chance: Floats


def find_strategy(name: str) -> Strategy:
    """Return a strategy by its name.

    Raises
    ------
    ConfigurationError
        There is none of that name.
    """
    if name not in STRATEGIES:
        raise ConfigurationError("no such strategy", where="--strategy", hint=f"choose from {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def choose(explores: Mapping[int, float], signals: Signals, budget: int, rng: np.random.Generator) -> Choice:
    """Select a week's crossings in one domain.

    Parameters
    ----------
    explores : mapping of int to float
        Share of the budget of each exploration arm.
    signals : Signals
    budget : int
        Controls; as many are selected, unless the domain applies to fewer.
    rng : Generator

    Returns
    -------
    Choice

    Examples
    --------
    >>> ones = np.ones(4)
    >>> signals = Signals(ones > 0, np.array([0.1, 0.9, 0.5, 0.2]), ones, ones)
    >>> choose({}, signals, 2, np.random.default_rng(1)).arm.tolist()
    [-1, 0, 0, -1]
    """
    n = len(signals.applies)
    arm = np.full(n, NO_ARM, dtype=np.int64)
    chance = np.zeros((len(ARMS), n))
    left = budget
    for which in sorted(explores):
        # Who was drawn by an arm before cannot be drawn again: the chance of this one is that of both events.
        own = chances(_weight(which, signals), explores[which] * budget)
        chance[which] = own * (1.0 - chance.sum(axis=0))
        drawn = np.flatnonzero((rng.random(n) < own) & (arm == NO_ARM))[: max(left, 0)]
        arm[drawn] = which
        left -= len(drawn)
    by_lead = np.argsort(-np.where(signals.applies & (arm == NO_ARM), signals.lead, -np.inf), kind="stable")
    free = int((signals.applies & (arm == NO_ARM)).sum())
    arm[by_lead[: min(max(left, 0), free)]] = LEAD
    return Choice(arm, chance)


def chances(weight: Floats, expected: float) -> Floats:
    """Return chances in proportion to weights that add up to a number of draws.

    Parameters
    ----------
    weight : ndarray of shape (n,)
        0 and above; 0: never drawn.
    expected : float
        Draws on average.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1]; sums to ``expected``, or to as many as can be drawn.

    Examples
    --------
    >>> chances(np.array([1.0, 1.0, 8.0]), 2.0).tolist()
    [0.5, 0.5, 1.0]
    """
    out = np.zeros(len(weight))
    is_sure = np.zeros(len(weight), dtype=bool)
    for _ in range(len(weight) + 1):
        rest = weight[~is_sure].sum()
        left = expected - is_sure.sum()
        if rest <= 0 or left <= 0:
            break
        out[~is_sure] = weight[~is_sure] * left / rest
        beyond = ~is_sure & (out >= 1.0)
        if not beyond.any():
            break
        is_sure |= beyond
    out[is_sure] = 1.0
    return out


def _weight(arm: int, signals: Signals) -> Floats:
    evenly = signals.applies.astype(np.float64)
    if arm == LOT or not signals.applies.any():
        return evenly
    told = np.where(signals.applies, signals.uncertainty if arm == UNCERTAINTY else signals.novelty, 0.0)
    if told.sum() <= 0:
        return evenly
    return np.asarray(_EVENLY * evenly / evenly.sum() + (1 - _EVENLY) * told / told.sum())


class Bandit:
    """Shares out the last fifth of a budget among the leader and the arms, by what each found of late.

    Parameters
    ----------
    seed : int

    Examples
    --------
    >>> bandit = Bandit(seed=1)
    >>> shares = bandit.shares(week=0)
    >>> round(sum(shares.values()), 6) <= 0.2 and shares[LOT] >= 0.01
    True
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        # As if each had found one in twenty, which is worth nothing soon.
        self._hits, self._misses = np.ones(len(ARMS)), np.full(len(ARMS), 19.0)

    def shares(self, week: int) -> dict[int, float]:
        """Return each exploration arm's share of the budget; what the leader wins is not told, it is left to it.

        Parameters
        ----------
        week : int
        """
        rng = np.random.default_rng([self._seed, week])
        drawn = rng.beta(self._hits, self._misses, (_BANDIT_DRAWS, len(ARMS)))
        wins = np.bincount(drawn.argmax(axis=1), minlength=len(ARMS)) / _BANDIT_DRAWS
        told = {arm: float(_BANDIT_SHARE * wins[arm]) for arm in (LOT, UNCERTAINTY, NOVELTY)}
        told[LOT] = max(told[LOT], _BANDIT_FLOOR)
        return told

    def learn(self, arm: Ints, found: Mask) -> None:
        """Take in the results that became known in a week; the leader's are those of its last choices alone.

        Parameters
        ----------
        arm : ndarray of int, shape (k,)
            Position in ``ARMS``.
        found : ndarray of bool, shape (k,)
        """
        self._hits = 1.0 + _FORGETS * (self._hits - 1.0) + np.bincount(arm[found], minlength=len(ARMS))
        self._misses = 19.0 + _FORGETS * (self._misses - 19.0) + np.bincount(arm[~found], minlength=len(ARMS))

"""Lots for tests: a seed that everybody knows, and houses that draw with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chekara.domain.vocabulary import Lane
from chekara.policy import Policy, load_policy
from chekara.policy.lot import LotSeed, commitment_of
from chekara.policy.plans import LotException
from chekara.service.grounds import GatherGrounds
from chekara.service.lot import DrawFromSeeds
from tests.small_house import SmallHouse, small_house

ZEROS = bytes(32)


def zero_seed(period: str) -> LotSeed:
    """Return the seed of thirty-two zeros, whatever the period."""
    return LotSeed(period, ZEROS, commitment_of(ZEROS))


def policy_drawing(
    propensity: float, *domains: str, exceptions: tuple[LotException, ...] = (), lane: Lane = Lane.RED
) -> Policy:
    """Return the shipped policy with a lot that draws for some domains; for all, where none is named."""
    policy = load_policy()
    plan = replace(
        policy.lot,
        propensity=propensity,
        domains=frozenset(domains or policy.domains),
        lane=lane,
        floor=0.0,
        exceptions=exceptions,
    )
    return replace(policy, lot=plan)


def drawing_house(home: Path, policy: Policy) -> SmallHouse:
    """Open a small house whose lot draws with the seed of zeros."""
    return small_house(home, policy=policy, grounds=GatherGrounds(lots=DrawFromSeeds(policy, zero_seed)))

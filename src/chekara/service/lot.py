"""Draw the lots of a crossing with the seed that was committed for its month."""

from __future__ import annotations

from collections.abc import Callable

from chekara.domain.crossing import Crossing
from chekara.domain.selection import Draw
from chekara.features.joined import JoinedFeatures
from chekara.policy.lot import LotSeed, draw_lots, period_of
from chekara.policy.policy import Policy


class DrawFromSeeds:
    """The draws that `chekara.service.grounds` asks for.

    Parameters
    ----------
    policy : Policy
        How often the lot draws where, in which shift and domain.
    seed_of : callable
        The committed seed of a period; None where nothing can be drawn.
    """

    def __init__(self, policy: Policy, seed_of: Callable[[str], LotSeed | None]) -> None:
        self._policy = policy
        self._seed_of = seed_of

    def __call__(self, crossing: Crossing, features: JoinedFeatures) -> tuple[Draw, ...]:
        """Return a draw per domain of the policy's lot, drawn or not; none without a seed for the crossing's month."""
        plan = self._policy.lot
        if not plan.domains:
            return ()
        seed = self._seed_of(period_of(crossing.known_at))
        if seed is None:
            return ()
        return draw_lots(
            seed,
            plan,
            self._policy.capacity.shifts,
            crossing_id=crossing.crossing_id,
            crossing_point=str(crossing.header.get("crossing_point", "")),
            known_at=crossing.known_at,
        )

"""Draw the lots of a crossing with the seed that was committed for its month."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chekara.domain.crossing import Crossing
from chekara.domain.selection import Draw
from chekara.features.joined import JoinedFeatures
from chekara.policy.lot import LotSeed, draw_arm, draw_lots, period_of
from chekara.policy.policy import Policy
from chekara.policy.rules import ControlArea


def _no_areas(crossing: Crossing, features: JoinedFeatures) -> Sequence[ControlArea]:
    return ()


class DrawFromSeeds:
    """The draws that `chekara.service.grounds` asks for.

    Parameters
    ----------
    policy : Policy
        How often the lot draws where, in which shift and domain.
    seed_of : callable
        The committed seed of a period; None where nothing can be drawn.
    areas_of : callable
        The priority control areas that a crossing lies in: each draws beside the lot, under its own name.
    """

    def __init__(
        self,
        policy: Policy,
        seed_of: Callable[[str], LotSeed | None],
        areas_of: Callable[[Crossing, JoinedFeatures], Sequence[ControlArea]] = _no_areas,
    ) -> None:
        self._policy = policy
        self._seed_of = seed_of
        self._areas_of = areas_of

    def __call__(self, crossing: Crossing, features: JoinedFeatures) -> tuple[Draw, ...]:
        """Return a draw per arm and domain, drawn or not; none without a seed for the crossing's month."""
        plan, areas = self._policy.lot, self._areas_of(crossing, features)
        if not plan.domains and not areas:
            return ()
        seed = self._seed_of(period_of(crossing.known_at))
        if seed is None:
            return ()
        lots = draw_lots(
            seed,
            plan,
            self._policy.capacity.shifts,
            crossing_id=crossing.crossing_id,
            crossing_point=str(crossing.header.get("crossing_point", "")),
            known_at=crossing.known_at,
        )
        return lots + tuple(
            draw_arm(
                seed,
                arm=area.area,
                domain=area.domain,
                crossing_id=crossing.crossing_id,
                propensity=area.rate,
                lane=area.lane,
            )
            for area in areas
        )

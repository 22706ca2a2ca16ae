"""Budgets that never count: a policy with them is read, and its author is told."""

from __future__ import annotations

from chekara.policy.plans import Budget, CapacityPlan
from chekara.policy.policy import Policy

_ELSEWHERE = ""  # stands for every crossing point that no budget names


def idle_budgets(policy: Policy) -> tuple[str, ...]:
    """Return what is to be said of the budgets of a policy that never count.

    Parameters
    ----------
    policy : Policy

    Returns
    -------
    tuple of str
        A sentence for each, in the order of the policy; it begins with the key, as an error does.

    Examples
    --------
    >>> from chekara.policy import load_policy
    >>> idle_budgets(load_policy())
    ()
    """
    told = ((i, _why(i, budget, policy)) for i, budget in enumerate(policy.capacity.budgets))
    return tuple(f"capacity.budgets.{i} never counts: {why}" for i, why in told if why)


def _why(place: int, budget: Budget, policy: Policy) -> str | None:
    led = _led(budget, policy)
    where = " at its crossing points" if budget.scope.crossing_points else ""
    if not led:
        return f"{budget.agency} leads no domain{where}"
    if not any(budget.lane in policy.domains[name].thresholds for name in led):
        return f"no domain that {budget.agency} leads{where} has the lane {budget.lane.value}"
    if _is_shadowed(place, policy.capacity):
        return f"earlier budgets of {budget.agency} for the lane {budget.lane.value} hold wherever it would"
    return None


def _led(budget: Budget, policy: Policy) -> list[str]:
    points = budget.scope.crossing_points
    return [
        name
        for name, own in policy.domains.items()
        if budget.agency
        in ({policy.agencies(name, point).lead for point in points} if points else {place.lead for place in own.places})
    ]


def _is_shadowed(place: int, plan: CapacityPlan) -> bool:
    own = plan.budgets[place]
    before = [one for one in plan.budgets[:place] if (one.agency, one.lane) == (own.agency, own.lane)]
    points = {_ELSEWHERE}.union(*(one.scope.crossing_points for one in plan.budgets))
    return all(
        any(one.scope.fits(crossing_point=point, shift=shift) for one in before)
        for point in points
        for shift in plan.shifts.starts
        if own.scope.fits(crossing_point=point, shift=shift)
    )

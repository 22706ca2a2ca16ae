"""Read ``[risk]``, ``[capacity]``, ``[lot]`` and ``[joint]`` of a policy."""

from __future__ import annotations

from collections.abc import Collection
from datetime import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chekara.domain.vocabulary import Lane
from chekara.policy.plans import (
    LEAST_SHARE,
    MOST_LEAST_SHARE,
    Budget,
    CapacityPlan,
    JointPlan,
    LotException,
    LotPlan,
    Scope,
    Shifts,
    lead_order_of,
)
from chekara.policy.risk import DomainRisk, Post, RiskPlan
from chekara.policy.tables import MOST_MINUTES, Table

DEMANDING_LANES = (Lane.RED, Lane.YELLOW, Lane.BLUE)
MOST_AMOUNT, MOST_IMPACT = 1e15, 1e6
"""Bounds of what is multiplied to an expected harm: it stays finite, and with it the risk."""
_USUAL = JointPlan()


def risk_plan(table: Table, domains: Collection[str]) -> RiskPlan:
    """Read ``[risk]``.

    Parameters
    ----------
    table : Table
    domains : collection of str
        Of the policy.

    Raises
    ------
    ConfigurationError
    """
    table.only("half_at", "unknown_amount", "domains", "posts")
    own = table.table("domains")
    own.only(*domains)
    usual = RiskPlan()
    return RiskPlan(
        half_at=_above_zero(table, "half_at", usual.half_at),
        unknown_amount=_above_zero(table, "unknown_amount", usual.unknown_amount),
        domains={name: _domain_risk(own.table(name)) for name in own.content},
        posts=tuple(_post(one, domains) for one in table.tables("posts")),
    )


def _domain_risk(table: Table) -> DomainRisk:
    table.only("amount", "impact")
    amount = _above_zero(table, "amount", 1.0) if "amount" in table.content else None
    return DomainRisk(amount, _above_zero(table, "impact", 1.0, most=MOST_IMPACT))


def _post(table: Table, domains: Collection[str]) -> Post:
    table.only("crossing_points", "domains", "equipment", "staff", "detection")
    return Post(
        crossing_points=frozenset(table.words("crossing_points", ())),
        domains=frozenset(table.some_of("domains", domains, ())),
        equipment=table.share("equipment"),
        staff=table.share("staff"),
        detection=table.share("detection"),
    )


def _above_zero(table: Table, key: str, default: float, *, most: float = MOST_AMOUNT) -> float:
    value = table.number(key, default)
    if not 0.0 < value <= most:
        raise table.error(key, f"must be above zero, and {most:,.0f} or less")
    return value


def capacity_plan(table: Table, agencies: Collection[str]) -> CapacityPlan:
    """Read ``[capacity]``.

    Parameters
    ----------
    table : Table
    agencies : collection of str
        Known ones.

    Raises
    ------
    ConfigurationError
    """
    table.only("time_zone", "shift_starts", "least_share", "budgets")
    shifts = Shifts(_time_zone(table), _starts(table))
    least_share = table.number("least_share", LEAST_SHARE)
    if not 0.0 <= least_share <= MOST_LEAST_SHARE:
        raise table.error("least_share", "this must be a share from 0 to 0.2", "of a budget, for each domain")
    return CapacityPlan(shifts, tuple(_budget(one, agencies, shifts) for one in table.tables("budgets")), least_share)


def _time_zone(table: Table) -> str:
    name: str = table.get("time_zone", str, "UTC")
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise table.error("time_zone", "unknown time zone", "an IANA name, for example Asia/Bishkek") from None


def _starts(table: Table) -> tuple[time, ...]:
    starts = tuple(_time_of_day(table, "shift_starts", text) for text in table.words("shift_starts", ("00:00",)))
    if not starts or list(starts) != sorted(set(starts)):
        raise table.error("shift_starts", "these must be times of the day, each later than the one before")
    return starts


def _time_of_day(table: Table, key: str, text: str) -> time:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or text != f"{found:%H:%M}":
        raise table.error(key, "this must be a time of the day", 'for example "08:00"')
    return found


def _budget(table: Table, agencies: Collection[str], shifts: Shifts) -> Budget:
    table.only("agency", "lane", "inspections", "crossing_points", "shifts")
    return Budget(
        agency=table.one_of("agency", agencies),
        lane=Lane(table.one_of("lane", DEMANDING_LANES)),
        inspections=table.count("inspections", least=0),
        scope=_scope(table, shifts),
    )


def _scope(table: Table, shifts: Shifts, domains: Collection[str] = ()) -> Scope:
    named = table.words("shifts", ())
    starts = [_time_of_day(table, "shifts", text) for text in named]
    if not set(starts) <= set(shifts.starts):
        raise table.error("shifts", "no shift begins then", "give starts that capacity.shift_starts names")
    return Scope(
        crossing_points=frozenset(table.words("crossing_points", ())),
        shifts=frozenset(starts),
        domains=frozenset(table.some_of("domains", domains, ())),
    )


def lot_plan(table: Table, domains: Collection[str], shifts: Shifts) -> LotPlan:
    """Read ``[lot]``; without it there is no lot.

    Parameters
    ----------
    table : Table
    domains : collection of str
        Of the policy.
    shifts : Shifts

    Raises
    ------
    ConfigurationError
    """
    table.only("propensity", "domains", "lane", "floor", "alarm_share", "blind_first", "exceptions")
    floor, propensity = table.share("floor", 0.0), table.share("propensity", 0.0)
    if propensity < floor:
        raise table.error("propensity", "must not be below the floor")
    return LotPlan(
        propensity=propensity,
        domains=frozenset(table.some_of("domains", domains, domains)),
        lane=Lane(table.one_of("lane", DEMANDING_LANES, Lane.RED)),
        floor=floor,
        alarm_share=table.share("alarm_share", 0.0),
        blind_first=table.get("blind_first", bool, default=False),
        exceptions=tuple(_lot_exception(one, domains, shifts, floor) for one in table.tables("exceptions")),
    )


def _lot_exception(table: Table, domains: Collection[str], shifts: Shifts, floor: float) -> LotException:
    table.only("crossing_points", "shifts", "domains", "propensity")
    propensity = table.share("propensity")
    if propensity < floor:
        raise table.error("propensity", "must not be below the floor")
    scope = _scope(table, shifts, domains)
    if scope == Scope():
        raise table.error(None, "an exception must say where it holds", "give crossing_points, shifts or domains")
    return LotException(scope, propensity)


def joint_plan(table: Table, domains: Collection[str]) -> JointPlan:
    """Read ``[joint]``.

    Parameters
    ----------
    table : Table
    domains : collection of str
        Of the policy.

    Raises
    ------
    ConfigurationError
    """
    table.only("lead_order", "referral_minutes", "report_back_minutes")
    order = table.some_of("lead_order", domains, lead_order_of(domains))
    if len(order) < len(domains):
        raise table.error("lead_order", "every domain of the policy has its place in the order")
    return JointPlan(
        lead_order=order,
        referral_minutes=table.count("referral_minutes", _USUAL.referral_minutes, most=MOST_MINUTES),
        report_back_minutes=table.count("report_back_minutes", _USUAL.report_back_minutes, most=MOST_MINUTES),
    )

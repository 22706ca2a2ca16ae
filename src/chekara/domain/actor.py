"""Who asks, and the one permission table: role x action x agency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chekara.domain.vocabulary import COORDINATOR, Role


class Permission(StrEnum):
    """Everything that anybody can ask Chekara to do."""

    SCORE = "score"
    READ_DECISION = "read_decision"
    READ_REASONS = "read_reasons"
    READ_SELECTION = "read_selection"
    READ_EVENTS = "read_events"
    READ_REFERRALS = "read_referrals"
    RECORD_INSPECTION = "record_inspection"
    REVIEW = "review"
    READ_MODELS = "read_models"
    PROPOSE_MODEL = "propose_model"
    PROMOTE_MODEL = "promote_model"
    SET_MODE = "set_mode"
    READ_METRICS = "read_metrics"
    SIGN_IN = "sign_in"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: agency, role and scopes come from the key, never from a body.

    Attributes
    ----------
    key_id : str
        Identity of the key (not the key).
    holder : str
        Name of the person or system that the key was given to.
    agency : str
    role : Role
    scopes : frozenset of str
        Extra rights of a key, such as ``reasons``.
    is_test : bool
        A test key: everything it does goes to a separate log.
    """

    key_id: str
    holder: str
    agency: str
    role: Role
    scopes: frozenset[str] = field(default_factory=frozenset)
    is_test: bool = False


# The whole table on one screen. A later issue adds rows, never a second table.
PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.SYSTEM: frozenset(
        {
            Permission.SCORE,
            Permission.READ_DECISION,
            Permission.READ_EVENTS,
            Permission.READ_REFERRALS,
            Permission.RECORD_INSPECTION,
        }
    ),
    Role.INSPECTOR: frozenset({Permission.READ_DECISION, Permission.RECORD_INSPECTION, Permission.SIGN_IN}),
    Role.ANALYST: frozenset(
        {
            Permission.READ_DECISION,
            Permission.READ_REASONS,
            Permission.READ_EVENTS,
            Permission.READ_REFERRALS,
            Permission.RECORD_INSPECTION,
            Permission.REVIEW,
            Permission.SIGN_IN,
        }
    ),
    Role.SUPERVISOR: frozenset(
        {
            Permission.READ_DECISION,
            Permission.READ_REASONS,
            Permission.READ_EVENTS,
            Permission.READ_REFERRALS,
            Permission.REVIEW,
            Permission.SET_MODE,
            Permission.SIGN_IN,
        }
    ),
    Role.DATA_SCIENTIST: frozenset({Permission.READ_MODELS, Permission.PROPOSE_MODEL, Permission.READ_SELECTION}),
    Role.APPROVER: frozenset({Permission.READ_MODELS, Permission.PROMOTE_MODEL}),
    Role.AUDITOR: frozenset(
        {Permission.READ_DECISION, Permission.READ_REASONS, Permission.READ_REFERRALS, Permission.READ_SELECTION}
    ),
    Role.ADMIN: frozenset({Permission.READ_METRICS}),
}

SCOPES: Mapping[str, Permission] = {"reasons": Permission.READ_REASONS}


def may(actor: Actor, permission: Permission) -> bool:
    """Whether the actor's role, or a scope of its key, allows this.

    Examples
    --------
    >>> border_post = Actor("k1", "post 7", "customs", Role.SYSTEM)
    >>> may(border_post, Permission.SCORE), may(border_post, Permission.REVIEW)
    (True, False)
    """
    return permission in PERMISSIONS[actor.role] or any(SCOPES.get(scope) is permission for scope in actor.scopes)


def sees_domain(actor: Actor, lead: str, informed: Iterable[str]) -> bool:
    """Whether the actor's agency sees a domain: it leads, is informed, coordinates, or the actor audits.

    Parameters
    ----------
    actor : Actor
    lead : str
        Lead agency of the domain.
    informed : iterable of str
        Agencies that are told.

    Examples
    --------
    >>> sees_domain(Actor("k1", "post 7", "customs", Role.SYSTEM), "internal_affairs", ("border_service",))
    False
    """
    return actor.role is Role.AUDITOR or actor.agency in {COORDINATOR, lead, *informed}


def domains_seen(actor: Actor, leads: Mapping[str, str], told_of: Callable[[str], tuple[str, ...]]) -> frozenset[str]:
    """Return the domains of a decision that the actor's agency sees.

    Parameters
    ----------
    actor : Actor
    leads : mapping of str to str
        Lead agency by domain.
    told_of : callable
        Returns the other agencies that may see a domain.
    """
    return frozenset(domain for domain, lead in leads.items() if sees_domain(actor, lead, told_of(domain)))

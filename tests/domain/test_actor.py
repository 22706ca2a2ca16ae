"""The permission table: who may do what, and whose domains an agency sees."""

from __future__ import annotations

import itertools

import pytest

from chekara.domain.actor import PERMISSIONS, SCOPES, Actor, Permission, may, sees_domain
from chekara.domain.vocabulary import AGENCIES, COORDINATOR, Role

PEOPLE = {Role.ANALYST, Role.SUPERVISOR}


def actor(role: Role, agency: str = "customs", *scopes: str) -> Actor:
    return Actor("k", "somebody", agency, role, frozenset(scopes))


def test_every_role_has_a_row() -> None:
    assert set(PERMISSIONS) == set(Role)


def test_only_people_review() -> None:
    assert {role for role in Role if may(actor(role), Permission.REVIEW)} == PEOPLE
    assert not may(actor(Role.SYSTEM, "customs", *SCOPES), Permission.REVIEW)


def test_nobody_both_proposes_and_promotes() -> None:
    assert not any({Permission.PROPOSE_MODEL, Permission.PROMOTE_MODEL} <= rights for rights in PERMISSIONS.values())


def test_reasons_come_with_the_role_or_the_scope() -> None:
    assert not may(actor(Role.SYSTEM), Permission.READ_REASONS)
    assert may(actor(Role.SYSTEM, "customs", "reasons"), Permission.READ_REASONS)
    assert may(actor(Role.ANALYST), Permission.READ_REASONS)


def test_officers_never_learn_the_selection_from_their_role() -> None:
    allowed = {role for role in Role if may(actor(role), Permission.READ_SELECTION)}
    assert allowed == {Role.AUDITOR, Role.DATA_SCIENTIST}


@pytest.mark.parametrize(("agency", "lead"), list(itertools.product(AGENCIES, AGENCIES)))
def test_agencies_see_their_own_domains(agency: str, lead: str) -> None:
    asks = actor(Role.ANALYST, agency)
    assert sees_domain(asks, lead, ()) == (agency in (lead, COORDINATOR))
    assert sees_domain(asks, lead, (agency,))
    assert sees_domain(actor(Role.AUDITOR, agency), lead, ())

"""Let a policy serve: only by a person who did not propose it. Its whole text is recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from chekara.data.identity import canonical_name, is_same_person
from chekara.errors import ForbiddenError
from chekara.policy.load import policy_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPromotion:
    """A policy that was promoted, as the log records it.

    Attributes
    ----------
    promotion_id : str
    policy_digest, name : str
    texts : mapping of str to str
        Its files, the main one first: any decision's policy can be read back by its digest.
    proposed_by, approved_by : str
        Two persons.
    reason : str
        What it changes and why.
    promoted_at : datetime
    """

    promotion_id: str
    policy_digest: str
    name: str
    texts: Mapping[str, str]
    proposed_by: str
    approved_by: str
    reason: str
    promoted_at: datetime


class PolicyRegister(Protocol):
    """Where promoted policies are recorded."""

    def record(self, promotion: PolicyPromotion) -> None:
        """Append a promotion durably; LogUnavailableError where it could not be."""
        ...


class PromotePolicy:
    """The use case behind ``chekara policy promote``.

    Parameters
    ----------
    register : PolicyRegister
    now : callable
        The present instant, with offset.
    """

    def __init__(self, register: PolicyRegister, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._register = register
        self._now = now

    def __call__(self, texts: Mapping[str, str], *, proposed_by: str, approved_by: str, reason: str) -> PolicyPromotion:
        """Read a policy, and record that it serves from now on.

        Parameters
        ----------
        texts : mapping of str to str
            Its files, the main one first.
        proposed_by, approved_by : str
            Who wrote it, and who answers for it.
        reason : str
            What it changes and why.

        Raises
        ------
        ConfigurationError
            The policy cannot be read.
        ForbiddenError
            A person is not named, the two are one however the name is written, or no reason is given.
        LogUnavailableError
            The promotion could not be made durable.
        """
        for name, where in ((proposed_by, "proposed-by"), (approved_by, "approver")):
            if not canonical_name(name):
                raise ForbiddenError("a policy needs a person who wrote it and one who answers for it", where=where)
        if is_same_person(proposed_by, approved_by):
            raise ForbiddenError(
                "whoever proposed a policy cannot promote it", where="approver", hint="ask a second person"
            )
        if not reason.strip():
            raise ForbiddenError("a policy is promoted for a reason", where="reason")
        policy = policy_of(texts)
        promotion = PolicyPromotion(
            promotion_id=str(uuid.uuid4()),
            policy_digest=policy.digest,
            name=policy.name,
            texts=texts,
            proposed_by=proposed_by,
            approved_by=approved_by,
            reason=reason,
            promoted_at=self._now(),
        )
        self._register.record(promotion)
        return promotion

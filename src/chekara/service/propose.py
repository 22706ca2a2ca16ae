"""Propose that a bundle serve: by whoever works with models, on an impact assessment; another person promotes it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from chekara.data.identity import canonical_name
from chekara.errors import ForbiddenError
from chekara.policy.policy import Policy
from chekara.service.ports import BundleShelf, PromotionRegister
from chekara.service.promote import refuse_found_wanting, refuse_hidden_results, refuse_other_domain
from chekara.service.records import Proposal


class ProposeModel:
    """The use case behind ``POST /v1/models/{domain}/promote`` with a data scientist's key.

    Parameters
    ----------
    register : PromotionRegister
    shelf : BundleShelf
    policy : Policy
    is_dev : bool
        Whether a model whose history was found wanting may be proposed.
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self,
        *,
        register: PromotionRegister,
        shelf: BundleShelf,
        policy: Policy,
        is_dev: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._register = register
        self._shelf = shelf
        self._policy = policy
        self._is_dev = is_dev
        self._now = now

    def __call__(
        self, bundle: Path, *, domain: str, proposed_by: str, assessment_id: str, reason: str | None = None
    ) -> Proposal:
        """Verify a bundle and record the proposal durably. What serves goes on serving.

        Parameters
        ----------
        bundle : Path
            Folder of a signed bundle, in its place.
        domain : str
            The domain that is meant; a bundle of another one is refused.
        proposed_by : str
            The person who proposes it; whoever trained it may.
        assessment_id : str
            Impact assessment that the proposal rests on.
        reason : str, optional

        Returns
        -------
        Proposal

        Raises
        ------
        ForbiddenError
            It names nobody or no assessment, or it could not be promoted: the bundle uses results that not all who lead
            its domain see or, outside dev, its history was found wanting.
        BundleRefusedError
            The bundle does not verify, or is of another domain.
        ConfigurationError
            The policy says nothing of the domain.
        LogUnavailableError
            The proposal could not be made durable.
        """
        if not canonical_name(proposed_by):
            raise ForbiddenError("a proposal needs a person who makes it", where="proposer")
        if not assessment_id.strip():
            raise ForbiddenError("a proposal needs an impact assessment", where="assessment id")
        about = self._shelf.inspect(bundle)
        refuse_other_domain(about, domain)
        refuse_hidden_results(about, self._policy)
        if not self._is_dev:
            refuse_found_wanting(about)
        proposal = Proposal(
            proposal_id=str(uuid.uuid4()),
            domain=domain,
            model=about.model,
            trained_by=about.trained_by,
            proposed_by=proposed_by,
            assessment_id=assessment_id,
            proposed_at=self._now(),
            reason=reason,
        )
        self._register.propose(proposal)
        return proposal

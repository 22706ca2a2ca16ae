"""Let a bundle serve: only by a person who did not train it, on an impact assessment."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from chekara.data.identity import canonical_name, is_same_person
from chekara.errors import BundleRefusedError, ForbiddenError
from chekara.policy.policy import Policy
from chekara.service.ports import BundleShelf, PromotionRegister
from chekara.service.records import BundleAbout, Promotion, Proposal


class PromoteModel:
    """The use case behind ``POST /v1/models/{domain}/promote``, ``python -m training.promote`` and ``train --promote``.

    Parameters
    ----------
    register : PromotionRegister
    shelf : BundleShelf
    policy : Policy
        Must say how the domain is handled before a model of it can serve.
    is_dev : bool
        Whether the shortcut is allowed.
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
        self,
        bundle: Path,
        *,
        approved_by: str,
        assessment_id: str | None,
        is_shortcut: bool = False,
        domain: str | None = None,
        reason: str | None = None,
    ) -> Promotion:
        """Verify a bundle, put it in its place and record the promotion durably.

        Parameters
        ----------
        bundle : Path
            Folder of a signed bundle.
        approved_by : str
            The person who answers for it.
        assessment_id : str or None
            Impact assessment that the approval rests on.
        is_shortcut : bool
            Skip second person and assessment; works in dev only and is recorded as such.
        domain : str, optional
            The domain that is meant; a bundle of another one is refused.
        reason : str, optional

        Returns
        -------
        Promotion

        Raises
        ------
        ForbiddenError
            The approver trained or proposed the model, names nobody or no assessment, or takes the shortcut of dev
            outside it; there also where the model's history was found wanting, naming what was found.
        BundleRefusedError
            The bundle does not verify, or is of another domain. What serves goes on serving.
        ConfigurationError
            The policy says nothing of the domain.
        LogUnavailableError
            The promotion could not be made durable.
        """
        self._refuse_without_approval(approved_by, assessment_id, is_shortcut=is_shortcut)
        about = self._shelf.inspect(bundle)
        if domain is not None:
            refuse_other_domain(about, domain)
        refuse_hidden_results(about, self._policy)
        if not is_shortcut:
            refuse_own_work(about.trained_by, approved_by)
            refuse_own_proposal(self._register.proposals(), about.model.digest, approved_by)
        if not self._is_dev:
            refuse_found_wanting(about)
        self._shelf.place(bundle, about.model.digest)
        promotion = Promotion(
            promotion_id=str(uuid.uuid4()),
            domain=about.domain,
            model=about.model,
            trained_by=about.trained_by,
            approved_by=approved_by,
            assessment_id=assessment_id,
            is_shortcut=is_shortcut,
            promoted_at=self._now(),
            reason=reason,
        )
        self._register.record(promotion)
        return promotion

    def _refuse_without_approval(self, approved_by: str, assessment_id: str | None, *, is_shortcut: bool) -> None:
        if is_shortcut:
            if not self._is_dev:
                raise ForbiddenError("this shortcut works in dev only", hint="promote with a second person")
            return
        if not canonical_name(approved_by):
            raise ForbiddenError("a promotion needs a person who answers for it", where="approver")
        if not (assessment_id or "").strip():
            raise ForbiddenError("a promotion needs an impact assessment", where="assessment id")


def refuse_own_work(trained_by: str, approved_by: str) -> None:
    """Refuse an approval by whoever trained the model, however the name is written.

    Raises
    ------
    ForbiddenError
    """
    if not canonical_name(trained_by):
        raise ForbiddenError("the bundle does not say who trained it", where="about.json", hint="train it again")
    if is_same_person(approved_by, trained_by):
        raise ForbiddenError("whoever trained a model cannot promote it", where="approver", hint="ask a second person")


def refuse_own_proposal(proposals: Iterable[Proposal], digest: str, approved_by: str) -> None:
    """Refuse an approval by whoever proposed the same bundle, however the name is written.

    Parameters
    ----------
    proposals : iterable of Proposal
    digest : str
        Of the bundle.
    approved_by : str

    Raises
    ------
    ForbiddenError
    """
    own = (one for one in proposals if one.model.digest == digest)
    if any(is_same_person(one.proposed_by, approved_by) for one in own):
        raise ForbiddenError("whoever proposed a model cannot promote it", where="approver", hint="ask a second person")


def refuse_hidden_results(about: BundleAbout, policy: Policy) -> None:
    """Refuse a bundle whose profiles use results that some agency which may lead its domain does not see.

    A spec is held against the policy that ships when it is read; here the installation's own counts.

    Raises
    ------
    ForbiddenError
        It names the domains.
    ConfigurationError
        The policy says nothing of the bundle's domain.
    """
    hidden = sorted(set(about.results_of) - policy.seen_by_every_lead(about.domain))
    if hidden:
        raise ForbiddenError(
            f"its profiles use results of {', '.join(hidden)}, which not all who may lead {about.domain} see",
            where=f"{about.domain} version {about.model.version}",
            hint="leave them out of results_of and train again, or inform the agencies by the policy",
        )


def refuse_other_domain(about: BundleAbout, domain: str) -> None:
    """Refuse a bundle of another domain than the one that is meant.

    Raises
    ------
    BundleRefusedError
    """
    if about.domain != domain:
        raise BundleRefusedError("the bundle is of another domain", where="digest", hint=f"it is of {about.domain}")


def refuse_found_wanting(about: BundleAbout) -> None:
    """Refuse a bundle whose history was found wanting, or that does not say.

    Raises
    ------
    ForbiddenError
        It names what was found.
    """
    hint = "mend the history and train again"
    where = f"{about.domain} version {about.model.version}"
    if about.found_wanting is None:
        raise ForbiddenError("the bundle does not say what was found in its history", where=where, hint=hint)
    if about.found_wanting:
        found = ", ".join(about.found_wanting)
        raise ForbiddenError(f"its history was found wanting when it was trained: {found}", where=where, hint=hint)

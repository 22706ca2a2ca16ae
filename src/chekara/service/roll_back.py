"""Let the model before serve again: a promotion of its own, that names what it takes back and why."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from chekara.errors import ForbiddenError, NothingBeforeError
from chekara.service.ports import BundleShelf, PromotionRegister
from chekara.service.promote import refuse_own_work
from chekara.service.records import Promotion


class RollBackModel:
    """The use case behind ``POST /v1/models/{domain}/rollback``.

    Parameters
    ----------
    register : PromotionRegister
    shelf : BundleShelf
    holds : callable
        ``(domain, digest)``: whether the model is in memory still, verified when it served; else it is verified again.
    is_dev : bool
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self,
        *,
        register: PromotionRegister,
        shelf: BundleShelf,
        holds: Callable[[str, str], bool],
        is_dev: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._register = register
        self._shelf = shelf
        self._holds = holds
        self._is_dev = is_dev
        self._now = now

    def __call__(self, domain: str, *, approved_by: str, reason: str) -> Promotion:
        """Record durably that the model before serves again.

        Parameters
        ----------
        domain : str
        approved_by : str
            The person who answers for it.
        reason : str

        Raises
        ------
        NothingBeforeError
            No other model served the domain before, or all that did were taken back.
        ForbiddenError
            The approver trained the former model; or, outside dev, it was promoted by the shortcut of dev.
        BundleRefusedError
            Its bundle is gone or damaged.
        LogUnavailableError
            It could not be made durable.
        """
        standing = standing_promotions(self._register.history(domain))
        if len(standing) < 2:
            raise NothingBeforeError("there is no model of this domain to go back to", hint="promote another bundle")
        former, newest = standing[-2:]
        if former.is_shortcut and not self._is_dev:
            raise ForbiddenError("the model before was never approved", hint="promote one on an impact assessment")
        if not former.is_shortcut:
            refuse_own_work(former.trained_by, approved_by)
        if not self._holds(domain, former.model.digest):
            self._shelf.inspect(self._shelf.folder(former.model.digest))
        promotion = Promotion(
            promotion_id=str(uuid.uuid4()),
            domain=domain,
            model=former.model,
            trained_by=former.trained_by,
            approved_by=approved_by,
            assessment_id=former.assessment_id,
            is_shortcut=former.is_shortcut,
            promoted_at=self._now(),
            reason=reason,
            takes_back=newest.promotion_id,
        )
        self._register.record(promotion)
        return promotion


def standing_promotions(history: Sequence[Promotion]) -> list[Promotion]:
    """Return the promotions that were not taken back, oldest first; the last one is of what serves.

    Going back twice goes further back, and never to what was just taken back.

    Parameters
    ----------
    history : sequence of Promotion
        Of one domain, oldest first.
    """
    standing: list[Promotion] = []
    for promotion in history:
        if promotion.takes_back is not None:
            del standing[-1:]
        elif not standing or standing[-1].model.digest != promotion.model.digest:
            standing.append(promotion)
        else:
            standing[-1] = promotion
    return standing

"""Put the house together: the one place that knows which adapter stands behind which port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chekara.adapters.accounts import Accounts
from chekara.policy import Policy
from chekara.service.audit import AuditReport
from chekara.service.ports import Champions, ClockMode
from chekara.service.promote import PromoteModel
from chekara.service.read import ReadDecisions
from chekara.service.review import RecordReview
from chekara.service.writer import GroupCommitWriter
from chekara.settings import Settings


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a serving process uses.

    Attributes
    ----------
    accounts : Accounts
        ``actor_for_key``.
    writer : GroupCommitWriter
        ``submit(ScoreRequest)``.
    read : ReadDecisions
    review : RecordReview
    champions : Champions
        Which models serve; empty: not ready.
    policy : Policy
    close : callable
        Drain the writer, sign a last checkpoint, close the database.
    """

    accounts: Accounts
    writer: GroupCommitWriter
    read: ReadDecisions
    review: RecordReview
    champions: Champions
    policy: Policy
    close: Callable[[], None]


def open_house(
    settings: Settings, *, clock: ClockMode = "live", on_group: Callable[[int, float], None] | None = None
) -> House:
    """Migrate and open the database, load champions, start the writer."""
    raise NotImplementedError


def promotion_desk(settings: Settings) -> PromoteModel:
    """Open what a promotion needs, for training programs."""
    raise NotImplementedError


def verify_log_of(settings: Settings) -> AuditReport:
    """Check the decision log of an installation: chains, payloads, rows and signed checkpoints."""
    raise NotImplementedError

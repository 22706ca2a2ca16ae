"""Promotion records: which bundle serves a domain, on whose word."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from sqlalchemy import exists, select

from chekara.adapters.chain_writer import Clock, append_live, now
from chekara.adapters.database import Database
from chekara.adapters.tables import payloads, promotions, proposals
from chekara.domain.decision import ModelIdentity
from chekara.service.chain import instant_from, instant_text
from chekara.service.payload import Plain, parsed, plain_promotion, promotion_from
from chekara.service.records import Promotion, Proposal


class SqlPromotions:
    """Promotion records in the live chain of the log.

    Parameters
    ----------
    database : Database
    clock : callable
        The present instant.
    signing : callable
        Opens a context that is left when a promotion is durable: where `signed_after` goes.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock = now,
        signing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._database = database
        self._clock = clock
        self._signing = signing

    def record(self, promotion: Promotion) -> None:
        """Append a promotion durably.

        Raises
        ------
        LogUnavailableError
            It could not be made durable.
        """
        with self._signing(), self._database.writing() as connection:
            append_live(connection, self._clock, "promotion", plain_promotion(promotion))

    def serving(self) -> dict[str, Promotion]:
        """Return the newest promotion of every domain.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        return {promotion.domain: promotion for promotion in self._all()}

    def history(self, domain: str) -> tuple[Promotion, ...]:
        """Return all promotions of a domain, oldest first.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        return tuple(promotion for promotion in self._all() if promotion.domain == domain)

    def propose(self, proposal: Proposal) -> None:
        """Append a proposal durably.

        Raises
        ------
        LogUnavailableError
            It could not be made durable.
        """
        plain = {name: getattr(proposal, name) for name in Proposal.__slots__}
        plain["model"] = {name: getattr(proposal.model, name) for name in ModelIdentity.__slots__}
        plain["proposed_at"] = instant_text(proposal.proposed_at)
        with self._signing(), self._database.writing() as connection:
            append_live(connection, self._clock, "proposal", plain)

    def proposals(self) -> tuple[Proposal, ...]:
        """Return the open proposals, oldest first: the newest of each bundle that was not promoted since.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        t, p, later = proposals, payloads, promotions
        is_promoted = exists().where(
            later.c.domain == t.c.domain, later.c.model_digest == t.c.model_digest, later.c.position > t.c.position
        )
        query = (
            select(p.c.body)
            .join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
            .where(~is_promoted)
            .order_by(t.c.position)
        )
        with self._database.reading() as connection:
            found = [_proposal_from(parsed(body)) for body in connection.execute(query).scalars()]
        newest = {(one.domain, one.model.digest): one for one in found}
        return tuple(sorted(newest.values(), key=found.index))

    def _all(self) -> list[Promotion]:
        t, p = promotions, payloads
        query = select(p.c.body).join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        with self._database.reading() as connection:
            bodies = connection.execute(query.order_by(t.c.position)).scalars().all()
        return [promotion_from(parsed(body)) for body in bodies]


def _proposal_from(plain: Plain) -> Proposal:
    model, proposed_at = ModelIdentity(**plain["model"]), instant_from(plain["proposed_at"])
    return Proposal(**(plain | {"model": model, "proposed_at": proposed_at}))

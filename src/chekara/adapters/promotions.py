"""Promotion records: which bundle serves a domain, on whose word."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from sqlalchemy import select

from chekara.adapters.chain_writer import ChainWriter, Clock, now
from chekara.adapters.database import Database
from chekara.adapters.tables import payloads, promotions
from chekara.service.payload import parsed, plain_promotion, promotion_from
from chekara.service.records import Chain, Promotion


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
            writer = ChainWriter(connection, self._clock)
            writer.append(Chain.LIVE, "promotion", plain_promotion(promotion))
            writer.flush()

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

    def _all(self) -> list[Promotion]:
        t, p = promotions, payloads
        query = select(p.c.body).join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        with self._database.reading() as connection:
            bodies = connection.execute(query.order_by(t.c.position)).scalars().all()
        return [promotion_from(parsed(body)) for body in bodies]

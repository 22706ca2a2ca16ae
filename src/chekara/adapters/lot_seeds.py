"""Seeds of the lot: a secret file per month; the log holds its SHA-256 before it draws, and the seed afterwards."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, select

from chekara.adapters import tables
from chekara.adapters.chain_writer import Clock, append_live, now
from chekara.adapters.database import Database
from chekara.errors import ConfigurationError
from chekara.policy.lot import SEED_BYTES, LotSeed, commitment_of, next_period, period_begins, period_of
from chekara.secret_files import load_secret
from chekara.service.chain import instant_from
from chekara.service.payload import parsed
from chekara.settings import Settings

LOOK_AGAIN_SECONDS: Final = 30.0
"""How long a period without a seed is believed to have none: a commitment made beside a service draws from then on."""

_HINT = "restore it from its backup; the rest of the month goes without draws if it is lost"


@dataclass(frozen=True, slots=True)
class Committed:
    """A commitment as it stands in the log.

    Attributes
    ----------
    period, commitment : str
    position : int
        In the live chain: the seed draws from crossings after it alone.
    recorded_at : datetime
    """

    period: str
    commitment: str
    position: int
    recorded_at: datetime

    @property
    def is_late(self) -> bool:
        """Whether the period had begun: its first crossings go without draws."""
        return self.recorded_at > period_begins(self.period)


class LotBook:
    """Commits and publishes seeds in the live chain of the log.

    Parameters
    ----------
    database : Database
    settings : Settings
    clock : callable
        The present instant.
    signing : callable
        Opens a context that is left when an entry is durable: where `chekara.adapters.checkpoints.signed_after` goes.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Clock = now,
        signing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._signing = signing

    def commit(self, period: str, *, committed_by: str) -> Committed:
        """Make the seed of a period and write its SHA-256 into the log; what is committed already stays.

        Parameters
        ----------
        period : str
            This month or a later one. The seed of a month that has begun draws from the entry on.
        committed_by : str
            Name of who does it, or of the program.

        Raises
        ------
        ConfigurationError
            The period is over, or the seed cannot be made.
        LogUnavailableError
            The database cannot be written.
        """
        if period < period_of(self._clock()):
            raise ConfigurationError("this month is over", where=period, hint="commit this month or a later one")
        known = self.commitments().get(period)
        if known is not None:
            return known
        seed = self._seed(period, may_make=True)
        with self._signing(), self._database.writing() as connection:
            if not _is_recorded(connection, tables.lot_commitments, period):
                content = {"period": period, "commitment": commitment_of(seed), "committed_by": committed_by}
                append_live(connection, self._clock, "lot_commitment", content)
        return self.commitments()[period]

    def commit_present(self) -> None:
        """Commit this month and the next: what a development service does when it starts."""
        period = period_of(self._clock())
        for one in (period, next_period(period)):
            self.commit(one, committed_by="dev service")

    def reveal(self, period: str, *, revealed_by: str) -> LotSeed:
        """Publish the seed of a period that is over, in the log; again changes nothing.

        Raises
        ------
        ConfigurationError
            The period is not over, nothing was committed for it, or the seed is lost or another one.
        LogUnavailableError
            The database cannot be written.
        """
        if period >= period_of(self._clock()):
            detail = "this month is not over: who knows its seed knows who is drawn"
            raise ConfigurationError(detail, where=period, hint="wait for its end, in UTC")
        seed = self.seed(period)
        if seed is None:
            raise ConfigurationError("no seed was committed for this month", where=period)
        with self._signing(), self._database.writing() as connection:
            if not _is_recorded(connection, tables.lot_reveals, period):
                content = {"period": period, "commitment": seed.commitment, "seed": seed.seed.hex()}
                append_live(connection, self._clock, "lot_reveal", content | {"revealed_by": revealed_by})
        return seed

    def commitments(self) -> dict[str, Committed]:
        """Return what was committed, by period.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        t, log = tables.lot_commitments, tables.log
        query = (
            select(t.c.period, t.c.commitment, t.c.position, log.c.recorded_at)
            .join(log, (log.c.chain == t.c.chain) & (log.c.position == t.c.position))
            .order_by(t.c.period)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return {row[0]: Committed(row[0], row[1], row[2], instant_from(row[3])) for row in rows}

    def revealed(self) -> dict[str, LotSeed]:
        """Return the seeds that were published, by period.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        t, p = tables.lot_reveals, tables.payloads
        query = select(p.c.body).join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        with self._database.reading() as connection:
            entries = [parsed(body) for body in connection.execute(query).scalars()]
        return {one["period"]: LotSeed(one["period"], bytes.fromhex(one["seed"]), one["commitment"]) for one in entries}

    def seed(self, period: str) -> LotSeed | None:
        """Return the seed that was committed for a period; None where none was.

        Raises
        ------
        ConfigurationError
            Its file is missing, or holds another seed than was committed.
        LogUnavailableError
            The database does not answer.
        """
        known = self.commitments().get(period)
        if known is None:
            return None
        seed = self._seed(period, may_make=False)
        if commitment_of(seed) != known.commitment:
            where = str(seed_file(self._settings, period))
            raise ConfigurationError("not the seed that was committed", where=where, hint=_HINT)
        return LotSeed(period, seed, known.commitment)

    def _seed(self, period: str, *, may_make: bool) -> bytes:
        path = seed_file(self._settings, period)
        seed = load_secret(path, lambda: os.urandom(SEED_BYTES), may_make=may_make, hint=_HINT)
        if len(seed) != SEED_BYTES:
            raise ConfigurationError(f"a seed of the lot must be {SEED_BYTES} bytes", where=str(path), hint=_HINT)
        return seed


class ServingSeeds:
    """Seeds as the service draws with them: each period is read once, one without a seed is looked for again.

    Parameters
    ----------
    book : LotBook
    monotonic : callable
        Seconds of a clock that never steps.
    """

    def __init__(self, book: LotBook, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._book = book
        self._monotonic = monotonic
        self._known: dict[str, LotSeed] = {}
        self._missing: dict[str, tuple[float, str]] = {}

    def of(self, period: str) -> LotSeed | None:
        """Return the seed of a period; None where nothing can be drawn, and `problem` says why.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        known = self._known.get(period)
        if known is not None:
            return known
        looked_at = self._missing.get(period)
        if looked_at is not None and self._monotonic() < looked_at[0] + LOOK_AGAIN_SECONDS:
            return None
        return self._look(period)

    def problem(self, period: str) -> str | None:
        """Return why nothing is drawn in a period; None where the lot draws."""
        return None if self.of(period) is not None else self._missing[period][1]

    def _look(self, period: str) -> LotSeed | None:
        try:
            found = self._book.seed(period)
            why = f"no seed is committed for {period}"
        except ConfigurationError as error:
            found, why = None, f"the seed of {period} cannot be used: {error.detail}"
        if found is not None:
            self._known[period] = found
            return found
        if period not in self._missing:
            logging.getLogger(__name__).warning("the lot draws nothing: %s", why)
        self._missing[period] = (self._monotonic(), why)
        return None


def seed_file(settings: Settings, period: str) -> Path:
    """Return where the seed of a period lies."""
    return settings.keys_path / "lot" / f"{period}.seed"


def _is_recorded(connection: Connection, table: Table, period: str) -> bool:
    return connection.execute(select(table.c.position).where(table.c.period == period)).first() is not None

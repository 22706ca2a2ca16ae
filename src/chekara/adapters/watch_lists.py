"""Watch lists in the log: tokens alone, added and ended by entries, read anew while the service runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select

from chekara.adapters.chain_writer import Clock, append_live, now
from chekara.adapters.checkpoints import signed_after
from chekara.adapters.database import Database, open_database
from chekara.adapters.policies import policy_that_serves
from chekara.adapters.tables import watch_entries
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.labels import parse_instant
from chekara.data.schema import CROSSING_COLUMNS, EntityType
from chekara.errors import ConfigurationError
from chekara.policy.watch import WatchList
from chekara.service.chain import instant_from, instant_text
from chekara.settings import Settings

ENTITY_OF: Final[Mapping[str, EntityType]] = {c.name: c.entity for c in CROSSING_COLUMNS if c.entity is not None}
MOST_AT_ONCE: Final = 10_000
LOOK_AGAIN_SECONDS: Final = 2.0
"""How long an entry that another program adds may take to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOrder:
    """Entities to be put on a list, or to be taken off it.

    Attributes
    ----------
    name, column : str
        The list, and the contract column of its entities.
    raw_ids : tuple of str
        As people write them; they are neither stored nor repeated.
    ends_at : datetime
        The entries hold up to, and not at, this instant; the present one takes them off.
    agency, added_by, reason : str
        Whose list it is, who says so, and why.
    """

    name: str
    column: str
    raw_ids: tuple[str, ...]
    ends_at: datetime
    agency: str
    added_by: str
    reason: str


class SqlWatchLists(Mapping[str, WatchList]):
    """The lists as they stand, by name.

    Parameters
    ----------
    database : Database
    clock : callable
        The present instant.
    monotonic : callable
        Seconds that only grow.
    signing : callable
        Opens a context that is left when an entry is durable.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
        signing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._signing = signing
        self._looked_at = -float("inf")
        self._position = -1
        self._lists: dict[str, WatchList] = {}

    def add(self, order: WatchOrder, tokens: EntityTokens) -> int:
        """Put entities on a list; returns how many.

        Parameters
        ----------
        order : WatchOrder
        tokens : EntityTokens

        Raises
        ------
        ConfigurationError
            The column holds no entities, the list is of another column, an id is none, there are none or too many, or
            no reason is given. No id is repeated.
        LogUnavailableError
            The entries could not be made durable.
        """
        entity = ENTITY_OF.get(order.column)
        if entity is None:
            raise ConfigurationError("no entities stand in this column", where="--entity", hint=", ".join(ENTITY_OF))
        if not order.reason.strip():
            raise ConfigurationError("a watch list has a reason", where="--reason")
        known = self._read().get(order.name)
        if known is not None and known.column != order.column:
            raise ConfigurationError("this list is of another column", where=order.name, hint=f"use {known.column}")
        found = sorted({tokens.token(entity, raw) for raw in order.raw_ids if raw.strip()} - {""})
        if not 0 < len(found) <= MOST_AT_ONCE:
            raise ConfigurationError(
                "no ids, or too many", where="standard input", hint=f"one a line, to {MOST_AT_ONCE}"
            )
        content = {
            "name": order.name,
            "column": order.column,
            "tokens": found,
            "ends_at": instant_text(order.ends_at),
            "agency": order.agency,
            "added_by": order.added_by,
            "reason": order.reason,
        }
        with self._signing(), self._database.writing() as connection:
            append_live(connection, self._clock, "watch_list", content)
        self._looked_at = -float("inf")
        return len(found)

    def __getitem__(self, name: str) -> WatchList:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[str, WatchList]:
        """Return the lists; whether an entry was added is asked every two seconds at most."""
        if self._monotonic() >= self._looked_at + LOOK_AGAIN_SECONDS:
            self._looked_at = self._monotonic()
            with self._database.reading() as connection:
                newest = connection.execute(select(func.max(watch_entries.c.position))).scalar_one() or 0
            if newest != self._position:
                self._lists, self._position = self._read(), newest
        return self._lists

    def _read(self) -> dict[str, WatchList]:
        t = watch_entries
        query = select(t.c.list_name, t.c.entity_column, t.c.token, t.c.ends_at).order_by(t.c.position)
        found: dict[str, dict[str, datetime]] = {}
        columns: dict[str, str] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                columns.setdefault(row.list_name, row.entity_column)
                found.setdefault(row.list_name, {})[row.token] = instant_from(row.ends_at)
        return {name: WatchList(name, columns[name], entries) for name, entries in found.items()}


def order_of(
    name: str, column: str, lines: Iterable[str], *, ends: str, agency: str, added_by: str, reason: str
) -> WatchOrder:
    """Make an order of what a person wrote.

    Parameters
    ----------
    name, column : str
    lines : iterable of str
        Ids, one a line; empty lines are passed over.
    ends : str
        Instant with offset.
    agency, added_by, reason : str

    Raises
    ------
    ConfigurationError
        The instant cannot be read.
    """
    return WatchOrder(
        name=name,
        column=column,
        raw_ids=tuple(line.strip() for line in lines if line.strip()),
        ends_at=parse_instant(ends, where="--expires").astimezone(UTC),
        agency=agency,
        added_by=added_by,
        reason=reason,
    )


def add_to_list(settings: Settings, order: WatchOrder) -> int:
    """Put entities on a list of an installation; returns how many.

    Parameters
    ----------
    settings : Settings
    order : WatchOrder

    Raises
    ------
    ConfigurationError
        The agency is not known, or as for `SqlWatchLists.add`.
    LogUnavailableError
        The entries could not be made durable.
    """
    database = open_database(settings)
    try:
        known = policy_that_serves(settings, database).known_agencies
        if order.agency not in known:
            raise ConfigurationError("this agency is not known", where="--agency", hint=", ".join(sorted(known)))
        lists = SqlWatchLists(database, signing=lambda: signed_after(settings, database))
        return lists.add(order, EntityTokens(load_entity_secret(settings)))
    finally:
        database.close()

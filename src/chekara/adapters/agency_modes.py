"""Presses of the stop button, in the live chain of the log."""

from __future__ import annotations

from sqlalchemy import select

from chekara.adapters.chain_writer import Clock, append_live, now
from chekara.adapters.database import Database
from chekara.adapters.tables import agency_modes
from chekara.service.agency_mode import AgencyMode, Mode
from chekara.service.chain import instant_text


class SqlAgencyModes:
    """The register of modes over one database.

    Parameters
    ----------
    database : Database
    clock : callable
        The present instant.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def record(self, mode: AgencyMode) -> None:
        """Append a press durably.

        Raises
        ------
        LogUnavailableError
            It could not be made durable.
        """
        plain = {name: getattr(mode, name) for name in AgencyMode.__slots__} | {"set_at": instant_text(mode.set_at)}
        with self._database.writing() as connection:
            append_live(connection, self._clock, "agency_mode", plain)

    def newest(self) -> dict[str, Mode]:
        """Return the mode of every agency that ever pressed.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        t = agency_modes
        with self._database.reading() as connection:
            rows = connection.execute(select(t.c.agency, t.c.mode).order_by(t.c.position))
            return {agency: Mode(mode) for agency, mode in rows}

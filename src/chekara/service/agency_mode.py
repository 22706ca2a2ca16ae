"""The stop button: a supervisor sends an agency back to rules and the lot, and to models again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from chekara.domain.actor import Actor, Permission, may
from chekara.errors import ForbiddenError, NotFoundError
from chekara.policy.policy import Policy


class Mode(StrEnum):
    """What may ask for controls in the domains that an agency leads."""

    MODELS = "models"  # scores, beside rules and the lot
    RULES = "rules"  # rules and the lot alone: scores are made and stored, and ask for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyMode:
    """One press of the button.

    Attributes
    ----------
    agency : str
    mode : Mode
    set_by : str
        The supervisor.
    set_at : datetime
    reason : str or None
        Why, where it was told.
    """

    agency: str
    mode: Mode
    set_by: str
    set_at: datetime
    reason: str | None = None


class ModeRegister(Protocol):
    """Presses of the button, in the log."""

    def record(self, mode: AgencyMode) -> None:
        """Append one durably."""
        ...

    def newest(self) -> Mapping[str, Mode]:
        """Return the mode of every agency that ever pressed."""
        ...


class SetAgencyMode:
    """The use case behind ``POST /v1/agencies/{agency}/mode``.

    Parameters
    ----------
    register : ModeRegister
        Asked once: what was pressed before a start goes on.
    policy : Policy
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self, register: ModeRegister, policy: Policy, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._register = register
        self._now = now
        # All agencies, from the beginning: whoever reads while somebody presses finds a mapping of one size.
        self._stopped = dict.fromkeys(sorted(policy.known_agencies), False)
        for agency, mode in register.newest().items():
            if agency in self._stopped:
                self._stopped[agency] = mode is Mode.RULES

    def know(self, policy: Policy) -> None:
        """Know the agencies of another policy, too, and what they pressed under an earlier one.

        Parameters
        ----------
        policy : Policy

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        if new := policy.known_agencies - self._stopped.keys():
            pressed = self._register.newest()
            for agency in sorted(new):
                self._stopped.setdefault(agency, pressed.get(agency) is Mode.RULES)

    @property
    def stopped(self) -> Mapping[str, bool]:
        """Whether each agency has stopped the models, always as it is now."""
        return MappingProxyType(self._stopped)

    def without_models(self) -> tuple[str, ...]:
        """Return the agencies that have stopped the models."""
        return tuple(agency for agency, is_stopped in tuple(self._stopped.items()) if is_stopped)

    def __call__(self, actor: Actor, agency: str, mode: Mode, reason: str | None = None) -> AgencyMode:
        """Record a press durably; it holds for every crossing that is decided from then on.

        Parameters
        ----------
        actor : Actor
            A supervisor of the agency.
        agency : str
        mode : Mode
        reason : str, optional

        Raises
        ------
        NotFoundError
            There is no such agency.
        ForbiddenError
            The actor is no supervisor of this agency, or holds a test key.
        LogUnavailableError
            It could not be made durable, and does not hold.
        """
        if agency not in self._stopped:
            raise NotFoundError("no such agency", where="agency")
        if actor.is_test or actor.agency != agency or not may(actor, Permission.SET_MODE):
            raise ForbiddenError(
                "only its own supervisors set the mode of an agency", hint="use a supervisor's own key"
            )
        pressed = AgencyMode(agency=agency, mode=mode, set_by=actor.holder, set_at=self._now(), reason=reason)
        self._register.record(pressed)
        self._stopped[agency] = mode is Mode.RULES
        return pressed

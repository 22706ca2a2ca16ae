"""A promoted policy takes the place of the one that serves: tried first, and between two groups of requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from chekara.adapters.in_force import Foundations, InForce
from chekara.adapters.watcher import Watcher
from chekara.errors import ChekaraError, ConfigurationError, UnavailableError
from chekara.policy.load import policy_of
from chekara.service.group import Outcome, Request
from chekara.service.promote_policy import PolicyPromotion

WATCH_SECONDS: Final = 2.0


class PolicySwap:
    """Which policy serves, and how the next one takes its place.

    A thread looks for promotions; what it finds is read, begun and tried there, while the other one serves. The writer
    takes it up between two groups, so that every decision is of one policy as a whole. What was promoted and cannot
    serve is told, and what serves goes on.

    Parameters
    ----------
    foundations : Foundations
    first : InForce
        What the service begins with.
    newest : callable
        Returns the newest promotion of a policy, None where there is none; reads the log.
    """

    def __init__(
        self, foundations: Foundations, first: InForce, *, newest: Callable[[], PolicyPromotion | None]
    ) -> None:
        self._foundations = foundations
        self._now = first
        self._newest = newest
        self._next: InForce | None = None
        self._refused: tuple[str, str] | None = None
        self._changing = threading.Lock()
        self._watcher: Watcher | None = None

    @property
    def now(self) -> InForce:
        """What serves. It is never changed, only replaced: read it once per request."""
        return self._now

    def problem(self) -> str | None:
        """Return why the policy that was promoted last does not serve; None where it does, or is about to."""
        return None if self._refused is None else self._refused[1]

    def write(self, requests: Sequence[Request]) -> list[Outcome]:
        """Serve a group of requests under one policy; called by the writer alone."""
        return self._now.write(requests)

    def take_up(self) -> None:
        """Let a policy serve that waits for it; called by the writer alone, between two groups.

        Raises
        ------
        LogUnavailableError
            The database does not answer: it is tried again between the next two.
        """
        with self._changing:
            if self._next is None:
                return
            # What was decided since its meter began; nobody else decides while the writer is here.
            self._next.capacity.catch_up()
            self._now, self._next = self._next, None
        logging.getLogger(__name__).info("a policy serves: %s %s", self._now.policy.name, self._now.policy.digest)

    def look(self) -> None:
        """Try what was promoted since the last look, and let it wait for the writer if it can serve.

        Raises
        ------
        LogUnavailableError
            The promotions cannot be read.
        """
        promotion = self._newest()
        if promotion is None:
            return
        with self._changing:
            wanted = promotion.policy_digest
            if self._next is not None and self._next.policy.digest != wanted:
                self._next = None  # another one was promoted before it was taken up
            if wanted in {self._now.policy.digest, None if self._next is None else self._next.policy.digest}:
                self._refused = None
                return
        if self._refused is None or self._refused[0] != promotion.promotion_id:
            self._try(promotion)

    def _try(self, promotion: PolicyPromotion) -> None:
        try:
            found = self._tried(promotion)
        except UnavailableError:
            raise  # says nothing of the policy: it is tried again at the next look
        except Exception as error:  # a policy that cannot decide an example must not serve
            why = f"{error.title}: {error}" if isinstance(error, ChekaraError) else "it cannot decide an example"
            told = f"the policy {promotion.name} that was promoted last does not serve: {why}"
            self._refused = (promotion.promotion_id, told)
            logging.getLogger(__name__).exception("%s", told)
            return
        with self._changing:
            self._next, self._refused = found, None

    def _tried(self, promotion: PolicyPromotion) -> InForce:
        policy = policy_of(promotion.texts)
        if (why := self._foundations.why_not_hot(policy)) is not None:
            raise ConfigurationError(why, hint="restart the service")
        found = self._foundations.under(policy)
        self._foundations.begin_capacity(found)
        self._foundations.rehearse(found)
        return found

    def start_watching(self) -> None:
        """Look for promotions every two seconds, in a thread of its own."""
        self._watcher = Watcher(
            self.look,
            every_seconds=WATCH_SECONDS,
            name="chekara-policy",
            trouble="promotions of policies cannot be read",
        )
        self._watcher.start()

    def stop_watching(self) -> None:
        """End the thread. Safe to call twice."""
        if self._watcher is not None:
            self._watcher.stop()

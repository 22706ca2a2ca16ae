"""Policies: which one serves, and the text of any that ever was promoted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

from sqlalchemy import select

from chekara.adapters.chain_writer import Clock, append_live, now
from chekara.adapters.checkpoints import signed_after
from chekara.adapters.database import Database, open_database
from chekara.adapters.tables import payloads, policy_promotions
from chekara.errors import ConfigurationError
from chekara.policy import Policy, load_policy
from chekara.policy.load import policy_of, policy_texts
from chekara.service.chain import instant_from, instant_text
from chekara.service.payload import Plain, parsed
from chekara.service.promote_policy import PolicyPromotion, PromotePolicy
from chekara.settings import Settings


class SqlPolicies:
    """Promotions of policies in the live chain of the log.

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

    def record(self, promotion: PolicyPromotion) -> None:
        """Append a promotion durably.

        Raises
        ------
        LogUnavailableError
            It could not be made durable.
        """
        with self._signing(), self._database.writing() as connection:
            append_live(connection, self._clock, "policy_promotion", _plain(promotion))

    def newest(self) -> PolicyPromotion | None:
        """Return the promotion whose policy serves; None where none was ever promoted.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        return self._one()

    def by_digest(self, digest: str) -> Policy | None:
        """Return a policy that was promoted, or the one that ships; None for any other.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        if digest == _shipped().digest:
            return _shipped()
        found = self._one(digest)
        return None if found is None else policy_of(found.texts)

    def texts_of(self, digest: str) -> Mapping[str, str] | None:
        """Return the files of a policy that was promoted, or of the one that ships, the main one first; else None.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        if digest == _shipped().digest:
            return policy_texts()
        found = self._one(digest)
        return None if found is None else found.texts

    def _one(self, digest: str | None = None) -> PolicyPromotion | None:
        t, p = policy_promotions, payloads
        query = select(p.c.body).join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        if digest is not None:
            query = query.where(t.c.policy_digest == digest)
        with self._database.reading() as connection:
            if not connection.dialect.has_table(connection, t.name):  # an earlier version's, which is only read
                return None
            body = connection.execute(query.order_by(t.c.position.desc()).limit(1)).scalar_one_or_none()
        return None if body is None else _promotion_from(parsed(body))


@lru_cache(maxsize=1)
def _shipped() -> Policy:
    return load_policy()


def _plain(promotion: PolicyPromotion) -> Plain:
    plain = {name: getattr(promotion, name) for name in PolicyPromotion.__slots__}
    # JSON objects have no order: the main file is told by its place.
    return plain | {
        "texts": [list(item) for item in promotion.texts.items()],
        "promoted_at": instant_text(promotion.promoted_at),
    }


def _promotion_from(plain: Plain) -> PolicyPromotion:
    texts = dict(plain["texts"])
    return PolicyPromotion(**(plain | {"texts": texts, "promoted_at": instant_from(plain["promoted_at"])}))


def policy_that_serves(settings: Settings, database: Database) -> Policy:
    """Return the policy of an installation: the newest one promoted, or the one that ships.

    In dev the file or folder that ``CHEKARA_POLICY`` names comes first, promoted or not. In production the variable may
    name the newest promoted policy, and nothing else.

    Parameters
    ----------
    settings : Settings
    database : Database

    Raises
    ------
    ConfigurationError
        The policy cannot be read, or outside dev ``CHEKARA_POLICY`` names one that is not the newest promoted.
    LogUnavailableError
        The database does not answer.
    """
    named = None if settings.policy_path is None else load_policy(settings.policy_path)
    if named is not None and settings.is_dev:
        return named
    newest = SqlPolicies(database).newest()
    serving = _shipped() if newest is None else policy_of(newest.texts)
    if named is not None and named.digest != serving.digest:
        raise ConfigurationError(
            "this policy is not the one that was promoted last",
            where="CHEKARA_POLICY",
            hint="promote it with a second person: chekara policy promote; or leave the variable out",
        )
    return serving


def serving_policy(settings: Settings) -> Policy:
    """Return the policy of an installation, for programs beside the service; raises as `policy_that_serves` does."""
    if settings.policy_path is not None and settings.is_dev:
        return load_policy(settings.policy_path)
    database = open_database(settings)
    try:
        return policy_that_serves(settings, database)
    finally:
        database.close()


def promote_policy(
    settings: Settings, texts: dict[str, str], *, proposed_by: str, approved_by: str, reason: str
) -> PolicyPromotion:
    """Promote a policy in an installation; see `PromotePolicy`.

    Parameters
    ----------
    settings : Settings
    texts : dict of str to str
        What `policy_texts` read.
    proposed_by, approved_by, reason : str
    """
    database = open_database(settings)
    try:
        register = SqlPolicies(database, signing=lambda: signed_after(settings, database))
        promote = PromotePolicy(register)
        return promote(texts, proposed_by=proposed_by, approved_by=approved_by, reason=reason)
    finally:
        database.close()

"""What became of rules: how often each was met, controlled and right, and which are suspended for finding nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Connection, func, select

from chekara.adapters.database import Database, open_database
from chekara.adapters.policies import policy_that_serves
from chekara.adapters.tables import inspections, payloads, rule_hits
from chekara.policy.rules import Rule
from chekara.service.chain import instant_text
from chekara.service.dry_run import RuleRecord
from chekara.service.payload import inspection_from, parsed
from chekara.service.records import Chain
from chekara.settings import Settings

LOOK_AGAIN_SECONDS: Final = 10.0
"""How long a result may take to suspend a rule."""


class RuleResults:
    """Counts results of rules in the live log.

    Controls are taken in the order in which their results came; of several revisions of a result the newest counts. A
    rule that was reviewed begins anew with another ``valid_from``: what came before is not counted.

    Parameters
    ----------
    database : Database
    rules : tuple of Rule
        Those of the policy that serves.
    monotonic : callable
        Seconds that only grow.
    """

    def __init__(
        self, database: Database, rules: tuple[Rule, ...], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._rules = rules
        self._capped = tuple(rule for rule in rules if rule.most_without_result is not None)
        self._monotonic = monotonic
        self._looked_at = -float("inf")
        self._suspended: frozenset[str] = frozenset()

    def suspended(self) -> frozenset[str]:
        """Return the ids of rules that are suspended, as of a look some seconds ago at most.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        if self._capped and self._monotonic() >= self._looked_at + LOOK_AGAIN_SECONDS:
            self._looked_at = self._monotonic()
            with self._database.reading() as connection:
                self._suspended = frozenset(rule.rule for rule in self._capped if _is_suspended(connection, rule))
        return self._suspended

    def records(self) -> tuple[RuleRecord, ...]:
        """Return what became of every rule.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        with self._database.reading() as connection:
            return tuple(_record(connection, rule) for rule in self._rules)


def rule_records(settings: Settings) -> tuple[RuleRecord, ...]:
    """Return what became of every rule of the policy that serves; raises as `RuleResults.records` does."""
    database = open_database(settings)
    try:
        return RuleResults(database, policy_that_serves(settings, database).rules.rules).records()
    finally:
        database.close()


def _is_suspended(connection: Connection, rule: Rule) -> bool:
    for in_a_row, found in enumerate(_newest_first(connection, rule), start=1):
        if found:
            return False
        if in_a_row == rule.most_without_result:
            return True
    return False


def _record(connection: Connection, rule: Rule) -> RuleRecord:
    t = rule_hits
    own = (t.c.rule == rule.rule, t.c.chain == Chain.LIVE.value, t.c.scored_at >= instant_text(rule.valid_from))
    met = connection.execute(select(func.count()).select_from(t).where(*own)).scalar_one()
    results = list(_newest_first(connection, rule))
    in_a_row = next((i for i, found in enumerate(results) if found), len(results))
    most = rule.most_without_result
    return RuleRecord(rule.rule, met, len(results), sum(results), in_a_row, most is not None and in_a_row >= most)


def _newest_first(connection: Connection, rule: Rule) -> Iterator[bool]:
    """Yield whether each control of crossings that met a rule was a hit, the newest result first."""
    t, i, p = rule_hits, inspections, payloads
    met = select(t.c.crossing_id).where(
        t.c.rule == rule.rule, t.c.chain == Chain.LIVE.value, t.c.scored_at >= instant_text(rule.valid_from)
    )
    query = (
        select(p.c.body)
        .join(i, (i.c.chain == p.c.chain) & (i.c.position == p.c.position))
        .where(i.c.chain == Chain.LIVE.value, i.c.domain == rule.domain, i.c.crossing_id.in_(met))
        .order_by(i.c.position.desc())
    )
    seen: set[str] = set()
    for body in connection.execute(query).scalars():
        result = inspection_from(parsed(body))
        if result.inspection_id not in seen:
            seen.add(result.inspection_id)
            if result.is_done:
                yield result.is_hit

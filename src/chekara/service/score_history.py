"""Score a history as it would have gone live: each crossing in its turn, with what was known before it.

Features, matrix, margins, contributions, probability and lane come from the code that serves requests; only ranks
and lanes are computed for many crossings at once, and tests hold them equal to those of one. Nothing is written: the
live store, its rank windows and its profiles are not touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as arrow

from chekara.data.sources import History
from chekara.domain.vocabulary import Lane
from chekara.errors import HistoryError, NotReadyError
from chekara.features.build import items_from_frame
from chekara.features.catalogue import Array, ItemColumns, laid_columns
from chekara.features.declared import CROSSING_INDEX
from chekara.features.profiles import ProfileStream
from chekara.policy.decide import strictest_lanes
from chekara.policy.policy import Policy
from chekara.policy.risk import Texts
from chekara.service.champions import Champion, Floats
from chekara.service.match_rules import MatchPolicyRules
from chekara.service.predict import REASONS, explain_rows, score_highest
from chekara.service.rank_stream import RankStream
from chekara.service.ranks import begun_with
from chekara.service.reason_lists import REASONS_TYPE, reason_lists
from chekara.service.score_plan import Ints, Mask, ScorePlan, plan_scores

CHUNK = 20_000
"""Scorings held in memory at once, times the few chunks that are under way."""
_LANES = np.array([lane.value for lane in sorted(Lane, key=lambda lane: lane.strictness)], dtype=object)

Progress: TypeAlias = Callable[[int, int], None]  # (scorings done, of how many)
Columns: TypeAlias = Callable[[Ints], Mapping[str, Array]]
"""Columns to lay beside goods lines, told the positions of these lines in ``history.crossings``."""


def score_schema(domains: Mapping[str, object]) -> Any:
    """Return the columns of a scored history.

    Parameters
    ----------
    domains : mapping of str
        Those with a champion.

    Returns
    -------
    pyarrow.Schema
        ``crossing_id, lane``, per domain ``p_``, ``margin_``, ``rank_``, then ``reasons_``, the ``item_no_`` that
        they are of and the ``expected_amount_`` that a hit in it brings (reporting currency), at last the
        ``revision`` that was scored. Null where a domain does not apply to a crossing, or nothing is known of amounts.
    """
    fields = [arrow.field("crossing_id", arrow.string()), arrow.field("lane", arrow.string())]
    for prefix in ("p", "margin", "rank"):
        fields += [arrow.field(f"{prefix}_{domain}", arrow.float64()) for domain in domains]
    fields += [arrow.field(f"reasons_{domain}", REASONS_TYPE) for domain in domains]
    fields += [arrow.field(f"item_no_{domain}", arrow.int64()) for domain in domains]
    fields += [arrow.field(f"expected_amount_{domain}", arrow.float64()) for domain in domains]
    return arrow.schema([*fields, arrow.field("revision", arrow.int64())])


def score_history(
    history: History,
    champions: Mapping[str, Champion],
    policy: Policy,
    *,
    rules: MatchPolicyRules | None = None,
    since: datetime | None = None,
    progress: Progress | None = None,
    chunk_size: int = CHUNK,
    threads: int = 2,
) -> Iterator[Any]:
    """Score every crossing of a history in every domain that has a champion.

    Parameters
    ----------
    history : History
    champions : mapping of str to Champion
        By domain.
    policy : Policy
    rules : MatchPolicyRules, optional
        The policy's rules as they are matched here; default: its rules without any watch list.
    since : datetime with offset, optional
        Report only crossings that were known at or after it; values do not change.
    progress : callable, optional
    chunk_size : int
        Scorings at a time; results do not depend on it.
    threads : int

    Yields
    ------
    pyarrow.Table
        Of `score_schema`, crossings in the order of scoring.

    Raises
    ------
    NotReadyError
        No domain has a champion.
    HistoryError
        There is no crossing.
    """
    if not champions:
        raise NotReadyError("no domain has a verified champion", hint="train and promote a model first")
    if history.crossings.empty:
        raise HistoryError("no usable crossing", where="crossings", hint="run `chekara check DIR`")
    plan = plan_scores(history, since)
    rules = MatchPolicyRules(policy) if rules is None else rules
    beside = profiles_of(history, plan, champions, policy, rules.laid)
    return _tables(history, dict(champions), policy, rules, plan, beside, progress, chunk_size, threads)


def profiles_of(
    history: History,
    plan: ScorePlan,
    champions: Mapping[str, Champion],
    policy: Policy,
    more: tuple[str, ...] = (),
) -> Columns:
    """Begin the fold of a history that lays profiles beside its lines, for the features that some champions need.

    Parameters
    ----------
    history : History
        Revisions that are not scored are folded all the same.
    plan : ScorePlan
        The lines that will be asked for.
    champions : mapping of str to Champion
    policy : Policy
        Its domains are kept in the sums.
    more : tuple of str
        Profile columns that something beside the models reads.

    Returns
    -------
    callable
        To be asked for the lines of chunk after chunk.
    """
    names = laid_columns((*(name for champion in champions.values() for name in champion.names), *more))
    if not names:
        return lambda _lines: {}
    asked = np.zeros(len(history.crossings), dtype=bool)
    asked[plan.rows] = True
    return ProfileStream(history, names, domains=tuple(policy.domains), rows=asked).columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One domain's scores of a chunk, before they are ranked.

    Attributes
    ----------
    margin, probability : ndarray of shape (n_scorings,)
        NaN where the domain does not apply.
    expected_amount : ndarray of shape (n_scorings,)
        Currency; NaN where it does not, or nothing is known of amounts.
    item_no : ndarray of shape (n_reported,)
        NaN where it does not.
    reasons : pyarrow.ListArray of length n_reported
    """

    margin: Floats
    probability: Floats
    item_no: Floats
    expected_amount: Floats
    reasons: Any


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Scorings under way: the futures answer in the order of the domains."""

    scorings: slice
    header: Mapping[str, Array]
    crossing_points: Texts
    parts: Mapping[str, Future[_Part]]
    rules: Future[npt.NDArray[np.int8]] | None  # strictest lane that rules demand of each scoring


def _tables(
    history: History,
    champions: Mapping[str, Champion],
    policy: Policy,
    rules: MatchPolicyRules,
    plan: ScorePlan,
    beside: Columns,
    progress: Progress | None,
    chunk_size: int,
    threads: int,
) -> Iterator[Any]:
    ranking = _Ranking(champions, policy, plan)
    under_way: deque[_Chunk] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="chekara-score") as pool:
        try:
            for scorings in plan.chunks(chunk_size):
                under_way.append(_begin(history, champions, rules, plan, scorings, beside, pool))
                # The next chunk is laid out while this one is scored: no thread waits for another at its end.
                if len(under_way) == 2:
                    yield ranking.table(under_way.popleft())
                    if progress is not None:
                        progress(scorings.start, len(plan))
            while under_way:
                yield ranking.table(under_way.popleft())
            if progress is not None:
                progress(len(plan), len(plan))
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(
    history: History,
    champions: Mapping[str, Champion],
    rules: MatchPolicyRules,
    plan: ScorePlan,
    scorings: slice,
    beside: Columns,
    pool: ThreadPoolExecutor,
) -> _Chunk:
    lines = plan.lines(scorings)
    items = items_from_frame(history.crossings.iloc[lines])
    starts = plan.starts[scorings.start : scorings.stop + 1] - plan.starts[scorings.start]
    index = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    laid = {CROSSING_INDEX: index, **beside(lines)}
    items = ItemColumns(items.values | laid, items.n_items)
    for champion in champions.values():
        champion.features(items)  # once for all, while the threads are in kernels; they find them computed
    reported = plan.is_reported[scorings]
    first = starts[:-1][reported]
    header = {"crossing_id": items.text("crossing_id")[first], "revision": items.number("revision")[first]}
    parts = {domain: pool.submit(_score, champion, items, index, reported) for domain, champion in champions.items()}
    demanded = pool.submit(rules.strictest, items, starts) if len(rules) else None
    return _Chunk(scorings, header, items.text("crossing_point")[starts[:-1]], parts, demanded)


def _score(champion: Champion, items: ItemColumns, index: Ints, reported: Mask) -> _Part:
    found = score_highest(champion, items, index, len(reported))
    margin, probability = (np.full(len(reported), np.nan) for _ in range(2))
    margin[found.crossings] = found.margins
    probability[found.crossings] = champion.calibration.probability(found.margins)
    amount = np.full(len(reported), np.nan)
    amount[found.crossings] = champion.expected_amount(found.table, found.rows)
    told = reported[found.crossings]
    rows = found.rows[told]
    is_told = np.isfinite(margin[reported])
    item_no = np.full(len(is_told), np.nan)
    item_no[is_told] = items.number("item_no")[rows]
    own = ItemColumns({name: column[rows] for name, column in items.values.items()}, len(rows))
    reasons = reason_lists(
        champion.names, found.table.take(rows), explain_rows(champion, found.X[rows]), champion.usual(own), REASONS
    )
    told_of_item = {"item_no": item_no, "expected_amount": amount, "reasons": _spread(reasons, is_told)}
    return _Part(margin=margin, probability=probability, **told_of_item)


def _spread(lists: Any, is_there: npt.NDArray[np.bool_]) -> Any:
    """Put lists where they belong among crossings, null elsewhere."""
    place = np.where(is_there, np.cumsum(is_there) - 1, 0)
    return lists.take(arrow.array(place, mask=~is_there))


class _Ranking:
    """Ranks and lanes, which stand on all scorings before: one chunk after the other."""

    def __init__(self, champions: Mapping[str, Champion], policy: Policy, plan: ScorePlan) -> None:
        self._streams = {domain: RankStream(begun_with(champion)) for domain, champion in champions.items()}
        self._policy = policy
        self._plan = plan
        # No lane is lowered: a revision keeps the strictest one that was asked for before it.
        self._strictest = np.zeros(plan.n_crossings, dtype=np.int8)

    def table(self, chunk: _Chunk) -> Any:
        """Wait for a chunk, rank it and lay out what is reported of it."""
        crossing = self._plan.crossing[chunk.scorings]
        reported = self._plan.is_reported[chunk.scorings]
        parts = {domain: future.result() for domain, future in chunk.parts.items()}
        ranks = {domain: self._rank(domain, part.margin, chunk.scorings) for domain, part in parts.items()}
        risks = {domain: self._risk(domain, part, ranks[domain], chunk) for domain, part in parts.items()}
        lanes = strictest_lanes(risks, self._policy)
        if chunk.rules is not None:
            lanes = np.maximum(lanes, chunk.rules.result())
        np.maximum.at(self._strictest, crossing, lanes)
        told = _LANES[self._strictest[crossing[reported]]]
        columns: dict[str, Any] = {
            "crossing_id": arrow.array(chunk.header["crossing_id"]),
            "lane": arrow.array(told, type=arrow.string()),
            "revision": _whole(chunk.header["revision"]),
        }
        for domain, part in parts.items():
            columns[f"p_{domain}"] = arrow.array(part.probability[reported], from_pandas=True)
            columns[f"margin_{domain}"] = arrow.array(part.margin[reported], from_pandas=True)
            columns[f"rank_{domain}"] = arrow.array(ranks[domain][reported], from_pandas=True)
            columns[f"reasons_{domain}"] = part.reasons
            columns[f"item_no_{domain}"] = _whole(part.item_no)
            columns[f"expected_amount_{domain}"] = arrow.array(part.expected_amount[reported], from_pandas=True)
        schema = score_schema(parts)
        return arrow.table([columns[name] for name in schema.names], schema=schema)

    def _risk(self, domain: str, part: _Part, rank: Floats, chunk: _Chunk) -> Floats:
        risk, _ = self._policy.risk(
            domain,
            chunk.crossing_points,
            rank=rank,
            probability=part.probability,
            expected_amount=part.expected_amount,
        )
        return risk

    def _rank(self, domain: str, margin: Floats, scorings: slice) -> Floats:
        scored = np.isfinite(margin)
        ranks = np.full(len(margin), np.nan)
        ranks[scored] = self._streams[domain].ranks(margin[scored], self._plan.enters[scorings][scored])
        return ranks


def _whole(numbers: Array) -> Any:
    return arrow.array(numbers, from_pandas=True).cast(arrow.int64())

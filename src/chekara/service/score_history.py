"""Score a history as it would have gone live: each crossing in its turn, with what was known before it.

Features, matrix, margins, contributions, probability and lane come from the code that serves requests; only ranks
and lanes are computed for many crossings at once, and tests hold them equal to those of one. Nothing is written: the
live store, its rank windows and its profiles are not touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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
from chekara.policy.policy import Policy
from chekara.policy.risk import Texts
from chekara.service.champions import Champion, Floats
from chekara.service.lane_history import Demanded, LaneHistory, ScoredChunk, Strictness, strictest_of
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
    lanes = LaneHistory(policy, plan.n_crossings, rules)
    ranking = _Ranking(champions, lanes, plan)
    beside = profiles_of(history, plan, champions, policy, lanes.rules.laid)
    begin = partial(_begin, history, dict(champions), (lanes,), plan, beside, tells=True)
    return map(ranking.table, _chunks(begin, plan, progress, chunk_size, threads))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLanes:
    """Crossings of a history and their lanes under several policies.

    Attributes
    ----------
    crossing_id, crossing_point : ndarray of shape (n,)
    known_at : ndarray of shape (n,), datetime64[us]
        UTC.
    lanes : tuple of mapping of str to ndarray of shape (n,)
        Per policy, by domain: ``Lane.strictness``.
    rules : tuple of mapping of int to tuple of str
        Per policy: ids of the rules met, by place in these arrays; places of none are left out.
    modelled : frozenset of str
        Domains with a model.
    """

    crossing_id: Texts
    crossing_point: Texts
    known_at: Array
    lanes: tuple[Mapping[str, Strictness], ...]
    rules: tuple[Mapping[int, tuple[str, ...]], ...]
    modelled: frozenset[str]


def lanes_of_history(
    history: History,
    champions: Mapping[str, Champion],
    policies: Sequence[tuple[Policy, MatchPolicyRules]],
    *,
    since: datetime | None = None,
    progress: Progress | None = None,
    chunk_size: int = CHUNK,
    threads: int = 2,
) -> Iterator[PolicyLanes]:
    """Give every crossing of a history its lanes as they would have gone live under each of several policies.

    Parameters
    ----------
    history : History
    champions : mapping of str to Champion
        By domain; they score once, whatever the policies.
    policies : sequence of (Policy, MatchPolicyRules)
        At least one; each with its rules as they are matched here.
    since, progress, chunk_size, threads : as in `score_history`

    Yields
    ------
    PolicyLanes
        Crossings in the order of scoring.
    """
    plan = plan_scores(history, since)
    lanes = tuple(LaneHistory(policy, plan.n_crossings, rules) for policy, rules in policies)
    ranking = _Ranking(champions, lanes[0], plan)
    more = tuple(name for _, rules in policies for name in rules.laid)
    beside = profiles_of(history, plan, champions, policies[0][0], more)
    begin = partial(_begin, history, dict(champions), lanes, plan, beside, tells=False)
    for chunk in _chunks(begin, plan, progress, chunk_size, threads):
        reported, scored = plan.is_reported[chunk.scorings], ranking.scored(chunk)
        each = [
            {domain: own[reported] for domain, own in one.lanes(scored, demanded.result()).items()}
            for one, demanded in zip(lanes, chunk.demanded, strict=True)
        ]
        yield PolicyLanes(
            crossing_id=chunk.header["crossing_id"],
            crossing_point=chunk.crossing_points[reported],
            known_at=chunk.header["known_at"],
            lanes=tuple(each),
            rules=tuple(_reported_rules(demanded.result(), reported) for demanded in chunk.demanded),
            modelled=frozenset(champions),
        )


def _reported_rules(demanded: Demanded, reported: Mask) -> dict[int, tuple[str, ...]]:
    place = np.cumsum(reported) - 1
    return {int(place[i]): rules for i, rules in demanded.rules.items() if reported[i]}


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
    reasons : pyarrow.ListArray of length n_reported, or None
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
    crossing_id: Texts
    crossing_points: Texts
    known_at: Array
    parts: Mapping[str, Future[_Part]]
    demanded: tuple[Future[Demanded], ...]  # what rules demand, per policy


def _chunks(
    begin: Callable[[slice, ThreadPoolExecutor], _Chunk],
    plan: ScorePlan,
    progress: Progress | None,
    chunk_size: int,
    threads: int,
) -> Iterator[_Chunk]:
    under_way: deque[_Chunk] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="chekara-score") as pool:
        try:
            for scorings in plan.chunks(chunk_size):
                under_way.append(begin(scorings, pool))
                # The next chunk is laid out while this one is scored: no thread waits for another at its end.
                if len(under_way) == 2:
                    yield under_way.popleft()
                    if progress is not None:
                        progress(scorings.start, len(plan))
            while under_way:
                yield under_way.popleft()
            if progress is not None:
                progress(len(plan), len(plan))
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(
    history: History,
    champions: Mapping[str, Champion],
    lanes: Sequence[LaneHistory],
    plan: ScorePlan,
    beside: Columns,
    scorings: slice,
    pool: ThreadPoolExecutor,
    *,
    tells: bool,
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
    first = starts[:-1]
    crossing_id, known_at = items.text("crossing_id")[first], items.instant("known_at")[first]
    header = {
        "crossing_id": crossing_id[reported],
        "revision": items.number("revision")[first[reported]],
        "known_at": known_at[reported],
    }
    parts = {
        domain: pool.submit(_score, champion, items, index, reported, tells=tells)
        for domain, champion in champions.items()
    }
    demanded = tuple(pool.submit(own.demanded, items, starts) for own in lanes)
    return _Chunk(scorings, header, crossing_id, items.text("crossing_point")[first], known_at, parts, demanded)


def _score(champion: Champion, items: ItemColumns, index: Ints, reported: Mask, *, tells: bool) -> _Part:
    found = score_highest(champion, items, index, len(reported))
    margin, probability, amount = (np.full(len(reported), np.nan) for _ in range(3))
    margin[found.crossings] = found.margins
    probability[found.crossings] = champion.calibration.probability(found.margins)
    amount[found.crossings] = champion.expected_amount(found.table, found.rows)
    told = reported[found.crossings]
    rows = found.rows[told]
    is_told = np.isfinite(margin[reported])
    item_no, reasons = np.full(len(is_told), np.nan), None
    item_no[is_told] = items.number("item_no")[rows]
    if tells:
        own = ItemColumns({name: column[rows] for name, column in items.values.items()}, len(rows))
        contributions, usual = explain_rows(champion, found.X[rows]), champion.usual(own)
        lists = reason_lists(champion.names, found.table.take(rows), contributions, usual, REASONS)
        reasons = _spread(lists, is_told)
    return _Part(margin=margin, probability=probability, item_no=item_no, expected_amount=amount, reasons=reasons)


def _spread(lists: Any, is_there: npt.NDArray[np.bool_]) -> Any:
    """Put lists where they belong among crossings, null elsewhere."""
    place = np.where(is_there, np.cumsum(is_there) - 1, 0)
    return lists.take(arrow.array(place, mask=~is_there))


class _Ranking:
    """Ranks and lanes, which stand on all scorings before: one chunk after the other."""

    def __init__(self, champions: Mapping[str, Champion], lanes: LaneHistory, plan: ScorePlan) -> None:
        self._streams = {domain: RankStream(begun_with(champion)) for domain, champion in champions.items()}
        self._lanes = lanes
        self._plan = plan

    def scored(self, chunk: _Chunk) -> ScoredChunk:
        """Wait for a chunk and rank it."""
        parts = {domain: future.result() for domain, future in chunk.parts.items()}
        return ScoredChunk(
            crossing=self._plan.crossing[chunk.scorings],
            crossing_id=chunk.crossing_id,
            crossing_points=chunk.crossing_points,
            known_at=chunk.known_at,
            rank={domain: self._rank(domain, part.margin, chunk.scorings) for domain, part in parts.items()},
            probability={domain: part.probability for domain, part in parts.items()},
            expected_amount={domain: part.expected_amount for domain, part in parts.items()},
        )

    def table(self, chunk: _Chunk) -> Any:
        """Wait for a chunk, rank it and lay out what is reported of it."""
        scored = self.scored(chunk)
        reported = self._plan.is_reported[chunk.scorings]
        parts = {domain: future.result() for domain, future in chunk.parts.items()}
        lanes = self._lanes.lanes(scored, chunk.demanded[0].result())
        told = _LANES[strictest_of(lanes, len(reported))[reported]]
        columns: dict[str, Any] = {
            "crossing_id": arrow.array(chunk.header["crossing_id"]),
            "lane": arrow.array(told, type=arrow.string()),
            "revision": _whole(chunk.header["revision"]),
        }
        for domain, part in parts.items():
            columns[f"p_{domain}"] = arrow.array(part.probability[reported], from_pandas=True)
            columns[f"margin_{domain}"] = arrow.array(part.margin[reported], from_pandas=True)
            columns[f"rank_{domain}"] = arrow.array(scored.rank[domain][reported], from_pandas=True)
            columns[f"reasons_{domain}"] = part.reasons
            columns[f"item_no_{domain}"] = _whole(part.item_no)
            columns[f"expected_amount_{domain}"] = arrow.array(part.expected_amount[reported], from_pandas=True)
        schema = score_schema(parts)
        return arrow.table([columns[name] for name in schema.names], schema=schema)

    def _rank(self, domain: str, margin: Floats, scorings: slice) -> Floats:
        scored = np.isfinite(margin)
        ranks = np.full(len(margin), np.nan)
        ranks[scored] = self._streams[domain].ranks(margin[scored], self._plan.enters[scorings][scored])
        return ranks


def _whole(numbers: Array) -> Any:
    return arrow.array(numbers, from_pandas=True).cast(arrow.int64())

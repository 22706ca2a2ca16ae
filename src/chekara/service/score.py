"""Score crossings: parse -> features -> predict -> explain -> decide -> log -> respond, for one micro-batch."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from chekara.data.schema import CROSSING_COLUMNS, FURTHEST_AHEAD
from chekara.domain.crossing import Crossing, Value
from chekara.domain.decision import Decision, DomainScore, ModelIdentity, Notice
from chekara.errors import ChekaraError, NotFoundError, NotReadyError
from chekara.features.profile_live import VoidEvent
from chekara.policy.decide import LaneDecision, decide
from chekara.policy.policy import Policy
from chekara.service.champions import Champion, Champions
from chekara.service.grounds import GatherGrounds
from chekara.service.known import Known, PredictAsKnown
from chekara.service.lodged import LodgedBody, lodged_body
from chekara.service.payload import content_bytes
from chekara.service.ports import EntityTokenizer, LabelCipher, LogTransaction
from chekara.service.predict import Prediction
from chekara.service.profiles import FoldEvents
from chekara.service.ranks import RankWindows
from chekara.service.records import Chain, ClockMode, DecisionRecord, KnownRevision, ScoreRequest, Scoring
from chekara.service.revisions import (
    Fresh,
    Withdrawal,
    decided_elsewhere_of,
    meaning_of,
    never_scored,
)

Outcome: TypeAlias = DecisionRecord | Exception

_ENTITIES = tuple((column.name, column.entity) for column in CROSSING_COLUMNS if column.entity is not None)


@dataclass(frozen=True, slots=True)
class _Lodged:
    """A request at the door: entity ids are tokens, ``known_at`` is the instant of receipt."""

    place: int
    request: ScoreRequest
    chain: Chain
    crossing: Crossing
    content: str
    body: LodgedBody


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A revision to score, and what is known of its entities when it counts from.

    Attributes
    ----------
    lodged : _Lodged
    meaning : Fresh
    crossing : Crossing
        As the fold sees it: known from the instant from which it counts.
    is_late : bool
    """

    lodged: _Lodged
    meaning: Fresh
    crossing: Crossing
    is_late: bool


def domain_score(
    policy: Policy, domain: str, point: str, model: ModelIdentity, found: Prediction, rank: float
) -> DomainScore:
    """Put together what one model says of a crossing and what the policy makes of it.

    Parameters
    ----------
    policy : Policy
    domain, point : str
        Risk domain and crossing point.
    model : ModelIdentity
    found : Prediction
    rank : float
        Share of recent crossings with a lower margin, in [0, 1].
    """
    risk, risk_parts = policy.risk(
        domain, point, rank=rank, probability=found.probability, expected_amount=found.expected_amount
    )
    return DomainScore(
        domain=domain,
        agency=policy.agencies(domain, point).lead,
        probability=found.probability,
        interval=found.interval,
        rank=rank,
        risk=risk,
        item_no=found.item_no,
        model=model,
        base_value=found.base_value,
        margin=found.margin,
        contributions=found.contributions,
        reasons=found.reasons,
        expected_amount=found.expected_amount,
        risk_parts=risk_parts,
    )


class ScoreCrossings:
    """The use case behind ``POST /v1/scores``; run by the writer thread, one group at a time.

    Parameters
    ----------
    champions : Champions
    policy : Policy
    tokens : EntityTokenizer
    cipher : LabelCipher
    ranks : RankWindows
    profiles : FoldEvents
    grounds : GatherGrounds
        Rules, draws and capacity.
    clock : {'live', 'replay'}
        ``replay`` takes receipt times from the body and marks each decision.
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self,
        *,
        champions: Champions,
        policy: Policy,
        tokens: EntityTokenizer,
        cipher: LabelCipher,
        ranks: RankWindows,
        profiles: FoldEvents,
        grounds: GatherGrounds,
        clock: ClockMode = "live",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._champions = champions
        self._policy = policy
        self._tokens = tokens
        self._cipher = cipher
        self._ranks = ranks
        self._profiles = profiles
        self._grounds = grounds
        self._predict = PredictAsKnown(profiles, grounds.laid)
        self._clock = clock
        self._now = now
        self._serving: Mapping[str, Champion] | None = None

    def in_transaction(self, transaction: LogTransaction, requests: Sequence[ScoreRequest]) -> list[Outcome]:
        """Score requests, in order.

        Parameters
        ----------
        transaction : LogTransaction
        requests : sequence of ScoreRequest

        Returns
        -------
        list of DecisionRecord or Exception
            One per request. A request that cannot be scored gets its own error and the others go through.
            Once the transaction is over, `settle` or `forget` has to be called.
        """
        outcomes: dict[int, Outcome] = {}
        lodged = [one for place, request in enumerate(requests) for one in self._at_the_door(place, request, outcomes)]
        for wave in _waves(lodged):
            self._score_wave(transaction, wave, outcomes)
        return [outcomes[place] for place in range(len(requests))]

    def settle(self) -> None:
        """Keep what the transaction taught: it is durable."""
        self._ranks.settle()
        self._grounds.settle()
        self._serving = None

    def forget(self) -> None:
        """Forget what the transaction taught: it was taken back."""
        self._ranks.forget()
        self._grounds.forget()
        self._serving = None

    def _models(self) -> Mapping[str, Champion]:
        """Return the models of this transaction: a promotion in its middle counts from the next one on."""
        if self._serving is None:
            self._serving = {d: c for d, c in self._champions.serving().items() if d in self._policy.domains}
        return self._serving

    def _at_the_door(self, place: int, request: ScoreRequest, outcomes: dict[int, Outcome]) -> Iterator[_Lodged]:
        try:
            crossing = self._tokenised(request.crossing)
            body = lodged_body(crossing)
            content = content_bytes(
                crossing,
                request.labels,
                is_void=request.is_void,
                decided_elsewhere=request.decided_elsewhere,
                lodged=body,
            )
            fingerprint = self._cipher.fingerprint(content)
        except Exception as error:  # noqa: BLE001  # one bad request must not sink its neighbours
            outcomes[place] = error
            return
        as_of = request.received_at if self._clock == "live" else crossing.known_at
        if as_of is not crossing.known_at:
            crossing = _known_from(crossing, as_of)
        yield _Lodged(place, request, Chain.of(request.actor), crossing, fingerprint, body)

    def _tokenised(self, crossing: Crossing) -> Crossing:
        return Crossing(
            crossing.crossing_id,
            crossing.revision,
            crossing.occurred_at,
            crossing.known_at,
            self._with_tokens(crossing.header),
            tuple([self._with_tokens(item) for item in crossing.items]),
        )

    def _with_tokens(self, values: Mapping[str, Value]) -> dict[str, Value]:
        found = dict(values)
        for name, entity in _ENTITIES:
            if name in found:
                token = self._tokens.token(entity, str(found[name]))
                if token:
                    found[name] = token
                else:  # an id of nothing but separators is no id, and counts as not given
                    del found[name]
        return found

    def _score_wave(self, transaction: LogTransaction, wave: Sequence[_Lodged], outcomes: dict[int, Outcome]) -> None:
        """Score requests of different crossings."""
        for chain in Chain:
            own = [one for one in wave if one.chain is chain]
            if own:
                fresh = self._not_stored(transaction, chain, own, outcomes)
                self._score_fresh(transaction, chain, fresh, outcomes)

    def _not_stored(
        self, transaction: LogTransaction, chain: Chain, wave: Sequence[_Lodged], outcomes: dict[int, Outcome]
    ) -> list[_Fresh]:
        """Answer what the log already holds, withdraw what never came; return what is left to score."""
        fresh: list[_Fresh] = []
        known = transaction.known_revisions(chain, [one.crossing.crossing_id for one in wave])
        newest = datetime.min.replace(tzinfo=UTC)
        for one in wave:
            stored = known.get(one.crossing.crossing_id, [])
            try:
                self._refuse_strangers(transaction, one, stored)
                meaning = meaning_of(
                    revision=one.crossing.revision, content=one.content, is_void=one.request.is_void, known=stored
                )
            except ChekaraError as error:
                outcomes[one.place] = error
                continue
            if isinstance(meaning, Fresh):
                as_of, is_late = self._profiles.instant(transaction.profiles, one.crossing.known_at)
                is_late = is_late or as_of < newest
                newest = max(newest, as_of)
                fresh.append(_Fresh(one, meaning, _known_from(one.crossing, newest), is_late))
                continue
            if isinstance(meaning, Withdrawal):
                self._withdraw(transaction, one, meaning)
            outcomes[one.place] = self._stored(transaction, one.chain, meaning.decision_id)
        return fresh

    def _refuse_strangers(self, transaction: LogTransaction, one: _Lodged, stored: Sequence[KnownRevision]) -> None:
        """Refuse a withdrawal or another revision by an agency to which the crossing is none of its business.

        Raises
        ------
        NotFoundError
            As for a crossing that was never scored: nothing tells that it was.
        """
        changes = one.request.is_void or all(own.revision != one.crossing.revision for own in stored)
        if not (stored and changes):
            return
        agency = one.request.actor.agency
        decisions = [own.decision_id for own in stored if not own.is_void]
        for decision_id in reversed(decisions):
            record = transaction.decision(one.chain, decision_id)
            if record is not None and record.may_be_changed_by(agency):
                return
        raise never_scored()

    def _withdraw(self, transaction: LogTransaction, one: _Lodged, withdrawal: Withdrawal) -> None:
        as_of, _ = self._profiles.instant(transaction.profiles, one.crossing.known_at)
        crossing_id, revision = one.crossing.crossing_id, one.crossing.revision
        transaction.append_void(
            one.chain,
            crossing_id=crossing_id,
            decision_id=withdrawal.decision_id,
            revision=revision,
            content=one.content,
            asked_by=one.request.actor.agency,
            as_of=as_of,
        )
        if one.chain is Chain.LIVE:
            position = transaction.position(Chain.LIVE)
            void = VoidEvent(crossing_id=crossing_id, revision=revision, known_at=as_of, position=position)
            self._profiles.fold(transaction.profiles, [void]).keep(
                transaction.profiles, known_to=as_of, position=position
            )
            self._grounds.give_back(crossing_id)

    def _stored(self, transaction: LogTransaction, chain: Chain, decision_id: str) -> Outcome:
        return transaction.decision(chain, decision_id) or NotFoundError(
            "what this decision held was removed when its retention ended", where="crossing_id"
        )

    def _score_fresh(
        self,
        transaction: LogTransaction,
        chain: Chain,
        fresh: Sequence[_Fresh],
        outcomes: dict[int, Outcome],
    ) -> None:
        if not fresh:
            return
        serving = self._models()
        if not serving:
            outcomes.update((one.lodged.place, NotReadyError("no verified model serves")) for one in fresh)
            return
        known = self._predict(transaction, chain, [one.crossing for one in fresh], serving)
        for one, found in zip(fresh, known, strict=True):
            if isinstance(found, Exception):
                outcomes[one.lodged.place] = found
            else:
                outcomes[one.lodged.place] = self._decide(transaction, one, serving, found)

    def _decide(
        self, transaction: LogTransaction, fresh: _Fresh, serving: Mapping[str, Champion], known: Known
    ) -> DecisionRecord:
        one, previous_id = fresh.lodged, fresh.meaning.previous_id
        previous = None if previous_id is None else transaction.decision(one.chain, previous_id)
        reviews = () if previous is None else transaction.reviews(one.chain, previous.decision.decision_id)
        counts_in_rank = one.chain is Chain.LIVE and previous_id is None
        point = str(one.crossing.header.get("crossing_point", ""))
        scores = tuple(
            self._domain_score(domain, point, serving[domain], prediction, enters=counts_in_rank)
            for domain, prediction in known.predictions.items()
            if prediction is not None
        )
        scored_at = self._now() if self._clock == "live" else one.crossing.known_at
        grounds = self._grounds.of(
            fresh.crossing,
            known.features,
            scores,
            scored_at,
            previous=previous,
            reviews=reviews,
            may_draw=one.chain is Chain.LIVE,
            not_applicable=[domain for domain, prediction in known.predictions.items() if prediction is None],
        )
        decided = decide(scores, self._policy, point, scored_at, grounds)
        elsewhere = decided_elsewhere_of(one.request, previous)
        if one.chain is Chain.LIVE and elsewhere is None:
            self._grounds.take_in(fresh.crossing, scores, decided, scored_at, previous=previous)
        domains = {score.domain for score in scores} | {action.domain for action in decided.actions}
        record = DecisionRecord(
            decision=Decision(
                decision_id=str(uuid.uuid4()),
                position=transaction.position(one.chain) + 1,
                crossing_id=one.crossing.crossing_id,
                revision=one.crossing.revision,
                crossing_point=point,
                scored_at=scored_at,
                asked_by=one.request.actor.agency,
                lane=decided.lane,
                selected_by=decided.selected_by if elsewhere is None else elsewhere.selected_by,
                domains=scores,
                actions=decided.actions,
                warnings=self._warnings(fresh, known) + (() if elsewhere is None else (Notice("decided_elsewhere"),)),
                policy_digest=self._policy.digest,
                clock=self._clock,
                decided_elsewhere=elsewhere,
                selections=decided.selections,
                grounds=grounds,
                control_id=_control_id(decided, previous),
            ),
            chain=one.chain,
            crossing=one.crossing,
            labels=one.request.labels,
            informed={domain: self._policy.agencies(domain, point).informed for domain in sorted(domains)},
        )
        scoring = Scoring(
            as_of=fresh.crossing.known_at,
            features=known.features,
            counts_in_rank=counts_in_rank,
            profile_position=known.position,
            lodged=one.body,
        )
        return transaction.append_decision(record, content=one.content, scoring=scoring)

    def _domain_score(
        self, domain: str, point: str, champion: Champion, found: Prediction, *, enters: bool
    ) -> DomainScore:
        rank = self._ranks.rank(champion, found.margin, enters=enters)
        return domain_score(self._policy, domain, point, champion.identity, found, rank)

    def _warnings(self, fresh: _Fresh, known: Known) -> tuple[Notice, ...]:
        predictions = known.predictions
        found = [Notice("no_model", domain=domain) for domain in self._policy.domains if domain not in predictions]
        for domain, prediction in predictions.items():
            if prediction is None:
                found.append(Notice("not_applicable", domain=domain))
            else:
                found += [Notice("unseen_category", name, domain) for name in prediction.unseen_fields]
                found += [Notice("missing_value", name, domain) for name in prediction.missing_fields]
        if known.is_empty:
            found.append(Notice("profiles_empty"))
        if known.lacks_point:
            found.append(Notice("unknown_crossing_point", "crossing_point"))
        if self._clock == "replay":
            found.append(Notice("replayed_clock"))
            if fresh.is_late:
                found.append(Notice("late_event"))
        elif fresh.crossing.known_at - fresh.lodged.crossing.known_at > FURTHEST_AHEAD:
            found.append(Notice("profiles_ahead"))
        if fresh.lodged.chain is Chain.TEST:
            found.append(Notice("test_key"))
        return tuple(found)


def _known_from(crossing: Crossing, at: datetime) -> Crossing:
    """Return a crossing as it counts from an instant; `dataclasses.replace` takes five times as long."""
    return Crossing(crossing.crossing_id, crossing.revision, crossing.occurred_at, at, crossing.header, crossing.items)


def _control_id(decided: LaneDecision, previous: DecisionRecord | None) -> str | None:
    """Return the id of the joint control: a crossing has one, whatever its revisions ask for."""
    if not decided.actions:
        return None
    return (None if previous is None else previous.decision.control_id) or str(uuid.uuid4())


def _waves(lodged: Sequence[_Lodged]) -> Iterator[list[_Lodged]]:
    """Cut a group so that each crossing appears once per wave; requests keep their order throughout."""
    # A withdrawal goes alone, for it is folded at once: among others, those before it would be folded as if later.
    wave: dict[tuple[Chain, str], _Lodged] = {}
    is_void = False
    for one in lodged:
        key = (one.chain, one.crossing.crossing_id)
        if key in wave or is_void or (wave and one.request.is_void):
            yield list(wave.values())
            wave = {}
        is_void = one.request.is_void
        wave[key] = one
    if wave:
        yield list(wave.values())

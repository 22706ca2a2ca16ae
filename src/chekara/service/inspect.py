"""Record what inspections found: results change what is known of traders and carriers, never a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from chekara.data.schema import EARLIEST_CONTROL
from chekara.domain.actor import Actor, Permission, may, sees_domain
from chekara.domain.inspection import Inspection
from chekara.domain.review import Review
from chekara.domain.vocabulary import ReviewAction
from chekara.errors import (
    ChekaraError,
    FieldProblem,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
    SupersededRevisionError,
    UnknownCrossingError,
)
from chekara.features.profile_live import ResultEvent
from chekara.features.profile_records import items_told
from chekara.policy.policy import Agencies, Policy
from chekara.service.chain import canonical_json
from chekara.service.payload import plain_inspection
from chekara.service.ports import LabelCipher, LogTransaction
from chekara.service.profiles import FoldEvents
from chekara.service.records import (
    Chain,
    ClockMode,
    DecisionRecord,
    InspectionRecord,
    InspectionRequest,
    KnownInspection,
)


class RecordInspections:
    """The use case behind ``POST /v1/inspections``; run by the writer thread.

    Parameters
    ----------
    policy : Policy
        Which agency may send results of which domain.
    cipher : LabelCipher
        Fingerprints bodies.
    profiles : FoldEvents
    clock : {'live', 'replay'}
        ``replay`` believes the ``known_at`` of the body.
    """

    def __init__(self, *, policy: Policy, cipher: LabelCipher, profiles: FoldEvents, clock: ClockMode = "live") -> None:
        self._policy = policy
        self._cipher = cipher
        self._profiles = profiles
        self._clock = clock

    def in_transaction(
        self, transaction: LogTransaction, requests: Sequence[InspectionRequest]
    ) -> list[InspectionRecord | Exception]:
        """Record results, in order.

        Parameters
        ----------
        transaction : LogTransaction
        requests : sequence of InspectionRequest

        Returns
        -------
        list of InspectionRecord or Exception
            One per request. A repeated body gets the stored record; a request that cannot be recorded gets its own
            error: ForbiddenError, InvalidRequestError, UnknownCrossingError, RevisionConflictError,
            SupersededRevisionError.
        """
        outcomes: list[InspectionRecord | Exception] = []
        for request in requests:
            try:
                outcomes.append(self._record(transaction, request))
            except ChekaraError as error:
                outcomes.append(error)
        return outcomes

    def _record(self, transaction: LogTransaction, request: InspectionRequest) -> InspectionRecord:
        sent, actor = request.inspection, request.actor
        if not may(actor, Permission.RECORD_INSPECTION):
            raise ForbiddenError("the key's role does not record results", hint="use a key of a role that does")
        chain = Chain.of(actor)
        decision = self._newest_decision(transaction, chain, sent.crossing_id)
        self._refuse_other_agencies(actor, sent.domain, decision)
        content = self._cipher.fingerprint(canonical_json(plain_inspection(sent)))
        stored = transaction.known_inspections(chain, [sent.inspection_id]).get(sent.inspection_id, [])
        if _is_repeated(sent, content, stored):
            return transaction.inspection(chain, sent.inspection_id, sent.revision) or _removed()
        _refuse_other_crossings(transaction, chain, sent)
        receipt = sent.known_at if self._clock == "replay" else request.received_at
        received_at, _ = self._profiles.instant(transaction.profiles, receipt)
        known_at = max(sent.known_at, receipt)
        told = _with_control(decision, replace(sent, known_at=known_at))
        record = InspectionRecord(
            inspection=self._with_channel(transaction, decision, told, actor.agency),
            chain=chain,
            position=0,
            recorded_by=actor.agency,
            received_at=received_at,
        )
        record = transaction.append_inspection(record, content=content)
        if chain is Chain.LIVE:
            event = ResultEvent(inspection=replace(record.inspection, known_at=record.as_of), position=record.position)
            self._fold(transaction, event, received_at)
        return record

    def _fold(self, transaction: LogTransaction, event: ResultEvent, received_at: datetime) -> None:
        if event.inspection.known_at > received_at:
            self._profiles.defer(transaction.profiles, event, received_at=received_at)
        else:
            folded = self._profiles.fold(transaction.profiles, [event])
            folded.keep(transaction.profiles, known_to=received_at, position=event.position)

    def _newest_decision(self, transaction: LogTransaction, chain: Chain, crossing_id: str) -> DecisionRecord | None:
        """Return the newest decision of a crossing; None for one that is part of the loaded history alone."""
        known = transaction.known_revisions(chain, [crossing_id]).get(crossing_id, [])
        decisions = [one.decision_id for one in known if not one.is_void]
        if decisions:
            return transaction.decision(chain, decisions[-1])
        if chain is Chain.LIVE and transaction.profiles.records([crossing_id]):
            return None
        raise UnknownCrossingError(
            "no crossing of this id was scored or loaded", where="crossing_id", hint="score it first"
        )

    def _with_channel(
        self, transaction: LogTransaction, decision: DecisionRecord | None, sent: Inspection, agency: str
    ) -> Inspection:
        """Fill in what sent the crossing there, and how probable that was.

        What the service drew is its own to tell, whatever the sender says; another channel is the sender's word where
        it is given.
        """
        if decision is None:
            if sent.selected_by is not None:
                return sent
            problem = FieldProblem("/selected_by", "required", "Only of a crossing that was scored here is it known.")
            raise InvalidRequestError("1 field is not what the contract asks for", problems=(problem,))
        reviews = transaction.reviews(decision.chain, decision.decision.decision_id)
        channel, propensity = channel_of(decision, reviews, sent.domain, agency)
        if propensity is not None and _has_undone_draw(transaction.results(decision.chain, sent.crossing_id), sent):
            channel, propensity = "officer", None
        elif propensity is not None:
            return replace(sent, selected_by=channel, propensity=propensity)
        is_false_claim = sent.selected_by == "random" and any(
            one.domain == sent.domain for one in decision.decision.grounds.draws
        )
        # A refusal would tell whoever asks in advance which crossings are drawn.
        if sent.selected_by is None or is_false_claim:
            return replace(sent, selected_by=channel, propensity=propensity)
        return sent

    def _refuse_other_agencies(self, actor: Actor, domain: str, decision: DecisionRecord | None) -> None:
        if domain not in self._policy.domains:
            problem = FieldProblem("/domain", "unknown_domain", "The policy has no such risk domain.")
            raise InvalidRequestError("1 field is not what the contract asks for", problems=(problem,))
        places: tuple[Agencies, ...] = self._policy.domain(domain).places
        if decision is not None:
            places = (self._policy.agencies(domain, decision.decision.crossing_point),)
        is_referred = decision is not None and actor.agency in decision.referred.get(domain, ())
        if not is_referred and not any(sees_domain(actor, own.lead, own.informed) for own in places):
            raise ForbiddenError(
                "the key's agency neither leads this domain nor is informed of it",
                where="domain",
                hint="results come from an agency that sees the domain",
            )


def _with_control(decision: DecisionRecord | None, sent: Inspection) -> Inspection:
    """Tie a result to the joint control of its crossing, where the sender names no other."""
    if decision is None or decision.decision.control_id is None or decision.decision.decided_elsewhere is not None:
        return sent
    return replace(sent, details={"control_id": decision.decision.control_id, **sent.details})


def _refuse_other_crossings(transaction: LogTransaction, chain: Chain, sent: Inspection) -> None:
    """Refuse a result that cannot be of this crossing, by the rules of `chekara.data.checks.check_references`."""
    known = transaction.known_revisions(chain, [sent.crossing_id]).get(sent.crossing_id, [])
    stored = (transaction.decision(chain, one.decision_id) for one in known if not one.is_void)
    crossings = [record.crossing for record in stored if record is not None]
    items = {item.get("item_no") for crossing in crossings for item in crossing.items}
    if chain is Chain.LIVE and sent.item_no is not None and sent.item_no not in items:
        items |= items_told(transaction.profiles.records([sent.crossing_id]).get(sent.crossing_id))
    problems = []
    if sent.item_no is not None and items and sent.item_no not in items:
        sentence = "The crossing has no such goods line; leave item_no out to mean the whole crossing."
        problems.append(FieldProblem("/item_no", "no_such_item", sentence))
    if any(sent.inspected_at < crossing.occurred_at - EARLIEST_CONTROL for crossing in crossings):
        sentence = f"The inspection lies more than {EARLIEST_CONTROL.days} days before the crossing."
        problems.append(FieldProblem("/inspected_at", "inspected_long_before", sentence))
    if problems:
        fields = "1 field is" if len(problems) == 1 else f"{len(problems)} fields are"
        raise InvalidRequestError(f"{fields} not what the contract asks for", problems=tuple(problems))


def channel_of(record: DecisionRecord, reviews: Iterable[Review], domain: str, agency: str) -> tuple[str, float | None]:
    """Tell what sent a crossing to a control of a domain, from its decision and what officers did with it.

    Parameters
    ----------
    record : DecisionRecord
        The newest decision of the crossing.
    reviews : iterable of Review
        Of that decision, oldest first; the newest of an agency counts.
    domain : str
    agency : str
        Agency that made the control.

    Returns
    -------
    selected_by : str
        ``random`` where the domain was drawn, whatever else wanted the control and whatever officers did afterwards:
        it was drawn first. Else ``referral`` where another agency handed the crossing to this one; ``officer`` where a
        person of the lead agency chose another lane, or where nobody had asked for a control of the domain; else what
        the domain was selected by (``model``, ``rule`` ...); where it was decided elsewhere, by that.
    propensity : float or None
        Of the draw, for ``random``.
    """
    elsewhere = record.decision.decided_elsewhere
    selected = next((one for one in record.decision.selections if one.domain == domain), None)
    if elsewhere is None and selected is not None and selected.propensity is not None:
        return selected.selected_by, selected.propensity
    if elsewhere is not None and elsewhere.selected_by is not None and elsewhere.propensity is not None:
        return elsewhere.selected_by, elsewhere.propensity
    newest = {review.agency: review for review in reviews}
    for review in newest.values():
        if review.action is ReviewAction.REFER and review.refer_to == agency:
            return "referral", None
    lead = newest.get(record.leads().get(domain, agency))
    if lead is not None and lead.action is ReviewAction.OVERRIDE:
        return "officer", None
    if elsewhere is not None:
        return elsewhere.selected_by or "officer", None
    return "officer" if selected is None else selected.selected_by, None


def _has_undone_draw(stored: Iterable[InspectionRecord], sent: Inspection) -> bool:
    """Whether the draw of a domain came to nothing: whoever makes another control later has chosen to."""
    others = [one.inspection for one in stored if one.inspection.inspection_id != sent.inspection_id]
    return any(one.domain == sent.domain and one.selected_by == "random" and not one.is_done for one in others)


def _is_repeated(sent: Inspection, content: str, stored: Sequence[KnownInspection]) -> bool:
    """Whether this very body is stored; raises where it cannot follow what is stored."""
    if any((one.crossing_id, one.domain) != (sent.crossing_id, sent.domain) for one in stored):
        raise RevisionConflictError(
            "an inspection of this id is stored for another crossing or domain",
            where="inspection_id",
            hint="each control of each domain has an id of its own",
        )
    for one in stored:
        if one.revision == sent.revision:
            if one.content == content:
                return True
            raise RevisionConflictError(
                "this revision of the result is stored with other content",
                where="revision",
                hint="send a changed result with a higher revision",
            )
    if any(one.revision > sent.revision for one in stored):
        raise SupersededRevisionError(
            "a higher revision of this result is stored", where="revision", hint="send it with a higher revision"
        )
    return False


def _removed() -> InspectionRecord:
    raise NotFoundError("what this result held was removed when its retention ended", where="inspection_id")

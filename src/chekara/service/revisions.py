"""What a body means beside what is stored of its crossing: again, a conflict, too late, a withdrawal, or new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chekara.domain.decision import DecidedElsewhere
from chekara.domain.review import Review
from chekara.domain.selection import Floor
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.errors import NotFoundError, RevisionConflictError, SupersededRevisionError
from chekara.service.records import DecisionRecord, KnownRevision, ScoreRequest


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same body again: the stored decision is the answer."""

    decision_id: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A crossing that never came."""

    decision_id: str


@dataclass(frozen=True, slots=True)
class Fresh:
    """A revision to score.

    Attributes
    ----------
    previous_id : str or None
        Decision of the newest revision so far, which this one supersedes.
    """

    previous_id: str | None


Meaning = Repeated | Withdrawal | Fresh


def meaning_of(*, revision: int, content: str, is_void: bool, known: Sequence[KnownRevision]) -> Meaning:
    """Tell what a body means.

    Parameters
    ----------
    revision : int
    content : str
        Fingerprint of the canonicalised body.
    is_void : bool
        Whether it withdraws the crossing.
    known : sequence of KnownRevision
        What is stored of the crossing on the same chain.

    Raises
    ------
    RevisionConflictError
        The revision is stored with other content.
    SupersededRevisionError
        A higher revision is stored, and this one is not.
    NotFoundError
        A withdrawal of a crossing that was never scored.
    """
    if not is_void:
        return _scoring(revision, content, known)
    decisions = [one for one in known if not one.is_void]
    if not decisions:
        raise never_scored()
    voids = [one for one in known if one.is_void and one.revision == revision]
    if voids:
        return _same_or_conflict(voids[0], content)
    _refuse_superseded(revision, known)
    return Withdrawal(decisions[-1].decision_id)


def never_scored() -> NotFoundError:
    """Return the error about a crossing that was not scored, or that is none of the asker's business."""
    return NotFoundError("no such crossing was scored", where="crossing_id", hint="only who scored one can change it")


def _scoring(revision: int, content: str, known: Sequence[KnownRevision]) -> Meaning:
    # A decision comes before a withdrawal of the same revision, so it is what an equal body repeats.
    for one in known:
        if one.revision == revision:
            return _same_or_conflict(one, content)
    _refuse_superseded(revision, known)
    decisions = [one for one in known if not one.is_void]
    return Fresh(decisions[-1].decision_id if decisions else None)


def _same_or_conflict(stored: KnownRevision, content: str) -> Repeated:
    if stored.content != content:
        raise RevisionConflictError(
            "this revision was sent before with other content", where="revision", hint="send it with a higher revision"
        )
    return Repeated(stored.decision_id)


def _refuse_superseded(revision: int, known: Sequence[KnownRevision]) -> None:
    if any(one.revision > revision for one in known):
        raise SupersededRevisionError(
            "a higher revision of this crossing is stored", where="revision", hint="send it with a higher revision"
        )


def decided_elsewhere_of(request: ScoreRequest, previous: DecisionRecord | None) -> DecidedElsewhere | None:
    """Return what was decided elsewhere of a crossing; a correction that does not say it again takes nothing back.

    A draw that is told of a crossing only after this service had answered for it counts as an officer's choice: whoever
    knows the score could choose what enters the sample.

    Parameters
    ----------
    request : ScoreRequest
    previous : DecisionRecord or None
        Of the newest revision so far.
    """
    told = request.decided_elsewhere
    if previous is None:
        return told
    before = previous.decision.decided_elsewhere
    if told is None:
        return before
    was_drawn = before is not None and before.propensity is not None
    return told if was_drawn or told.propensity is None else replace(told, basis="officer", propensity=None)


def floors_from(previous: DecisionRecord, reviews: Sequence[Review]) -> dict[str, Floor]:
    """Return the lanes that the next revision may not fall below.

    They are what the previous revision asked for. Only a person lowers one: the newest review of an agency, where it
    is an override, caps the domains that this agency leads; one that is stricter than all of them raises the riskiest.

    Parameters
    ----------
    previous : DecisionRecord
    reviews : sequence of Review
        Of the previous decision, oldest first.

    Returns
    -------
    dict of str to Floor
        By domain.
    """
    floors = {one.domain: Floor(one.lane, one.selected_by) for one in previous.decision.selections}
    newest = {review.agency: review for review in reviews}
    for agency, review in newest.items():
        if review.action is ReviewAction.OVERRIDE and review.lane is not None:
            led = [domain for domain, lead in previous.leads().items() if lead == agency]
            floors |= _overridden(led, review.lane, floors, _risks(previous))
    return floors


def _overridden(
    led: Sequence[str], lane: Lane, floors: Mapping[str, Floor], risks: Mapping[str, float]
) -> dict[str, Floor]:
    stricter = [domain for domain in led if domain in floors and floors[domain].lane.strictness >= lane.strictness]
    if stricter:
        return {domain: Floor(lane, "officer") for domain in stricter}
    riskiest = max(led, key=lambda domain: (risks.get(domain, 0.0), domain), default=None)
    return {} if riskiest is None else {riskiest: Floor(lane, "officer")}


def _risks(record: DecisionRecord) -> dict[str, float]:
    return {score.domain: score.risk for score in record.decision.domains}

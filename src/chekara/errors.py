"""Every error that Chekara raises on purpose, as one tree.

::

    ChekaraError
    ├── ConfigurationError            a setting, a policy, a mapping or a model spec is wrong
    ├── HistoryError                  history files cannot be used
    │   ├── DeniedColumnError         a column describes people, which no model may see
    │   └── MissingColumnError        a required column is absent
    ├── TrainingError                 a model cannot be made from this history
    │   └── NotEnoughHitsError        too few hits in the domain: skipped, with the reason
    ├── BundleRefusedError            a model bundle is not what it says
    │   ├── BundleSignatureError      signed by nobody we trust, or not signed
    │   ├── BundleDigestError         a file was changed, cut or is missing
    │   ├── BundleColumnsError        made for other features than this code computes
    │   └── BundleGoldenError         its golden vectors come out differently here
    ├── AuditError                    the decision log does not verify
    ├── RequestError                  the asker can mend it (HTTP 4xx)
    │   ├── MalformedBodyError        not JSON at all, or nested too deep
    │   ├── InvalidRequestError       JSON, but not what the contract asks for
    │   │   ├── TooManyItemsError     more goods lines than the limit
    │   │   └── TextTooLongError      a string is longer than the limit
    │   ├── UnauthenticatedError      no key, or one that is not known
    │   ├── ForbiddenError            a known key without the right
    │   ├── NotFoundError             no such thing, or none that this agency may see
    │   ├── NoSuchBundleError         the bundle to promote does not lie here
    │   ├── UnknownCrossingError      a result of a crossing that was never scored or loaded
    │   ├── MethodNotAllowedError     the path is there, but not with this method
    │   ├── UnsupportedMediaTypeError the body is not sent as JSON
    │   ├── RevisionConflictError     same crossing and revision, other content
    │   ├── SupersededRevisionError   a newer revision of this crossing was scored
    │   ├── ReferralStateError        it was answered already, or not yet accepted
    │   ├── NothingBeforeError        no other model served before
    │   ├── BodyTooLargeError         more bytes or items than the limit
    │   └── TooManyRequestsError      slow down and try again
    └── UnavailableError              we could not answer; safe to try again (HTTP 503)
        ├── NotReadyError             no verified model serves yet
        ├── LogUnavailableError       the decision could not be made durable
        └── DeadlineExceededError     no answer within the time promised

Each class carries a stable ``code`` (the last part of the problem type in the HTTP API, described in
``docs/errors.md``), a ``title``, and the HTTP ``status`` that fits it. Nothing here knows a web framework.
An error says what is wrong, where, and what to do; it never repeats the value that was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field that was refused.

    Attributes
    ----------
    where : str
        JSON pointer of the field (``/items/2/hs_code``), or the column of a file.
    code : str
        Short stable reason such as ``unknown_field`` or ``not_a_number``.
    message : str
        A sentence for a person. It never holds the refused value.
    """

    where: str
    code: str
    message: str


class ChekaraError(Exception):
    """Root of all errors raised on purpose.

    Parameters
    ----------
    detail : str
        What is wrong, in one sentence.
    where : str, optional
        File, column, field or setting that is meant.
    hint : str, optional
        What to do about it.

    Examples
    --------
    >>> str(ConfigurationError("no such policy", where="CHEKARA_POLICY", hint="give the path of a TOML file"))
    'no such policy (CHEKARA_POLICY): give the path of a TOML file'
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    retry_after_seconds: float | None = None
    """In how many seconds it is worth another try, where that is known."""

    def __init__(self, detail: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = self.detail if self.where is None else f"{self.detail} ({self.where})"
        return text if self.hint is None else f"{text}: {self.hint}"


class ConfigurationError(ChekaraError):
    """A setting, a policy, a mapping or a model spec is wrong."""

    code = "configuration"
    title = "Configuration is wrong"


class HistoryError(ChekaraError):
    """History files cannot be used."""

    code = "history"
    title = "History cannot be used"


class DeniedColumnError(HistoryError):
    """A column describes people (nationality, religion, birth date ...): it must not reach a model."""

    code = "denied_column"
    title = "A column describes people and is refused"


class MissingColumnError(HistoryError):
    """A required column is absent."""

    code = "missing_column"
    title = "A required column is missing"


class TrainingError(ChekaraError):
    """A model cannot be made from this history."""

    code = "training"
    title = "Training failed"


class NotEnoughHitsError(TrainingError):
    """Too few hits in a domain to learn from; the domain is skipped with this reason."""

    code = "not_enough_hits"
    title = "Not enough hits to learn from"


class BundleRefusedError(ChekaraError):
    """A model bundle is not what it says it is."""

    code = "bundle_refused"
    title = "Model bundle refused"
    status = 409


class BundleSignatureError(BundleRefusedError):
    """The bundle is unsigned, or signed with a key that is not trusted here."""

    code = "bundle_signature"
    title = "Model bundle is not signed by a trusted key"


class BundleDigestError(BundleRefusedError):
    """A file of the bundle was changed, cut short, added or lost since it was signed."""

    code = "bundle_digest"
    title = "Model bundle was altered"


class BundleColumnsError(BundleRefusedError):
    """The bundle was made for other features than this code computes."""

    code = "bundle_columns"
    title = "Model bundle wants other features"


class BundleGoldenError(BundleRefusedError):
    """The bundle's golden vectors come out differently on this machine."""

    code = "bundle_golden"
    title = "Model bundle scores its golden vectors differently"


class AuditError(ChekaraError):
    """The decision log does not verify."""

    code = "audit"
    title = "Decision log does not verify"


class RequestError(ChekaraError):
    """The asker can mend the request."""

    code = "bad_request"
    title = "Request cannot be served"
    status = 400


class MalformedBodyError(RequestError):
    """The body is not JSON at all, or is nested too deep."""

    code = "malformed_body"
    title = "Body is not valid JSON"
    status = 400


class InvalidRequestError(RequestError):
    """The body is JSON, but not what the contract asks for.

    Parameters
    ----------
    detail : str
        One sentence.
    problems : tuple of FieldProblem
        Every refused field with its reason.
    """

    code = "invalid_request"
    title = "Request does not meet the contract"
    status = 422

    def __init__(
        self,
        detail: str,
        *,
        problems: tuple[FieldProblem, ...] = (),
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(detail, where=where, hint=hint)
        self.problems = problems


class TooManyItemsError(InvalidRequestError):
    """A crossing has more goods lines than the limit."""

    code = "too_many_items"
    title = "Too many items"


class TextTooLongError(InvalidRequestError):
    """One or more strings are longer than the limit."""

    code = "text_too_long"
    title = "A string is over the limit"


class UnauthenticatedError(RequestError):
    """No key was sent, or one that is not known, revoked or past its grace."""

    code = "unauthenticated"
    title = "A valid key is needed"
    status = 401


class ForbiddenError(RequestError):
    """The key is known, but its role or agency has no right to this."""

    code = "forbidden"
    title = "This key has no right to do that"
    status = 403


class NotFoundError(RequestError):
    """There is no such thing, or none that the asker's agency may see."""

    code = "not_found"
    title = "Not found"
    status = 404


class UnknownCrossingError(RequestError):
    """A result came for a crossing that was neither scored here nor is part of the loaded history."""

    code = "unknown_crossing"
    title = "The crossing of this result is not known"
    status = 404


class MethodNotAllowedError(RequestError):
    """The path is there, but does not take this method."""

    code = "method_not_allowed"
    title = "Method not allowed"
    status = 405


class UnsupportedMediaTypeError(RequestError):
    """The body is not declared to be what the route reads (JSON)."""

    code = "unsupported_media_type"
    title = "Content type is not supported"
    status = 415


class RevisionConflictError(RequestError):
    """The same crossing and revision, or the same result and revision, came before with other content."""

    code = "revision_conflict"
    title = "This revision was sent before with other content"
    status = 409


class SupersededRevisionError(RequestError):
    """A newer revision of this crossing was scored, or of this result recorded; act on that one."""

    code = "superseded_revision"
    title = "A newer revision of this crossing or result is stored"
    status = 409


class ReferralStateError(RequestError):
    """A referral does not stand where this answer fits: somebody answered before, or it is not accepted yet."""

    code = "referral_state"
    title = "The referral does not stand there any more"
    status = 409


class NoSuchBundleError(RequestError):
    """The bundle to promote does not lie on the scorer's machine."""

    code = "no_such_bundle"
    title = "No such bundle lies here"
    status = 404


class NothingBeforeError(RequestError):
    """A rollback was asked for where no other model served before."""

    code = "nothing_before"
    title = "There is no model to go back to"
    status = 409


class BodyTooLargeError(RequestError):
    """The body, or its number of items, is over the limit."""

    code = "body_too_large"
    title = "Body is over the limit"
    status = 413


class TooManyRequestsError(RequestError):
    """More requests than the service may queue; try again after the time told."""

    code = "too_many_requests"
    title = "Too many requests"
    status = 429


class UnavailableError(ChekaraError):
    """The service could not answer. It is safe to try again."""

    code = "unavailable"
    title = "Not available right now"
    status = 503


class NotReadyError(UnavailableError):
    """No verified model serves yet, or nothing can be logged."""

    code = "not_ready"
    title = "Not ready to score"


class LogUnavailableError(UnavailableError):
    """The decision could not be written durably, so there is no score."""

    code = "log_unavailable"
    title = "The decision log cannot be written"


class DeadlineExceededError(UnavailableError):
    """No answer within the time promised."""

    code = "deadline_exceeded"
    title = "No answer in time"

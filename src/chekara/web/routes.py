"""The pages' routes: the same use cases as the API, answered in HTML."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from chekara import messages
from chekara.adapters.joint_action import JointAction
from chekara.api.body import read_body
from chekara.api.fields import may_be_id
from chekara.domain.actor import Actor, Permission, may, sees_domain
from chekara.domain.review import Review
from chekara.errors import ChekaraError, ForbiddenError, InvalidRequestError, NotFoundError, UnauthenticatedError
from chekara.policy import Policy
from chekara.service.agency_mode import SetAgencyMode
from chekara.service.records import Chain, DecisionFilter, DecisionPage, DecisionRecord, InspectionRecord
from chekara.service.referral import no_such_referral
from chekara.service.review import ReviewRequest
from chekara.settings import Settings
from chekara.web.case import build_case, may_review
from chekara.web.guard import PAGE_HEADERS, is_same_origin, own_path
from chekara.web.pages import CasePage, ErrorPage, Frame, SignInPage
from chekara.web.queue import QueueFilter, build_queue, case_link
from chekara.web.review_form import FormLimits, build_form, parse_review
from chekara.web.sessions import Session, Sessions, load_session_secret
from chekara.web.together import SinceThen, build_agencies, parse_answer
from chekara.web.visits import KeyHolders, Visit, open_visit, sees_agencies

FORM: Final = "application/x-www-form-urlencoded"
FORM_BYTES: Final = 64 * 1024
_STATIC_SECONDS: Final = 60 * 60
_ERROR_TEXTS: Final[Mapping[int, str]] = {403: "forbidden", 404: "not_found", 503: "unavailable"}


class Reading(Protocol):
    """What pages need of ``chekara.service.read.ReadDecisions``."""

    def decision(self, actor: Actor, decision_id: str) -> DecisionRecord:
        """Return one decision that the actor may see."""
        ...

    def decisions(self, actor: Actor, wanted: DecisionFilter, cursor: str | None = None) -> DecisionPage:
        """Return a page of the decisions that the actor may see."""
        ...

    def reviews(self, actor: Actor, decision_id: str) -> tuple[Review, ...]:
        """Return the reviews of a decision, oldest first."""
        ...

    def results(self, actor: Actor, record: DecisionRecord) -> tuple[InspectionRecord, ...]:
        """Return the results of a decision's crossing that the actor may see."""
        ...


class Workbench(Protocol):
    """What pages need of ``chekara.adapters.assembly.House``."""

    @property
    def accounts(self) -> KeyHolders:
        """Who holds which key."""
        ...

    @property
    def read(self) -> Reading:
        """Decisions and reviews."""
        ...

    @property
    def review(self) -> Callable[[Actor, ReviewRequest], Review]:
        """The use case that records a review."""
        ...

    @property
    def joint(self) -> JointAction:
        """Referrals, delays, and how deadlines are kept."""
        ...

    @property
    def policy(self) -> Policy:
        """Domains and agencies."""
        ...

    @property
    def set_mode(self) -> SetAgencyMode:
        """Which agencies have stopped the models."""
        ...


def mount_pages(app: FastAPI, house: Workbench, settings: Settings) -> None:
    """Add the pages to the application, after every route of the API: the last one answers unknown paths.

    Parameters
    ----------
    app : FastAPI
    house : Workbench
        Use cases; the caller opens and closes it.
    settings : Settings

    Raises
    ------
    ConfigurationError
        The secret of sessions can neither be read nor made.
    """
    pages = _Pages(house, Sessions(load_session_secret(settings)), settings.limits.text_characters)
    router = APIRouter(route_class=_page_route(pages), include_in_schema=False)
    router.add_api_route("/", pages.home, methods=["GET"])
    router.add_api_route("/sign-in", pages.show_sign_in, methods=["GET"])
    router.add_api_route("/sign-in", pages.sign_in, methods=["POST"])
    router.add_api_route("/sign-out", pages.sign_out, methods=["POST"])
    router.add_api_route("/language/{code}", pages.choose_language, methods=["GET"])
    router.add_api_route("/queue", pages.queue, methods=["GET"])
    router.add_api_route("/cases/{decision_id}", pages.case, methods=["GET"])
    router.add_api_route("/cases/{decision_id}/review", pages.review, methods=["POST"])
    router.add_api_route("/cases/{decision_id}/referrals/{referral_id}", pages.answer, methods=["POST"])
    router.add_api_route("/agencies", pages.agencies, methods=["GET"])
    app.include_router(router)
    app.mount("/static", _PageFiles(directory=str(files("chekara.web") / "static")))
    app.add_api_route("/{path:outside_api}", pages.unknown, methods=["GET"], include_in_schema=False)


class _OutsideApi(PathConvertor):
    """Any path but the API's: unknown paths there, and wrong methods, stay the API's to answer."""

    regex = "(?!v1(?:/|$)).*"


register_url_convertor("outside_api", _OutsideApi())


class _PageFiles(StaticFiles):
    """Styles and fonts, cached for an hour."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update({**PAGE_HEADERS, "Cache-Control": f"public, max-age={_STATIC_SECONDS}"})
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        # The folder of vendored files also holds their sources and notes; browsers need none of them.
        if not path.endswith((".css", ".woff2", ".svg")):
            raise NotFoundError("no such file")
        return await super().get_response(path, scope)


def _page_route(pages: _Pages) -> type[APIRoute]:
    """Make the route class whose errors are pages, and where nobody signed in is sent to the way in."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_page(request: Request) -> Response:
                try:
                    return await handle(request)
                except ChekaraError as error:
                    return await pages.failed(request, error)

            return handle_page

    return PageRoute


@dataclass(frozen=True, slots=True)
class _Case:
    """A decision, what was done with it, and what happened since."""

    record: DecisionRecord
    reviews: tuple[Review, ...]
    since: SinceThen


@dataclass(frozen=True, slots=True)
class _Pages:
    """The handlers. Each opens a visit, checks the right, asks a use case and builds a page."""

    house: Workbench
    sessions: Sessions
    reason_characters: int

    async def home(self, request: Request) -> Response:
        visit = await self._visit(request)
        return visit.go_to("/sign-in" if visit.actor is None else "/queue")

    async def show_sign_in(self, request: Request) -> Response:
        visit = await self._visit(request)
        next_path = own_path(request.query_params.get("next"))
        if visit.actor is not None:
            return visit.go_to(next_path)
        return visit.answer(SignInPage(visit.frame(), None, next_path))

    async def sign_in(self, request: Request) -> Response:
        visit, form = await self._own_form(request)
        next_path, key = own_path(form.get("next")), form.get("key", "").strip()
        actor = await run_in_threadpool(self._holder, key)
        if actor is None:
            problem = "page.signin.refused" if key else "page.signin.empty"
            page = SignInPage(visit.frame("/sign-in"), messages.text(problem, visit.language), next_path)
            return visit.answer(page, 401)
        return visit.go_to(next_path, Session.fresh(actor.key_id))

    async def sign_out(self, request: Request) -> Response:
        visit, _ = await self._own_form(request)
        if visit.actor is not None:
            session = visit.session
            await run_in_threadpool(self.house.accounts.end_session, session.nonce, session.ends_at)
        return visit.leave("/sign-in")

    async def choose_language(self, request: Request, code: str) -> Response:
        visit = await self._visit(request)
        if code not in messages.languages():
            raise NotFoundError("no such language")
        return visit.remember_language(code, own_path(request.query_params.get("next")))

    async def queue(self, request: Request) -> Response:
        visit = await self._visit(request)
        actor = visit.require(Permission.READ_DECISION)
        asked = {name: value for name, value in request.query_params.items() if _is_plain(value)}
        chosen = QueueFilter(*(asked.get(name, "") for name in ("lane", "domain", "crossing_point", "cursor")))
        found = await run_in_threadpool(self.house.read.decisions, actor, chosen.wanted(), chosen.cursor or None)
        domains = self._domains_of(actor)
        return visit.answer(build_queue(found, actor, chosen, domains, frame=self._frame(visit), now=datetime.now(UTC)))

    def _frame(self, visit: Visit, path: str | None = None) -> Frame:
        """Return what surrounds a page that tells amounts and what is asked for."""
        is_stopped = visit.actor is not None and self.house.set_mode.stopped.get(visit.actor.agency, False)
        policy = self.house.policy
        return replace(
            visit.frame(path),
            currency=policy.currency,
            blind_first=policy.lot.blind_first,
            is_without_models=is_stopped,
        )

    async def case(self, request: Request, decision_id: str) -> Response:
        visit = await self._visit(request)
        actor = visit.require(Permission.READ_DECISION)
        found = await run_in_threadpool(self._case_of, actor, decision_id)
        just_reviewed = "reviewed" in request.query_params and any(r.agency == actor.agency for r in found.reviews)
        page = self._case_page(visit, actor, found, frame=self._frame(visit), just_reviewed=just_reviewed)
        return visit.answer(page)

    def _case_page(
        self, visit: Visit, actor: Actor, found: _Case, *, frame: Frame, just_reviewed: bool = False
    ) -> CasePage:
        form = build_form(self._referrals(actor), visit.language) if may_review(found.record, actor) else None
        return build_case(
            found.record, found.reviews, actor, form, frame=frame, since=found.since, just_reviewed=just_reviewed
        )

    async def review(self, request: Request, decision_id: str) -> Response:
        visit, sent = await self._own_form(request)
        actor = visit.require(Permission.REVIEW)
        found = await run_in_threadpool(self._case_of, actor, decision_id)
        limits = FormLimits(self._referrals(actor), self.reason_characters, datetime.now(UTC))
        wanted, form = parse_review(found.record.decision.decision_id, sent, limits, visit.language)
        if wanted is None:
            frame = self._frame(visit, case_link(decision_id))
            page = build_case(found.record, found.reviews, actor, form, frame=frame, since=found.since)
            return visit.answer(page, InvalidRequestError.status)
        await run_in_threadpool(self.house.review, actor, wanted)
        return visit.go_to(f"{case_link(decision_id)}?reviewed=1")

    async def answer(self, request: Request, decision_id: str, referral_id: str) -> Response:
        visit, sent = await self._own_form(request)
        actor = visit.require(Permission.REVIEW)
        if not may_be_id(referral_id):
            raise no_such_referral()
        wanted, problem = parse_answer(referral_id, sent, self.reason_characters, visit.language)
        if wanted is not None:
            await run_in_threadpool(self.house.joint.answer, actor, wanted)
            return visit.go_to(f"{case_link(decision_id)}#referrals")
        found = await run_in_threadpool(self._case_of, actor, decision_id)
        told = replace(found, since=replace(found.since, problem=(referral_id, problem)))
        page = self._case_page(visit, actor, told, frame=self._frame(visit, case_link(decision_id)))
        return visit.answer(page, InvalidRequestError.status)

    async def agencies(self, request: Request) -> Response:
        visit = await self._visit(request)
        actor = visit.require(Permission.READ_REFERRALS)
        if not sees_agencies(actor):
            raise ForbiddenError("only supervisors see how agencies keep their deadlines")
        shares = await run_in_threadpool(self.house.joint.overdue, Chain.of(actor))
        return visit.answer(build_agencies(shares, frame=visit.frame()))

    async def unknown(self, request: Request, path: str) -> Response:
        error = NotFoundError("there is nothing under this path")
        if "text/html" not in request.headers.get("accept", ""):
            raise error
        return await self.failed(request, error)

    async def failed(self, request: Request, error: ChekaraError) -> Response:
        visit = await self._visit(request)
        is_reading = request.method == "GET"
        if isinstance(error, UnauthenticatedError):
            return visit.go_to(f"/sign-in?{urlencode({'next': visit.path if is_reading else '/queue'})}")
        title = messages.text(f"error.{error.code}", visit.language)
        message = messages.text(f"page.error.{_ERROR_TEXTS.get(error.status, 'other')}", visit.language)
        frame = visit.frame(visit.path if is_reading else "/queue")
        return visit.answer(ErrorPage(frame, error.status, title, message), error.status)

    async def _visit(self, request: Request) -> Visit:
        return await run_in_threadpool(open_visit, request, self.sessions, self.house.accounts)

    async def _own_form(self, request: Request) -> tuple[Visit, dict[str, str]]:
        """Read a form that one of our own pages sent; ForbiddenError for any other."""
        if not is_same_origin(request):
            raise ForbiddenError("the form was sent from another site")
        visit = await self._visit(request)
        body = await read_body(request, FORM_BYTES, (FORM,))
        form = _fields_of(body)
        if not self.sessions.is_own_form(visit.session, form.get("csrf_token", "")):
            # A session that ended meanwhile is no forgery: its owner signs in again.
            raise UnauthenticatedError("the session ended") if visit.actor is None else ForbiddenError("forged form")
        return visit, form

    def _holder(self, key: str) -> Actor | None:
        try:
            actor = self.house.accounts.actor_for_key(key)
        except UnauthenticatedError:
            return None
        return actor if may(actor, Permission.SIGN_IN) else None

    def _case_of(self, actor: Actor, decision_id: str) -> _Case:
        if not _is_plain(decision_id):
            raise NotFoundError("no such decision")
        read, joint = self.house.read, self.house.joint
        record = read.decision(actor, decision_id)
        reviews = read.reviews(actor, decision_id)
        since = SinceThen(
            now=joint.referrals.now,
            referrals=joint.referrals.of_decision(actor, record),
            delay=joint.delays(record),
            results=read.results(actor, record),
        )
        return _Case(record, reviews, since)

    def _domains_of(self, actor: Actor) -> tuple[str, ...]:
        """Return the domains that the reader's agency sees at some place."""
        return tuple(
            name
            for name, domain in self.house.policy.domains.items()
            if any(
                sees_domain(actor, agencies.lead, agencies.informed)
                for agencies in (domain.agencies, *(exception.agencies for exception in domain.exceptions))
            )
        )

    def _referrals(self, actor: Actor) -> tuple[str, ...]:
        return tuple(sorted(self.house.policy.known_agencies - {actor.agency}))


def _fields_of(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except ValueError:
        raise InvalidRequestError("the form is not one of ours") from None


def _is_plain(value: str) -> bool:
    """Whether a value from the address can be one of ours; nothing longer or unprintable is looked up."""
    return value.isprintable() and len(value) <= 256

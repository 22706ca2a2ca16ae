"""One browser request: who asks, in which language, with which session; and the answer with its cookies and headers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from chekara import messages
from chekara.domain.actor import Actor, Permission, may
from chekara.domain.vocabulary import Role
from chekara.errors import ForbiddenError, UnauthenticatedError
from chekara.web.guard import PAGE_HEADERS, is_loopback_http
from chekara.web.pages import Frame, SignInPage
from chekara.web.render import Page, render
from chekara.web.sessions import LONGEST_SECONDS, Session, Sessions
from chekara.web.words import named

LANGUAGE_COOKIE: Final = "chekara_language"
LANGUAGE_SECONDS: Final = 365 * 24 * 60 * 60


class KeyHolders(Protocol):
    """What pages need of ``chekara.adapters.accounts.Accounts``."""

    def actor_for_key(self, key: str) -> Actor:
        """Return who holds a key; UnauthenticatedError where nobody does."""
        ...

    def actor_of(self, key_id: str) -> Actor:
        """Return who holds the key of this id; UnauthenticatedError where it was revoked."""
        ...

    def end_session(self, session: str, until: datetime) -> None:
        """End a session for good; it ends by itself at ``until``."""
        ...

    def is_session_ended(self, session: str) -> bool:
        """Whether a session was signed out."""
        ...


def sees_agencies(actor: Actor) -> bool:
    """Whether the reader is shown how agencies keep their deadlines."""
    return actor.role is Role.SUPERVISOR


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser.

    Attributes
    ----------
    request : Request
    sessions : Sessions
    session : Session
        A fresh one where the browser brought none that holds.
    actor : Actor or None
        Who is signed in, as the accounts know it now.
    language : str
        The one chosen on the pages, else the browser's.
    """

    request: Request
    sessions: Sessions
    session: Session
    actor: Actor | None
    language: str

    @property
    def path(self) -> str:
        """Path and query of the request."""
        query = self.request.url.query
        return f"{self.request.url.path}?{query}" if query else self.request.url.path

    def require(self, permission: Permission) -> Actor:
        """Return who is signed in.

        Raises
        ------
        UnauthenticatedError
            Nobody is.
        ForbiddenError
            Somebody without the right.
        """
        if self.actor is None:
            raise UnauthenticatedError("nobody is signed in", hint="sign in with a personal key")
        if not may(self.actor, permission):
            raise ForbiddenError("this role has no right to do that")
        return self.actor

    def frame(self, path: str | None = None) -> Frame:
        """Return what surrounds the page; ``path`` is where a change of language goes on, default this request."""
        actor, language = self.actor, self.language
        token = self.sessions.form_token(self.session)
        path = self.path if path is None else path
        if actor is None:
            return Frame(language, path, token)
        agency, role = named("agency", actor.agency, language), named("role", actor.role, language)
        return Frame(
            language,
            path,
            token,
            actor.holder,
            agency,
            role,
            actor.is_test,
            may_see_agencies=sees_agencies(actor),
        )

    def answer(self, page: Page, status: int = 200) -> Response:
        """Render a page, with the session's idle time started anew."""
        headers = {**PAGE_HEADERS, "Content-Language": self.language, "Vary": "Accept-Language, Cookie"}
        response = HTMLResponse(render(page), status, headers)
        if self.actor is not None or isinstance(page, SignInPage):
            self._keep(response, self.session)
        return response

    def go_to(self, path: str, session: Session | None = None) -> Response:
        """Send the browser on, with another session where one is given."""
        response = RedirectResponse(path, 303, PAGE_HEADERS)
        if session is not None:
            self._keep(response, session)
        return response

    def leave(self, path: str) -> Response:
        """Send the browser on without its session."""
        response = self.go_to(path)
        name = cookie_name(self.request, is_signed_in=True)
        response.delete_cookie(name, secure=self._is_secure, httponly=True, samesite="strict")
        return response

    def remember_language(self, language: str, path: str) -> Response:
        """Send the browser on, with the language chosen."""
        response = self.go_to(path)
        response.set_cookie(
            LANGUAGE_COOKIE, language, LANGUAGE_SECONDS, secure=self._is_secure, httponly=True, samesite="strict"
        )
        return response

    def _keep(self, response: Response, session: Session) -> None:
        response.set_cookie(
            cookie_name(self.request, is_signed_in=session.key_id is not None),
            self.sessions.write(session),
            LONGEST_SECONDS,
            secure=self._is_secure,
            httponly=True,
            samesite="strict",
        )

    @property
    def _is_secure(self) -> bool:
        return not is_loopback_http(self.request)


def cookie_name(request: Request, *, is_signed_in: bool) -> str:
    """Return the session cookie's name; ``__Host-`` ties it to this host over TLS (RFC 6265bis, section 4.1.3.2).

    The form to sign in has a session of its own: a browser that follows a link from another site brings no strict
    cookie, is shown that form, and must not lose the session that it has.
    """
    name = "chekara_session" if is_signed_in else "chekara_entry"
    return name if is_loopback_http(request) else f"__Host-{name}"


def open_visit(request: Request, sessions: Sessions, accounts: KeyHolders) -> Visit:
    """Find out who asks, in which language. May wait for the database.

    Parameters
    ----------
    request : Request
    sessions : Sessions
    accounts : KeyHolders
    """
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    language = chosen if chosen in messages.languages() else messages.negotiate(request.headers.get("accept-language"))
    session = sessions.read(request.cookies.get(cookie_name(request, is_signed_in=True)))
    actor = None if session is None else _holder(session, accounts)
    request.state.actor = actor
    if session is None or actor is None:
        session = sessions.read(request.cookies.get(cookie_name(request, is_signed_in=False))) or Session.fresh()
    return Visit(request, sessions, session, actor, language)


def _holder(session: Session, accounts: KeyHolders) -> Actor | None:
    """Return who is signed in; None after signing out, or where the key was revoked or may not sign in any longer."""
    if session.key_id is None or accounts.is_session_ended(session.nonce):
        return None
    try:
        actor = accounts.actor_of(session.key_id)
    except UnauthenticatedError:
        return None
    return actor if may(actor, Permission.SIGN_IN) else None

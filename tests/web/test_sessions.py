"""Sessions end by themselves, cannot be forged, and hold no key."""

from __future__ import annotations

import base64
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from chekara.errors import ConfigurationError
from chekara.settings import Settings
from chekara.web.guard import is_loopback_http, is_same_origin, own_path
from chekara.web.sessions import IDLE_SECONDS, LONGEST_SECONDS, Session, Sessions, load_session_secret

SECRET = bytes(range(32))


def request(url: str = "http://127.0.0.1:8000/queue", **headers: str) -> Request:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    sent = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    name, _, port = host.partition(":")
    return Request(
        {
            "type": "http",
            "method": "POST",
            "scheme": scheme,
            "path": f"/{path}",
            "query_string": b"",
            "server": (name, int(port or 443)),
            "headers": [(key.encode(), value.encode()) for key, value in sent.items()],
        }
    )


def settings(home: Path) -> Settings:
    return Settings.from_environment({"CHEKARA_HOME": str(home)})


def test_session_reads_back_and_a_changed_one_does_not() -> None:
    sessions = Sessions(SECRET)
    cookie = sessions.write(Session.fresh("key-1"))
    assert sessions.read(cookie) is not None
    for place in range(0, len(cookie), 5):
        other = "A" if cookie[place] != "A" else "B"
        forged = sessions.read(cookie[:place] + other + cookie[place + 1 :])
        # The last letter of base64 holds unused bits: the same session, never another one.
        assert forged is None or forged == sessions.read(cookie)
    assert Sessions(bytes(32)).read(cookie) is None


@given(st.text(max_size=100))
def test_no_cookie_fails(cookie: str) -> None:
    assert Sessions(SECRET).read(cookie) is None
    assert Sessions(SECRET).read(None) is None


@pytest.mark.parametrize(("idle", "age", "holds"), [(1.0, 1.0, True), (1.01, 1.0, False), (0.1, 1.01, False)])
def test_session_ends(monkeypatch: pytest.MonkeyPatch, idle: float, age: float, holds: bool) -> None:
    sessions, now = Sessions(SECRET), int(time.time())
    monkeypatch.setattr(time, "time", lambda: now - IDLE_SECONDS * idle)
    cookie = sessions.write(Session("nonce", int(now - LONGEST_SECONDS * age), "key-1"))
    monkeypatch.setattr(time, "time", lambda: now)
    assert (sessions.read(cookie) is not None) is holds


def test_form_token_is_of_one_session() -> None:
    sessions = Sessions(SECRET)
    mine, other = Session.fresh("key-1"), Session.fresh("key-1")
    assert sessions.is_own_form(mine, sessions.form_token(mine))
    assert not sessions.is_own_form(mine, sessions.form_token(other))
    assert not sessions.is_own_form(mine, "")
    assert not sessions.is_own_form(mine, "ң")


def test_cookie_holds_the_key_id_and_nothing_else() -> None:
    cookie = Sessions(SECRET).write(Session("nonce", 5, "key-1"))
    content = cookie.split(".")[0]
    assert base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)) == b'["nonce",5,"key-1"]'


def test_secret_is_made_once_for_all_processes_and_only_for_us(tmp_path: Path) -> None:
    for attempt in range(20):
        home = tmp_path / str(attempt)
        with ThreadPoolExecutor(8) as pool:
            secrets = set(pool.map(load_session_secret, [settings(home)] * 16))
        assert len(secrets) == 1
        (path,) = (home / "keys").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["not hex", "", "abcd"])
def test_spoilt_secret_is_refused(tmp_path: Path, content: str) -> None:
    load_session_secret(settings(tmp_path))
    (tmp_path / "keys" / "session.secret").write_text(content)
    with pytest.raises(ConfigurationError, match=r"session\.secret"):
        Sessions(load_session_secret(settings(tmp_path)))


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8000"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"origin": "http://127.0.0.1:9000"}, False),
        ({"origin": "null"}, False),
        ({}, False),
    ],
)
def test_only_our_own_pages_may_send_forms(headers: dict[str, str], own: bool) -> None:
    assert is_same_origin(request(**headers)) is own


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8000/", True),
        ("http://localhost:8000/", True),
        ("https://127.0.0.1/", False),
        ("http://10.0.0.7:8000/", False),
        ("http://localhost.evil.example:80/", False),
    ],
)
def test_cookie_is_secure_everywhere_but_on_loopback(url: str, loopback: bool) -> None:
    assert is_loopback_http(request(url)) is loopback


ELSEWHERE = ("//evil.example", "/\\\\evil.example", "/\\tevil", "https://evil.example", "javascript:alert(1)", "")


@given(st.text(max_size=40) | st.sampled_from(ELSEWHERE) | st.text("/\\\\.:@evil", max_size=12))
def test_a_browser_is_never_sent_to_another_site(target: str) -> None:
    path = own_path(target)
    assert path.startswith("/")
    assert path[1:2] not in ("/", "\\")
    assert "\n" not in path

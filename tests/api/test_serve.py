"""The process itself: what it refuses to serve, how it starts without a model, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from chekara.api.serve import refuse_unservable
from chekara.errors import ConfigurationError
from tests.serving import Reply, Server, crossing, environment_of, serving, settings_of


def test_a_service_without_a_model_is_alive_and_not_ready(tmp_path: Path) -> None:
    from chekara.adapters.accounts import add_key

    settings = settings_of(tmp_path)
    key = add_key(settings, agency="customs", role="system", holder="", scopes=(), is_test=False)
    with serving(tmp_path, wait_until="alive") as server:
        server.keys = {"system": key}
        assert server.send("GET", "/healthz").status == 200
        ready = server.send("GET", "/readyz")
        assert (ready.status, ready.json["type"]) == (503, "urn:chekara:problem:not_ready")
        assert "no model was promoted" in ready.json["detail"]
        assert int(ready.headers["retry-after"]) > 0
        refused = server.score(crossing("x"))
        assert (refused.status, refused.json["type"]) == (503, "urn:chekara:problem:not_ready")


@pytest.mark.parametrize(
    ("url", "host", "workers", "clock", "hint"),
    [
        ("sqlite:///x.db", "127.0.0.1", 2, "live", "PostgreSQL"),
        ("postgresql+psycopg://x/y", "127.0.0.1", 2, "live", "not supported"),
        ("sqlite:///x.db", "0.0.0.0", 1, "replay", "loopback"),  # noqa: S104  # what is refused
        ("sqlite:///x.db", "example.org", 1, "replay", "loopback"),
    ],
)
def test_what_must_not_be_served(tmp_path: Path, url: str, host: str, workers: int, clock: str, hint: str) -> None:
    settings = settings_of(tmp_path, CHEKARA_DATABASE_URL=url)
    with pytest.raises(ConfigurationError, match=hint):
        refuse_unservable(settings, host=host, workers=workers, clock=clock)  # type: ignore[arg-type]


def test_what_may_be_served(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        refuse_unservable(settings_of(tmp_path), host=host, workers=1, clock="replay")
    refuse_unservable(settings_of(tmp_path), host="0.0.0.0", workers=1, clock="live")  # noqa: S104


def test_a_taken_port_is_one_readable_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "chekara.cli", "serve", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, env=environment_of(tmp_path), capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_scorer_loads_nothing_of_training(server: Server) -> None:
    """Judged by what the process has mapped, and by what the serving modules import in a process of their own."""
    program = (
        "import sys; import chekara.api.serve, chekara.adapters.assembly; "
        "print(*sorted(m for m in ('mlflow','shap','matplotlib','training','optuna') if m in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
    assert server.score(crossing("modules-1")).status == 200
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
    for library in ("/mlflow/", "/matplotlib/", "/shap/"):
        assert library not in mapped
    assert "lib_lightgbm" in mapped, "the check can see what is loaded"


def test_sigterm_answers_what_was_taken_and_ends_cleanly(home: Path) -> None:
    replies: list[Reply] = []
    with serving(home) as server:

        def post(n: int) -> None:
            with suppress(OSError):  # a connection that was still in line is not taken any more
                replies.append(server.score(crossing(f"drain-{n}")))

        threads = [threading.Thread(target=post, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        while not replies and any(thread.is_alive() for thread in threads):
            time.sleep(0.005)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(20)
        assert server.process.wait(20) == 0
        assert '"stopped"' in server.log_text()
        assert "Traceback" not in server.log_text()
    # A machine with too much to do may turn somebody away early, never lose what it took.
    answered = [reply for reply in replies if reply.status == 200]
    assert answered
    assert all(reply.json["decision_id"] for reply in answered)
    early = [reply for reply in replies if reply.status != 200]
    assert all(reply.status in (429, 503) and reply.headers["retry-after"] for reply in early), early


def test_a_replay_clock_and_limits_from_the_settings(home: Path) -> None:
    limits = {"CHEKARA_LIMIT_BODY_BYTES": "500", "CHEKARA_LIMIT_ITEMS": "1", "CHEKARA_LIMIT_TEXT_CHARACTERS": "30"}
    with serving(home, clock="replay", **limits) as server:
        body = crossing("r", occurred_at="2024-03-01T10:00:00Z", known_at="2024-03-01T11:00:00Z", items=[{}])
        reply = server.score(body)
        assert reply.status == 200, reply.body
        assert reply.json["clock"] == "replay"
        assert reply.json["scored_at"] == "2024-03-01T11:00:00.000Z"
        assert "replayed_clock" in [warning["code"] for warning in reply.json["warnings"]]
        for changes, problem in (
            ({"items": [{}, {}]}, "too_many_items"),
            ({"carrier_id": "x" * 31}, "text_too_long"),
            ({"labels": {"a": "x" * 500}}, "body_too_large"),
        ):
            assert server.score(body | changes).json["type"] == f"urn:chekara:problem:{problem}"

"""Too much at once, slow senders and askers who hang up, against a real server process."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

from chekara.adapters.assembly import verify_log_of
from tests.serving import Server, crossing, serving

STORM_SECONDS = 4.0
ASKERS = 48


def raw_request(server: Server, body: bytes, declared: int | None = None, path: str = "/v1/scores") -> bytes:
    length = len(body) if declared is None else declared
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.keys['system']}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode() + body


def hold_the_database(home: Path) -> sqlite3.Connection:
    """Have somebody else write, so that groups wait."""
    held = sqlite3.connect(home / "chekara.db", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    return held


def scored(home: Path) -> list[str]:
    with sqlite3.connect(home / "chekara.db") as connection:
        return [row[0] for row in connection.execute("SELECT crossing_id FROM decisions ORDER BY position")]


def test_askers_who_hang_up_before_their_turn_cost_nothing_more(home: Path) -> None:
    result = {"inspection_id": "gone", "crossing_id": "gone-before", "domain": "revenue_fraud", "found": True}
    result["inspected_at"] = crossing("")["occurred_at"]
    sent = [
        ("/v1/scores", crossing("gone")),
        ("/v1/scores/batch", [crossing(f"gone-{n}") for n in range(100)]),
        ("/v1/inspections", result),
        ("/v1/inspections", [result | {"inspection_id": f"gone-{n}"} for n in range(70)]),
    ]
    with serving(home) as server:
        assert server.score(crossing("gone-before")).status == 200
        held = hold_the_database(home)
        first = threading.Thread(target=server.score, args=(crossing("gone-first"),))
        first.start()
        time.sleep(0.2)  # the writer has it in hand, and waits for the database
        for path, body in sent:
            with socket.create_connection(("127.0.0.1", server.port)) as asker:
                asker.sendall(raw_request(server, json.dumps(body).encode(), path=path))
                time.sleep(0.25)
        time.sleep(0.3)
        held.execute("ROLLBACK")
        held.close()
        first.join()
        assert server.score(crossing("gone-after")).status == 200
        # At most one group of rows of each batch had been handed over; a slow machine refuses some of them at the door.
        assert 4 <= counted(server, "chekara_expired_total", why="given_up") <= 1 + 64 + 1 + 64
    assert scored(home) == ["gone-before", "gone-first", "gone-after"]
    with sqlite3.connect(home / "chekara.db") as connection:
        assert connection.execute("SELECT count(*) FROM inspections").fetchone() == (0,)


def counted(server: Server, name: str, **labels: str) -> float:
    """Return what a counter has come to."""
    told = ",".join(f'{label}="{value}"' for label, value in labels.items())
    lines = server.send("GET", "/metrics").body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}{{{told}}} ")), 0.0)


def test_a_body_that_does_not_come_is_answered_in_time(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as asker:
        began = time.monotonic()
        asker.sendall(raw_request(server, b"{", declared=100))
        answer = asker.recv(65536)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after" in answer.lower()
    assert 1.5 < time.monotonic() - began < 4.0


def test_a_storm_is_turned_away_early_and_everything_answered_is_in_the_log_once(home: Path) -> None:
    found: list[tuple[str, int, float, str | None]] = []

    def ask(server: Server, number: int, until: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        headers = {"Authorization": f"Bearer {server.keys['system']}", "Content-Type": "application/json"}
        count = 0
        while time.monotonic() < until:
            name = f"storm-{number}-{count}"
            began = time.monotonic()
            connection.request("POST", "/v1/scores?contributions=false", json.dumps(crossing(name)), headers)
            answer = connection.getresponse()
            answer.read()
            found.append((name, answer.status, time.monotonic() - began, answer.getheader("Retry-After")))
            count += 1
        connection.close()

    with serving(home, CHEKARA_LIMIT_QUEUE_LENGTH="8") as server:
        until = time.monotonic() + STORM_SECONDS
        askers = [threading.Thread(target=ask, args=(server, number, until)) for number in range(ASKERS)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        after = server.score(crossing("after-the-storm"))
        assert after.status == 200, "back to normal at once"
        settings = server.settings
    statuses = Counter(status for _, status, _, _ in found)
    assert set(statuses) <= {200, 429, 503}, statuses
    assert statuses[200] > 0
    assert statuses[429] > 0
    assert all(told is not None and int(told) >= 1 for _, status, _, told in found if status != 200)
    took = sorted(seconds for _, status, seconds, _ in found if status == 200)
    assert took[int(len(took) * 0.99) - 1] < 2.5
    answered = [name for name, status, _, _ in found if status == 200]
    logged = Counter(scored(home))
    assert all(logged[name] == 1 for name in answered)
    assert verify_log_of(settings).is_intact

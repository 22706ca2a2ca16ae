"""Slow senders and askers who hang up, against a real server process."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
import time
from pathlib import Path

from tests.serving import Server, crossing, serving


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

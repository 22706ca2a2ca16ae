"""A history streamed through a serving process has the features of the batch, bit for bit; also if it is killed."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from chekara.adapters.accounts import add_key
from chekara.adapters.database import open_database
from chekara.adapters.decision_log import SqlDecisionLog
from chekara.adapters.key_files import load_label_key
from chekara.adapters.label_cipher import AesLabelCipher
from chekara.adapters.profile_load import rebuild_profiles
from chekara.adapters.profile_store import serving_shelf
from chekara.data.sources import History
from chekara.settings import Settings
from tests.profiled import hold_against_batch
from tests.serving import Server, serving, settings_of
from tests.streams import Post, dirty_history, posts_of


def new_home(home: Path) -> Path:
    home.mkdir()
    key = add_key(settings_of(home), agency="border_service", role="system", holder="replay", scopes=(), is_test=False)
    (home / "keys.json").write_text(json.dumps({"system": key}))
    return home


def replaying(home: Path) -> AbstractContextManager[Server]:
    """Run a service over a home that reads every profile and believes the bodies' times."""
    return serving(home, clock="replay", module="tests.serve_profiled", PYTHONPATH=os.pathsep.join(sys.path))


def send(server: Server, posts: Sequence[Post], most: int) -> None:
    """Send posts in order, neighbours of one kind together, and want every one of them taken."""
    for kind, neighbours in groupby(posts, key=lambda post: post[0]):
        bodies = [body for _, body in neighbours]
        path = "/v1/scores/batch?contributions=false" if kind == "scores" else "/v1/inspections"
        for start in range(0, len(bodies), most):
            reply = server.send("POST", path, "system", bodies[start : start + most])
            assert reply.status == 200, reply.body[:500]
            statuses = [row["status"] for row in reply.json]
            assert statuses == [200] * len(statuses), reply.body[:500]


def content(settings: Settings) -> list[tuple[object, ...]]:
    database = open_database(settings)
    with database.reading() as connection:
        found: list[tuple[object, ...]] = list(serving_shelf(connection).content())
    database.close()
    return found


def hold(settings: Settings, history: History) -> None:
    """Hold the log of an ended service against the batch, and its profiles against a rebuild."""
    database = open_database(settings)
    try:
        log = SqlDecisionLog(database, AesLabelCipher(load_label_key(settings)))
        hold_against_batch(log, database, history)
    finally:
        database.close()
    before = content(settings)
    rebuild_profiles(settings)
    assert content(settings) == before


def without_points(history: History) -> History:
    """Leave out where crossing points lie, which a service knows of a loaded history only."""
    return replace(history, crossing_points=history.crossing_points.iloc[:0])


def test_a_history_through_a_real_service_and_a_kill(tmp_path: Path) -> None:
    history = without_points(dirty_history(tmp_path / "history", seed=21, n=90))
    home, posts = new_home(tmp_path / "home"), posts_of(history)
    third = len(posts) // 3
    with replaying(home) as server:
        send(server, posts[:third], most=50)
        # The kill comes while the next part is on its way: some of it was recorded, some not.
        sending = threading.Thread(target=send_until_dead, args=(server, posts[third : 2 * third]))
        sending.start()
        sending.join(0.05)
        server.process.kill()
        server.process.wait()
        sending.join(30)
    with replaying(home) as server:
        # Who got no answer sends again: what was recorded is answered, what was not is taken.
        send(server, posts[third:], most=7)
        settings = server.settings
    hold(settings, history)


def send_until_dead(server: Server, posts: Sequence[Post]) -> None:
    for post in posts:
        try:
            send(server, [post], most=1)
        except (OSError, AssertionError):
            return


def test_whatever_order_was_recorded_a_rebuild_gives_the_same_bytes(tmp_path: Path) -> None:
    history = dirty_history(tmp_path / "history", seed=22, n=40)
    home, posts = new_home(tmp_path / "home"), posts_of(history)
    scores = [post for post in posts if post[0] == "scores" and not post[1]["revision"]]
    with replaying(home) as server:
        threads = [threading.Thread(target=send, args=(server, scores[i::4], 3)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        results = [post for post in posts if post[0] == "inspections" and not post[1]["revision"]]
        send(server, results[::-1], most=5)
        settings = server.settings
    before = content(settings)
    assert len(before) > 100
    rebuild_profiles(settings)
    assert content(settings) == before

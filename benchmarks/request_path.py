"""Where the time of a request goes: processor time by stage, alone and in groups.

    python -m benchmarks.request_path [--home var/bench/house] [--groups 1 16 64] [--json FILE]

The steps of ``POST /v1/scores`` without HTTP, on the house and the traffic of `benchmarks.service`, in one thread:
parse -> score and log in one durable transaction -> present -> encode. A stage is timed where its function is looked
up, and holds what it does not hand on to another stage. Waiting for the disk is no processor time and stands apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from sqlalchemy.engine import base

from benchmarks.house import copy_house, make_house
from benchmarks.service import versions
from benchmarks.traffic import MARK, make_bodies
from chekara.adapters import decision_log, profile_store
from chekara.adapters.assembly import House, open_house
from chekara.adapters.chain_writer import ChainWriter
from chekara.api.parse import ScoreParser
from chekara.api.present import present_decision
from chekara.api.warm import quieten_collector
from chekara.api.written import json_bytes
from chekara.domain.actor import Actor
from chekara.domain.vocabulary import Role
from chekara.explain.panel import PanelTrees
from chekara.features.joined import FeaturesTogether
from chekara.modelling.panel import Panel
from chekara.programs import open_console
from chekara.service import known, predict
from chekara.service.profiles import FoldEvents
from chekara.service.records import DecisionRecord, ScoreRequest
from chekara.service.score import ScoreCrossings
from tests.serving import settings_of

STAGES: Final = {
    "parse": (),
    "tokens, canonical body": ((ScoreCrossings, "_tokenised"),),
    "read the log": ((decision_log.SqlLogTransaction, "known_revisions"),),
    "read profiles": ((profile_store.TransactionProfiles, "states"), (profile_store.TransactionProfiles, "records")),
    "fold profiles": ((FoldEvents, "fold"),),
    "features, matrix": ((FeaturesTogether, "of"), (Panel, "_values")),
    "margins, SHAP": ((PanelTrees, "tell"),),
    "reasons": ((predict._Telling, "_reasons"),),
    "other of the models": ((known, "predict_all"),),
    "decide": ((ScoreCrossings, "_decide"),),
    "payload, hash chain": ((decision_log, "plain_decision"), (ChainWriter, "append")),
    "write profiles": ((profile_store.TransactionProfiles, "flush"),),
    "write the log": ((ChainWriter, "flush"),),
    "commit": ((base.Transaction, "commit"),),
    "other of the group": (),
    "present": (),
    "encode": (),
}
"""In the order of a request; each with the functions that it is timed at."""


class StageTimes:
    """Processor time of this thread by stage, without that of stages within."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Time what happens within."""
        began = time.thread_time()
        self._inner.append(0.0)
        try:
            yield
        finally:
            passed = time.thread_time() - began
            self.seconds[stage] += passed - self._inner.pop()
            self._inner[-1] += passed

    def around(self, holder: Any, name: str, stage: str) -> None:
        """Time every call of a function where it is looked up."""
        timed: Callable[..., Any] = getattr(holder, name)

        def call(*arguments: Any, **named: Any) -> Any:
            with self.of(stage):
                return timed(*arguments, **named)

        setattr(holder, name, call)


def measure(
    house: House, times: StageTimes, bodies: list[bytes], group: int, groups: int, serial: Iterator[int]
) -> float:
    """Send groups of new crossings through the steps of a request.

    Parameters
    ----------
    house : House
    times : StageTimes
        Begun anew.
    bodies : list of bytes
        With a mark where the number of the crossing goes.
    group : int
        Crossings of one transaction.
    groups : int
    serial : iterator of int
        Numbers of crossings.

    Returns
    -------
    float
        Milliseconds on the clock per group.
    """
    actor = Actor("bench", "bench", "border_service", Role.SYSTEM, frozenset({"reasons"}))
    parser = ScoreParser(settings_of(Path()).limits)
    times.seconds.clear()
    began = time.perf_counter()
    for _ in range(groups):
        requests = []
        for _ in range(group):
            number = next(serial)
            body = bodies[number % len(bodies)].replace(MARK, f"{number:012d}".encode())
            now = datetime.now(UTC)
            with times.of("parse"):
                parsed = parser.parse(body, received_at=now)
            requests.append(ScoreRequest(crossing=parsed.crossing, actor=actor, received_at=now, labels=parsed.labels))
        with times.of("other of the group"):
            records = house.writer._serve_group(requests)  # as its thread would
        for record in records:
            if not isinstance(record, DecisionRecord):
                raise SystemExit(f"a crossing was not scored: {record!r}")
            with times.of("present"):
                shown = present_decision(record, actor, "en")
            with times.of("encode"):
                json_bytes(shown)
    return 1e3 * (time.perf_counter() - began) / groups


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("var/bench/house"), help="a house of benchmarks.service")
    parser.add_argument("--groups", type=int, nargs="*", default=[1, 16, 64])
    parser.add_argument("--crossings", type=int, default=960, help="crossings of each size of group")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    console = open_console()
    home = make_house(arguments.home.resolve())
    bodies = make_bodies(home / "history", 2000, seed=11)
    with tempfile.TemporaryDirectory(prefix="chekara-path-") as scratch:
        house = open_house(settings_of(copy_house(home, Path(scratch) / "home")))
        times = StageTimes()
        for stage, places in STAGES.items():
            for holder, name in places:
                times.around(holder, name, stage)
        serial = count(1)
        found: dict[int, dict[str, float]] = {}
        clock: dict[int, float] = {}
        measure(house, times, bodies, 16, 12, serial)
        quieten_collector()
        for group in arguments.groups:
            n_groups = max(arguments.crossings // group, 1)
            clock[group] = measure(house, times, bodies, group, n_groups, serial)
            found[group] = {stage: 1e6 * s / (group * n_groups) for stage, s in times.seconds.items()}
        house.close()
    table = Table(title="Processor time per crossing, µs", title_justify="left")
    table.add_column("stage")
    for group in found:
        table.add_column("alone" if group == 1 else f"{group} in a group", justify="right")
    for stage in STAGES:
        table.add_row(stage, *(f"{stages.get(stage, 0.0):,.0f}" for stages in found.values()))
    table.add_row("together", *(f"{sum(stages.values()):,.0f}" for stages in found.values()), style="bold")
    table.add_row("on the clock, ms per group", *(f"{clock[group]:,.1f}" for group in found))
    console.print(table)
    if arguments.json is not None:
        told = {"stages": list(STAGES), "us": found, "clock_ms": clock, "versions": versions()}
        arguments.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

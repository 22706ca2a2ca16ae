"""What the service decided and learned leaves as history files, and comes back as the same history."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as arrow
import pytest
from pyarrow import parquet
from sqlalchemy import insert, select

from chekara.adapters import tables
from chekara.adapters.export import Exported, export_history, sentences_of
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.report import check_history
from chekara.data.sources import load_history
from chekara.errors import HistoryError
from tests.small_house import RECEIVED, START, SmallHouse, actor, crossing, request, result, sent, small_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    opened = small_house(tmp_path / "home")
    yield opened
    opened.database.close()


def fill(house: SmallHouse) -> None:
    house.score([request(crossing(f"c{i}", items=1 + i % 3, weighed_mass_kg=900.5)) for i in range(5)])
    house.score([request(crossing("c1", revision=1, value=77.0)), request(crossing("trial"), by=actor(is_test=True))])
    house.score_one(crossing("c4"), is_void=True)
    house.score([sent(result("i0", crossing_id="c0")), sent(result("i4", crossing_id="c4"))])
    house.score([sent(result("i1", crossing_id="c1", selected_by="random", propensity=0.05, found=False, details={}))])
    overturned = result("i0", crossing_id="c0", revision=1, details={"result": "overturned", "inspector_id": "P7"})
    house.score([sent(overturned, received_at=RECEIVED + timedelta(days=30))])


def test_decisions_and_results_leave_as_they_were_lodged(house: SmallHouse, tmp_path: Path) -> None:
    fill(house)
    assert export_history(house.settings, tmp_path / "out") == Exported(crossings=4, revisions=5, results=3)
    history = load_history(tmp_path / "out", tokens=EntityTokens(load_entity_secret(house.settings)))
    assert history.refusals == ()
    lines = history.crossings.groupby(["crossing_id", "revision"]).size().to_dict()
    assert lines == {("c0", 0): 1, ("c1", 0): 2, ("c1", 1): 1, ("c2", 0): 3, ("c3", 0): 1}
    corrected = history.crossings.query("crossing_id == 'c1' and revision == 1").iloc[0]
    assert corrected["declared_value"] == crossing("c1", value=77.0).items[0]["declared_value"]
    assert (history.crossings["known_at"] == START + timedelta(minutes=5)).all()
    by_id = history.inspections.set_index(["inspection_id", "revision"])
    assert by_id.loc[("i1", 0), ["selected_by", "propensity"]].tolist() == ["random", 0.05]
    assert by_id.loc[("i0", 0), "selected_by"] in ("model", "officer"), "filled in by the service"
    assert by_id.loc[("i0", 1), "result"] == "overturned"
    assert by_id.loc[("i0", 1), "known_at"] == RECEIVED + timedelta(days=30)
    assert not check_history(tmp_path / "out").has_violations


def test_tokens_come_back_as_themselves(tmp_path: Path) -> None:
    settings = small_house(tmp_path / "home").settings
    tokens = EntityTokens(load_entity_secret(settings))
    house = small_house(tmp_path / "home", tokens=tokens)
    house.score([request(crossing("c1", carrier_id="Carrier 9"))])
    export_history(settings, tmp_path / "out")
    again = load_history(tmp_path / "out", tokens=tokens).crossings.iloc[0]
    assert again["carrier_id"] == tokens.token("carrier", "carrier-9")
    assert again["importer_id"] == tokens.token("importer", "importer 7")
    assert again["vehicle_id"] == tokens.token("vehicle", "01KG777ABC")
    raw = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert b"01KG777ABC" not in raw
    house.database.close()


def test_since_takes_what_became_known_later_and_the_crossings_that_it_is_about(
    house: SmallHouse, tmp_path: Path
) -> None:
    fill(house)
    written = export_history(house.settings, tmp_path / "out", since=RECEIVED + timedelta(days=1))
    assert written == Exported(crossings=1, revisions=1, results=1)
    history = load_history(tmp_path / "out")
    assert history.refusals == ()
    assert history.inspections["revision"].tolist() == [1]
    assert set(history.crossings["crossing_id"]) == {"c0"}


def test_an_arrival_lodged_ahead_is_known_when_it_happens(house: SmallHouse, tmp_path: Path) -> None:
    ahead = START + timedelta(hours=5)
    for crossing_id, stage in (("c1", "arrival"), ("c2", "pre_arrival")):
        house.score([request(replace(crossing(crossing_id, stage=stage), occurred_at=ahead))])
    export_history(house.settings, tmp_path / "out")
    history = load_history(tmp_path / "out")
    assert history.refusals == ()
    known = history.crossings.set_index("crossing_id")["known_at"]
    assert known["c1"] == ahead
    assert known["c2"] == START + timedelta(minutes=5)


def test_pages_leave_no_trace(house: SmallHouse, tmp_path: Path) -> None:
    fill(house)
    for number, told in enumerate(("A7", 5, 1.5, "011", None)):
        own = {"x_lane": told, "x_weight": number} | ({"x_late": 1.25} if number == 4 else {})
        given = {name: value for name, value in own.items() if value is not None}
        house.score([request(crossing(f"x{number}", **given))])
    whole = export_history(house.settings, tmp_path / "whole", at_once=10_000)
    for at_once in (1, 3):
        assert export_history(house.settings, tmp_path / str(at_once), at_once=at_once) == whole
        for table in ("crossings", "inspections"):
            one, other = (parquet.read_table(tmp_path / name / f"{table}.parquet") for name in ("whole", str(at_once)))
            assert one.equals(other)
    extensions = parquet.read_table(tmp_path / "whole" / "crossings.parquet", columns=["x_lane", "x_late", "x_weight"])
    assert [field.type for field in extensions.schema] == [arrow.string(), arrow.float64(), arrow.float64()]
    assert [one for one in extensions["x_lane"].to_pylist() if one is not None] == ["A7", "5", "1.5", "011"]
    assert [one for one in extensions["x_late"].to_pylist() if one is not None] == [1.25]


PEAK = """
import resource, sys
from pathlib import Path
from chekara.adapters.export import export_history
from chekara.settings import Settings
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
written = export_history(Settings.from_environment(), Path(sys.argv[1]))
print(written.crossings, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def environment_of(house: SmallHouse) -> dict[str, str]:
    return os.environ | {"CHEKARA_HOME": str(house.settings.home), "CHEKARA_ENV": "dev"}


def copied_decisions(house: SmallHouse, n: int) -> None:
    """Fill the log with copies of its first decision, each of a crossing of its own; its chain is not kept."""
    with house.database.writing() as connection:
        entry = connection.execute(select(tables.log)).mappings().one()
        decision = connection.execute(select(tables.decisions)).mappings().one()
        body = connection.execute(select(tables.payloads.c.body)).scalar_one()
        for start in range(2, n + 1, 5_000):
            numbers = range(start, min(start + 5_000, n + 1))
            connection.execute(insert(tables.log), [{**entry, "position": i} for i in numbers])
            connection.execute(
                insert(tables.payloads),
                [{"chain": "live", "position": i, "body": body.replace(b'"first"', b'"c%d"' % i)} for i in numbers],
            )
            connection.execute(
                insert(tables.decisions),
                [{**decision, "position": i, "decision_id": str(i), "crossing_id": f"c{i}"} for i in numbers],
            )


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    peak_kib = {}
    for n in (5_000, 50_000):
        house = small_house(tmp_path / f"home{n}")
        house.score_one(crossing("first"))
        copied_decisions(house, n)
        house.database.close()
        command = [sys.executable, "-c", PEAK, str(tmp_path / f"out{n}")]
        told = subprocess.check_output(command, env=environment_of(house), text=True)
        written, grown = map(int, told.split())
        assert written == n
        assert parquet.read_metadata(tmp_path / f"out{n}" / "crossings.parquet").num_rows == n
        peak_kib[n] = grown
    # Pages take 10 MiB more, for groups of rows that are full; all events in memory took 97 MiB more.
    assert peak_kib[50_000] - peak_kib[5_000] < 40 * 1024, peak_kib


KILLED = """
import os, signal, sys
from pathlib import Path
from chekara.adapters import export
from chekara.settings import Settings
found = export._parts
def parts(*given):
    for number, part in enumerate(found(*given)):
        yield part
        if parts.pass_number == 2 and number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    parts.pass_number = 2
parts.pass_number = 1
export._parts = parts
export.export_history(Settings.from_environment(), Path(sys.argv[1]), at_once=1)
"""


def test_an_export_that_is_killed_leaves_the_files_before_it(house: SmallHouse, tmp_path: Path) -> None:
    house.score_one(crossing("before"))
    out = tmp_path / "out"
    export_history(house.settings, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    fill(house)
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], env=environment_of(house), check=False)
    assert done.returncode == -signal.SIGKILL
    assert {name: (out / name).read_bytes() for name in before} == before
    assert set(load_history(out).crossings["crossing_id"]) == {"before"}
    export_history(house.settings, out)
    assert {path.name for path in out.iterdir()} == set(before), "drafts of the killed one are gone"
    assert len(set(load_history(out).crossings["crossing_id"])) == 5


def test_crossings_and_their_revisions_are_told_apart(tmp_path: Path) -> None:
    (said,) = sentences_of(Exported(crossings=304, revisions=305, results=2), tmp_path)
    assert said == f"Wrote 304 crossings in 305 revisions and 2 results to {tmp_path}."
    (said,) = sentences_of(Exported(crossings=3, revisions=3, results=2), tmp_path)
    assert said == f"Wrote 3 crossings and 2 results to {tmp_path}."


def test_nothing_yet_is_an_empty_history(house: SmallHouse, tmp_path: Path) -> None:
    assert export_history(house.settings, tmp_path / "out") == Exported(0, 0, 0)
    assert load_history(tmp_path / "out").crossings.empty


def test_tables_as_csv_are_not_shadowed(house: SmallHouse, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    pd.DataFrame({"crossing_id": ["x"]}).to_csv(tmp_path / "out" / "crossings.csv")
    with pytest.raises(HistoryError):
        export_history(house.settings, tmp_path / "out")

"""The lot as an outsider sees it: committed before, published after, every draw repeated; and what was not done."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from chekara.adapters import tables
from chekara.adapters.database import open_database
from chekara.adapters.lot_publish import publish_lot, verify_log_draws, verify_published
from chekara.adapters.lot_seeds import LotBook, ServingSeeds, seed_file
from chekara.adapters.lot_watch import LotWatch
from chekara.adapters.policies import promote_policy
from chekara.cli import app
from chekara.errors import ConfigurationError
from chekara.policy import load_policy
from chekara.service.grounds import GatherGrounds
from chekara.service.lot import DrawFromSeeds
from chekara.service.lot_verify import LotVerification
from chekara.settings import Settings
from tests.small_house import START, SmallHouse, crossing, request, result, sent, small_house

PAGE = Path(__file__).parents[2] / "docs" / "lot.md"
MONTH = "2026-05"
RECEIVED = START + timedelta(minutes=5)  # of the small house's requests
POLICY = """
[lot]
propensity = 0.25
floor = 0.1
alarm_share = 0.8

[[lot.exceptions]]
crossing_points = ["KG-02"]
shifts = ["08:00"]
domains = ["contraband"]
propensity = 0.5

[[lot.exceptions]]
crossing_points = ["KG-03"]
propensity = 0.1
"""


def settings_drawing(folder: Path) -> Settings:
    """Return settings with a policy that draws a lot at other shares here and there."""
    shipped = Path(__file__).parents[2] / "src" / "chekara" / "policy" / "default.toml"
    given = re.sub(r"^\[lot\]\n(?:(?!\[).*\n)*", POLICY.lstrip(), shipped.read_text("utf-8"), flags=re.MULTILINE)
    folder.mkdir()
    (folder / "policy.toml").write_text(given, "utf-8")
    environment = {"CHEKARA_HOME": str(folder), "CHEKARA_ENV": "dev", "CHEKARA_POLICY": str(folder / "policy.toml")}
    return Settings.from_environment(environment)


def drawing(settings: Settings, now: datetime) -> SmallHouse:
    """Open a house that draws with what is committed."""
    policy, database = load_policy(settings.policy_path), open_database(settings)
    seeds = ServingSeeds(LotBook(database, settings, clock=lambda: now))
    return small_house(settings.home, policy=policy, grounds=GatherGrounds(lots=DrawFromSeeds(policy, seeds.of)))


def book(house: SmallHouse, now: datetime) -> LotBook:
    return LotBook(house.database, house.settings, clock=lambda: now)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Draw for sixty crossings of three posts in two shifts, and correct one of them."""
    settings = settings_drawing(tmp_path_factory.mktemp("lot") / "home")
    house = drawing(settings, START)
    checkpoints = house.checkpoints()
    house.score_one(crossing("before"))
    checkpoints.sign()
    book(house, START).commit(MONTH, committed_by="a chief")
    house.database.close()
    house = drawing(settings, START)
    for i in range(60):
        at = RECEIVED + timedelta(hours=12 * (i >= 30))
        house.score([replace(request(crossing(f"c{i}", crossing_point=f"KG-0{1 + i % 3}")), received_at=at)])
    house.score([request(crossing("c1", revision=1, crossing_point="KG-03"))])
    house.checkpoints().sign()
    house.database.close()
    return settings


@pytest.fixture
def home(drawn: Settings, tmp_path: Path) -> Settings:
    copy = Path(shutil.copytree(drawn.home, tmp_path / "home"))
    return Settings.from_environment(
        {"CHEKARA_HOME": str(copy), "CHEKARA_ENV": "dev", "CHEKARA_POLICY": str(copy / "policy.toml")}
    )


@pytest.fixture
def published(home: Settings, tmp_path: Path) -> Path:
    publish_lot(home, MONTH, tmp_path / "out", revealed_by="a chief")
    return tmp_path / "out"


def codes(found: LotVerification) -> set[str]:
    return {one.code for one in found.findings}


def test_every_draw_is_repeated_from_the_log_and_from_what_is_published(home: Settings, published: Path) -> None:
    of_log, of_folder = verify_log_draws(home), verify_published(published)
    assert (codes(of_log), codes(of_folder)) == (set(), set())
    assert (of_log.crossings, of_folder.crossings) == (61, 60)
    assert of_log.draws == of_folder.draws == 300
    assert of_log.drawn == of_folder.drawn > 20
    rows = list(csv.DictReader((published / "draws.csv").open(encoding="utf-8")))
    assert {(r["crossing_point"], r["domain"] == "contraband", r["propensity"]) for r in rows} == {
        ("KG-01", False, "0.25"),
        ("KG-01", True, "0.25"),
        ("KG-02", False, "0.25"),
        ("KG-02", True, "0.25"),
        ("KG-02", True, "0.5"),
        ("KG-03", False, "0.1"),
        ("KG-03", True, "0.1"),
    }


def test_an_unpublished_seed_leaves_draws_unopened(home: Settings) -> None:
    found = verify_log_draws(home)
    assert found.is_sound
    assert found.unopened == found.draws == 300


def test_nothing_is_drawn_before_a_seed_is_committed(home: Settings, published: Path) -> None:
    ids = {row["crossing_id"] for row in csv.DictReader((published / "draws.csv").open(encoding="utf-8"))}
    assert "before" not in ids
    assert len(ids) == 60


def test_a_seed_is_committed_once_and_its_file_is_its_owners_alone(home: Settings) -> None:
    house = small_house(home.home)
    first = book(house, START).commit(MONTH, committed_by="somebody else")
    assert first.position == 2, "the one after the crossing that came before it"
    assert first.is_late
    ahead = book(house, START).commit("2026-06", committed_by="a chief")
    assert not ahead.is_late
    assert ahead.commitment != first.commitment
    assert seed_file(home, "2026-06").stat().st_mode & 0o077 == 0
    for now, month in ((START, "2026-04"), (START + timedelta(days=60), MONTH)):
        with pytest.raises(ConfigurationError, match="is over"):
            book(house, now).commit(month, committed_by="too late")
    house.database.close()


def test_a_seed_is_not_published_while_it_draws(home: Settings) -> None:
    house = small_house(home.home)
    with pytest.raises(ConfigurationError, match="not over"):
        book(house, START).reveal(MONTH, revealed_by="a chief")
    with pytest.raises(ConfigurationError, match="no seed"):
        book(house, START + timedelta(days=400)).reveal("2026-06", revealed_by="a chief")
    house.database.close()


def test_a_lost_or_exchanged_seed_draws_nothing_and_says_why(home: Settings) -> None:
    house = small_house(home.home)
    seeds = ServingSeeds(book(house, START))
    assert seeds.problem(MONTH) is None
    assert seeds.problem("2026-06") == "no seed is committed for 2026-06"
    path = seed_file(home, MONTH)
    path.write_bytes(bytes(32))
    again = ServingSeeds(book(house, START))
    assert again.of(MONTH) is None
    assert "not the seed that was committed" in str(again.problem(MONTH))
    path.unlink()
    assert "missing" in str(ServingSeeds(book(house, START)).problem(MONTH))
    house.database.close()


def test_a_seed_that_is_committed_beside_a_service_is_taken_up(home: Settings) -> None:
    house, seconds = small_house(home.home), [0.0]
    seeds = ServingSeeds(book(house, START), monotonic=lambda: seconds[0])
    assert seeds.of("2026-06") is None
    book(house, START).commit("2026-06", committed_by="a chief")
    assert seeds.of("2026-06") is None, "it was looked for a moment ago"
    seconds[0] = 31.0
    assert seeds.of("2026-06") is not None
    house.database.close()


def tampered(published: Path, change) -> LotVerification:
    path = published / "draws.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return verify_published(published)


def flipped(rows: list[dict[str, str]]) -> None:
    rows[7]["is_drawn"] = "1" if rows[7]["is_drawn"] == "0" else "0"


def renamed(rows: list[dict[str, str]]) -> None:
    for row in rows:  # that some are drawn under their new name, too, is likely; that all are is not
        row["crossing_id"] += "-x" if row["is_drawn"] == "1" else ""


def cheaper(rows: list[dict[str, str]]) -> None:
    rows[3]["propensity"] = "0.125"


def dropped(rows: list[dict[str, str]]) -> None:
    del rows[0]


def earlier(rows: list[dict[str, str]]) -> None:
    for row in rows:
        row["position"] = str(int(row["position"]) - 2)


def other_month(rows: list[dict[str, str]]) -> None:
    for row in rows:
        row["known_at"] = row["known_at"].replace("2026-05", "2026-07")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (flipped, "wrong_draw"),
        (renamed, "wrong_draw"),
        (cheaper, "wrong_propensity"),
        (dropped, "missing_draw"),
        (earlier, "not_committed"),
        (other_month, "other_period"),
    ],
)
def test_what_was_changed_is_found(published: Path, change, code: str) -> None:
    assert code in codes(tampered(published, change))


def test_another_seed_is_not_the_one_that_was_committed(published: Path) -> None:
    path = published / "lot.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"seed": "00" * 32}), "utf-8")
    with pytest.raises(ConfigurationError, match="belong together"):
        verify_published(published)


def test_the_log_tells_of_a_draw_that_was_made_again(home: Settings, published: Path) -> None:
    house = small_house(home.home)
    with house.database.writing() as connection:
        connection.execute(text("DROP TRIGGER payloads_no_update"))
        position = connection.execute(text("SELECT max(position) FROM decisions")).scalar_one()
        p = tables.payloads
        of = (p.c.chain == "live") & (p.c.position == position)
        body = bytes(connection.execute(p.select().where(of)).mappings().one()["body"])
        assert b'"draws":[{' in body
        changed = body.replace(b'"is_drawn":false', b'"is_drawn":true')
        connection.execute(p.update().where(of).values(body=changed))
    house.database.close()
    assert codes(verify_log_draws(home)) == {"redrawn"}


def program(tmp_path: Path) -> Path:
    """Write the program of the page into a file, as it stands there."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert code.count("\n") < 60
    path = tmp_path / "verify_lot.py"
    path.write_text(code, "utf-8")
    return path


def told_by(program_: Path, published: Path) -> tuple[int, str]:
    run = subprocess.run([sys.executable, "-I", program_, published], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def test_the_program_of_the_page_agrees(published: Path, tmp_path: Path) -> None:
    checking = program(tmp_path)
    assert told_by(checking, published) == (0, "300 draws, 0 wrong\n")
    for change in (flipped, cheaper, earlier, other_month):
        kept = (published / "draws.csv").read_text("utf-8")
        tampered(published, change)
        code, said = told_by(checking, published)
        assert (code, ", 0 wrong" in said) == (1, False), change
        (published / "draws.csv").write_text(kept, "utf-8")


def test_draws_of_every_policy_of_the_month_are_checked(home: Settings, tmp_path: Path) -> None:
    """The policy changes in the middle of the month: draws before and after it are held against its own text."""
    path = home.home / "policy.toml"
    before = load_policy(path)
    texts = {"policy.toml": path.read_text("utf-8")}
    promote_policy(home, texts, proposed_by="A. Author", approved_by="B. Chief", reason="as until now")
    path.write_text(path.read_text("utf-8").replace("propensity = 0.25", "propensity = 0.35"), "utf-8")
    assert load_policy(path).digest != before.digest
    house = drawing(home, START)
    for i in range(30):
        house.score([replace(request(crossing(f"later{i}", crossing_point="KG-01")), received_at=RECEIVED)])
    house.database.close()
    out = tmp_path / "out"
    publish_lot(home, MONTH, out, revealed_by="a chief")
    found = verify_published(out)
    assert (found.other_policies, codes(found), found.crossings) == (0, set(), 90)
    assert len(list((out / "policies").iterdir())) == 2
    checking = program(tmp_path)
    assert told_by(checking, out) == (0, "450 draws, 0 wrong\n")
    assert "wrong_propensity" in codes(tampered(out, cheaper)), "an early draw, under the policy before"
    assert told_by(checking, out)[0] == 1
    (out / "policies" / f"{before.digest.partition(':')[2]}.toml").unlink()
    assert verify_published(out).other_policies == 300
    assert "the text of its policy is missing" in told_by(checking, out)[1]


def test_the_commands_commit_publish_and_verify(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CHEKARA_HOME", home.home), ("CHEKARA_POLICY", home.policy_path), ("CHEKARA_ENV", "dev")):
        monkeypatch.setenv(name, str(value))
    run = CliRunner().invoke
    committed = run(app, ["lot", "commit", "--month", "2999-01"])
    assert re.search(r"^sha256:[0-9a-f]{64}$", committed.output, re.MULTILINE)
    out = tmp_path / "out"
    assert "300 draws" in run(app, ["lot", "reveal", "--month", MONTH, "--out", str(out)]).output
    assert run(app, ["lot", "verify", str(out)]).exit_code == run(app, ["lot", "verify"]).exit_code == 0
    tampered(out, flipped)
    assert run(app, ["lot", "verify", str(out)]).exit_code == 1
    status = run(app, ["lot", "status"])
    assert status.exit_code == 1, "no seed for this month"
    assert "no seed is committed" in status.output.replace("\n", " ")
    for month in ("2026-13", "5", "2026-05-01"):
        assert run(app, ["lot", "commit", "--month", month]).exit_code != 0


def watched(settings: Settings, at: datetime) -> LotWatch:
    policy, database = load_policy(settings.policy_path), open_database(settings)
    return LotWatch(database, policy, ServingSeeds(LotBook(database, settings)), clock=lambda: at)


def test_draws_are_counted_with_what_became_of_them(home: Settings) -> None:
    house = small_house(home.home, policy=load_policy(home.policy_path))
    with house.database.reading() as connection:
        query = "SELECT DISTINCT crossing_id FROM lot_draws WHERE domain = 'revenue_fraud' ORDER BY 1"
        drawn_ids = list(connection.execute(text(query)).scalars())
    undone = {"details": {"status": "not_done"}, "found": False}
    for n, one in enumerate(drawn_ids[:3]):
        house.score([sent(result(f"i{n}", crossing_id=one, **(undone if n == 0 else {})))])
    # made after all: the newer revision counts
    house.score([sent(result("i0", crossing_id=drawn_ids[0], revision=1))])
    house.score([sent(result("i9", crossing_id=drawn_ids[3], **undone))])
    house.database.close()
    now = datetime.now(UTC)
    seen = watched(home, now + timedelta(days=4)).status()
    whole = next(one for one in seen if (one.domain, one.crossing_point) == ("revenue_fraud", "*"))
    assert (whole.crossings, whole.drawn, whole.done) == (61, len(drawn_ids), 3)
    assert whole.waiting == 0, "four days later all were due"
    assert whole.not_done == len(drawn_ids) - 3
    parts = [one for one in seen if one.domain == "revenue_fraud" and one.crossing_point != "*"]
    assert sum(one.drawn for one in parts) == whole.drawn
    assert sum(one.planned for one in parts) == pytest.approx(whole.planned)
    assert not [one for one in watched(home, now + timedelta(days=60)).status() if one.drawn]

"""The log cannot be edited quietly: every way that we know of is tried, and named by the audit."""

# ruff: noqa: S608  # statements are built from our own table names

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from chekara.adapters import tables
from chekara.adapters.accounts import Accounts, add_key
from chekara.adapters.agency_modes import SqlAgencyModes
from chekara.adapters.assembly import open_house, verify_log_of
from chekara.adapters.chain_writer import ChainWriter
from chekara.adapters.checkpoints import begin_checkpoints, checkpoint_file
from chekara.adapters.key_files import load_checkpoint_key
from chekara.adapters.lot_seeds import LotBook, ServingSeeds
from chekara.adapters.policies import SqlPolicies
from chekara.adapters.promotions import SqlPromotions
from chekara.adapters.referrals import SqlReferrals
from chekara.adapters.retention import Retention
from chekara.adapters.tables import guards
from chekara.adapters.watch_lists import SqlWatchLists, WatchOrder
from chekara.domain.decision import DecidedElsewhere, ModelIdentity
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.errors import AuditError, ConfigurationError, NotFoundError
from chekara.policy.load import policy_texts
from chekara.policy.rules import RuleText
from chekara.service.agency_mode import Mode, SetAgencyMode
from chekara.service.audit import AuditReport
from chekara.service.chain import entry_hash, payload_digest
from chekara.service.due_events import RecordDueEvents
from chekara.service.grounds import GatherGrounds
from chekara.service.lot import DrawFromSeeds
from chekara.service.match_rules import MatchPolicyRules
from chekara.service.promote_policy import PromotePolicy
from chekara.service.records import Chain, Promotion, Proposal
from chekara.service.review import ReviewRequest
from tests.adapters.test_rule_results import CAPPED
from tests.small_house import START, TOKENS, SmallHouse, actor, crossing, request, result, sent, small_house

N_DECISIONS = 6


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with decisions on both chains, a withdrawal, a review, and signed checkpoints."""
    opened = small_house(tmp_path_factory.mktemp("template") / "home")
    book = opened.checkpoints()
    for i in range(N_DECISIONS):
        record = opened.score_one(crossing(f"c{i}", value=100.0 * (i + 1)))
        if i == 2:
            book.sign()
    opened.score_one(crossing("c0"), is_void=True)
    opened.score_one(crossing("trial"), by=actor(is_test=True))
    opened.review(
        actor(role=Role.ANALYST),
        ReviewRequest(decision_id=record.decision.decision_id, action=ReviewAction.FOLLOW, reason="seen"),
    )
    book.sign()
    opened.database.close()
    return opened.settings.home


@pytest.fixture
def house(template: Path, tmp_path: Path) -> Iterator[SmallHouse]:
    """Open a copy of the template, for one test to tamper with."""
    opened = small_house(Path(shutil.copytree(template, tmp_path / "home")))
    yield opened
    opened.database.close()


def verify(house: SmallHouse, *, minutes_later: float = 0) -> AuditReport:
    return verify_log_of(house.settings, lambda: datetime.now(UTC) + timedelta(minutes=minutes_later))


def codes(house: SmallHouse, *, minutes_later: float = 0) -> set[tuple[str, str, int | None]]:
    return {(one.code, one.chain, one.position) for one in verify(house, minutes_later=minutes_later).findings}


def retention(house: SmallHouse) -> Retention:
    return Retention(house.database, load_checkpoint_key(house.settings))


class Tampering:
    """Direct access to the database, with the guards out of the way and back afterwards."""

    def __init__(self, house: SmallHouse) -> None:
        self.house = house

    def __enter__(self) -> Connection:
        self.connection = self.house.database.engine.connect()
        self.guards = self.connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        self.connection.commit()
        self.connection.connection.execute("PRAGMA foreign_keys = OFF")
        for name, _ in self.guards:
            self.connection.exec_driver_sql(f"DROP TRIGGER {name}")
        return self.connection

    def __exit__(self, *_: object) -> None:
        for _, sql in self.guards:
            self.connection.exec_driver_sql(sql)
        self.connection.commit()
        self.connection.connection.execute("PRAGMA foreign_keys = ON")
        self.connection.close()


def test_an_untouched_log_is_intact(house: SmallHouse) -> None:
    report = verify(house)
    assert report.is_intact, report.findings
    assert (report.entries, report.checkpoints, report.unsigned_tail) == (N_DECISIONS + 3, 3, 0)


@pytest.mark.parametrize("statement", ["UPDATE {} SET position = position + 100", "DELETE FROM {}"])
def test_the_database_refuses_changes_in_every_table(house: SmallHouse, statement: str) -> None:
    Accounts(house.database, house.policy).add(agency="customs", role="system")
    Accounts(house.database, house.policy).revoke(key_ids(house)[0])
    SqlPromotions(house.database).record(promotion())
    SqlPromotions(house.database).propose(proposal())
    elsewhere = DecidedElsewhere(Lane.RED, START, "post-7", "rule")
    house.score([sent(result(crossing_id="c1")), replace(request(crossing("e1")), decided_elsewhere=elsewhere)])
    retention(house).remove_payloads(Chain.LIVE, [1], reason="a test", removed_by="nobody")
    draw_a_crossing(house)
    act_jointly(house)
    rule_a_crossing(house)
    SetAgencyMode(SqlAgencyModes(house.database), house.policy)(actor(role=Role.SUPERVISOR), "customs", Mode.RULES)
    for table in (tables.log, tables.payloads, *tables.ROW_TABLES):
        with house.database.engine.connect() as connection:
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() > 0
            with pytest.raises(DatabaseError, match="append-only"):
                connection.execute(text(statement.format(table)))
    with house.database.engine.connect() as connection, pytest.raises(DatabaseError, match="append-only"):
        connection.execute(text(statement.format("name_lists").replace("position = position + 100", "names = ''")))
    assert verify(house).is_intact


def draw_a_crossing(house: SmallHouse) -> None:
    """Commit a seed, have a crossing drawn, publish the seed."""
    at = START + timedelta(minutes=5)
    book = LotBook(house.database, house.settings, clock=lambda: at)
    book.commit("2026-05", committed_by="a test")
    always = replace(house.policy, lot=replace(house.policy.lot, propensity=1.0))
    grounds = GatherGrounds(lots=DrawFromSeeds(always, ServingSeeds(book).of))
    drawing = small_house(house.settings.home, grounds=grounds)
    drawing.score_one(crossing("drawn"))
    drawing.database.close()
    LotBook(house.database, house.settings).reveal("2026-05", revealed_by="a test")
    house.checkpoints().sign()  # entries of last May would wait for a signature too long


def rule_a_crossing(house: SmallHouse) -> None:
    """Promote a policy, watch a vehicle, have a crossing meet a rule."""
    texts = policy_texts()
    PromotePolicy(SqlPolicies(house.database))(texts, proposed_by="P", approved_by="A", reason="a test")
    order = WatchOrder(
        name="stolen",
        column="vehicle_id",
        raw_ids=("V1",),
        ends_at=datetime.now(UTC) + timedelta(days=1),
        agency="customs",
        added_by="a test",
        reason="a test",
    )
    SqlWatchLists(house.database).add(order, TOKENS)
    rules = MatchPolicyRules(replace(house.policy, rules=RuleText(rules=(CAPPED,))))
    ruled = small_house(house.settings.home, grounds=GatherGrounds(rules=rules))
    assert ruled.score_one(crossing("ruled")).decision.grounds.rules
    ruled.database.close()


def act_jointly(house: SmallHouse) -> None:
    """Refer and delay a crossing, let the referral be re-routed and the crossing be released."""
    officer = actor(role=Role.ANALYST)
    at = datetime.now(UTC)
    for crossing_id, wanted in (
        ("referred", {"action": ReviewAction.REFER, "refer_to": "agriculture"}),
        ("delayed", {"action": ReviewAction.DELAY, "until": at + timedelta(hours=1)}),
    ):
        decision_id = house.score_one(crossing(crossing_id)).decision.decision_id
        house.review(officer, ReviewRequest(decision_id=decision_id, reason="a test", **wanted))
    clock = RecordDueEvents(
        log=house.log, book=SqlReferrals(house.database), policy=house.policy, now=lambda: at + timedelta(hours=2)
    )
    assert clock() == 2


def key_ids(house: SmallHouse) -> list[str]:
    with house.database.reading() as connection:
        return list(connection.execute(text("SELECT key_id FROM keys")).scalars())


def promotion() -> Promotion:
    return Promotion(
        promotion_id="p1",
        domain="revenue_fraud",
        model=ModelIdentity("revenue_fraud", "1", "sha256:1"),
        trained_by="T. Trainer",
        approved_by="A. Approver",
        assessment_id="IA-1",
        is_shortcut=False,
        promoted_at=START,
    )


def proposal() -> Proposal:
    return Proposal(
        proposal_id="q1",
        domain="revenue_fraud",
        model=ModelIdentity("revenue_fraud", "2", "sha256:2"),
        trained_by="T. Trainer",
        proposed_by="T. Trainer",
        assessment_id="IA-2",
        proposed_at=START,
    )


def test_every_table_is_guarded(house: SmallHouse) -> None:
    assert house.database.missing_guards() == frozenset()
    assert len(guards()) == 2 * len((tables.log, tables.payloads, tables.name_lists, *tables.ROW_TABLES))
    with house.database.writing() as connection:
        connection.execute(text("DROP TRIGGER log_no_update"))
    assert codes(house) == {("missing_guard", "", None)}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER log_no_update BEFORE UPDATE ON log BEGIN SELECT 1; END",
        "CREATE TRIGGER log_no_update BEFORE UPDATE ON log WHEN OLD.position > 99 "
        "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END",
    ],
)
def test_a_guard_that_guards_nothing_is_found(house: SmallHouse, statement: str) -> None:
    with house.database.writing() as connection:
        connection.execute(text("DROP TRIGGER log_no_update"))
        connection.execute(text(statement))
    assert codes(house) == {("missing_guard", "", None)}


@pytest.mark.parametrize("value", ["'x'", "7", "'two\nlines'", "x'00ff'"])
@pytest.mark.parametrize("column", ["kind", "recorded_at", "payload_digest", "hash"])
def test_an_edited_entry_is_found(house: SmallHouse, column: str, value: str) -> None:
    with Tampering(house) as connection:
        connection.execute(text(f"UPDATE log SET {column} = {value} WHERE chain = 'live' AND position = 4"))
    assert ("edited_entry", "live", 4) in codes(house)


def test_an_edited_payload_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        connection.execute(
            text("UPDATE payloads SET body = replace(body, '\"lane\":', '\"lane\" :') WHERE position = 2")
        )
    assert ("edited_payload", "live", 2) in codes(house)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff\xfe", b"{"])
def test_a_payload_that_is_none_is_found(house: SmallHouse, body: bytes) -> None:
    with Tampering(house) as connection:
        connection.execute(text("UPDATE payloads SET body = :b WHERE chain = 'live' AND position = 2"), {"b": body})
    assert codes(house) == {("edited_payload", "live", 2)}


def test_an_edited_payload_with_its_digest_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        body = b'{"lane":"green"}'
        connection.execute(text("UPDATE payloads SET body = :b WHERE chain = 'live' AND position = 2"), {"b": body})
        connection.execute(
            text("UPDATE log SET payload_digest = :d WHERE chain = 'live' AND position = 2"),
            {"d": payload_digest(body)},
        )
    assert ("edited_entry", "live", 2) in codes(house)


def test_an_entry_edited_with_its_hash_breaks_the_link_after_it(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        connection.execute(text("UPDATE log SET recorded_at = '2020' WHERE chain = 'live' AND position = 4"))
        rehash(connection, 4)
    assert codes(house) == {("broken_link", "live", 5)}


def rehash(connection: Connection, position: int) -> None:
    """Give an entry the hash that follows from its fields."""
    row = (
        connection.execute(text("SELECT * FROM log WHERE chain = 'live' AND position = :p"), {"p": position})
        .mappings()
        .one()
    )
    fields = {name: row[name] for name in row if name != "hash"}
    connection.execute(
        text("UPDATE log SET hash = :h WHERE chain = 'live' AND position = :p"),
        {"h": entry_hash(**fields), "p": position},
    )


def rehash_from(connection: Connection, position: int) -> None:
    """Rewrite the chain from an entry on, so that it verifies by itself."""
    last = connection.execute(text("SELECT max(position) FROM log WHERE chain = 'live'")).scalar_one()
    for place in range(position, last + 1):
        connection.execute(
            text(
                "UPDATE log SET previous_hash = coalesce((SELECT hash FROM log WHERE chain = 'live' AND position = :b),"
                " previous_hash) WHERE chain = 'live' AND position = :p"
            ),
            {"b": place - 1, "p": place},
        )
        rehash(connection, place)


def delete_entry(connection: Connection, position: int) -> None:
    for table in (tables.log, tables.payloads, *tables.ROW_TABLES):
        connection.execute(text(f"DELETE FROM {table} WHERE chain = 'live' AND position = :p"), {"p": position})


def test_an_entry_deleted_in_the_middle_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        delete_entry(connection, 4)
    assert ("missing_entries", "live", 4) in codes(house)


def test_a_cut_tail_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        for position in (7, 8):
            delete_entry(connection, position)
    assert codes(house) == {("cut_tail", "live", 8)}


def test_a_chain_that_vanished_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        for table in (tables.log, tables.payloads, *tables.ROW_TABLES):
            connection.execute(text(f"DELETE FROM {table} WHERE chain = 'test'"))
    assert codes(house) == {("cut_tail", "test", 1)}


def test_a_log_rewritten_as_a_whole_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        connection.execute(text("UPDATE log SET recorded_at = '2020' WHERE chain = 'live' AND position = 1"))
        rehash_from(connection, 1)
    assert codes(house) == {("rewritten", "live", 3)}


def test_an_entry_put_in_the_middle_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        for table in (tables.log, tables.payloads, *tables.ROW_TABLES):
            connection.execute(
                text(f"UPDATE {table} SET position = -position - 1 WHERE chain = 'live' AND position > 3")
            )
            connection.execute(text(f"UPDATE {table} SET position = -position WHERE position < 0"))
        connection.execute(
            text(
                "INSERT INTO log SELECT chain, 4, kind, recorded_at, payload_digest, hash, hash FROM log "
                "WHERE chain = 'live' AND position = 3"
            )
        )
    found = codes(house)
    assert ("edited_entry", "live", 4) in found
    assert ("missing_payload", "live", 4) in found


def test_an_entry_put_in_with_all_hashes_made_anew_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        for table in (tables.log, tables.payloads, *tables.ROW_TABLES):
            connection.execute(
                text(f"UPDATE {table} SET position = -position - 1 WHERE chain = 'live' AND position > 3")
            )
            connection.execute(text(f"UPDATE {table} SET position = -position WHERE position < 0"))
        connection.execute(
            text(
                "INSERT INTO log SELECT chain, 4, kind, recorded_at, payload_digest, hash, hash FROM log "
                "WHERE chain = 'live' AND position = 3"
            )
        )
        connection.execute(
            text("INSERT INTO payloads SELECT chain, 4, body FROM payloads WHERE chain = 'live' AND position = 3")
        )
        rehash_from(connection, 4)
    assert ("rewritten", "live", 8) in codes(house)


def test_an_entry_put_at_the_end_without_its_rows_is_found(house: SmallHouse) -> None:
    with house.database.writing() as connection:
        writer = ChainWriter(connection)
        writer.append(Chain.LIVE, "key_revoked", {"key_id": "k", "revoked_at": "2026"})
        writer._waiting.pop("key_revocations")
        writer.flush()
    assert codes(house) == {("edited_rows", "live", 9)}


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("decisions", "lane = 'green', strictness = 0"),
        ("decision_domains", "rank = 0.0"),
        ("decision_agencies", "agency = 'agriculture'"),
    ],
)
def test_edited_rows_beside_the_log_are_found(house: SmallHouse, table: str, change: str) -> None:
    with Tampering(house) as connection:
        connection.execute(text(f"UPDATE {table} SET {change} WHERE rowid IN (SELECT min(rowid) FROM {table})"))
    (finding,) = verify(house).findings
    assert finding.code == "edited_rows"
    assert table in finding.sentence


def test_a_planted_key_is_found(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        connection.execute(text("INSERT INTO keys VALUES ('live', 99, 'k', 'h', 'Mallory', 'customs', 'admin', '', 0)"))
    (finding,) = verify(house).findings
    assert (finding.code, finding.sentence) == ("stray_rows", "1 rows of keys belong to no log entry.")


def test_a_payload_may_be_gone_only_when_its_removal_was_recorded(house: SmallHouse) -> None:
    retention(house).remove_payloads(Chain.LIVE, [2], reason="three years are over", removed_by="records office")
    assert verify(house).is_intact
    with pytest.raises(DatabaseError, match="append-only"), house.database.engine.connect() as connection:
        connection.execute(text("DELETE FROM payloads WHERE chain = 'live' AND position = 3"))
    with Tampering(house) as connection:
        connection.execute(text("DELETE FROM payloads WHERE chain = 'live' AND position = 3"))
    assert codes(house) == {("missing_payload", "live", 3)}


def removal_of(house: SmallHouse, position: int) -> dict[str, object]:
    """Return what a retention entry says, as read from the log."""
    with house.database.reading() as connection:
        query = text("SELECT body FROM payloads WHERE chain = 'live' AND position = :p")
        found: dict[str, object] = json.loads(connection.execute(query, {"p": position}).scalar_one())
    return found


@pytest.mark.parametrize("signature", [None, "", "no base64!", "AAAA"])
def test_a_removal_that_nobody_of_us_signed_makes_nothing_lawful(house: SmallHouse, signature: str | None) -> None:
    retention(house).remove_payloads(Chain.LIVE, [2], reason="three years are over", removed_by="records office")
    event = removal_of(house, 9)
    forged = event | {"removed": [{**event["removed"][0], "position": 4}]}  # type: ignore[index]
    forged.pop("signature") if signature is None else forged.update(signature=signature)
    with house.database.writing() as connection:
        writer = ChainWriter(connection)
        writer.append(Chain.LIVE, "retention", forged)
        writer.flush()
        connection.execute(text("DELETE FROM payloads WHERE chain = 'live' AND position = 4"))
    assert codes(house) == {("unsigned_retention", "live", 10), ("missing_payload", "live", 4)}


def test_the_signature_of_one_removal_serves_no_other(house: SmallHouse) -> None:
    retention(house).remove_payloads(Chain.LIVE, [2], reason="three years are over", removed_by="records office")
    event = removal_of(house, 9)
    with house.database.writing() as connection:
        writer = ChainWriter(connection)
        writer.append(Chain.LIVE, "retention", event | {"removed": [], "reason": "\x1b[2J another"})
        writer.flush()
    assert codes(house) == {("unsigned_retention", "live", 10)}
    console = Console(record=True, width=160, file=None, quiet=False)
    with console.capture() as captured:
        verify(house).show(console)
    assert "\x1b[2J" not in captured.get()
    assert "another" in captured.get()


@pytest.mark.parametrize(
    "statement", ["UPDATE decisions SET lane = 'green'", "DELETE FROM decision_domains", "DELETE FROM decisions"]
)
def test_rows_are_compared_after_their_payload_was_removed(house: SmallHouse, statement: str) -> None:
    retention(house).remove_payloads(Chain.LIVE, [2, 3], reason="three years are over", removed_by="records office")
    with Tampering(house) as connection:
        connection.execute(text(f"{statement} WHERE chain = 'live' AND position = 3"))
    assert codes(house) == {("edited_rows", "live", 3)}


def test_only_payloads_that_are_there_and_may_go_are_removed(house: SmallHouse) -> None:
    Accounts(house.database, house.policy).add(agency="customs", role="system")
    for positions in ([1, 99], [1, N_DECISIONS + 3]):
        with pytest.raises(NotFoundError):
            retention(house).remove_payloads(Chain.LIVE, positions, reason="three years are over", removed_by="me")
    with pytest.raises(ConfigurationError, match="nobody sees"):
        retention(house).remove_payloads(Chain.LIVE, [1], reason="over\x1b[2J", removed_by="me")
    report = verify(house)
    assert report.is_intact
    assert report.entries == N_DECISIONS + 4


def test_every_audit_tells_what_was_removed_how_old_it_was_and_why(house: SmallHouse) -> None:
    later = Retention(
        house.database, load_checkpoint_key(house.settings), lambda: datetime.now(UTC) + timedelta(days=1100, hours=1)
    )
    later.remove_payloads(Chain.LIVE, [3, 2], reason="three years are over", removed_by="records office")
    (note,) = verify(house).notes
    assert note.position == N_DECISIONS + 3
    assert note.sentence == (
        "2 payloads of the chain live, 1,100 to 1,100 days old, were removed by records office: three years are over"
    )


def test_checkpoints_themselves_cannot_be_forged_or_thinned(house: SmallHouse) -> None:
    path = checkpoint_file(house.settings.home)
    lines = path.read_bytes().splitlines(keepends=True)
    forged = json.loads(lines[0]) | {"hash": "0" * 64}
    path.write_bytes(json.dumps(forged).encode() + b"\n" + b"".join(lines[1:]))
    assert codes(house) == {("unsigned_checkpoint", "live", 3), ("missing_checkpoint", "", None)}
    path.write_bytes(lines[0] + lines[2])
    assert {code for code, _, _ in codes(house)} == {"missing_checkpoint"}
    path.write_bytes(b"not a checkpoint\n" + b"".join(lines))
    assert {code for code, _, _ in codes(house)} == {"unsigned_checkpoint"}


@pytest.mark.parametrize("kept", [1, 40, -2, -1])
def test_what_a_power_cut_left_of_a_checkpoint_is_no_tampering(house: SmallHouse, kept: int) -> None:
    path = checkpoint_file(house.settings.home)
    whole = path.read_bytes()
    *before, last = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(before) + last[:kept])
    assert codes(house) == set()
    assert verify(house).checkpoints == len(before)
    house.checkpoints().sign()
    numbers = [json.loads(line)["number"] for line in path.read_bytes().splitlines()]
    assert numbers == list(range(1, len(before) + 2)), "the next signature takes its place"
    assert codes(house) == set()


def rewrite_without_checkpoints(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        connection.execute(text("UPDATE log SET recorded_at = '2020-01-01' WHERE chain = 'live' AND position = 1"))
        rehash_from(connection, 1)
    checkpoint_file(house.settings.home).unlink()


def test_a_rewritten_log_without_checkpoints_is_found(house: SmallHouse) -> None:
    rewrite_without_checkpoints(house)
    assert codes(house, minutes_later=3) == {("no_checkpoint", "", None)}


def test_checkpoints_that_nobody_of_us_signed_are_none(house: SmallHouse) -> None:
    path = checkpoint_file(house.settings.home)
    path.write_bytes(b"not a checkpoint\n")
    assert codes(house, minutes_later=3) == {("unsigned_checkpoint", "", None), ("no_checkpoint", "", None)}


def test_entries_that_wait_too_long_for_a_checkpoint_are_found(house: SmallHouse) -> None:
    path = checkpoint_file(house.settings.home)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert codes(house, minutes_later=1) == set()
    assert codes(house, minutes_later=3) == {("unsigned_tail", "live", 4), ("unsigned_tail", "test", 1)}


def test_a_clock_that_was_set_back_hides_no_waiting_entry(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        connection.execute(text("UPDATE log SET recorded_at = '2199-01-01T00:00:00Z' WHERE position = 8"))
        rehash(connection, 8)
    path = checkpoint_file(house.settings.home)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert ("unsigned_tail", "live", 4) in codes(house)


def test_nobody_begins_checkpoints_over_a_log_of_answers_by_chance(house: SmallHouse) -> None:
    rewrite_without_checkpoints(house)
    before = verify(house).entries
    with pytest.raises(ConfigurationError, match="checkpoints are gone"):
        add_key(house.settings, agency="customs", role="analyst")
    with pytest.raises(ConfigurationError, match="checkpoints are gone"):
        open_house(house.settings)
    with pytest.raises(ConfigurationError, match="checkpoints are gone"):
        house.checkpoints()
    assert verify(house).entries == before
    assert not checkpoint_file(house.settings.home).exists()


def test_checkpoints_that_vanish_under_a_service_are_missed(house: SmallHouse) -> None:
    path = checkpoint_file(house.settings.home)
    started, running = house.checkpoints(), house.checkpoints()
    running.sign()
    path.unlink()
    house.score_one(crossing("later"))
    with pytest.raises(ConfigurationError, match="checkpoints are gone"):
        started.sign()
    running.sign()
    assert ("missing_checkpoint", "", None) in codes(house)


def test_checkpoints_are_begun_knowingly_and_every_audit_tells_it(house: SmallHouse) -> None:
    with pytest.raises(ConfigurationError, match="there are checkpoints"):
        begin_checkpoints(house.settings, reason="none", begun_by="nobody")
    checkpoint_file(house.settings.home).unlink()
    with pytest.raises(ConfigurationError, match="says nothing"):
        begin_checkpoints(house.settings, reason=" - ", begun_by="A. Admin")
    begin_checkpoints(house.settings, reason="the disk [/] died", begun_by="A. Admin")
    report = verify(house, minutes_later=3)
    assert report.is_intact, report.findings
    assert (report.checkpoints, report.unsigned_tail) == (2, 0)
    (note,) = report.notes
    assert note.position == N_DECISIONS + 3
    console = Console(record=True, width=160, file=None, quiet=False)
    with console.capture() as captured:
        report.show(console)
    assert "begun by A. Admin: the disk [/] died" in captured.get()
    assert "is intact" in captured.get()


def test_names_of_features_that_were_changed_are_found_and_not_read(house: SmallHouse) -> None:
    decision_id = house.score_one(crossing("named")).decision.decision_id
    house.checkpoints().sign()
    with Tampering(house) as connection:
        connection.execute(text("UPDATE name_lists SET names = replace(names, 'declared_value', 'declared_worth')"))
    assert codes(house) == {("stray_rows", "", None)}
    with pytest.raises(AuditError):
        house.log.decision(Chain.LIVE, decision_id)


def test_the_report_reads_well(house: SmallHouse) -> None:
    with Tampering(house) as connection:
        delete_entry(connection, 4)
    console = Console(record=True, width=120, file=None, quiet=False)
    with console.capture() as captured:
        verify(house).show(console)
    assert "Entries 4 to 4 are missing." in captured.get()
    assert "does not verify" in captured.get()

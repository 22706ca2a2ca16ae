"""Publish a month of the lot for an outsider, and repeat every draw: of such a folder, or of the log itself.

A published folder holds ``lot.json`` (the seed and where it was committed), ``draws.csv`` (every draw, drawn or not)
and ``policies/`` (those that were drawn under). ``docs/lot.md`` has a program of the standard library that checks it.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from chekara.adapters import tables
from chekara.adapters.checkpoints import signed_after
from chekara.adapters.database import Database, open_database
from chekara.adapters.lot_seeds import Committed, LotBook, ServingSeeds
from chekara.adapters.lot_watch import LotWatch
from chekara.adapters.policies import SqlPolicies, policy_that_serves
from chekara.domain.selection import Draw
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy import Policy, load_policy
from chekara.policy.load import policy_texts
from chekara.policy.lot import LotSeed, checked_period, commitment_of, period_of
from chekara.service.chain import instant_from, instant_text
from chekara.service.lot_status import LotTally
from chekara.service.lot_verify import CommittedSeed, CrossingDraws, LotVerification, verify_lot
from chekara.service.payload import parsed
from chekara.service.payload_grounds import grounds_from
from chekara.service.records import Chain
from chekara.settings import Settings

FORMAT: Final = "chekara-lot/2"
_POLICIES: Final = "policies"
_FIELDS: Final = (
    "position",
    "known_at",
    "crossing_id",
    "crossing_point",
    "arm",
    "domain",
    "propensity",
    "is_drawn",
    "policy",
)
_OF_CROSSING: Final = ("position", "known_at", "crossing_id", "crossing_point", "policy")
_PAGE: Final = 500


def open_book(settings: Settings, database: Database) -> LotBook:
    """Return the book of seeds for a program beside the service: what it writes is signed at once."""
    return LotBook(database, settings, signing=lambda: signed_after(settings, database))


def commit_lot(settings: Settings, period: str, *, committed_by: str) -> Committed:
    """Commit the seed of a month, as `LotBook.commit` does.

    Parameters
    ----------
    settings : Settings
    period : str
    committed_by : str

    Raises
    ------
    ConfigurationError
        It is no month, the month is over, or the seed cannot be made.
    LogUnavailableError
        The database cannot be written.
    """
    checked_period(period, where="--month")
    database = open_database(settings)
    try:
        return open_book(settings, database).commit(period, committed_by=committed_by)
    finally:
        database.close()


def status_of(settings: Settings) -> tuple[Policy, tuple[LotTally, ...], str | None]:
    """Return the policy, what became of its lot's draws, and why nothing is drawn at present (None: it is).

    Raises
    ------
    LogUnavailableError
        The database does not answer.
    """
    database = open_database(settings)
    try:
        policy = policy_that_serves(settings, database)
        watch = LotWatch(database, policy, ServingSeeds(LotBook(database, settings)))
        return policy, watch.status(), watch.problem()
    finally:
        database.close()


def publish_lot(settings: Settings, period: str, out: Path, *, revealed_by: str, book: LotBook | None = None) -> int:
    """Publish the seed of a month that is over in the log, and write its draws for an outsider.

    Parameters
    ----------
    settings : Settings
    period : str
    out : Path
        Folder; made if it is not there.
    revealed_by : str
    book : LotBook, optional
        Default: this installation's.

    Returns
    -------
    int
        Draws written.

    Raises
    ------
    ConfigurationError
        The month is not over, no seed was committed for it, or the folder cannot be written.
    LogUnavailableError
        The database does not answer.
    """
    checked_period(period, where="--month")
    database = open_database(settings)
    try:
        book = open_book(settings, database) if book is None else book
        seed = book.reveal(period, revealed_by=revealed_by)
        committed = book.commitments()[period]
        with database.reading() as connection:
            written, digests = _write_draws(out, crossing_draws(connection, period))
        _write_policies(out, {digest: _main_text(settings, database, digest) for digest in sorted(digests)})
        _write_about(out, seed, committed)
        return written
    finally:
        database.close()


def _write_draws(out: Path, records: Iterator[CrossingDraws]) -> tuple[int, frozenset[str]]:
    """Write draws; return how many there are, and the digests of the policies that they were made under."""
    written, digests = 0, set[str]()
    with _writable():
        out.mkdir(parents=True, exist_ok=True)
        with (out / "draws.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, _FIELDS, lineterminator="\n")
            writer.writeheader()
            for record in records:
                digests.add(record.policy_digest)
                for row in _rows(record):
                    writer.writerow(row)
                    written += 1
    return written, frozenset(digests)


def _write_policies(out: Path, texts: Mapping[str, str | None]) -> None:
    """Write every policy of the month, named by its digest: the lot stands in the main file of each."""
    with _writable():
        shutil.rmtree(out / _POLICIES, ignore_errors=True)
        (out / _POLICIES).mkdir()
        for digest, text in texts.items():
            if text is not None:
                _policy_path(out, digest).write_text(text, "utf-8")


def _write_about(out: Path, seed: LotSeed, committed: Committed) -> None:
    """Write the seed, last: it says that all is there."""
    about = {
        "format": FORMAT,
        "period": seed.period,
        "seed": seed.seed.hex(),
        "commitment": seed.commitment,
        "committed_at": instant_text(committed.recorded_at),
        "position": committed.position,
    }
    with _writable():
        (out / "lot.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"the folder cannot be written: {error.strerror}", where="--out") from None


def _policy_path(folder: Path, digest: str) -> Path:
    return folder / _POLICIES / f"{digest.partition(':')[2]}.toml"


def _main_text(settings: Settings, database: Database, digest: str) -> str | None:
    """Return the main file of a policy; None where nobody has it any more."""
    texts = SqlPolicies(database).texts_of(digest)
    path = settings.policy_path
    if texts is None and path is not None and settings.is_dev and load_policy(path).digest == digest:
        texts = policy_texts(path)
    return None if texts is None else next(iter(texts.values()))


def _rows(record: CrossingDraws) -> Iterator[dict[str, Any]]:
    for draw in record.draws:
        yield {
            "position": record.position,
            "known_at": instant_text(record.known_at),
            "crossing_id": record.crossing_id,
            "crossing_point": record.crossing_point,
            "arm": draw.arm,
            "domain": draw.domain,
            "propensity": repr(draw.propensity),
            "is_drawn": int(draw.is_drawn),
            "policy": record.policy_digest,
        }


def verify_published(directory: Path) -> LotVerification:
    """Repeat the draws of a published folder.

    Raises
    ------
    ConfigurationError
        The folder is not one of these, its seed is not the one that was committed, or its policy is another one.
    """
    try:
        about = json.loads((directory / "lot.json").read_text("utf-8"))
        seed = LotSeed(about["period"], bytes.fromhex(about["seed"]), about["commitment"])
        committed = CommittedSeed(seed, int(about["position"]), instant_from(about["committed_at"]))
        format_ = about["format"]
        records = list(_published(directory / "draws.csv"))
    except (OSError, ValueError, KeyError, TypeError):
        detail = "not a folder that chekara lot reveal wrote"
        raise ConfigurationError(detail, where=directory.name, hint="it holds lot.json, draws.csv, policies/") from None
    if format_ != FORMAT or commitment_of(seed.seed) != seed.commitment:
        detail = "seed, commitment or format do not belong together"
        raise ConfigurationError(detail, where=str(directory / "lot.json"))
    paths = {digest: _policy_path(directory, digest) for digest in {record.policy_digest for record in records}}
    policies = {digest: load_policy(path) for digest, path in paths.items() if path.is_file()}
    return verify_lot(records, {seed.commitment: committed}, {}, policies.get)


def _published(path: Path) -> Iterator[CrossingDraws]:
    found: dict[tuple[str, ...], list[Draw]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        commitment = json.loads(path.with_name("lot.json").read_text("utf-8"))["commitment"]
        for row in csv.DictReader(stream):
            draw = Draw(
                arm=row["arm"],
                domain=row["domain"],
                propensity=float(row["propensity"]),
                is_drawn=row["is_drawn"] == "1",
                lane=Lane.RED,
                commitment=commitment,
            )
            found.setdefault(tuple(row[name] for name in _OF_CROSSING), []).append(draw)
    for (position, known_at, crossing_id, crossing_point, policy), draws in found.items():
        yield CrossingDraws(
            position=int(position),
            crossing_id=crossing_id,
            crossing_point=crossing_point,
            known_at=instant_from(known_at),
            policy_digest=policy,
            draws=tuple(draws),
        )


def verify_log_draws(settings: Settings) -> LotVerification:
    """Repeat every draw in the log whose seed is published.

    Raises
    ------
    LogUnavailableError
        The database does not answer.
    """
    database = open_database(settings)
    try:
        serving, register = policy_that_serves(settings, database), SqlPolicies(database)
        policies: dict[str, Policy | None] = {serving.digest: serving}
        book = LotBook(database, settings)
        committed = book.commitments()
        seeds = _committed_seeds(book.revealed(), committed)
        pending = {one.commitment: one.position for one in committed.values() if one.commitment not in seeds}

        def policy_of(digest: str) -> Policy | None:
            if digest not in policies:
                policies[digest] = register.by_digest(digest)
            return policies[digest]

        with database.reading() as connection:
            return verify_lot(crossing_draws(connection, None), seeds, pending, policy_of)
    finally:
        database.close()


def _committed_seeds(revealed: Mapping[str, LotSeed], committed: Mapping[str, Committed]) -> dict[str, CommittedSeed]:
    """Take a published seed only where it is the one that was committed."""
    return {
        seed.commitment: CommittedSeed(seed, committed[period].position, committed[period].recorded_at)
        for period, seed in revealed.items()
        if period in committed and commitment_of(seed.seed) == committed[period].commitment == seed.commitment
    }


def crossing_draws(connection: Connection, period: str | None) -> Iterator[CrossingDraws]:
    """Yield the draws of the live log, decision by decision; what was removed by retention is passed over.

    Parameters
    ----------
    connection : Connection
    period : str or None
        Only crossings that were known in this month, and of each the first decision; None: all decisions.
    """
    t, p = tables.log, tables.payloads
    position, seen = 0, set[str]()
    while True:
        query = (
            select(t.c.position, p.c.body)
            .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
            .where(t.c.chain == Chain.LIVE.value, t.c.kind == "decision", t.c.position > position)
            .order_by(t.c.position)
            .limit(_PAGE)
        )
        page = connection.execute(query).all()
        if not page:
            return
        for position, body in page:
            record = _draws_of(position, parsed(body))
            if period is None:
                yield record
            elif record.crossing_id not in seen:
                seen.add(record.crossing_id)
                if period_of(record.known_at) == period:
                    yield record


def _draws_of(position: int, plain: Mapping[str, Any]) -> CrossingDraws:
    known_at: datetime = instant_from(plain["as_of"])
    grounds = grounds_from(plain["grounds"])
    return CrossingDraws(
        position=position,
        crossing_id=plain["crossing"]["crossing_id"],
        crossing_point=plain["crossing_point"],
        known_at=known_at,
        policy_digest=plain["policy_digest"],
        draws=grounds.draws,
        asking=grounds.asking_draws if plain.get("decided_elsewhere") is None else (),
    )

"""Keys in files, sealed labels, signed checkpoints."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from chekara.adapters.accounts import add_key
from chekara.adapters.assembly import verify_log_of
from chekara.adapters.checkpoints import EVERY_SECONDS, CheckpointBook, checkpoint_file, read_checkpoints
from chekara.adapters.key_files import load_checkpoint_key, load_checkpoint_public_key, load_label_key
from chekara.adapters.label_cipher import AesLabelCipher
from chekara.errors import AuditError, ConfigurationError
from chekara.settings import Settings
from tests.small_house import crossing, small_house

LOADERS = [load_label_key, load_checkpoint_key]


def settings_of(home: Path, environment: str) -> Settings:
    return Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": environment})


@pytest.mark.parametrize("load", LOADERS)
def test_secrets_are_made_on_first_use_in_dev_only(tmp_path: Path, load) -> None:
    with pytest.raises(ConfigurationError, match="openssl"):
        load(settings_of(tmp_path, "production"))
    dev = settings_of(tmp_path, "dev")
    assert load_checkpoint_public_key(dev) is None
    load(dev)
    (made,) = dev.keys_path.iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
    assert load(settings_of(tmp_path, "production"))
    made.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to everyone"):
        load(dev)


def test_threads_that_come_first_together_agree_on_a_secret(tmp_path: Path) -> None:
    found: list[bytes] = []
    dev = settings_of(tmp_path, "dev")
    dev.keys_path.mkdir(parents=True)
    threads = [threading.Thread(target=lambda: found.append(load_label_key(dev))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("load", LOADERS)
def test_a_damaged_secret_is_told(tmp_path: Path, load) -> None:
    dev = settings_of(tmp_path, "dev")
    load(dev)
    (made,) = dev.keys_path.iterdir()
    made.write_bytes(made.read_bytes()[:-7])
    with pytest.raises(ConfigurationError):
        load(dev)


labels = st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5)


@given(labels, st.text(max_size=36))
def test_labels_open_as_they_were_sealed(given_labels: dict[str, str], bound_to: str) -> None:
    cipher = AesLabelCipher(bytes(range(32)))
    sealed = cipher.seal(given_labels, bound_to)
    assert cipher.open(sealed, bound_to) == given_labels
    assert cipher.seal(given_labels, bound_to) != sealed
    with pytest.raises(AuditError):
        cipher.open(sealed, bound_to + "x")
    with pytest.raises(AuditError):
        AesLabelCipher(bytes(32)).open(sealed, bound_to)


def test_fingerprints_need_the_key() -> None:
    one, other = AesLabelCipher(bytes(32)), AesLabelCipher(bytes([1] * 32))
    assert one.fingerprint(b"body") == AesLabelCipher(bytes(32)).fingerprint(b"body")
    assert one.fingerprint(b"body") != other.fingerprint(b"body")


def test_checkpoints_are_signed_when_due_and_only_of_heads_that_moved(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    path, key, seconds = checkpoint_file(tmp_path), load_checkpoint_key(house.settings), [0.0]

    def book() -> CheckpointBook:
        return CheckpointBook(path, house.database, key, monotonic=lambda: seconds[0])

    first = book()
    first.sign_if_due()
    assert read_checkpoints(path, key.public_key()) == []
    house.score_one(crossing("a"))
    first.sign_if_due()
    assert len(read_checkpoints(path, key.public_key())) == 1, "the first one follows the first group at once"
    house.score_one(crossing("b"))
    first.sign_if_due()
    assert len(read_checkpoints(path, key.public_key())) == 1
    seconds[0] = EVERY_SECONDS
    first.sign_if_due()
    first.sign()
    book().sign()
    found = read_checkpoints(path, key.public_key())
    assert [(one.number, one.position, one.is_signed) for one in found] == [(1, 1, True), (2, 2, True)]
    book().sign()
    assert len(read_checkpoints(path, key.public_key())) == 2
    stranger = Ed25519PrivateKey.generate().public_key()
    assert [one.is_signed for one in read_checkpoints(path, stranger)] == [False, False]
    house.database.close()


def test_books_of_several_processes_number_without_gap(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    path, key = checkpoint_file(tmp_path), load_checkpoint_key(house.settings)
    books = [CheckpointBook(path, house.database, key) for _ in range(4)]

    def work(book: CheckpointBook, name: str) -> None:
        for number in range(5):
            house.score_one(crossing(f"{name}{number}"))
            book.sign()

    threads = [threading.Thread(target=work, args=(book, name)) for book, name in zip(books, "abcd", strict=True)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = read_checkpoints(path, key.public_key())
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    positions = [one.position for one in found]
    assert positions == sorted(set(positions))
    assert positions[-1] == 20
    house.database.close()


def test_a_book_waits_while_another_process_signs(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    book = house.checkpoints()
    house.score_one(crossing("a"))
    path = checkpoint_file(tmp_path)
    signing = threading.Thread(target=book.sign)
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        signing.start()
        signing.join(0.3)
        assert signing.is_alive()
        assert path.read_bytes() == b""
    signing.join(30)
    assert len(path.read_bytes().splitlines()) == 1
    house.database.close()


def test_keys_made_beside_a_service_are_in_a_checkpoint_at_once(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    service = house.checkpoints()
    for name in ("a", "b"):
        house.score_one(crossing(name))
        service.sign()
        add_key(house.settings, agency="customs", role="analyst")
        assert verify_log_of(house.settings).unsigned_tail == 0
    house.score_one(crossing("c"))
    service.sign()
    report = verify_log_of(house.settings)
    assert report.is_intact, report.findings
    assert (report.checkpoints, report.unsigned_tail) == (5, 0)
    house.database.close()


def test_a_key_is_told_even_where_no_checkpoint_can_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    production = settings_of(tmp_path / "production", "production")
    assert add_key(production, agency="customs", role="analyst")
    assert verify_log_of(production).unsigned_tail == 1
    dev = settings_of(tmp_path / "dev", "dev")
    checkpoint_file(dev.home).mkdir(parents=True)
    assert add_key(dev, agency="customs", role="analyst")
    assert "no checkpoint could be written" in caplog.text


def test_a_damaged_checkpoint_key_stops_before_anything_is_recorded(tmp_path: Path) -> None:
    dev = settings_of(tmp_path, "dev")
    dev.keys_path.mkdir(parents=True)
    (dev.keys_path / "checkpoint_signing.pem").write_bytes(b"no key")
    (dev.keys_path / "checkpoint_signing.pem").chmod(0o600)
    with pytest.raises(ConfigurationError, match="not an Ed25519"):
        add_key(dev, agency="customs", role="analyst")
    (dev.keys_path / "checkpoint_signing.pem").unlink()
    assert verify_log_of(dev).entries == 0

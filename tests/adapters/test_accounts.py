"""Keys: shown once, kept as a hash, revoked for good, every change a log event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chekara.adapters.accounts import LIVE_PREFIX, TEST_PREFIX, Accounts, add_key
from chekara.adapters.assembly import verify_log_of
from chekara.adapters.database import open_database
from chekara.domain.vocabulary import Role
from chekara.errors import ConfigurationError, NotFoundError, UnauthenticatedError
from chekara.policy import load_policy
from chekara.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"CHEKARA_HOME": str(tmp_path / "new" / "home")})


@pytest.fixture
def accounts(settings: Settings):
    database = open_database(settings)
    yield Accounts(database, load_policy())
    database.close()


def test_first_use_sets_up_a_new_home_even_in_production(settings: Settings) -> None:
    assert not settings.is_dev
    key = add_key(settings, agency="customs", role="system", holder="post 7", scopes=("reasons",))
    database = open_database(settings)
    actor = Accounts(database, load_policy()).actor_for_key(key)
    database.close()
    assert (actor.agency, actor.role, actor.holder, actor.scopes) == (
        "customs",
        Role.SYSTEM,
        "post 7",
        frozenset({"reasons"}),
    )
    assert verify_log_of(settings).entries == 1


@pytest.mark.parametrize(
    "holder",
    ["A\x1b[2J", "A\nB", "A\u202eB", "A\u2066B", "A\u200b", "A\x00", "A\udcff", "x" * 257, "\u2800", "- -", "A\u2028B"],
)
def test_a_holder_has_a_name_that_can_be_read(accounts: Accounts, settings: Settings, holder: str) -> None:
    with pytest.raises(ConfigurationError, match="holder") as caught:
        accounts.add(agency="customs", role="analyst", holder=holder)
    assert holder not in str(caught.value)
    assert verify_log_of(settings).entries == 0
    key = accounts.add(agency="customs", role="analyst", holder=f" Айгүл Т. {'x' * 246} ")
    assert len(accounts.actor_for_key(key).holder) == 255


def test_keys_are_long_random_and_never_stored(settings: Settings, accounts: Accounts) -> None:
    keys = [accounts.add(agency="customs", role="analyst", is_test=is_test) for is_test in (False, True)]
    assert keys[0].startswith(LIVE_PREFIX)
    assert keys[1].startswith(TEST_PREFIX)
    assert accounts.actor_for_key(keys[1]).is_test
    for key in keys:
        secret = key.removeprefix(LIVE_PREFIX).removeprefix(TEST_PREFIX)
        assert len(secret) == 43  # 256 bits in base64
        stored = b"".join(path.read_bytes() for path in settings.home.glob("chekara.db*"))
        assert secret.encode() not in stored


@pytest.mark.parametrize("wrong", ["", "ck_live_", "ck_live_" + "A" * 43, "test_x", "\ud800", "x" * 100_000])
def test_unknown_keys_open_nothing(accounts: Accounts, wrong: str) -> None:
    accounts.add(agency="customs", role="analyst")
    with pytest.raises(UnauthenticatedError) as caught:
        accounts.actor_for_key(wrong)
    assert not wrong or wrong not in str(caught.value)


def test_a_revoked_key_is_dead_and_stays_so(settings: Settings, accounts: Accounts) -> None:
    key, other = (accounts.add(agency="customs", role="analyst") for _ in range(2))
    key_id = accounts.actor_for_key(key).key_id
    assert accounts.actor_of(key_id) == accounts.actor_for_key(key)
    accounts.revoke(key_id)
    accounts.revoke(key_id)
    with pytest.raises(UnauthenticatedError):
        accounts.actor_for_key(key)
    with pytest.raises(UnauthenticatedError):
        accounts.actor_of(key_id)
    assert accounts.actor_for_key(other)
    with pytest.raises(NotFoundError):
        accounts.revoke("no such key")
    report = verify_log_of(settings)
    assert report.is_intact
    assert report.entries == 3


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"agency": "tax_service", "role": "system"}, "agency"),
        ({"agency": "customs", "role": "king"}, "role"),
        ({"agency": "customs", "role": "system", "scopes": ("reasons", "all")}, "scope"),
    ],
)
def test_unknown_words_are_refused(accounts: Accounts, given: dict, where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        accounts.add(**given)
    assert caught.value.where == where


def test_a_country_adds_agencies_in_its_policy(settings: Settings, tmp_path: Path) -> None:
    shipped = Path(load_policy.__globals__["__file__"]).with_name("default.toml").read_text("utf-8")
    policy = tmp_path / "national.toml"
    policy.write_text(shipped.replace("more = []", 'more = ["tax_service"]'), "utf-8")
    variables = {"CHEKARA_HOME": str(settings.home), "CHEKARA_POLICY": str(policy)}
    with pytest.raises(ConfigurationError, match="promoted"):
        add_key(Settings.from_environment(variables), agency="tax_service", role="analyst")
    national = Settings.from_environment(variables | {"CHEKARA_ENV": "dev"})
    assert add_key(national, agency="tax_service", role="analyst")


def test_an_ended_session_stays_so_until_it_would_have_ended_anyway(settings: Settings, accounts: Accounts) -> None:
    assert not accounts.is_session_ended("one")
    now = datetime.now(UTC)
    for _ in range(2):
        accounts.end_session("one", now + timedelta(hours=1))
    database = open_database(settings)
    restarted = Accounts(database, load_policy(), lambda: now + timedelta(hours=2))
    assert restarted.is_session_ended("one")
    restarted.end_session("two", now + timedelta(hours=3))
    assert not restarted.is_session_ended("one"), "forgotten once its cookie is too old"
    assert restarted.is_session_ended("two")
    assert verify_log_of(settings).is_intact
    database.close()

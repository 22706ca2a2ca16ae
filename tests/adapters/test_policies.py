"""Policies are promoted by a second person, serve from then on, and can be read back by their digest."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from chekara.adapters.accounts import add_key
from chekara.adapters.database import open_database
from chekara.adapters.policies import SqlPolicies, policy_that_serves, promote_policy, serving_policy
from chekara.cli import app
from chekara.errors import ChekaraError, ConfigurationError, ForbiddenError
from chekara.policy import load_policy
from chekara.policy.load import policy_texts
from chekara.settings import Settings
from tests.policy.test_load import SMALL
from tests.policy.test_rules_load import RULES, write

WHO = {"proposed_by": "P. Poser", "approved_by": "A. Prover", "reason": "shifts change"}


def settings_of(home: Path, environment: str = "production", policy: Path | None = None) -> Settings:
    made = {"CHEKARA_HOME": str(home), "CHEKARA_ENV": environment}
    return Settings.from_environment(made | ({} if policy is None else {"CHEKARA_POLICY": str(policy)}))


def test_what_was_promoted_last_serves_and_all_can_be_read_back(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "home", "dev")
    shipped = load_policy()
    assert serving_policy(settings).digest == shipped.digest
    folder = tmp_path / "policy"
    folder.mkdir()
    first = promote_policy(settings, policy_texts(write(folder)), **WHO)
    assert serving_policy(settings).digest == first.policy_digest == load_policy(folder).digest
    second = promote_policy(settings, policy_texts(write(folder, rules=RULES.replace("2.5", "2.4"))), **WHO)
    assert serving_policy(settings).digest == second.policy_digest != first.policy_digest
    database = open_database(settings)
    try:
        register = SqlPolicies(database)
        for digest in (first.policy_digest, second.policy_digest, shipped.digest):
            found = register.by_digest(digest)
            assert found is not None
            assert found.digest == digest
        assert register.by_digest("sha256:0") is None
        newest = register.newest()
        assert newest is not None
        assert newest.proposed_by == "P. Poser"
    finally:
        database.close()


def test_production_serves_nothing_that_was_not_promoted(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(SMALL, "utf-8")
    dev, production = (settings_of(tmp_path / "home", environment, path) for environment in ("dev", "production"))
    database = open_database(dev)
    try:
        assert policy_that_serves(dev, database).name == "small"
        with pytest.raises(ConfigurationError, match="promoted last"):
            policy_that_serves(production, database)
    finally:
        database.close()
    promote_policy(dev, policy_texts(path), **WHO)
    assert serving_policy(production).name == "small"
    assert serving_policy(replace(production, policy_path=None)).name == "small"


@pytest.mark.parametrize(
    "who",
    [
        {"approved_by": "p.  POSER"},
        {"approved_by": "Poser, P."},
        {"approved_by": " "},
        {"proposed_by": ""},
        {"reason": " "},
    ],
)
def test_one_person_alone_promotes_nothing(tmp_path: Path, who: dict[str, str]) -> None:
    settings = settings_of(tmp_path, "dev")
    with pytest.raises(ForbiddenError):
        promote_policy(settings, policy_texts(), **(WHO | who))
    database = open_database(settings)
    try:
        assert SqlPolicies(database).newest() is None
    finally:
        database.close()


def test_a_policy_that_cannot_be_read_is_not_promoted(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2"):
        promote_policy(settings_of(tmp_path, "dev"), {"policy.toml": SMALL.replace("format = 1", "format = 9")}, **WHO)


def test_outside_dev_a_key_of_an_approver_promotes_and_no_name_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, path = tmp_path / "home", tmp_path / "policy.toml"
    path.write_text(SMALL, "utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no terminal to ask for a key on

    def key_of(holder: str, role: str = "approver", *, is_test: bool = False) -> str:
        return add_key(settings_of(home, "dev"), agency="customs", role=role, holder=holder, is_test=is_test)

    def promote(key: str, *more: str, by: str = "Ms A", reason: str = "winter shifts") -> Result:
        environment = {"CHEKARA_HOME": str(home), "CHEKARA_ENV": "production", "CHEKARA_APPROVER_KEY": key}
        words = ["policy", "promote", str(path), "--proposed-by", by, "--reason", reason, *more]
        return CliRunner().invoke(app, words, env=environment | {"COLUMNS": "200"})

    second = key_of("Mr B")
    refused = [
        (promote("", "--approver", "Mr B"), "CHEKARA_APPROVER_KEY"),
        (promote("made up"), "not known"),
        (promote(key_of("ms a")), "cannot promote"),
        (promote(key_of("Ms \u0410")), "cannot promote"),  # the last letter is Cyrillic
        (promote(second, "--approver", "Ms C"), "another person"),
        (promote(key_of("Mr B", "data_scientist")), "not that of an approver"),
        (promote(key_of("Mr B", is_test=True)), "not that of an approver"),
        (promote(second, reason=" "), "for a reason"),
        (promote(second, by=" "), "person who wrote it"),
    ]
    for result, why in refused:
        assert isinstance(result.exception, ChekaraError), why
        assert why in f"{result.exception} {result.exception.where}"
    database = open_database(settings_of(home))
    try:
        assert SqlPolicies(database).newest() is None, "nothing was recorded"
        done = promote(second, "--approver", "mr b")
        assert done.exit_code == 0, done.output
        assert "approved by Mr B" in done.output
        newest = SqlPolicies(database).newest()
        assert newest is not None
        assert (newest.approved_by, newest.proposed_by, newest.reason) == ("Mr B", "Ms A", "winter shifts")
        assert done.output.splitlines()[-1] == newest.policy_digest == load_policy(path).digest
        assert second not in str(newest)
    finally:
        database.close()

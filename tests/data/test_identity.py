"""One spelling, one token: properties of entity ids at the door."""

from __future__ import annotations

import base64
import hmac
import stat
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.data.identity import (
    PREFIXES,
    SECRET_BYTES,
    EntityTokens,
    canonical_id,
    canonical_ids,
    is_same_person,
    load_entity_secret,
)
from chekara.data.schema import EntityType
from chekara.errors import ConfigurationError
from chekara.settings import Settings

ENTITIES = st.sampled_from(get_args(EntityType))
TOKENS = EntityTokens(bytes(range(32)))
LATIN_TO_CYRILLIC = str.maketrans("ABEKMHOPCTYX", "АВЕКМНОРСТУХ")


def settings_in(folder: Path, environment: str) -> Settings:
    return Settings.from_environment({"CHEKARA_HOME": str(folder), "CHEKARA_ENV": environment})


@given(secret=st.binary(min_size=16, max_size=80), entity=ENTITIES, raw=st.text("ABCXYZ0189", min_size=1, max_size=12))
def test_a_token_is_what_other_tools_make_of_it(secret: bytes, entity: EntityType, raw: str) -> None:
    def keyed(purpose: str, value: str, length: int) -> str:
        message = b"".join(
            len(part).to_bytes(4, "big") + part for part in (purpose.encode(), entity.encode(), value.encode())
        )
        return base64.b32encode(hmac.digest(secret, message, "sha256")[:length]).decode().lower()

    name = keyed("token", raw, 15)
    assert EntityTokens(secret).token(entity, raw) == f"{PREFIXES[entity]}_{name}{keyed('check', name, 5)}"


@given(entity=ENTITIES, raw=st.text(max_size=30))
def test_canonical_spelling_is_a_fixed_point(entity: EntityType, raw: str) -> None:
    once = canonical_id(entity, raw)
    assert canonical_id(entity, once) == once


@given(
    entity=ENTITIES, raw=st.text("abcxyz0189", min_size=1, max_size=12), gap=st.text(" -./_\u00a0\u200b", max_size=3)
)
def test_case_and_separators_do_not_matter(entity: EntityType, raw: str, gap: str) -> None:
    spaced = gap.join(raw)
    assert TOKENS.token(entity, spaced.upper()) == TOKENS.token(entity, raw)


@given(plate=st.text("ABEKMHOPCTYX0123456789", min_size=1, max_size=10), entity=st.sampled_from(["vehicle", "trailer"]))
def test_cyrillic_and_latin_plates_meet(plate: str, entity: EntityType) -> None:
    assert TOKENS.token(entity, plate.translate(LATIN_TO_CYRILLIC)) == TOKENS.token(entity, plate)
    assert TOKENS.token(entity, plate.translate(LATIN_TO_CYRILLIC).lower()) == TOKENS.token(entity, plate)


def test_company_names_keep_their_alphabet() -> None:
    assert canonical_id("importer", "СОНАР") != canonical_id("importer", "COHAP")


WORDS = st.lists(st.text("ABC1éñ'а", min_size=1, max_size=4), min_size=1, max_size=5)
BETWEEN = st.sampled_from([" ", ", ", ".", "  ", "-", ""])


@given(words=WORDS, data=st.data())
def test_a_person_is_one_in_whatever_order_the_name_is_written(words: list[str], data: st.DataObject) -> None:
    name = " ".join(words)
    other = data.draw(BETWEEN).join(data.draw(st.permutations(words)))
    assert is_same_person(name, other), "one of the two shows where a word ends"
    assert is_same_person(other, name.lower())
    assert not is_same_person(name + "Z", other)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("B. Author", "Author B.", True),
        ("Anna-Maria O'Brien", "obrien annamaria", True),
        ("B.Author", "author,b", True),
        ("Иманова Айнура", "Айнура  ИМАНОВА", True),
        ("B. Author", "C. Author", False),
        ("B. Author", "Author", False),
        ("Ab Cd", "Ba Dc", False),
        ("Ann Lee", "Anne Lee", False),
        ("Author", "", False),
    ],
)
def test_two_names_are_told_apart(first: str, second: str, is_same: bool) -> None:
    assert is_same_person(first, second) is is_same is is_same_person(second, first)


@given(st.text(max_size=12))
def test_every_name_is_its_own_person(name: str) -> None:
    assert is_same_person(name, name)
    assert is_same_person(name, f" {name}. ")


@given(first=st.text(max_size=12), second=st.text(max_size=12), entity=ENTITIES)
def test_different_ids_have_different_tokens(first: str, second: str, entity: EntityType) -> None:
    same_id = canonical_id(entity, first) == canonical_id(entity, second)
    assert (TOKENS.token(entity, first) == TOKENS.token(entity, second)) == same_id


def test_tokens_differ_by_type_and_by_secret_and_hide_the_id() -> None:
    tokens = {TOKENS.token(entity, "01KG123ABC") for entity in get_args(EntityType)}
    assert len(tokens) == len(get_args(EntityType))
    assert EntityTokens(bytes(32)).token("vehicle", "01KG123ABC") not in tokens
    assert not any("123" in token and "kg" in token for token in tokens)
    assert all(len(token) == 36 for token in tokens)


@given(entity=ENTITIES, raw=st.text(max_size=20))
def test_the_token_of_a_token_is_itself(entity: EntityType, raw: str) -> None:
    token = TOKENS.token(entity, raw)
    assert TOKENS.token(entity, token) == token
    assert TOKENS.token(entity, canonical_id(entity, token)) == token, "a file reader has spelt it already"
    assert not token or EntityTokens(bytes(32)).token(entity, token) != token, "but only under its own secret"


@given(
    entity=ENTITIES,
    letters=st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32),
    place=st.integers(0, 31),
)
def test_what_only_looks_like_a_token_is_an_id_like_any_other(entity: EntityType, letters: str, place: int) -> None:
    own = TOKENS.token(entity, "an id")
    forged = own[:4] + letters
    assert TOKENS.token(entity, forged) != forged or forged == own
    changed = own[: 4 + place] + ("a" if own[4 + place] != "a" else "b") + own[5 + place :]
    assert TOKENS.token(entity, changed) not in (changed, own)
    other: EntityType = "carrier" if entity != "carrier" else "importer"
    assert TOKENS.token(other, own) != own, "a token of one type is none of another"


def test_agencies_see_short_tokens_that_do_not_join() -> None:
    token = TOKENS.token("importer", "77")
    customs, agriculture = TOKENS.display("customs", token), TOKENS.display("agriculture", token)
    assert customs != agriculture
    assert customs == TOKENS.display("customs", token)
    assert customs.startswith("IMP-")
    assert len(customs) == 12
    assert token.split("_")[1].upper() not in customs


def test_columns_are_tokenised_like_single_ids_and_missing_stays_missing() -> None:
    ids = pd.Series(["01 KG 1", None, "01kg1", "--", "02KG2"], index=[5, 6, 7, 8, 9], dtype="str", name="vehicle_id")
    tokens = TOKENS.tokenise("vehicle", ids)
    assert tokens.index.equals(ids.index)
    assert tokens.isna().tolist() == [False, True, False, True, False]
    assert tokens[5] == tokens[7] == TOKENS.token("vehicle", "01KG1")
    assert canonical_ids("vehicle", ids).dropna().tolist() == ["01KG1", "01KG1", "02KG2"]
    assert str(tokens.dtype) == "str"


def test_a_short_secret_and_an_unknown_type_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="16"):
        EntityTokens(b"short")
    with pytest.raises(ConfigurationError, match="driver"):
        TOKENS.token("driver", "1")  # type: ignore[arg-type]


def test_dev_makes_the_secret_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "dev")
    secret = load_entity_secret(settings)
    path = settings.keys_path / "entity.secret"
    assert len(secret) == SECRET_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_entity_secret(settings) == secret
    assert [entry.name for entry in settings.keys_path.iterdir()] == ["entity.secret"]


def test_production_never_makes_a_secret(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "production")
    with pytest.raises(ConfigurationError, match=r"missing.*restore"):
        load_entity_secret(settings)
    assert not settings.keys_path.exists()


@pytest.mark.parametrize(("content", "mode", "message"), [(b"x" * 32, 0o604, "chmod"), (b"x" * 8, 0o600, "short")])
def test_an_open_or_short_secret_is_refused(tmp_path: Path, content: bytes, mode: int, message: str) -> None:
    settings = settings_in(tmp_path, "production")
    settings.keys_path.mkdir(parents=True)
    path = settings.keys_path / "entity.secret"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=message):
        load_entity_secret(settings)

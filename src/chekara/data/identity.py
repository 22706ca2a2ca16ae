"""Entity ids at the door: one spelling, one national token per type, one display token per agency.

An id is first brought to one spelling, so that every agency's way of writing it meets, and then keyed with
HMAC-SHA256 (RFC 2104) under a secret that never leaves the service. Tokens of two types differ even for the same id,
because a vehicle and an importer are not the same thing. What an agency sees is a second, shorter token made under
the agency's name: two agencies cannot join their extracts by it.

A token ends in a keyed check, so that the service knows its own: the token of a token is itself, and what was exported
can be loaded again. Without the secret nobody can make a text that passes for one, but by one guess in 2^40; and that
would be the token of nobody.
"""

from __future__ import annotations

import hmac
import os
import re
import unicodedata
from functools import lru_cache
from typing import Any, get_args

import pandas as pd

from chekara.data.begun_hmac import BegunHmac
from chekara.data.schema import EntityType
from chekara.errors import ConfigurationError
from chekara.secret_files import load_secret
from chekara.settings import Settings

SECRET_FILE = "entity.secret"  # noqa: S105  # a file name
SECRET_BYTES = 32
REMEMBERED_TOKENS = 65_536
TOKEN_BYTES = 15  # 24 base32 letters without padding; collisions need 2^60 entities
CHECK_BYTES = 5  # 8 letters more
DISPLAY_BYTES = 5  # 8 letters: short enough to read aloud, one accidental twin in a million entities

PREFIXES: dict[EntityType, str] = {
    "importer": "imp",
    "exporter": "exp",
    "declarant": "dec",
    "carrier": "car",
    "vehicle": "veh",
    "trailer": "trl",
}

# Base32 takes eight letters for five bytes.
_LETTERS = TOKEN_BYTES * 8 // 5
_CHECK_LETTERS = CHECK_BYTES * 8 // 5

# Letters that look alike on a plate. Upper case only: a plate has no other.
_LOOK_ALIKE = str.maketrans("АВЕЁКМНОРСТУҮХЅІЇЈԚԜҺΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEEKMHOPCTYYXSIIJQWHABEZHIKMNOPTYX")
_PLATED = {"vehicle", "trailer"}
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_LETTER_PAIRS = tuple(first + second for first in _BASE32 for second in _BASE32)
_SEPARATORS = bytes(code for code in range(128) if not chr(code).isalnum())


def canonical_id(entity: EntityType, raw: str) -> str:
    """Return the one spelling of an entity id.

    Compatibility forms are unified (Unicode NFKC), case is folded, and everything that is not a letter, a digit or a
    mark on a letter is dropped. In ids of vehicles and trailers, Cyrillic and Greek letters that look like Latin ones
    become those.

    Parameters
    ----------
    entity : {'importer', 'exporter', 'declarant', 'carrier', 'vehicle', 'trailer'}
    raw : str

    Returns
    -------
    str
        Upper case; empty where nothing but separators was given. Applying it again changes nothing.

    Examples
    --------
    >>> canonical_id("vehicle", "01 kg-123 аве")  # the last three letters are Cyrillic
    '01KG123ABE'
    >>> canonical_id("importer", "ООО «Ромашка»")
    'ОООРОМАШКА'
    """
    if raw.isascii():  # nothing to unify, and nothing that one step leaves to another
        return _spell(entity, raw)
    text = raw
    while (spelt := _spell(entity, text)) != text:  # one step can make room for another; two rounds are typical
        text = spelt
    return text


def canonical_ids(entity: EntityType, ids: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of ids in their one spelling; what is empty then becomes missing.

    Only distinct values are worked on, so a million rows cost what their entities cost.
    """
    return _map_distinct(ids, lambda raw: canonical_id(entity, raw) or None)


def canonical_name(raw: str) -> str:
    """Return the one spelling of a person's name; empty where nobody is named.

    Spelt as an id of a vehicle is, and without accents: spaces, punctuation, invisible characters and look-alike
    letters make no second person.

    Parameters
    ----------
    raw : str

    Returns
    -------
    str
        Upper case; empty where no letter or digit was given.

    Examples
    --------
    >>> canonical_name(" Ms А. Petrova\u200b") == canonical_name("ms a petrova")  # the first A is Cyrillic
    True
    """
    plain = unicodedata.normalize("NFKD", canonical_id("vehicle", raw))
    return canonical_id("vehicle", "".join(letter for letter in plain if unicodedata.category(letter)[0] != "M"))


def is_same_person(first: str, second: str) -> bool:
    """Return whether two names are to be read as one person's, in whatever order the words are written.

    Of one of the two it must be seen where a word ends: ``AuthorB`` is ``B. Author``, too.

    Parameters
    ----------
    first, second : str

    Returns
    -------
    bool
        Also true of two names in which nothing is written.

    Examples
    --------
    >>> is_same_person("B. Author", "AUTHOR, B"), is_same_person("B. Author", "C. Author")
    (True, False)
    """
    a, b = canonical_name(first), canonical_name(second)
    if sorted(a) != sorted(b):
        return False
    return a == b or _is_made_of(b, _words(first)) or _is_made_of(a, _words(second))


def _words(name: str) -> tuple[str, ...]:
    return tuple(word for part in re.split(r"[\W_]+", name) if (word := canonical_name(part)))


def _is_made_of(spelling: str, words: tuple[str, ...]) -> bool:
    """Return whether the words, one after the other in some order, are the spelling."""
    if not words:
        return not spelling
    return any(
        _is_made_of(spelling.removeprefix(word), words[:i] + words[i + 1 :])
        for i, word in enumerate(words)
        if spelling.startswith(word) and word not in words[:i]
    )


class EntityTokens:
    """Tokens of entities under one secret.

    Parameters
    ----------
    secret : bytes
        At least 16 bytes.

    Raises
    ------
    ConfigurationError
        The secret is too short.

    Examples
    --------
    >>> tokens = EntityTokens(bytes(32))
    >>> tokens.token("vehicle", "01KG123ABC") == tokens.token("vehicle", "01 kg 123 авс")
    True
    >>> tokens.display("customs", tokens.token("importer", "a")) == tokens.display("agriculture", "imp_a")
    False
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ConfigurationError("the entity secret is too short", hint="it needs at least 16 random bytes")
        self._begun = lru_cache(maxsize=64)(
            lambda purpose, scope: BegunHmac(secret, _lengthy(purpose) + _lengthy(scope))
        )
        # The same traders and trucks come again and again.
        self._remembered = lru_cache(maxsize=REMEMBERED_TOKENS)(self._token)

    def token(self, entity: EntityType, raw: str) -> str:
        """Return the internal national token of an id.

        Returns
        -------
        str
            ``<type>_<32 letters of base32>``; equal for every spelling of one id, empty for an id without a letter
            or digit. The token of a token of the same type and secret is itself.

        Raises
        ------
        ConfigurationError
            There is no such type of entity.
        """
        if entity not in PREFIXES:
            raise ConfigurationError(
                "no such type of entity", where=str(entity), hint=f"types are {', '.join(get_args(EntityType))}"
            )
        return self._remembered(entity, raw)

    def _token(self, entity: EntityType, raw: str) -> str:
        canonical = canonical_id(entity, raw)
        if not canonical:
            return ""
        prefix = PREFIXES[entity]
        name = self._named(prefix.upper(), entity, canonical)
        if name is None:
            name = self._keyed("token", entity, canonical, TOKEN_BYTES)
        return f"{prefix}_{name}{self._keyed('check', entity, name, CHECK_BYTES)}"

    def _named(self, prefix: str, entity: EntityType, canonical: str) -> str | None:
        """Return what a token of ours names, or None where it is none; whatever reads a file has spelt it already."""
        if len(canonical) != len(prefix) + _LETTERS + _CHECK_LETTERS or not canonical.startswith(prefix):
            return None
        token = canonical.removeprefix(prefix).lower()
        name, check = token[:_LETTERS], token[_LETTERS:]
        is_own = hmac.compare_digest(check.encode(), self._keyed("check", entity, name, CHECK_BYTES).encode())
        return name if is_own else None

    def display(self, agency: str, token: str) -> str:
        """Return the short token under which one agency sees an entity.

        Parameters
        ----------
        agency : str
        token : str
            An internal token, as ``token`` returns it.

        Returns
        -------
        str
            ``<TYPE>-<8 letters of base32>``, upper case.
        """
        kind = token.partition("_")[0]
        return f"{kind}-{self._keyed('display', agency, token, DISPLAY_BYTES)}".upper()

    def tokenise(self, entity: EntityType, ids: pd.Series[Any]) -> pd.Series[Any]:
        """Return the tokens of a column of ids; missing and empty ids stay missing."""
        return _map_distinct(ids, lambda raw: self.token(entity, raw) or None)

    def _keyed(self, purpose: str, scope: str, value: str, length: int) -> str:
        return _base32(self._begun(purpose, scope).digest(_lengthy(value))[:length])


def _lengthy(text: str) -> bytes:
    """Put the length in front, which keeps ("a", "bc") and ("ab", "c") apart."""
    part = text.encode()
    return len(part).to_bytes(4, "big") + part


def _base32(digest: bytes) -> str:
    """Write whole groups of five bytes as lower-case base32 (RFC 4648), two letters at a time."""
    number = int.from_bytes(digest, "big")
    return "".join([_LETTER_PAIRS[number >> shift & 1023] for shift in range(8 * len(digest) - 10, -1, -10)])


def load_entity_secret(settings: Settings) -> bytes:
    """Return the secret that keys entity tokens, from ``keys/entity.secret`` under the home folder.

    In ``dev`` it is made on first use, readable by its owner alone. In production it must be there: a secret that
    came up by itself after a lost volume would cut every entity off from its history without a sign.

    Raises
    ------
    ConfigurationError
        It is missing in production, too short, or readable by everyone on the machine.
    """
    path = settings.keys_path / SECRET_FILE
    how = f"restore it from its backup, or write {SECRET_BYTES} random bytes there for a new installation"
    secret = load_secret(path, lambda: os.urandom(SECRET_BYTES), may_make=settings.is_dev, hint=how)
    if len(secret) < 16:
        raise ConfigurationError("the entity secret is too short", where=str(path), hint="16 random bytes at least")
    return secret


def _spell(entity: EntityType, text: str) -> str:
    if text.isascii():  # nothing to unify, and only letters and digits stay: most ids, read ten times as fast
        return text.upper().encode().translate(None, _SEPARATORS).decode()
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold().upper())
    kept = "".join(letter for letter in normal if unicodedata.category(letter)[0] in "LNM")
    return kept.translate(_LOOK_ALIKE) if entity in _PLATED else kept


def _map_distinct(ids: pd.Series[Any], change: Any) -> pd.Series[Any]:
    codes, distinct = pd.factorize(ids, use_na_sentinel=True)
    changed = pd.array([change(str(value)) for value in distinct], dtype="str")
    return pd.Series(changed.take(codes, allow_fill=True), index=ids.index, name=ids.name)

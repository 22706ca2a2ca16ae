"""Columns that describe people are refused, by name and by content.

Movements are scored, never people: nationality, ethnicity, race, religion, sex, birth date, age, names, passport and
ID numbers, language, politics, health and biometrics reach no model, whether the column is of the contract, a
national extension or one that would be ignored anyway.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import pandas as pd

from chekara.data.denied_content import personal_content
from chekara.data.denied_words import (
    DENIED_INSIDE,
    DENIED_OF_PERSON,
    DENIED_RUNS,
    DENIED_TOKENS,
    DENIED_WHOLE,
    PERSON_TOKENS,
    THINGS_BESIDE,
    THINGS_OF_PEOPLE,
)
from chekara.data.schema import TABLES, columns_by_name
from chekara.errors import DeniedColumnError

# Letters that look alike, Cyrillic and Latin, small and capital.
_CYRILLIC, _LATIN = "аеёкмнорстухіјѕһАВЕЁКМНОРСТУХІЈЅҺ", "aeekmhopctyxijshABEEKMHOPCTYXIJSH"
_READ_AS_LATIN = str.maketrans(_CYRILLIC, _LATIN)
_READ_AS_CYRILLIC = str.maketrans("acehijkmopstxyABCEHIJKMOPSTXY", "асеһіјкморѕтхуАВСЕНІЈКМОРЅТХУ")

_HINT = "leave the column out of the file; people are never scored"


def refuse_denied_columns(frame: pd.DataFrame, table: str) -> None:
    """Refuse a table that holds a column describing people.

    Parameters
    ----------
    frame : DataFrame
        Raw table.
    table : {'crossings', 'inspections', 'crossing_points'}

    Raises
    ------
    DeniedColumnError
        Names the column and says what it seems to hold; never a value.

    Notes
    -----
    Names of contract columns are not checked. Their content is where it is free text, with patterns that nothing
    else has; entity ids are not, because they are tokenised at the door.
    """
    contract = columns_by_name(TABLES[table])
    for name in map(str, frame.columns):
        column = contract.get(name)
        if column is None:
            refuse_denied_name(name, where=f"{table}: {name}")
        elif column.entity is not None or column.kind != "string":
            continue
        described = personal_content(frame[name], is_free=column is None)
        if described is not None:
            raise DeniedColumnError(f"the values look like {described}", where=f"{table}: {name}", hint=_HINT)


def refuse_denied_name(name: str, *, where: str) -> None:
    """Refuse a column by its name.

    Parameters
    ----------
    name : str
    where : str
        Place for the message, such as the table and column.

    Raises
    ------
    DeniedColumnError
        The name says that the column describes people.
    """
    described = denied_by_name(name)
    if described is not None:
        raise DeniedColumnError(f"the name says {described}", where=where, hint=_HINT)


def denied_by_name(name: str) -> str | None:
    """Say what a column describes of people, judged by its name.

    Examples
    --------
    >>> denied_by_name("driverSex"), denied_by_name("дата_рождения"), denied_by_name("x_tonnage")
    ('sex', 'birth', None)
    >>> denied_by_name("x_vehicle_age"), denied_by_name("age_group")
    (None, 'age')
    >>> denied_by_name("x_nati\u043enality")  # one letter of it is Cyrillic
    'nationality'
    """
    return next(filter(None, map(_described_by_tokens, map(name_tokens, _spellings(name)))), None)


def _spellings(name: str) -> Iterator[str]:
    """Yield a name, and where it is not all ASCII, what it may be meant to be read as."""
    yield name
    if not name.isascii():
        plain = unicodedata.normalize("NFKC", name)
        yield from (plain.translate(letters) for letters in (_READ_AS_LATIN, _READ_AS_CYRILLIC))


def _described_by_tokens(tokens: Sequence[str]) -> str | None:
    if not tokens:
        return None
    is_of_person = any(
        token in PERSON_TOKENS and following not in THINGS_OF_PEOPLE
        for token, following in zip(tokens, [*tokens[1:], ""], strict=True)
    )
    for token in tokens:
        described = _described_by(token)
        if described and (is_of_person or not THINGS_BESIDE.get(described, frozenset()) & set(tokens)):
            return described
    for run, described in DENIED_RUNS.items():
        if any(tuple(tokens[start : start + len(run)]) == run for start in range(len(tokens))):
            return described
    if is_of_person and DENIED_OF_PERSON & set(tokens):
        return "a person's identity"
    without_prefix = tuple(tokens[1:] if tokens[:1] == ["x"] else tokens)
    return "identity document" if without_prefix in DENIED_WHOLE else None


def name_tokens(name: str) -> list[str]:
    """Split a column name at everything but letters, and where small letters turn to capitals.

    Examples
    --------
    >>> name_tokens("x_driverDOB-2 (пол)")
    ['x', 'driver', 'dob', 'пол']
    """
    plain = unicodedata.normalize("NFKC", name)
    spaced = "".join(
        f" {letter}" if index and letter.isupper() and _starts_word(plain, index) else letter
        for index, letter in enumerate(plain)
    )
    return re.findall(r"[^\W\d_]+", spaced.casefold())


def _starts_word(name: str, index: int) -> bool:
    follows_small = name[index - 1].islower()
    ends_capitals = name[index - 1].isupper() and name[index + 1 : index + 2].islower()
    return follows_small or ends_capitals


def _described_by(token: str) -> str | None:
    for described, tokens in DENIED_TOKENS.items():
        if token in tokens:
            return described
    return next((described for part, described in DENIED_INSIDE.items() if part in token), None)

"""Texts by key and language, read once from the ``.po`` files beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from babel.messages.pofile import read_po

from chekara.domain.vocabulary import LANGUAGES
from chekara.errors import ConfigurationError

FALLBACK_LANGUAGE = "en"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Read one language's texts.

    Parameters
    ----------
    language : str
        One of `languages`.

    Returns
    -------
    mapping of str to str
        Text by key. A key whose translation is still empty is left out.

    Raises
    ------
    ConfigurationError
        There is no such language, or its file cannot be parsed.
    """
    source = files("chekara.messages") / "locale" / f"{language}.po"
    if language not in LANGUAGES or not source.is_file():
        raise ConfigurationError("no such language", where="messages/locale", hint=f"one of {', '.join(LANGUAGES)}")
    with source.open("rb") as stream:
        parsed = read_po(stream, locale=language, abort_invalid=True)
    return {str(message.id): str(message.string) for message in parsed if message.id and message.string}


def languages() -> tuple[str, ...]:
    """Return the languages that pages and reasons are written in, the fallback first.

    Examples
    --------
    >>> languages()
    ('en', 'ru', 'ky')
    """
    return LANGUAGES


def has_text(key: str) -> bool:
    """Whether the catalogue knows a key: new words of a country (a control, an agency) may not be in it.

    Examples
    --------
    >>> has_text("lane.red"), has_text("lane.violet")
    (True, False)
    """
    return key in catalogue(FALLBACK_LANGUAGE)


def text(key: str, language: str, **values: str) -> str:
    """Return the text of a key, filled.

    Parameters
    ----------
    key : str
    language : str
        Unknown languages are served in English.
    **values : str
        What stands in the placeholders, formatted for the reader already.

    Returns
    -------
    str
        In the language asked; in English where that language has no such text; the key itself where nobody has
        one, because an officer's page must not fail over a word. Tests hold that this does not happen for any
        word of the product.

    Raises
    ------
    KeyError
        A placeholder of the text was not given: a mistake in the calling code.

    Examples
    --------
    >>> text("lane.red", "en")
    'Red: physical inspection'
    """
    known = catalogue(language) if language in LANGUAGES else {}
    template = known.get(key) or catalogue(FALLBACK_LANGUAGE).get(key)
    return key if template is None else template.format(**values)


def negotiate(header: str | None) -> str:
    """Choose the language for an ``Accept-Language`` header (RFC 9110, section 12.5.4).

    Parameters
    ----------
    header : str or None

    Returns
    -------
    str
        The language with the highest weight that we have; of equals the one named first; English where there is none.

    Examples
    --------
    >>> negotiate("ky-KG, ru;q=0.8"), negotiate("de, *;q=0.1"), negotiate(None)
    ('ky', 'en', 'en')
    """
    best, best_weight = FALLBACK_LANGUAGE, 0.0
    # A header of a thousand entries is no reader's wish; the first few decide.
    for entry in (header or "").split(",")[:20]:
        tag, _, parameters = entry.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        weight = _weight(parameters)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0

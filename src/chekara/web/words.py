"""Words for codes that policies and countries may add to: agencies, domains, controls, warnings."""

from __future__ import annotations

from collections.abc import Iterable

from chekara import messages
from chekara.domain.decision import Notice
from chekara.explain.reasons import feature_label


def named(family: str, code: str, language: str) -> str:
    """Return the text of ``<family>.<code>``; the code itself where a country added it without a text.

    Examples
    --------
    >>> named("agency", "customs", "ru"), named("agency", "tax_service", "ru")
    ('Таможенная служба', 'tax service')
    """
    key = f"{family}.{code}"
    return messages.text(key, language) if messages.has_text(key) else code.replace("_", " ")


def warning_texts(notices: Iterable[Notice], language: str) -> tuple[str, ...]:
    """Put warnings into sentences, each once.

    Examples
    --------
    >>> warning_texts([Notice("another_agency")], "en")
    ('Another agency wants this crossing.',)
    """
    return tuple(dict.fromkeys(_warning(notice, language) for notice in notices))


def _warning(notice: Notice, language: str) -> str:
    key = f"warning.{notice.code}"
    if not messages.has_text(key):
        return messages.text("warning.unknown", language, code=notice.code)
    return messages.text(
        key,
        language,
        field=_field(notice.field, language),
        domain=named("domain", notice.domain or "", language),
    )


def _field(name: str | None, language: str) -> str:
    key = f"column.{name}"
    if name is None or messages.has_text(key):
        return messages.text(key, language) if name else messages.DASH
    return feature_label(name, language)

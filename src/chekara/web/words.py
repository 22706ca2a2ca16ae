"""Words for codes that policies and countries may add to: agencies, domains, controls, warnings."""

from __future__ import annotations

from collections.abc import Iterable

from chekara import messages
from chekara.domain.decision import Notice
from chekara.explain.reasons import feature_label


def named(family: str, code: str, language: str) -> str:
    """Return the text of ``<family>.<code>``; the code itself where a country added it without a text.

    Parameters
    ----------
    family : str
        First part of the key, such as ``agency``.
    code : str
    language : str

    Examples
    --------
    >>> named("agency", "customs", "ru"), named("agency", "tax_service", "ru")
    ('Таможенная служба', 'tax service')
    """
    key = f"{family}.{code}"
    return messages.text(key, language) if messages.has_text(key) else code.replace("_", " ")


def warning_texts(notices: Iterable[Notice], language: str) -> tuple[str, ...]:
    """Put warnings into sentences, one per kind: what it is about is listed in it.

    Examples
    --------
    >>> warning_texts([Notice("no_model", None, "contraband"), Notice("no_model", None, "vehicle_crime")], "en")
    ('Contraband, Stolen or altered vehicle: no model serves yet, so this was not scored.',)
    """
    by_code: dict[str, list[Notice]] = {}
    for notice in notices:
        by_code.setdefault(notice.code, []).append(notice)
    return tuple(_warning(code, alike, language) for code, alike in by_code.items())


def _warning(code: str, alike: Iterable[Notice], language: str) -> str:
    key = f"warning.{code}"
    if not messages.has_text(key):
        return messages.text("warning.unknown", language, code=code)
    fields = dict.fromkeys(_field(notice.field, language) for notice in alike)
    domains = dict.fromkeys(named("domain", notice.domain, language) for notice in alike if notice.domain)
    return messages.text(key, language, field=", ".join(fields), domain=", ".join(domains))


def _field(name: str | None, language: str) -> str:
    key = f"column.{name}"
    if name is None or messages.has_text(key):
        return messages.text(key, language) if name else messages.DASH
    return feature_label(name, language)

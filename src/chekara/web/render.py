"""Render a page's dataclass with the template of the same name."""

from __future__ import annotations

import re
from functools import cache
from typing import TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined

from chekara import messages
from chekara.web.pages import AgenciesPage, CasePage, ErrorPage, QueuePage, SignInPage

Page: TypeAlias = SignInPage | QueuePage | CasePage | AgenciesPage | ErrorPage


def render(page: Page) -> str:
    """Return a page as HTML, in the language of its frame.

    Everything in a page is escaped; a template that asks for something that its page does not have fails.

    Parameters
    ----------
    page : SignInPage, QueuePage, CasePage, AgenciesPage or ErrorPage
        ``CasePage`` is rendered by ``case.html``, ``SignInPage`` by ``sign_in.html``.
    """
    language = page.frame.language

    def t(key: str, **values: str) -> str:
        return messages.text(key, language, **values)

    def language_name(code: str) -> str:
        return messages.text("language.name", code)

    template = environment().get_template(template_name(type(page)))
    return template.render(page=page, t=t, languages=messages.languages(), language_name=language_name)


def template_name(kind: type) -> str:
    """Return the template of a page class.

    Examples
    --------
    >>> template_name(SignInPage)
    'sign_in.html'
    """
    words = re.findall(r"[A-Z][a-z]*", kind.__name__.removesuffix("Page"))
    return "_".join(words).lower() + ".html"


@cache
def environment() -> Environment:
    """Return the templates: everything is escaped, and what a page does not have fails."""
    return Environment(
        loader=PackageLoader("chekara.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

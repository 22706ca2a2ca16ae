"""The page that says what another policy would change: one file, to be sent by mail and read by people who decide."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from chekara.service.policy_compare import Comparison
from chekara.service.policy_page import FIGURES, HOW_TO_READ, headline, lane_rows, move_rows, places
from chekara.web.render import environment

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """What the template shows.

    Attributes
    ----------
    policies : list of (str, str, str)
        ``A`` or ``B``, name and digest.
    headline, notice : str
    lanes, moves : list of tuple of str
        Rows of tables.
    places : list of (str, list of tuple of str)
        Per crossing point a row per agency and lane.
    figures : tuple of str
        Headings of the figures.
    picture : str or None
        As a ``data:`` address.
    notes : tuple of str
        How to read it.
    """

    policies: Rows
    headline: str
    notice: str
    lanes: Rows
    moves: Rows
    places: list[tuple[str, Rows]]
    figures: tuple[str, ...]
    picture: str | None
    notes: tuple[str, ...]


def render_comparison(compared: Comparison, picture: bytes | None) -> str:
    """Return the page as HTML that needs nothing beside it.

    Parameters
    ----------
    compared : Comparison
    picture : bytes or None
        SVG.
    """
    shown = None if picture is None else f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}"
    page = ComparisonPage(
        policies=list(zip("AB", compared.names, compared.digests, strict=True)),
        headline=headline(compared),
        notice=compared.notice,
        lanes=lane_rows(compared),
        moves=move_rows(compared),
        places=places(compared),
        figures=FIGURES,
        picture=shown,
        notes=HOW_TO_READ,
    )
    return environment().get_template("comparison.html").render(page=page)

"""The message catalogue: every text that a person reads, in English, Russian and Kyrgyz.

A text has a stable key (``lane.red``, ``feature.hs4.label``) and lies once per language in ``locale/<language>.po``.
Placeholders are named braces, ``{value}``; what fills them is formatted for the reader first (`number`, `share`,
`instant`), so that a translator only ever moves words.
"""

from chekara.messages.catalogue import has_text, languages, negotiate, text
from chekara.messages.formats import (
    DASH,
    DISPLAY_ZONE,
    NO_BREAK_SPACE,
    country,
    days,
    duration,
    instant,
    money,
    number,
    share,
    signed,
    weekday,
)

__all__ = [
    "DASH",
    "DISPLAY_ZONE",
    "NO_BREAK_SPACE",
    "country",
    "days",
    "duration",
    "has_text",
    "instant",
    "languages",
    "money",
    "negotiate",
    "number",
    "share",
    "signed",
    "text",
    "weekday",
]

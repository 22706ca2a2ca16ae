"""Numbers, shares, instants and spans of time as a person reads them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal

from chekara.domain.vocabulary import LANGUAGES
from chekara.messages.catalogue import FALLBACK_LANGUAGE, text

DISPLAY_ZONE = "Asia/Bishkek"
DASH = "–"


def number(x: float, language: str, digits: int = 3) -> str:
    """Format a number with as many significant digits as a person reads.

    Whole digits before the decimal mark are never rounded away, so that a mass of 21,340 kg stays what it is.

    Parameters
    ----------
    x : float
    language : str
    digits : int
        Significant digits of what is not a whole number.

    Returns
    -------
    str
        Grouped and with the language's decimal mark; a dash for what is not finite.

    Examples
    --------
    >>> number(1.8999, "en"), number(21340.4, "en"), number(0.000123456, "en"), number(float("nan"), "en")
    ('1.9', '21,340', '0.000123', '–')
    """
    if not math.isfinite(x):
        return DASH
    if x == 0:
        return "0"
    exponent = math.floor(math.log10(abs(x)))
    decimals = min(max(digits - 1 - exponent, 0), 12)
    rounded = Decimal(repr(float(x))).quantize(Decimal(1).scaleb(-decimals)) if abs(x) < 1e15 else Decimal(round(x))
    return format_decimal(rounded.normalize() or Decimal(0), format="#,##0.############", locale=_locale(language))


def share(fraction: float, language: str) -> str:
    """Format a fraction as per cent: whole ones from 10 %, one decimal below, ``< 0.1 %`` for tiny ones.

    Examples
    --------
    >>> share(0.287, "en"), share(0.0123, "en"), share(0.0002, "en"), share(0, "en")
    ('29 %', '1.2 %', '< 0.1 %', '0 %')
    """
    if not math.isfinite(fraction):
        return DASH
    percent = fraction * 100
    if 0 < percent < 0.1:
        return f"< {number(0.1, language)} %".replace(" ", "\u00a0")
    shown = round(percent, 1) if abs(percent) < 9.95 else round(percent)
    return f"{number(shown, language)}\u00a0%"


def instant(moment: datetime, language: str, zone: str = DISPLAY_ZONE) -> str:
    """Format an instant as day, month in letters, year and minute, in the zone of the reader.

    Parameters
    ----------
    moment : datetime
        With an offset.
    language : str
    zone : str
        IANA name.

    Examples
    --------
    >>> from datetime import UTC
    >>> instant(datetime(2026, 11, 24, 5, 7, tzinfo=UTC), "en")
    '24 Nov 2026, 11:07'
    """
    return format_datetime(moment, "d MMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=_locale(language))


def duration(span: timedelta, language: str) -> str:
    """Format a span of time in its two largest units: ``2 d 4 h``, ``3 h 20 min``, ``under 1 min``.

    Examples
    --------
    >>> duration(timedelta(hours=3, minutes=20, seconds=40), "en")
    '3 h 20 min'
    """
    minutes = max(int(span.total_seconds() // 60), 0)
    parts = (("day", minutes // 1440), ("hour", minutes // 60 % 24), ("minute", minutes % 60))
    first = next((place for place, (_, amount) in enumerate(parts) if amount), None)
    if first is None:
        return text("unit.under_a_minute", language)
    shown = [
        text(f"unit.{unit}", language, n=number(amount, language))
        for unit, amount in parts[first : first + 2]
        if amount
    ]
    return " ".join(shown)


def _locale(language: str) -> str:
    return language if language in LANGUAGES else FALLBACK_LANGUAGE

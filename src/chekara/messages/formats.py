"""Numbers, shares, instants, spans of time and countries as a person reads them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime, get_day_names
from babel.numbers import get_decimal_symbol, get_group_symbol, get_minus_sign_symbol

from chekara.domain.vocabulary import LANGUAGES
from chekara.messages.catalogue import FALLBACK_LANGUAGE, text

DISPLAY_ZONE = "Asia/Bishkek"
DASH = "–"
_READABLE = 1e15  # nobody reads more digits than that
NO_BREAK_SPACE = "\u00a0"


def number(x: float, language: str, digits: int = 3) -> str:
    """Format a number with as many significant digits as a person reads.

    Digits before the decimal mark are never rounded away, so that a mass of 21,340 kg stays what it is.

    Parameters
    ----------
    x : float
    language : str
    digits : int
        Significant digits of what is not a whole number.

    Returns
    -------
    str
        Grouped and with the language's decimal mark, the minus a minus; a dash for what is not finite.

    Examples
    --------
    >>> number(1.8999, "en"), number(21340.4, "en"), number(-0.000123456, "en"), number(float("nan"), "en")
    ('1.9', '21,340', '−0.000123', '–')
    """
    if not math.isfinite(x):
        return DASH
    if x == 0:
        return "0"
    if abs(x) >= _READABLE:
        return f"{x:.{digits - 1}e}"
    decimals = 0 if x == int(x) else max(digits - 1 - math.floor(math.log10(abs(x))), 0)
    # `f` never falls back to 1e-05, and decimals are cut where nobody reads on.
    shown = _decimal("%.*f" % (min(decimals, 9), abs(x)), language, cuts_zeros=True)  # noqa: UP031  # half the cost
    return f"−{shown}" if x < 0 and shown != "0" else shown


def _decimal(rounded: str, language: str, *, cuts_zeros: bool = False) -> str:
    """Group digits and put the marks of a language: Babel does the same, at ten times the cost."""
    group, mark, minus = _marks(language)
    whole, _, decimals = rounded.partition(".")
    if cuts_zeros:
        decimals = decimals.rstrip("0")
    if len(whole) > 3 or whole[0] == "-":
        sign = minus if whole[0] == "-" else ""
        whole = sign + f"{int(whole.lstrip('-')):,}".replace(",", group)
    return f"{whole}{mark}{decimals}" if decimals else whole


@cache
def _marks(language: str) -> tuple[str, str, str]:
    """Return what stands between thousands, before decimals and before a negative number."""
    locale = _locale(language)
    return get_group_symbol(locale), get_decimal_symbol(locale), get_minus_sign_symbol(locale)


def money(amount: float, language: str) -> str:
    """Format an amount of money or a price: two decimals up to 1,000, whole from there, digits as needed below 0.1.

    Examples
    --------
    >>> money(1.9, "en"), money(21340.6, "en"), money(0.0123, "en")
    ('1.90', '21,341', '0.0123')
    """
    if not 0.1 <= abs(amount) < _READABLE and amount != 0:  # not finite included
        return number(amount, language)
    amount += 0.0  # no minus before a zero
    return _decimal(f"{amount:.2f}" if abs(amount) < 1000 else f"{amount:.0f}", language)


def signed(amount: float, language: str) -> str:
    """Format points with their sign and two decimals; the minus is a minus, not a hyphen.

    Examples
    --------
    >>> signed(1.4, "en"), signed(-0.25, "ru"), signed(0.0, "en")
    ('+1.40', '−0,25', '0.00')
    """
    digits = _decimal(f"{abs(amount):.2f}", language)
    return digits if round(amount, 2) == 0 else f"{'+' if amount > 0 else '−'}{digits}"


def share(fraction: float, language: str) -> str:
    """Format a fraction as per cent: whole ones from 10 %, one decimal below, ``< 0.1 %`` for tiny ones.

    The space before the sign does not break.

    Examples
    --------
    >>> [share(x, "en").replace(NO_BREAK_SPACE, " ") for x in (0.287, 0.0123, 0.0002, 0)]
    ['29 %', '1.2 %', '< 0.1 %', '0 %']
    """
    percent = fraction * 100
    if not math.isfinite(percent):
        return DASH
    if 0 < percent < 0.1:
        return f"<{NO_BREAK_SPACE}{number(0.1, language)}{NO_BREAK_SPACE}%"
    shown = round(percent, 1) if abs(percent) < 9.95 else round(percent)
    return f"{number(shown, language)}{NO_BREAK_SPACE}%"


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
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except OverflowError:  # within a day of where the calendar begins or ends
        local = moment
    return format_datetime(local, "d MMM y, HH:mm", tzinfo=local.tzinfo, locale=_locale(language))


def duration(span: timedelta, language: str) -> str:
    """Format a span of time in its two largest units: ``2 d 4 h``, ``3 h 20 min``, ``under 1 min``.

    Examples
    --------
    >>> duration(timedelta(hours=3, minutes=20, seconds=40), "en").replace(NO_BREAK_SPACE, " ")
    '3 h 20 min'
    """
    minutes = max(int(span.total_seconds() // 60), 0)
    parts = (("day", minutes // 1440), ("hour", minutes // 60 % 24), ("minute", minutes % 60))
    first = next((place for place, (_, amount) in enumerate(parts) if amount), None)
    if first is None:
        return text("unit.under_a_minute", language)
    shown = [
        text(f"unit.{unit}", language, n=number(amount, language)).replace(" ", NO_BREAK_SPACE)
        for unit, amount in parts[first : first + 2]
        if amount
    ]
    return " ".join(shown)


def days(amount: float, language: str) -> str:
    """Format a number of days as a person does: whole from ten, one decimal below, hours and minutes under one.

    Examples
    --------
    >>> [days(x, "en").replace(NO_BREAK_SPACE, " ") for x in (412.3, 2.345, 0.3, 0.00101, 0.0)]
    ['412 d', '2.3 d', '7 h', '1 min', '0 d']
    """
    if not math.isfinite(amount):
        return DASH
    shown: float
    minutes = round(amount * 24 * 60)
    if amount > 0 and minutes == 0:
        return text("unit.under_a_minute", language)
    if 0 < minutes < 60:
        unit, shown = "minute", minutes
    elif 0 < minutes < 24 * 60:
        unit, shown = "hour", round(minutes / 60)
    else:
        unit, shown = "day", round(amount) if abs(amount) >= 10 else round(amount, 1)
    return text(f"unit.{unit}", language, n=number(shown, language)).replace(" ", NO_BREAK_SPACE)


def weekday(day: int, language: str) -> str:
    """Name a day of the week, 0 for Monday to 6 for Sunday.

    Examples
    --------
    >>> weekday(0, "en"), weekday(6, "ru")
    ('Monday', 'воскресенье')
    """
    return str(get_day_names("wide", context="stand-alone", locale=_locale(language))[day])


def country(code: str, language: str) -> str:
    """Name a country by its ISO 3166-1 alpha-2 code, with the code; the code alone where it is not known.

    Examples
    --------
    >>> country("CN", "en"), country("KG", "ky"), country("QX", "en")
    ('China (CN)', 'Кыргызстан (KG)', 'QX')
    """
    name = Locale.parse(_locale(language)).territories.get(code)
    return f"{name} ({code})" if name else code


def _locale(language: str) -> str:
    return language if language in LANGUAGES else FALLBACK_LANGUAGE

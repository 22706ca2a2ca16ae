"""Values that describe people, recognised whatever their column is called.

Precision comes first: an alarm refuses the whole history, so each pattern is one that goods, routes and documents of
goods do not have, and most values of a column must show it. What has no such pattern (a country of citizenship, an
ethnic group as a number, a sex as 0 and 1) is not found here but by the audit process, which looks for proxies.

What is found:

- *anywhere* (``x_`` and unknown columns, and free text of the contract): e-mail addresses, international telephone
  numbers, Kyrgyz personal numbers (14 digits that begin with the sex and hold a birth date), the machine-readable
  line of a passport, names with a patronymic (``-ович``, ``-овна``, ``уулу``, ``кызы`` and their Latin spellings);
- *in ``x_`` and unknown columns only*, because ids and codes of the contract may look the same: passport numbers of
  the countries whose citizens cross here, columns of nothing but codes or words for the sexes, words for religions
  and peoples, and dates that lie a human life back.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as arrow
import pyarrow.compute as pc

from chekara.data.coerce import as_arrow, is_single_valued


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAMPLE_ROWS = 20_000
SHARE_NEEDED = 0.5
FEWEST_VALUES = 5

_ANYWHERE: dict[str, str] = {
    "e-mail addresses": r"^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$",
    "telephone numbers": r"^\+[1-9]\d{0,3}[ (-]*\d{2,4}(?:[ )-]*\d{2,4}){2,4}$",
    "personal numbers": r"^[12](?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d{7}$",
    "machine-readable lines of passports": r"P[A-Z<][A-Z]{3}[A-Z]+<<[A-Z<]+|[A-Z0-9<]{9}\d[A-Z]{3}\d{7}[MFX<]\d{7}",
    "names of persons": (
        r"(?i)^\pL[\pL.'-]*(?:\s+\pL[\pL.'-]*)*\s+"
        r"(?:\pL+(?:ович|евич|овна|евна)|уулу|кызы|\pL+(?:ovich|evich|ovna|evna)|uulu|kyzy)(?:\s+\pL+)?$"
    ),
}

# Series and length of the passports of Kyrgyzstan, Uzbekistan, Kazakhstan, China, Turkey and Russia, as printed.
_PASSPORT = (
    r"^(?:(?:AN|AC|ID|PE|EN)[ -]?\d{7}|(?:A[A-E]|F[A-K]|K[A-Z])[ -]?\d{7}|N\d{8}|E[A-HJ-NP-Z]?\d{7,8}|G\d{8}"
    r"|[US]\d{8}|\d{2} \d{2} \d{6}|\d{2} \d{7})$"
)

_SEX_CODES = ({"m", "f"}, {"м", "ж"}, {"э", "а"})
_SEX_WORDS = _words("male female мужской женский мужчина женщина муж жен муж. жен. эркек аял")
_SEX_UNKNOWN = {"u", "x", "н", "?", "-", "unknown"}
_MOST_SEX_VALUES = 8

_WORDS: dict[str, frozenset[str]] = {
    "religions": _words(
        "muslim islam sunni shia christian christianity orthodox catholic protestant baptist buddhist buddhism jewish "
        "judaism hindu atheist мусульманин мусульманка ислам христианин христианка православный православная "
        "католик буддист иудей атеист мусулман"
    ),
    "peoples": _words(
        "kyrgyz kirghiz uzbek kazakh tajik turkmen uyghur uighur dungan russian chinese turkish tatar ukrainian korean "
        "german kurdish azeri azerbaijani chechen lezgin han hui кыргыз кыргызка киргиз киргизка узбек узбечка казах "
        "казашка таджик таджичка туркмен уйгур уйгурка дунганин дунганка русский русская китаец китаянка турок татарин "
        "татарка украинец украинка кореец кореянка немец немка курд азербайджанец чеченец өзбек орус казак тажик "
        "дунган кытай"
    ),
}

# A company of the region is younger than 1991 and a vehicle in use younger still; people are born over decades.
_BORN_BEFORE = np.datetime64("2012-01-01")
_HALF_BORN_BEFORE = np.datetime64("2000-01-01")
_LIVING_SINCE = np.datetime64("1915-01-01")
_DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y")


def personal_content(values: pd.Series[Any], *, is_free: bool) -> str | None:
    """Say what personal data the values of a column look like.

    Parameters
    ----------
    values : Series of any dtype
    is_free : bool
        True for ``x_`` and unknown columns; False for free text of the contract, where only what cannot be anything
        else is looked for.

    Returns
    -------
    str or None
        Plural for a sentence ("telephone numbers"), or None. Never a value.

    Notes
    -----
    At most 20,000 values, evenly spread, are looked at; at least five must be there and more than half of them show
    the pattern.

    Examples
    --------
    >>> personal_content(pd.Series(["a@b.kg"] * 9), is_free=True)
    'e-mail addresses'
    >>> personal_content(pd.Series(["cotton shirts", "шурупы", "spare parts", "tea", "LED lamps"]), is_free=True)
    """
    array = as_arrow(values.iloc[:: max(1, len(values) // SAMPLE_ROWS)]).drop_null()
    if len(array) < FEWEST_VALUES or not is_single_valued(array.type):
        return None
    if arrow.types.is_date(array.type) or arrow.types.is_timestamp(array.type):
        return "birth dates" if is_free and _spans_a_life(_days(array)) else None
    text = _as_text(array)
    for described, pattern in _ANYWHERE.items():
        if _share(pc.match_substring_regex(text, pattern)) > SHARE_NEEDED:
            return described
    return _free_content(text) if is_free else None


def _free_content(text: Any) -> str | None:
    if _share(pc.match_substring_regex(text, _PASSPORT)) > SHARE_NEEDED:
        return "passport numbers"
    lower = pc.utf8_lower(text)
    if _are_sexes(lower.unique()):
        return "sexes"
    for described, words in _WORDS.items():
        if _share(pc.is_in(lower, value_set=arrow.array(sorted(words), lower.type))) > SHARE_NEEDED:
            return described
    for date_format in _DATE_FORMATS:
        parsed = pd.to_datetime(pd.Series(text.to_pandas()), format=date_format, errors="coerce").dropna()
        if len(parsed) > SHARE_NEEDED * len(text) and _spans_a_life(parsed.to_numpy()):
            return "birth dates"
    return None


def _are_sexes(distinct: Any) -> bool:
    if len(distinct) > _MOST_SEX_VALUES:
        return False
    told = set(distinct.to_pylist()) - _SEX_UNKNOWN
    return told in _SEX_CODES or (len(told) > 1 and told <= _SEX_WORDS)


def _spans_a_life(dates: npt.NDArray[np.datetime64]) -> bool:
    """Whether dates lie where birth dates of travellers do: over twenty years, and few of them recent."""
    days = np.sort(dates)
    low, middle, high = (days[int(share * (len(days) - 1))] for share in (0.05, 0.5, 0.95))
    is_spread = high - low >= np.timedelta64(20 * 365, "D")
    return bool(is_spread and low >= _LIVING_SINCE and middle <= _HALF_BORN_BEFORE and high <= _BORN_BEFORE)


def _days(array: Any) -> npt.NDArray[np.datetime64]:
    return np.asarray(pc.cast(array, arrow.date32(), safe=False).to_numpy(zero_copy_only=False))


def _as_text(array: Any) -> Any:
    kind = array.type
    if arrow.types.is_floating(kind):  # long numbers that a missing value turned into floats
        whole = np.asarray(array.to_numpy(zero_copy_only=False))
        whole = whole[np.isfinite(whole) & (np.abs(whole) < 2**53) & (np.floor(whole) == whole)]
        array = arrow.array(whole.astype(np.int64))
    # Arrow 25 decomposes under the name of NFKC, which would part й from its breve; Python composes.
    values = array.cast(arrow.large_string()).to_pylist()
    return arrow.array([unicodedata.normalize("NFKC", value) for value in values], arrow.large_string())


def _share(matches: Any) -> float:
    return float(pc.mean(matches.cast(arrow.int8())).as_py() or 0.0)

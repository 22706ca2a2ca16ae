"""From contributions to reasons, and from a reason to the sentence that an officer reads.

A reason keeps numbers, not words (`chekara.domain.decision.Reason`); the sentence is made when somebody reads it, in
the reader's language, so that every reader sees the same facts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

import chekara.features.declared  # noqa: F401  # fills the feature catalogue
from chekara import messages
from chekara.domain.decision import Action, Reason
from chekara.domain.once import MadeOnce
from chekara.explain.evidence import CHAPTER_DIGITS, GOODS_DIGITS
from chekara.features.catalogue import find_feature
from chekara.features.profile_measures import ProfileName, parse_profile_name

Value = float | str | None
Usual = tuple[float, float, str | None]
Item = Mapping[str, object]

NEGLIGIBLE = 1e-9
"""Contributions up to this size (log-odds) are rounding, not reasons."""
FROM_ORIGIN = "from_origin"
"""Key in a reason's evidence: 1 where "usual" is meant for goods of the line's origin alone."""

_COUNTRY_FEATURES = ("origin_country", "dispatch_country", "destination_country", "vehicle_country")
_COARSE_UNITS = ("standard deviations", "decayed count", "log ratio")
_LONGEST_VALUE = 60
# Where values go in a sentence that is made beforehand; no text at the door holds such a character.
_VALUE, _EXPECTED, _GROUP = "\x01", "\x02", "\x03"
_COUNTED = frozenset({"inspected", "hits", "share", "share_all"})
_COMMON = frozenset({0.0, 1.0})


class EvidenceSource(Protocol):
    """What reasons need of ``chekara.explain.evidence.Evidence``."""

    def of(self, feature: str, value: Value, goods: str | None) -> tuple[Value, Mapping[str, float]]:
        """Return what is usual for a feature and such goods, and the numbers behind a value."""
        ...


def strongest_reasons(
    names: Sequence[str],
    values: Sequence[Value],
    contributions: Sequence[float] | npt.NDArray[np.float64],
    evidence: EvidenceSource,
    limit: int = 8,
    usual: Mapping[str, Usual] | None = None,
    unseen: Collection[str] = (),
    goods: str | None = None,
) -> tuple[Reason, ...]:
    """Choose the factors that moved a score most, for and against.

    Parameters
    ----------
    names : sequence of str
        Features, in the order of the two below.
    values : sequence of float, str or None
        Feature values of the goods line; NaN and None both mean that nothing was given. Only those of the factors
        that are chosen are read.
    contributions : sequence or ndarray of float
        Log-odds per feature.
    evidence : EvidenceSource
        Frozen with the model.
    limit : int
        Most reasons returned.
    usual : mapping of str to (float, float, str or None), optional
        For features that compare with a frozen reference: what this line declares and what is usual for such goods,
        both in the reference's unit, and the goods that answered: ``"610910 CN"``, ``"6109"``, ``""`` for all. The
        first two stand as ``value`` and ``expected`` of the reason, and the feature's own value as ``ratio`` in its
        evidence.
    unseen : collection of str
        Categories of this line that training never met; their evidence then says ``unseen``.
    goods : str, optional
        HS code of this line, for what is usual of such goods.

    Returns
    -------
    tuple of Reason
        Largest absolute contribution first, equals by name. Factors that moved nothing are left out.
    """
    amounts = np.asarray(contributions, dtype=np.float64)
    places = _strongest_places(names, amounts, limit)
    own = [names[place] for place in places]
    sides = {} if usual is None else usual
    return make_reasons(
        own, [values[place] for place in places], amounts[places].tolist(), evidence, sides, unseen, goods
    )


def _strongest_places(names: Sequence[str], contributions: npt.NDArray[np.float64], limit: int) -> list[int]:
    """Return the places of the largest absolute contributions, the largest first, equals by name."""
    moved = np.flatnonzero(np.abs(contributions) > NEGLIGIBLE).tolist()
    return sorted(moved, key=lambda place: (-abs(contributions[place]), names[place]))[:limit]


def make_reasons(
    names: Sequence[str],
    values: Sequence[Value],
    contributions: Sequence[float],
    evidence: EvidenceSource,
    usual: Mapping[str, Usual],
    unseen: Collection[str],
    goods: str | None,
) -> tuple[Reason, ...]:
    """Make reasons of factors that are chosen already.

    Parameters
    ----------
    names, values, contributions : sequence
        Of these factors alone, in the order in which to tell them.
    evidence, usual, unseen, goods
        As of `strongest_reasons`.

    Returns
    -------
    tuple of Reason
    """
    reasons = []
    for name, given, contribution in zip(names, values, contributions, strict=True):
        value = _plain(given)
        expected, known = evidence.of(name, value, goods)
        if name in usual and isinstance(value, float) and all(math.isfinite(side) for side in usual[name][:2]):
            ratio, (value, expected, group) = value, usual[name]
            code, _, origin = (group or "").partition(" ")
            known = {**known, "ratio": ratio, GOODS_DIGITS: float(len(code)), FROM_ORIGIN: float(origin != "")}
        if name in unseen:
            known = {**known, "unseen": 1.0}
        reasons.append(Reason(name, value, _plain(expected), contribution, known))
    return tuple(reasons)


def _plain(value: object) -> Value:
    """Turn a cell of a feature column into what JSON and people can hold: no NaN, no float32 tail of digits."""
    if value is None or isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]  # what is not text in a feature column is a number
    return _shortened(number) if number else number  # two zeros are one key


@lru_cache(maxsize=16_384)
def _shortened(number: float) -> float | None:
    return float(str(np.float32(number))) if math.isfinite(number) else None


def sentence(reason: Reason, language: str, item: Item | None = None) -> str:
    """Say one reason in words, with its evidence: the value, what is usual, how often it was a hit.

    Parameters
    ----------
    reason : Reason
    language : {'en', 'ru', 'ky'}
    item : mapping, optional
        Goods line by contract column: names the goods that "usual" is meant for.

    Returns
    -------
    str
        One to three short sentences. Never holds NaN; numbers have three significant digits.

    Examples
    --------
    >>> evidence = {"ratio": 0.257, "goods_digits": 6, "from_origin": 1}
    >>> evidence |= {"inspected": 212, "hits": 61, "share": 0.288, "share_all": 0.117}
    >>> low_price = Reason("unit_price_vs_reference", 1.9, 7.4, 1.4, evidence)
    >>> item = {"hs_code": "6109100000", "origin_country": "CN"}
    >>> said = sentence(low_price, "en", item).replace(chr(160), " ")
    >>> said.partition(". ")[0]
    'Declared 1.90 per kg; usual for HS 610910 from CN: 7.40'
    >>> said.partition(". ")[2]
    'Of 212 inspected with such a value 61 were hits (29 %); of all inspected 12 %.'
    """
    value = reason.value
    is_compared = "ratio" in reason.evidence
    group = None if item is None else _group_meant(reason, language, item)
    if value.__class__ is float and value not in _COMMON:
        # A number that hardly comes again: remembering it would cost more than writing it.
        said = _say(reason.feature, value, reason.expected, is_compared, group, language)
    else:
        said = _said(reason.feature, value, reason.expected, is_compared, group, language)
    known = _how_often_of(reason.evidence)
    kind = value.__class__, language
    how_often = known.get(kind)
    if how_often is None:
        how_often = known[kind] = _how_often(reason, language)
    return f"{said} {how_often}"


def instruction(action: Action, language: str) -> str:
    """Say what an agency is asked to look at, with the goods line where one is meant.

    Parameters
    ----------
    action : Action
        ``instruction`` is a message key.
    language : str
    """
    said = messages.text(action.instruction, language, item=str(action.item_no or ""))
    if action.item_no is None:
        return said
    return messages.text("instruction.for_item", language, item=str(action.item_no), instruction=said)


def goods_group(item: Item, digits: int, is_from_origin: bool, language: str) -> str:
    """Name the goods that a line is compared with.

    Parameters
    ----------
    item : mapping
        Goods line by contract column.
    digits : int
        Of its HS code: 6 subheading, 4 heading, 2 chapter, 0 all goods.
    is_from_origin : bool
        Only goods of the line's origin are meant.
    language : str

    Examples
    --------
    >>> tee_shirts = {"hs_code": "6109100000", "origin_country": "CN"}
    >>> goods_group(tee_shirts, 6, True, "en"), goods_group(tee_shirts, 2, False, "en")
    ('HS 610910 from CN', 'HS chapter 61')
    """
    goods = str(item.get("hs_code") or "")[:digits]
    return _named_group(goods, str(item.get("origin_country")) if is_from_origin else "", digits, language)


@lru_cache(maxsize=16_384)
def _named_group(goods: str, origin: str, digits: int, language: str) -> str:
    if not goods:
        return messages.text("reason.group_all", language)
    if origin:
        return messages.text("reason.group", language, goods=goods, origin=origin)
    key = "reason.group_chapter" if digits == CHAPTER_DIGITS else "reason.group_goods"
    return messages.text(key, language, goods=goods)


@lru_cache(maxsize=16_384)
def feature_label(name: str, language: str) -> str:
    """Name a feature in a few words; a national extension without a text is named after its column.

    Examples
    --------
    >>> feature_label("hs4", "en"), feature_label("x_lorry_park", "en")
    ('HS heading', 'lorry park')
    >>> feature_label("importer_hit_rate_contraband", "en")
    'Importer: hit rate (Contraband)'
    """
    profile = parse_profile_name(name)
    if profile is not None:
        return messages.text(
            f"profile.measure.{profile.measure.name}.label", language, **_profile_words(profile, language)
        )
    key = f"feature.{name}.label"
    return messages.text(key, language) if messages.has_text(key) else name.removeprefix("x_").replace("_", " ")


def _profile_words(profile: ProfileName, language: str) -> dict[str, str]:
    """Say whose profile it is, and of which domain; a country's own domain is named after itself."""
    key = f"domain.{profile.domain}"
    domain = messages.text(key, language) if messages.has_text(key) else (profile.domain or "").replace("_", " ")
    return {"kind": messages.text(f"profile.kind.{profile.kind.name}", language), "domain": domain}


@lru_cache(maxsize=16_384)
def shown_value(name: str, value: Value, language: str, unit: str | None = None) -> str:
    """Format a feature's value as a person reads it, without its unit: the sentences name that.

    Parameters
    ----------
    name : str
    value : float, str or None
    language : str
    unit : str, optional
        Unit of the value, where it is not the feature's own.

    Examples
    --------
    >>> shown_value("mode", "rail", "ru"), shown_value("value_per_kg", 1.9, "en"), shown_value("hs4", None, "en")
    ('железнодорожный', '1.90', 'not given')
    """
    return _show(name, value, language, unit)


def _show(name: str, value: Value, language: str, unit: str | None) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return messages.text("value.not_given", language)
    if isinstance(value, str):
        return _shown_code(name, value, language)
    return _writer_of(name, unit)(value, language)


def _yes_or_no(value: float, language: str) -> str:
    return messages.text("value.yes" if value >= 0.5 else "value.no", language)


def _weekday(value: float, language: str) -> str:
    return messages.weekday(min(max(round(value), 0), 6), language)


def _hour(value: float, _: str) -> str:
    return f"{round(value) % 24:02d}:00"


def _coarse(value: float, language: str) -> str:
    # A hundredth is the last that means anything: "0.00663 standard deviations" is none.
    return messages.number(round(value, 2), language)


_WRITERS: Final[Mapping[str, Callable[[float, str], str]]] = {
    "fraction": messages.share,
    "times the usual": messages.share,
    "yes or no": _yes_or_no,
    "day": _weekday,
    "days": messages.days,
} | dict.fromkeys(_COARSE_UNITS, _coarse)


@lru_cache(maxsize=4096)
def _writer_of(name: str, unit: str | None) -> Callable[[float, str], str]:
    """Choose how numbers of a feature are written."""
    if name == "hour_of_day":
        return _hour
    known = find_feature(name)
    unit = unit or (known.unit if known else "")
    return messages.money if unit.startswith("currency") else _WRITERS.get(unit, messages.number)


def _shown_code(name: str, code: str, language: str) -> str:
    if name in _COUNTRY_FEATURES:
        return messages.country(code, language)
    key = f"code.{name}.{code}"
    if messages.has_text(key):
        return messages.text(key, language)
    return code if len(code) <= _LONGEST_VALUE else code[: _LONGEST_VALUE - 1] + "…"


def _say(name: str, given: Value, usual: Value, is_compared: bool, group: str | None, language: str) -> str:
    """Say a value and what is usual."""
    is_text = None if given is None else isinstance(given, str)
    unit = "currency/kg" if is_compared else None
    value = "" if given is None else _show(name, given, language, unit)
    expected = "" if usual is None else shown_value(name, usual, language, unit)
    if not expected or expected == value:
        return _frame(name, is_text, is_compared, 0, language).replace(_VALUE, value)
    frame = _frame(name, is_text, is_compared, 1 if group is None else 2, language)
    said = frame.replace(_VALUE, value).replace(_EXPECTED, expected)
    return said if group is None else said.replace(_GROUP, group)


_said = lru_cache(maxsize=16_384)(_say)


@lru_cache(maxsize=16_384)
def _frame(name: str, is_text: bool | None, is_compared: bool, ending: int, language: str) -> str:
    """Write the sentence about a feature with places for its values.

    Parameters
    ----------
    name : str
    is_text : bool or None
        None where no value was given.
    is_compared : bool
    ending : int
        What it tells of the usual: 0 nothing, 1 what it is, 2 also of which goods.
    language : str
    """
    label = feature_label(name, language)
    places = {"label": label, "value": _VALUE, "expected": _EXPECTED, "group": _GROUP}
    if is_text is None:
        return (
            messages.text("reason.missing", language, **places),
            messages.text("reason.missing_usual", language, **places),
            messages.text("reason.missing_usual_for", language, **places),
        )[ending]
    key = f"feature.{name}.{'compared' if is_compared else 'reason'}"
    profile = parse_profile_name(name)
    if profile is not None:
        key = f"profile.measure.{profile.measure.name}.reason"
        places |= _profile_words(profile, language)
    elif not messages.has_text(key):
        key = "reason.category" if is_text else "reason.number"
    said = messages.text(key, language, **places)
    return (
        messages.text("reason.said", language, said=said),
        messages.text("reason.usual", language, said=said, **places),
        messages.text("reason.usual_for", language, said=said, **places),
    )[ending]


def _group_meant(reason: Reason, language: str, item: Item | None) -> str | None:
    if item is None or GOODS_DIGITS not in reason.evidence:
        return None
    is_from_origin = reason.evidence.get(FROM_ORIGIN, 0.0) > 0
    return goods_group(item, int(reason.evidence[GOODS_DIGITS]), is_from_origin, language)


def _how_often(reason: Reason, language: str) -> str:
    numbers = reason.evidence
    if "unseen" in numbers:
        return messages.text("reason.unseen", language)
    if not numbers.keys() >= _COUNTED:
        return messages.text("reason.little", language)
    kind = "missing" if reason.value is None else "category" if isinstance(reason.value, str) else "number"
    return _counted(kind, numbers["inspected"], numbers["hits"], numbers["share"], numbers["share_all"], language)


# By the kind of value and the language: one evidence may stand for missing values and for rare ones.
_how_often_of: Final[MadeOnce[Mapping[str, float], dict[tuple[type, str], str]]] = MadeOnce(lambda _: {})


@lru_cache(maxsize=16_384)
def _counted(kind: str, inspected: float, hits: float, share: float, base: float, language: str) -> str:
    """Say what was found with such values: of a model there are a few thousand such sentences."""
    return messages.text(
        f"reason.evidence_{kind}",
        language,
        inspected=messages.number(inspected, language),
        hits=messages.number(hits, language),
        share=messages.share(share, language),
        base=messages.share(base, language),
    )

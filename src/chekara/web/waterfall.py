"""The waterfall: how contributions lead from a usual crossing to this one, drawn to scale, adding up as printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from chekara import messages
from chekara.explain.reasons import feature_label
from chekara.features.profile_measures import parse_profile_name
from chekara.web.pages import Waterfall, WaterfallBar

DRAWING_WIDTH = 1000.0
"""Width of the view box; bars are scaled into it."""

SHOWN_FACTORS = 12
_MARGIN = 20.0
_THINNEST_BAR = 4.0
_CENT = 100
_SMALLEST_SPAN = 1e-9
_SMALLEST_PRINTED = 0.5 / _CENT


def build_waterfall(base_value: float, contributions: Mapping[str, float], margin: float, language: str) -> Waterfall:
    """Lay out the bars from the base value through the contributions to the margin.

    What is known of one entity or pair (its traffic, prices, results …) is one factor, however many features tell it.
    The largest factors have a bar each; the rest stand together as one. Amounts are printed with two decimals, and the
    printed ones add up to the printed margin exactly: what rounding leaves over goes to the bar of all other factors,
    so that a factor reads here as it does among the reasons; where every factor has its own bar, `rounded_to_sum`
    spreads it.

    Parameters
    ----------
    base_value : float
        Log-odds of a usual crossing.
    contributions : mapping of str to float
        Log-odds per feature.
    margin : float
        Log-odds of this crossing: ``base_value + sum(contributions)``.
    language : str

    Returns
    -------
    Waterfall

    Examples
    --------
    >>> [bar.amount for bar in build_waterfall(-3.1, {"hs4": 1.4, "mode": -0.2}, -1.9, "en").bars]
    ['−3.10', '+1.40', '−0.20', '−1.90']
    """
    factors = _factors(contributions)
    ranked = sorted(factors, key=lambda names: -abs(_sum(contributions, names)))
    shown, rest = ranked[:SHOWN_FACTORS], ranked[SHOWN_FACTORS:]
    labels = [_label(names, language) for names in shown]
    steps = [_sum(contributions, names) for names in shown]
    kinds = ["towards" if step > 0 else "away" for step in steps]
    if rest:
        labels.append(messages.text("page.case.other", language, n=str(sum(map(len, rest)))))
        # Rounding of the log's numbers ends up here, not in a factor that a person reads.
        steps.append(margin - base_value - math.fsum(steps))
        kinds.append("other")
    printed = _printed([base_value, *steps], margin, has_rest=bool(rest))
    start = messages.text("page.case.base", language)
    total = messages.text("page.case.total", language)
    sums = list(accumulate([base_value, *steps]))
    scale = _Scale(min(*sums, margin), max(*sums, margin)) if steps else _Scale(base_value, margin)
    bars = [_marker("base", start, printed[0], scale.x(base_value), language)]
    for kind, label, amount, before, after in zip(kinds, labels, printed[1:], sums, sums[1:], strict=False):
        bars.append(_bar(kind, label, amount, scale.x(before), scale.x(after), language))
    bars.append(_marker("total", total, math.fsum(printed), scale.x(margin), language))
    return Waterfall(tuple(bars), DRAWING_WIDTH)


def known_of(feature: str) -> str | None:
    """Return the kind of entity or pair whose history a feature tells; None where it tells something else.

    Examples
    --------
    >>> known_of("importer_x_hs4_hit_rate_contraband"), known_of("value_per_kg")
    ('importer_x_hs4', None)
    """
    profile = parse_profile_name(feature)
    return None if profile is None else profile.kind.name


def strongest_factor(contributions: Mapping[str, float], *, is_towards: bool) -> tuple[str, ...]:
    """Return the features behind the largest step of the waterfall on one side.

    Parameters
    ----------
    contributions : mapping of str to float
        Log-odds per feature.
    is_towards : bool
        Towards a hit, else away from it.

    Returns
    -------
    tuple of str
        Those that pull to that side most first; empty where no step leads there that would not print as 0.00.

    Examples
    --------
    >>> moved = {"importer_burst": 0.4, "importer_volume_long": 0.5, "hs4": 0.7, "mode": -0.2}
    >>> strongest_factor(moved, is_towards=True), strongest_factor(moved, is_towards=False)
    (('importer_volume_long', 'importer_burst'), ('mode',))
    """
    sign = 1 if is_towards else -1
    factors = _factors(contributions)
    largest = max(factors, key=lambda names: sign * _sum(contributions, names), default=[])
    if sign * _sum(contributions, largest) < _SMALLEST_PRINTED:
        return ()
    return tuple(sorted(largest, key=lambda name: (-sign * contributions[name], name)))


def _factors(contributions: Mapping[str, float]) -> list[list[str]]:
    """Put features that moved the score together with those that tell of the same entity or pair."""
    by_key: dict[str, list[str]] = {}
    for name, amount in contributions.items():
        if amount != 0:
            by_key.setdefault(known_of(name) or f"the feature {name}", []).append(name)
    return list(by_key.values())


def _sum(contributions: Mapping[str, float], names: Sequence[str]) -> float:
    return math.fsum(contributions[name] for name in names)


def _label(names: Sequence[str], language: str) -> str:
    if len(names) == 1:
        return feature_label(names[0], language)
    kind = messages.text(f"profile.kind.{known_of(names[0])}", language)
    return messages.text("page.case.known", language, kind=kind, n=str(len(names)))


def _printed(amounts: Sequence[float], margin: float, *, has_rest: bool) -> list[float]:
    if not has_rest:
        return rounded_to_sum(amounts, margin)
    own = [round(amount, 2) for amount in amounts[:-1]]
    return [*own, round(round(margin, 2) - math.fsum(own), 2)]


def rounded_to_sum(amounts: Sequence[float], total: float, per_unit: int = _CENT) -> list[float]:
    """Round amounts so that they add up to the rounded total (largest remainders).

    Parameters
    ----------
    amounts : sequence of float
        They add up to ``total`` but for floating-point noise.
    total : float
    per_unit : int
        100 rounds to hundredths.

    Returns
    -------
    list of float
        Each within one step of its amount.

    Examples
    --------
    >>> rounded_to_sum([0.335, 0.335, 0.33], 1.0)
    [0.34, 0.33, 0.33]
    """
    down = [math.floor(amount * per_unit) for amount in amounts]
    missing = round(total * per_unit) - sum(down)
    by_remainder = sorted(range(len(amounts)), key=lambda place: (down[place] - amounts[place] * per_unit, place))
    for place in by_remainder[: max(missing, 0)]:
        down[place] += 1
    return [steps / per_unit for steps in down]


class _Scale:
    """Log-odds to the view box, with a margin on both sides."""

    def __init__(self, low: float, high: float) -> None:
        self._low = low
        # A span that no printed digit shows is no span: dividing by it would overflow.
        self._factor = (DRAWING_WIDTH - 2 * _MARGIN) / (high - low) if high - low > _SMALLEST_SPAN else 0.0

    def x(self, value: float) -> float:
        return round(_MARGIN + (value - self._low) * self._factor, 2)


def _bar(kind: str, label: str, amount: float, before_x: float, after_x: float, language: str) -> WaterfallBar:
    left, width = min(before_x, after_x), abs(after_x - before_x)
    if width < _THINNEST_BAR:
        left, width = left - (_THINNEST_BAR - width) / 2, _THINNEST_BAR
    return WaterfallBar(
        kind, label, messages.signed(amount, language), round(left, 2), round(width, 2), before_x, after_x
    )


def _marker(kind: str, label: str, amount: float, x: float, language: str) -> WaterfallBar:
    width = 2 * _THINNEST_BAR
    return WaterfallBar(kind, label, messages.signed(amount, language), round(x - width / 2, 2), width, x, x)

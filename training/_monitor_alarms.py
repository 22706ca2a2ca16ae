"""What of a report somebody has to look at: each with its figure, its threshold, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import TYPE_CHECKING

from chekara.errors import ConfigurationError
from chekara.evaluation.monitoring import FEWEST_IN_GROUP, FEWEST_LOT_HITS, Difference, difference_of
from training._monitor_drift import SHOWN_FEATURES

if TYPE_CHECKING:
    from training._monitor_domain import DomainReport


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a figure is an alarm, and how much it must rest on.

    Attributes
    ----------
    score_index, feature_index : float
        Stability index of the newest week's margins, and of a feature.
    high_scores : float
        Factor, up or down, between the newest week's share of high scores and that of training.
    undone : float
        Share of draws without an outcome.
    group_difference : float
        Between a group and all others: of the share selected, and of false alarms.
    overridden : float
        Share of reviews of a lane by an agency that set the recommendation aside.
    fewest_lot_hits, fewest_in_group : int
        Below them: insufficient data.
    """

    score_index: float = 0.25
    feature_index: float = 1.0
    high_scores: float = 2.0
    undone: float = 0.2
    group_difference: float = 0.05
    overridden: float = 0.3
    fewest_lot_hits: int = FEWEST_LOT_HITS
    fewest_in_group: int = FEWEST_IN_GROUP

    def changed(self, settings: Sequence[str]) -> Thresholds:
        """Return thresholds with some set by ``name=value``.

        Raises
        ------
        ConfigurationError
            There is no such threshold, or the value is no number above 0.

        Examples
        --------
        >>> Thresholds().changed(["undone=0.1"]).undone
        0.1
        """
        known = {one.name: type(getattr(self, one.name)) for one in fields(self)}
        given: dict[str, float] = {}
        for setting in settings:
            name, _, text = setting.partition("=")
            if name not in known:
                raise ConfigurationError("no such threshold", where="--threshold", hint=", ".join(known))
            try:
                given[name] = known[name](text)
            except ValueError:
                given[name] = 0
            if not (isfinite(given[name]) and given[name] > 0):
                hint = f"for example {name}={getattr(self, name)}"
                raise ConfigurationError("a threshold is a number above 0", where="--threshold", hint=hint)
        return replace(self, **given)  # type: ignore[arg-type]  # each has the type of what it replaces


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to look at.

    Attributes
    ----------
    code, domain, sentence : str
    figure, threshold : float
    what_to_do : str
    """

    code: str
    domain: str
    sentence: str
    figure: float
    threshold: float
    what_to_do: str


def alarms_of(report: DomainReport, thresholds: Thresholds) -> tuple[Alarm, ...]:
    """Return what of a domain's report is an alarm.

    Parameters
    ----------
    report : DomainReport
    thresholds : Thresholds

    Notes
    -----
    Shares alarm only where their 95 % interval agrees: few reviews, or a quiet week, are no alarm.
    """
    return (
        *_score_alarms(report, thresholds),
        *_feature_alarms(report, thresholds),
        *_lot_alarms(report, thresholds),
        *_group_alarms(report, thresholds),
        *_review_alarms(report, thresholds),
    )


def _score_alarms(report: DomainReport, thresholds: Thresholds) -> Iterator[Alarm]:
    if report.scores is None:
        return
    newest, expected = report.scores.newest, report.scores.expected_high
    when = "in the whole time" if newest.monday is None else f"in the week of {newest.monday}"
    if newest.index is not None and newest.index > thresholds.score_index:
        yield Alarm(
            "score_drift",
            report.domain,
            f"Scores {when} are not spread as in training (stability index {newest.index:.2f}).",
            newest.index,
            thresholds.score_index,
            "See which features moved. A mapping, a unit or a code list that changed is mended at its source; where "
            "trade itself changed, train again.",
        )
    factor = newest.high.value / expected.value if expected.value > 0 else float("nan")
    apart = difference_of(newest.high, expected)
    is_far = factor >= thresholds.high_scores or factor <= 1 / thresholds.high_scores
    if newest.index is not None and is_far and _excludes_zero(apart):
        yield Alarm(
            "high_scores",
            report.domain,
            f"{newest.high.value:.1%} of crossings {when} score as the highest {expected.value:.1%} of training did.",
            factor,
            thresholds.high_scores,
            "Budgets still hold, since thresholds follow the stream; probabilities may not. Read the calibration on "
            "the lot before anything else.",
        )


def _feature_alarms(report: DomainReport, thresholds: Thresholds) -> Iterator[Alarm]:
    """Name those that moved most: a form that changed moves hundreds, and one is enough to find it."""
    far = [one for one in report.features if one.index > thresholds.feature_index]
    for place, one in enumerate(far[:SHOWN_FEATURES]):
        more = f" So far from training are {len(far)} features." if place == 0 and len(far) > SHOWN_FEATURES else ""
        yield Alarm(
            "feature_drift",
            report.domain,
            one.sentence() + more,
            one.index,
            thresholds.feature_index,
            "Ask who sends this field whether its unit, its codes or the form changed. The model reads it as it was in "
            "training.",
        )


def _lot_alarms(report: DomainReport, thresholds: Thresholds) -> Iterator[Alarm]:
    calibration, undone = report.calibration, report.undone
    if calibration.lot is not None and calibration.verdict in ("too high", "too low"):
        low, high = calibration.lot.closed_form_95
        unless = " Draws without an outcome could explain it." if calibration.may_be_undone else ""
        yield Alarm(
            "calibration",
            report.domain,
            f"Probabilities are {calibration.verdict}: on average {calibration.said:.4f} was said, the lot found "
            f"{calibration.lot.rate.value:.4f} ({low:.4f} to {high:.4f}).{unless}",
            calibration.said,
            high if calibration.verdict == "too high" else low,
            "Do the draws that are not done, then train again: the lot sets the height of probabilities. Ranks and "
            "lanes by rank stay as good as they were.",
        )
    if undone.n and undone.value > thresholds.undone and undone.interval_95[0] > thresholds.undone:
        yield Alarm(
            "undone_draws",
            report.domain,
            f"{undone.value:.0%} of the lot's draws gave no outcome ({undone.count:.0f} of {undone.n:.0f}).",
            undone.value,
            thresholds.undone,
            "Ask the posts why (chekara lot status): what is let go is not random, and every honest figure here rests "
            "on the lot.",
        )


def _group_alarms(report: DomainReport, thresholds: Thresholds) -> Iterator[Alarm]:
    for attribute, groups in report.groups.items():
        for group in groups:
            for what, apart in (
                ("selected", group.selected_apart),
                ("selected though clean", group.false_alarms_apart),
            ):
                if apart is not None and abs(apart.value) >= thresholds.group_difference and _excludes_zero(apart):
                    low, high = apart.interval_95
                    yield Alarm(
                        "group_difference",
                        report.domain,
                        f"{attribute} {group.name} is {what} {'more' if apart.value > 0 else 'less'} often than all "
                        f"others, by {abs(apart.value):.1%} of its crossings ({low:+.1%} to {high:+.1%}).",
                        abs(apart.value),
                        thresholds.group_difference,
                        "Compare with the hit rates of the lot: a difference that they do not bear out goes to the "
                        "impact assessment, with the features that make it.",
                    )


def _review_alarms(report: DomainReport, thresholds: Thresholds) -> Iterator[Alarm]:
    for one in report.reviews:
        share = one.overridden
        if share.value > thresholds.overridden and share.interval_95[0] > thresholds.overridden:
            yield Alarm(
                "overridden",
                report.domain,
                f"{one.agency} sets aside {share.value:.0%} of what is asked as {one.lane} "
                f"({share.count:.0f} of {share.n:.0f} reviews).",
                share.value,
                thresholds.overridden,
                "Read the reasons with the officers: either they see what the model does not, or it is not understood.",
            )


def _excludes_zero(apart: Difference) -> bool:
    low, high = apart.interval_95
    return low > 0 or high < 0

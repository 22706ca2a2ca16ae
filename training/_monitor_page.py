"""The report on live decisions as a page, as data, as metrics and as pictures. Nothing in it names a crossing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from chekara.evaluation.backtest_plots import drift_plot
from chekara.evaluation.monitor_plots import groups_plot, high_scores_plot, moved_features_plot, said_and_found_plot
from chekara.evaluation.monitoring import Difference, GroupFigures, Share
from training._monitor_alarms import Alarm, Thresholds
from training._monitor_domain import DomainReport
from training._monitor_drift import SHOWN_FEATURES, ScoresOfTime

_SHOWN_WEEKS = 26
_SHORT_DIGEST = 19  # sha256: and twelve more
_GROUP_HEADS = (
    *("group", "n", "of the lot", "selected", "difference", "selected though clean", "difference"),
    *("hit rate", "said", "calibration"),
)


@dataclass(frozen=True, slots=True)
class MonitorReport:
    """Everything that was looked at.

    Attributes
    ----------
    since, until : datetime or None, datetime
    crossings, withdrawn : int
        Decided, each counted once; and those that never came, left out.
    domains : tuple of DomainReport
    alarms : tuple of Alarm
    thresholds : Thresholds
    problems : tuple of str
        Why promoted models could not be loaded.
    """

    since: datetime | None
    until: datetime
    crossings: int
    withdrawn: int
    domains: tuple[DomainReport, ...]
    alarms: tuple[Alarm, ...]
    thresholds: Thresholds
    problems: tuple[str, ...] = ()


def page_of(report: MonitorReport, command: str) -> str:
    """Write the page.

    Parameters
    ----------
    report : MonitorReport
    command : str
        That made it.
    """
    since = "the beginning" if report.since is None else f"{report.since:%Y-%m-%d %H:%M} UTC"
    lines = [
        "# Live decisions: drift, calibration, groups",
        "",
        f"{report.crossings:,} crossings decided from {since} until {report.until:%Y-%m-%d %H:%M} UTC, each counted "
        f"once as it was scored before its first result; {report.withdrawn:,} that never came are left out. "
        "This page changes no model, calibration or policy.",
        "",
        f"Made by `{command}`.",
        "",
        "## Alarms",
        *_alarm_lines(report),
    ]
    for domain in report.domains:
        lines += ["", f"## {domain.domain}", *_domain_lines(domain, report.thresholds)]
    return "\n".join(lines) + "\n"


def _alarm_lines(report: MonitorReport) -> Iterator[str]:
    yield from (f"- **Not looked at**: {problem}" for problem in report.problems)
    if not report.alarms:
        yield "None. What rests on too little data raises none: read the verdicts."
        return
    yield "| domain | what | figure | threshold | what to do |"
    yield "|---|---|---|---|---|"
    for one in report.alarms:
        cells = (one.domain, f"**{one.code}**: {_cell(one.sentence)}", f"{one.figure:.3g}", f"{one.threshold:.3g}")
        yield f"| {' | '.join((*cells, one.what_to_do))} |"


def _domain_lines(one: DomainReport, thresholds: Thresholds) -> Iterator[str]:
    name = f"{one.model.name} version {one.model.version or 'unregistered'}, `{one.model.digest[:_SHORT_DIGEST]}…`"
    if one.first_at is None or one.last_at is None:
        yield f"{name} serves and decided nothing in this time."
    else:
        yield (
            f"{one.decisions:,} decisions of {name}, from {one.first_at:%Y-%m-%d} to {one.last_at:%Y-%m-%d} "
            f"(calendar weeks: {len(one.scores.weeks) if one.scores else 0})."
        )
    for digest, n in one.other_models.items():
        yield f"Not mixed in: {n:,} decisions of another model, `{digest[:_SHORT_DIGEST]}…`."
    if one.first_at is None:
        return
    yield from _score_lines(one)
    yield from _feature_lines(one)
    yield from _lot_lines(one, thresholds)
    yield from _channel_lines(one)
    yield from _group_lines(one, thresholds)
    yield from _review_lines(one)


def _score_lines(one: DomainReport) -> Iterator[str]:
    if one.scores is None:
        return
    yield from ("", "### Scores against training", "")
    yield (
        "Stability index of margins, less chance: below 0.1 nothing happened, above 0.25 much did. High: above the "
        f"95th percentile of training, where {one.scores.expected_high.value:.1%} were."
    )
    yield from ("", "| week of | crossings | index | high |", "|---|---:|---:|---|")
    if len(one.scores.weeks) > _SHOWN_WEEKS:
        yield f"| *{len(one.scores.weeks) - _SHOWN_WEEKS} earlier weeks: monitor.json* | | | |"
    for week in (*one.scores.weeks[-_SHOWN_WEEKS:], one.scores.whole):
        yield f"| {week.monday or 'whole time'} | {week.crossings:,} | {_index(week)} | {_share(week.high)} |"


def _index(week: ScoresOfTime) -> str:
    return "insufficient data" if week.index is None else f"{week.index:.3f}"


def _feature_lines(one: DomainReport) -> Iterator[str]:
    yield from ("", "### Features against training", "")
    if not one.features:
        yield f"Insufficient data: {one.features_read:,} decisions."
        return
    yield f"The {min(SHOWN_FEATURES, len(one.features))} that moved most, of {one.features_read:,} decisions:"
    yield from ("", "| feature | index | what moved most |", "|---|---:|---|")
    for feature in one.features[:SHOWN_FEATURES]:
        yield f"| `{feature.feature}` | {feature.index:.3f} | {_cell(feature.sentence())} |"


def _lot_lines(one: DomainReport, thresholds: Thresholds) -> Iterator[str]:
    found = one.calibration
    yield from ("", "### Calibration, on the lot alone", "")
    if found.lot is None:
        yield "Insufficient data: no draw of the lot whose time is over."
        return
    lot = found.lot
    yield f"**{found.verdict[0].upper()}{found.verdict[1:]}.** " + (
        f"Under {thresholds.fewest_lot_hits} hits on the lot, found or expected, nothing is said."
        if found.verdict == "insufficient data"
        else "Draws without an outcome could explain it."
        if found.may_be_undone
        else ""
    )
    yield from ("", "| | |", "|---|---|")
    yield f"| drawn; without an outcome; hits | {lot.drawn:,}; {lot.unknown:,}; {lot.hits:,} |"
    yield f"| said on average | {found.said:.4f} ({found.expected_hits:.1f} hits expected of draws with an outcome) |"
    if isfinite(lot.rate.value):
        low, high = lot.closed_form_95
        yield f"| rate of the lot, by intention | {lot.rate.value:.4f} ({low:.4f} to {high:.4f}) |"
        low, high = lot.bounds_95
        yield (
            f"| if no, if every draw without an outcome were a hit | {lot.bounds[0]:.4f} to {lot.bounds[1]:.4f} "
            f"(with sampling {low:.4f} to {high:.4f}) |"
        )
    if found.line is None:
        yield "| reliability line | insufficient data: under 200 hits on the lot |"
    else:
        low, high = found.line.slope_95
        yield f"| reliability slope (1 is right) | {found.line.slope:.2f} ({low:.2f} to {high:.2f}) |"
    yield f"| hits of the lot that the model asks a control for | {_share(one.recall)} |"


def _channel_lines(one: DomainReport) -> Iterator[str]:
    yield from ("", "### What came of selections", "")
    if not one.channels:
        yield "No results yet."
        return
    yield "Chosen controls say how well choosing went, never how often harm occurs: only the lot does."
    yield from (
        "",
        "| selected by | controls | not done | hits, of controls that tell something |",
        "|---|---:|---:|---|",
    )
    for channel in one.channels:
        yield f"| {channel.selected_by} | {channel.controls:,} | {channel.not_done:,} | {_share(channel.hits)} |"


def _group_lines(one: DomainReport, thresholds: Thresholds) -> Iterator[str]:
    for attribute, groups in one.groups.items():
        yield from ("", f"### Groups: {_cell(attribute)}", "")
        yield (
            "Selected: asked for by the model, of all crossings. Selected though clean, hit rate and calibration: on "
            f"the lot. Under {thresholds.fewest_in_group} crossings: insufficient data. Differences: less all others."
        )
        yield from ("", f"| {' | '.join(_GROUP_HEADS)} |", f"|{'---|' * len(_GROUP_HEADS)}")
        for group in groups:
            yield f"| {' | '.join(_group_cells(group))} |"


def _group_cells(group: GroupFigures) -> tuple[str, ...]:
    return (
        _cell(group.name),
        f"{group.crossings:,}",
        f"{group.with_outcome:,}",
        _share(group.selected),
        _difference(group.selected_apart),
        _share(group.false_alarms),
        _difference(group.false_alarms_apart),
        _share(group.hit_rate),
        "–" if group.said is None else f"{group.said:.2%}",
        group.calibration,
    )


def _review_lines(one: DomainReport) -> Iterator[str]:
    yield from ("", "### Reviews", "")
    if not one.reviews:
        yield "None yet."
        return
    yield from ("| agency | asked | reviewed | followed | overridden |", "|---|---|---:|---|---|")
    for row in one.reviews:
        yield (
            f"| {row.agency} | {row.lane} | {row.followed.n:,.0f} | {_share(row.followed)} | {_share(row.overridden)} |"
        )


def _share(share: Share | None) -> str:
    if share is None:
        return "insufficient data"
    if not share.n:
        return "–"
    low, high = share.interval_95
    return f"{share.value:.1%} ({low:.1%} to {high:.1%}; {share.count:,.0f} of {share.n:,.0f})"


def _difference(apart: Difference | None) -> str:
    if apart is None:
        return "–"
    low, high = apart.interval_95
    return f"{apart.value:+.1%} ({low:+.1%} to {high:+.1%})"


def _cell(text: str) -> str:
    """Keep text of a file from breaking a table or becoming markup."""
    for sign in "\\`*<>[]":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("|", "\\|").split())


def plain_report(report: MonitorReport) -> dict[str, Any]:
    """Return the report as plain data for ``monitor.json``; what does not exist is null."""
    plain: dict[str, Any] = _plain(asdict(report))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value.isoformat() if hasattr(value, "isoformat") else value


def metrics_of(report: MonitorReport) -> dict[str, float]:
    """Return figures for the tracking store, ``<domain>/<figure>``; those that do not exist are left out."""
    found: dict[str, float] = {"crossings": float(report.crossings), "alarms": float(len(report.alarms))}
    for one in report.domains:
        own = {"decisions": float(one.decisions), "undone": one.undone.value, "recall_on_lot": one.recall.value}
        if one.scores is not None:
            newest = one.scores.newest
            own |= {"score_index": _number(newest.index), "high_scores": newest.high.value}
        if one.features:
            own["largest_feature_index"] = one.features[0].index
        if one.calibration.lot is not None:
            own |= {"said_on_lot": one.calibration.said, "rate_of_lot": one.calibration.lot.rate.value}
            own["hits_of_lot"] = float(one.calibration.lot.hits)
        found |= {f"{one.domain}/{name}": value for name, value in own.items() if isfinite(value)}
    return found


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def pictures_of(report: MonitorReport) -> dict[str, Figure]:
    """Draw the pictures, by file name; those without data are left out.

    Parameters
    ----------
    report : MonitorReport
    """
    figures: dict[str, Figure] = {}
    told = [
        (one.domain, one.calibration)
        for one in report.domains
        if one.calibration.lot is not None and isfinite(one.calibration.lot.rate.value)
    ]
    if told:
        figures["said_and_found"] = said_and_found_plot(told, title="Are probabilities as high as what the lot finds?")
    for one in report.domains:
        figures |= {f"{one.domain}_{name}": figure for name, figure in _pictures_of_domain(one)}
    return figures


def _pictures_of_domain(one: DomainReport) -> Iterator[tuple[str, Figure]]:
    if one.scores is not None:
        weeks = [week for week in one.scores.weeks if week.index is not None]
        if weeks:
            mondays = [week.monday for week in weeks if week.monday is not None]
            title = f"Does it score as high as in training?\n{one.domain}: above the 95th percentile of training"
            yield (
                "high_scores",
                high_scores_plot(mondays, [week.high for week in weeks], one.scores.expected_high.value, title=title),
            )
            index = {"margins": _indices(weeks)}
            yield "score_drift", drift_plot(mondays, index, title=f"Are scores spread as in training?\n{one.domain}")
    if one.features:
        shown = one.features[:SHOWN_FEATURES]
        title = f"Which features are not as in training?\n{one.domain}, {one.features_read:,} decisions"
        names, moved = [feature.feature for feature in shown], [feature.index for feature in shown]
        yield "features", moved_features_plot(names, moved, title=title)
    for place, (attribute, groups) in enumerate(one.groups.items(), start=1):
        title = f"Are groups treated alike?\n{one.domain}, by {attribute}"
        yield f"groups_{place}", groups_plot(groups, title=title)


def _indices(weeks: Sequence[ScoresOfTime]) -> npt.NDArray[np.float64]:
    return np.array([_number(week.index) for week in weeks])

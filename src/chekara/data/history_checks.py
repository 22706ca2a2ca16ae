"""What is found in a history before anybody learns from it: for ``chekara check`` and for every training alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd

from chekara.data.drift import find_drift, find_label_jumps, find_proxies
from chekara.data.findings import Finding, warnings_first
from chekara.data.labels import TargetRule
from chekara.data.leakage import LeakageReport, SearchedLines, find_leakage
from chekara.data.schema import FURTHEST_AHEAD, FURTHEST_AHEAD_PRE_ARRIVAL
from chekara.data.sources import History
from chekara.data.swaps import find_swapped_roles


@dataclass(frozen=True, slots=True, eq=False)
class DomainChecks:
    """What was found about one domain's labels and about the history as a whole.

    Attributes
    ----------
    leakage : LeakageReport
    findings : tuple of Finding
        Warnings first.
    labels : DataFrame
        The known outcomes that were looked at, as `label_crossings` returns them.
    """

    leakage: LeakageReport
    findings: tuple[Finding, ...]
    labels: pd.DataFrame

    @property
    def blocking(self) -> list[str]:
        """Codes of the findings that block promotion outside dev."""
        return sorted({finding.code for finding in self.findings if finding.blocks_promotion})


def check_whole(history: History, now: datetime | None = None) -> tuple[Finding, ...]:
    """Look for drift, proxies, rates in per cent, swapped roles and what is still to come: nothing of one domain.

    Parameters
    ----------
    history : History
    now : datetime, optional
        With offset; default: the clock.
    """
    crossings = history.newest_revisions()
    to_come = find_rows_of_the_future(history, now or datetime.now(UTC))
    of_values = (*to_come, *find_rates_in_percent(crossings), *find_swapped_roles(crossings))
    return (*find_drift(crossings), *find_proxies(crossings), *of_values)


def find_rows_of_the_future(history: History, now: datetime) -> list[Finding]:
    """Find rows that nobody can know yet: later than any request may be, see `is_of_the_future`.

    Returns
    -------
    list of Finding
        One warning, or none.
    """
    counts = {
        table: int(is_of_the_future(frame, now).sum())
        for table, frame in (("crossings", history.crossings), ("inspections", history.inspections))
    }
    if not any(counts.values()):
        return []
    return [
        Finding(
            code="known_in_future",
            severity="warning",
            sentence=(
                f"{counts['crossings']:,} rows of crossings and {counts['inspections']:,} of inspections are known, or "
                "happen, later than can be known by now: a wrong clock or year."
            ),
            columns=("known_at", "occurred_at"),
            numbers={table: float(count) for table, count in counts.items()},
        )
    ]


def is_of_the_future(frame: pd.DataFrame, now: datetime) -> pd.Series[bool]:
    """Tell rows of crossings or inspections that no request could bring by now.

    Parameters
    ----------
    frame : DataFrame
        Of the contract.
    now : datetime
        With offset.

    Returns
    -------
    Series of bool
        Known over 24 hours ahead, or happening so (45 days ahead with the stage ``pre_arrival``).
    """
    late = frame["known_at"] > now + FURTHEST_AHEAD
    if "occurred_at" not in frame:
        return late
    is_announced = frame["stage"] == "pre_arrival"
    late |= ~is_announced & (frame["occurred_at"] > now + FURTHEST_AHEAD)
    return late | (is_announced & (frame["occurred_at"] > now + FURTHEST_AHEAD_PRE_ARRIVAL))


def find_rates_in_percent(crossings: pd.DataFrame) -> list[Finding]:
    """Find duty rates that were written in per cent: half of those that are not zero lie above 1, which is 100 %.

    Parameters
    ----------
    crossings : DataFrame
        Of the contract.

    Returns
    -------
    list of Finding
        One warning, or none.
    """
    rates = crossings["duty_rate"][crossings["duty_rate"] > 0]
    if rates.empty or rates.median() <= 1:
        return []
    sentence = "Half of the duty rates above zero are above 1, which is 100 %: they seem to be in per cent."
    return [
        Finding(
            code="rate_in_percent",
            severity="warning",
            sentence=sentence,
            columns=("duty_rate",),
            numbers={"median": float(rates.median()), "lines": float(len(rates))},
        )
    ]


def check_domain(
    history: History,
    rule: TargetRule,
    seed: int,
    whole: tuple[Finding, ...] = (),
    searched: SearchedLines | None = None,
) -> DomainChecks:
    """Look at the labels of one domain: leakage, jumps of their rate, draws of unknown probability.

    Parameters
    ----------
    history : History
        As known before the instant of the check.
    rule : TargetRule
    seed : int
        Draws pairs and permutations.
    whole : tuple of Finding
        Of `check_whole`, where they are to stand beside.
    searched : SearchedLines, optional
        Of `chekara.data.leakage.search_lines` with the same seed, where several domains are looked at.

    Returns
    -------
    DomainChecks
    """
    leakage = find_leakage(history, rule=rule, seed=seed, searched=searched)
    few = replace(history, crossings=history.crossings[["crossing_id", "revision", "known_at"]])
    known_at = few.newest_revisions().drop_duplicates("crossing_id").set_index("crossing_id")["known_at"]
    jumps = find_label_jumps(leakage.labels, known_at, rule.domain)
    draws = find_draws_of_unknown_chance(history.inspections, rule.domain)
    finds = find_hits_without_control(history.inspections, rule.domain)
    return DomainChecks(leakage, warnings_first((*leakage.findings, *jumps, *draws, *finds, *whole)), leakage.labels)


def find_draws_of_unknown_chance(inspections: pd.DataFrame, domain: str) -> list[Finding]:
    """Find controls of the lot that do not say how probable their draw was.

    Calibration weighs a draw by 1 / propensity; without it a draw teaches the model but says nothing of how often a
    harm occurs.

    Parameters
    ----------
    inspections : DataFrame
        Of the contract.
    domain : str

    Returns
    -------
    list of Finding
        One notice, or none.
    """
    drawn = inspections[(inspections["domain"] == domain) & (inspections["selected_by"] == "random")]
    unknown = int(drawn["propensity"].isna().sum())
    if not unknown:
        return []
    return [
        Finding(
            code="draw_of_unknown_chance",
            severity="notice",
            sentence=(
                f"{unknown:,} of {len(drawn):,} controls drawn at random do not say with which probability they were "
                "drawn (propensity): they cannot tell how often the harm occurs."
            ),
            domain=domain,
            columns=("propensity",),
            numbers={"unknown": float(unknown), "drawn": float(len(drawn))},
        )
    ]


def find_hits_without_control(inspections: pd.DataFrame, domain: str) -> list[Finding]:
    """Find controls that were not done and yet say that something was found: they count for nothing.

    Parameters
    ----------
    inspections : DataFrame
        Of the contract.
    domain : str

    Returns
    -------
    list of Finding
        One notice, or none.
    """
    own = inspections[(inspections["domain"] == domain) & (inspections["status"] == "not_done")]
    found = int(own["found"].sum())
    if not found:
        return []
    return [
        Finding(
            code="hit_without_control",
            severity="notice",
            sentence=(
                f"{found:,} of {len(own):,} controls that were not done (status) say that something was found: they "
                "count for nothing. If they were done, hits are lost."
            ),
            domain=domain,
            columns=("status", "found"),
            numbers={"found": float(found), "not_done": float(len(own))},
        )
    ]

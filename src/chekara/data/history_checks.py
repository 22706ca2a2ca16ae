"""What is found in a history before anybody learns from it: for ``chekara check`` and for every training alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from chekara.data.drift import find_drift, find_label_jumps, find_proxies
from chekara.data.findings import Finding, warnings_first
from chekara.data.labels import TargetRule
from chekara.data.leakage import LeakageReport, SearchedLines, find_leakage
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


def check_whole(history: History) -> tuple[Finding, ...]:
    """Look for drift, proxies, rates in per cent and swapped roles, which do not depend on a domain."""
    crossings = history.newest_revisions()
    of_values = (*find_rates_in_percent(crossings), *find_swapped_roles(crossings))
    return (*find_drift(crossings), *find_proxies(crossings), *of_values)


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
    return DomainChecks(leakage, warnings_first((*leakage.findings, *jumps, *draws, *whole)), leakage.labels)


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

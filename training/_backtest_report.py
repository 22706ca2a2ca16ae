"""What a backtest says in the end: pooled figures, pictures, and a page to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from chekara.evaluation.backtest_plots import budget_plot, drift_plot, stability_plot, weekly_plot

Tables: TypeAlias = Mapping[str, pd.DataFrame]

PARTS = {
    "truth": "whole truth of all traffic",
    "lot": "the lot, weighed for all traffic",
    "inspected": "inspected crossings alone, which past selection chose",
}
_SHORT = {"truth": "the truth", "lot": "the lot", "inspected": "inspected crossings"}
_ORDER = ("model", "bayes", "plain_lightgbm", "catboost", "logistic_regression", "best_column", "chance")
_SUMS = ["crossings", "hits", "selected", "found", "n_hits"]
_DRAWN_SHARE = 0.05  # the budget that weekly pictures show, or the nearest one asked for


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    """Pool weeks: precision and recall of all selections together.

    Parameters
    ----------
    found : DataFrame
        One row per domain, week, scorer, part and budget.

    Returns
    -------
    DataFrame
        One row per domain, part, scorer and budget: ``weeks``, the sums, ``recall`` and ``precision`` (NaN where
        nothing was there to be found, or no outcome of what was selected is known).
    """
    keys = ["domain", "part", "scorer", "share"]
    pooled = found.groupby(keys, sort=False).agg(weeks=("week", "nunique"), title=("title", "last"))
    pooled = pooled.join(found.groupby(keys, sort=False)[_SUMS].sum()).reset_index()
    # The best column may be another one every week; its name belongs to the weeks.
    pooled["title"] = pooled["title"].where(pooled["scorer"] != "best_column", "best column")
    pooled["recall"] = pooled["found"] / pooled["hits"].where(pooled["hits"] > 0)
    pooled["precision"] = pooled["found"] / pooled["selected"].where(pooled["selected"] > 0)
    return pooled


def best_part(found: pd.DataFrame) -> str:
    """Return the part that tells most of all traffic: the truth where it is known, then the lot.

    A part without a hit tells nothing and is passed over, unless no part has one.
    """
    present = [part for part in PARTS if (found["part"] == part).any()]
    with_hits = [part for part in present if found.loc[found["part"] == part, "hits"].sum() > 0]
    return (with_hits or present)[0]


def headline(domain: str, found: pd.DataFrame) -> str:
    """Say what each scorer finds at the largest budget, and why it is not told of the lot where it is not.

    Parameters
    ----------
    domain : str
    found : DataFrame
        As `summarise` takes it; other domains may be in it.

    Returns
    -------
    str
        One line.
    """
    own = _of(found, domain)
    part = best_part(own)
    pooled = summarise(own[own["part"] == part])
    share = pooled["share"].max()
    if pooled["hits"].sum() <= 0:
        return f"{domain}, recall at {share:.0%}: none, since no crossing of these weeks is known as a hit."
    recalls = pooled[pooled["share"] == share].set_index("scorer")["recall"].dropna().sort_values(ascending=False)
    said = ", ".join(f"{scorer} {value:.3f}" for scorer, value in recalls.items())
    above = [one for one in PARTS if (own["part"] == one).any()]
    without = " and ".join(_SHORT[one] for one in above[: above.index(part)])
    reason = f" Not told of {without}: no hit there in these weeks." if without else ""
    return f"{domain}, recall at {share:.0%} ({part}): {said}.{reason}"


def picture_domain(domain: str, tables: Tables) -> dict[str, Figure]:
    """Draw a domain's pictures.

    Parameters
    ----------
    domain : str
    tables : mapping of str to DataFrame

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        ``weekly``, ``budget``, ``drift``, ``overlap``; those without rows are left out.
    """
    found, drift, overlap = (_of(tables[name], domain) for name in ("found", "drift", "overlap"))
    part = best_part(found)
    of_part = found[found["part"] == part]
    shares = sorted(of_part["share"].unique())
    share = min(shares, key=lambda one: abs(one - _DRAWN_SHARE))
    on = f"{domain}, {PARTS[part]}"
    weekly = {
        title: (rows["found"].cumsum() / rows["hits"].cumsum().replace(0.0, np.nan)).to_numpy()
        for title, rows in _by_scorer(of_part[of_part["share"] == share])
    }
    pooled = {title: rows.sort_values("share")["recall"].to_numpy() for title, rows in _by_scorer(summarise(of_part))}
    figures = {
        "weekly": weekly_plot(_weeks(of_part), weekly, title=f"Who finds more, week by week, at {share:.0%}?\n{on}"),
        "budget": budget_plot(shares, pooled, title=f"How much does each budget find?\n{on}, all weeks together"),
    }
    if len(drift):
        wide = drift.pivot(index="week", columns="name", values="index")
        names = ["margin", *[name for name in drift["name"].value_counts().index if name != "margin"][:7]]
        figures["drift"] = drift_plot(
            _dates(wide.index),
            {name: wide[name].to_numpy() for name in names},
            title=f"What looks different from the four weeks before?\n{domain}: margins, and features of most gain",
        )
    if len(overlap):
        wide = overlap.pivot(index="week", columns="share", values="overlap")
        figures["overlap"] = stability_plot(
            _dates(wide.index),
            {f"top {one:.0%}": wide[one].to_numpy() for one in wide.columns},
            title=f"How steady is the list from one week's model to the next?\n{domain}, the same crossings",
        )
    return figures


def write_page(tables: Tables, skipped: Mapping[str, str], command: str, notes: list[str]) -> str:
    """Write the page: what was done, how the figures were made, and one table per domain.

    Parameters
    ----------
    tables : mapping of str to DataFrame
    skipped : mapping of str to str
        Domains without a judged week, with the reason.
    command : str
        What made it.
    notes : list of str

    Returns
    -------
    str
        Markdown.
    """
    found = tables["found"]
    lines = ["# Backtest", "", f"Made by `{command}`.", "", *(f"- {note}" for note in notes), ""]
    pooled = summarise(found) if len(found) else found
    for domain in found["domain"].unique() if len(found) else ():
        own = _of(pooled, domain)
        lines += [f"## {domain}", ""]
        for part in (part for part in PARTS if (own["part"] == part).any()):
            lines += _table(own[own["part"] == part], PARTS[part])
        lines += _steadiness(domain, tables)
    for domain, reason in skipped.items():
        lines += [f"## {domain}", "", f"Not judged: {reason}", ""]
    return "\n".join(lines)


def _table(pooled: pd.DataFrame, what: str) -> list[str]:
    shares = sorted(pooled["share"].unique())
    first = pooled.iloc[0]
    head = f"On {what}: {first['n_hits']:,.0f} hits in {first['weeks']} weeks"
    reason = "" if first["hits"] > 0 else ", so that there is no recall to tell (–)"
    lines = [f"{head}{reason}. Recall / precision by share of crossings selected:", ""]
    lines += ["| scorer | " + " | ".join(f"{share:.0%}" for share in shares) + " |", "|---|" + "---|" * len(shares)]
    for title, rows in _by_scorer(pooled):
        told = rows.sort_values("share").to_dict("records")
        cells = (f"{_figure(row['recall'])} / {_figure(row['precision'])}" for row in told)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _steadiness(domain: str, tables: Tables) -> list[str]:
    drift, overlap = _of(tables["drift"], domain), _of(tables["overlap"], domain)
    lines = []
    if len(overlap):
        means = overlap.groupby("share")["overlap"].mean()
        said = ", ".join(f"{mean:.0%} at {share:.0%}" for share, mean in means.items())
        lines += [f"Of a week's top list, the model of the week before would have chosen {said}.", ""]
    if len(drift):
        worst = drift.sort_values("index").iloc[-1]
        lines += [
            f"Largest drift: {worst['name']} in the week of {worst['week']}, stability index {worst['index']:.2f} "
            "(above 0.25 is much).",
            "",
        ]
    return lines


def _figure(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _of(frame: pd.DataFrame, domain: str) -> pd.DataFrame:
    return frame[frame["domain"] == domain] if len(frame) else frame


def _by_scorer(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Rows of each scorer by its title, the model first, in a fixed order."""
    present = [scorer for scorer in _ORDER if (frame["scorer"] == scorer).any()]
    present += [scorer for scorer in frame["scorer"].unique() if scorer not in _ORDER]
    parts = [(scorer, frame[frame["scorer"] == scorer]) for scorer in present]
    return [("best column" if scorer == "best_column" else str(rows["title"].iloc[-1]), rows) for scorer, rows in parts]


def _weeks(frame: pd.DataFrame) -> list[np.datetime64]:
    return _dates(pd.Index(frame["week"].unique()))


def _dates(weeks: pd.Index) -> list[np.datetime64]:
    return [np.datetime64(week, "D") for week in weeks]

"""The page and the pictures of a closed loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from chekara.evaluation.loop_plots import HundredHarms, found_by_week_plot, hundred_harms_plot
from training._closed_loop_figures import (
    ALL,
    FIGURES,
    by_life,
    known_of_all,
    lot_figures,
    over_seeds,
    rolling_found,
    stop_rates,
)
from training._closed_loop_life import SETTLED_WEEKS, WORLDS
from training._strategies import STRATEGIES

Figures: TypeAlias = Mapping[Any, Any]

_DRAWN = ("oracle", "observer", "model", "lot_10", "uncertainty", "bandit", "legacy", "random")
_FEWEST_AT_POST = 500  # crossings that a post needs for its rate to be told
_CURVES = ("model", "lot_10", "lot_20", "bandit", "legacy", "random")


def loop_page(tables: Mapping[str, pd.DataFrame], command: str, notes: Sequence[str], *, takes_over: int) -> str:
    """Write the page.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of `training._closed_loop_store.LifeStore.tables`.
    command : str
        What made it.
    notes : sequence of str
    takes_over : int
        First week under the strategies.

    Returns
    -------
    str
        Markdown.
    """
    weeks = tables["weeks"]
    lines = ["# Closed loop", "", f"Made by `{command}`.", "", *(f"- {note}" for note in notes), ""]
    lines += [*_worlds_differ(weeks["world"].unique().tolist(), int(weeks["week"].max()) + 1 - takes_over), ""]
    half = (takes_over + int(weeks["week"].max()) + 1) // 2
    lives, late = by_life(weeks), by_life(weeks, half)
    for world in weeks["world"].unique():
        lines += [f"## {WORLDS[world][0].upper()}{WORLDS[world][1:]}", ""]
        for domain in [ALL, *weeks["domain"].unique()]:
            lines += _found_table(lives, late, world, domain)
        lines += _lot_table(tables["lot"], world)
        lines += _people_table(tables["groups"], tables["waits"], world)
    return "\n".join(lines)


def _worlds_differ(worlds: Sequence[str], weeks: int) -> list[str]:
    """Say what must not be read out of a comparison of worlds."""
    if set(worlds) <= {"steady"}:
        return []
    told = [
        "- Compare strategies within a world, not worlds: those that change begin without the tricks that come later "
        "(whoever would use them undervalues), so that they are easier from their first week on."
    ]
    if weeks <= SETTLED_WEEKS:
        told.append(f"- **Nothing changed yet**: worlds change after {SETTLED_WEEKS} weeks, and these are {weeks}.")
    return told


def picture_loop(tables: Mapping[str, pd.DataFrame], *, takes_over: int) -> dict[str, Figure]:
    """Draw the picture for who decides, and the curves of each world.

    Parameters
    ----------
    tables : mapping of str to DataFrame
    takes_over : int
        First week under the strategies.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        ``hundred_harms``, and ``<world>_weeks``.
    """
    weeks = tables["weeks"]
    found = over_seeds(by_life(weeks), "found")
    known = known_of_all(tables["lot"]) if len(tables["lot"]) else {}
    panels = {WORLDS[world].split(":")[0]: _bars(found, known, world) for world in weeks["world"].unique()}
    figures = {
        "hundred_harms": hundred_harms_plot(
            panels, title="Of 100 harms that cross the border: what is found, and what is known of the rest"
        )
    }
    rolling = rolling_found(weeks)
    for world in weeks["world"].unique():
        shown = {STRATEGIES[s].title: rolling[world, s] for s in _CURVES if (world, s) in rolling}
        first = next(iter(shown.values()), None)
        if first is not None:
            figures[f"{world}_weeks"] = found_by_week_plot(
                [int(week) - takes_over + 1 for week in first.index],
                {name: np.asarray(values, dtype=np.float64) for name, values in shown.items()},
                title=f"Who finds more, week by week?\n{WORLDS[world]}",
            )
    return figures


def _bars(found: pd.DataFrame, known: Mapping[tuple[str, str], tuple[float, float]], world: str) -> list[HundredHarms]:
    rows = _of(found, world, ALL)
    bars = []
    for strategy in (strategy for strategy in _DRAWN if strategy in rows):
        mean, low, high = (100 * rows[strategy][name] for name in ("mean", "low", "high"))
        told = known.get((world, strategy))
        bounds = None if told is None else (100 * told[0], 100 * told[1])
        title, said = STRATEGIES[strategy].title, _knows(strategy, bounds)
        bars.append(HundredHarms(title, mean, (low, high), said, bounds))
    return bars


def _knows(strategy: str, bounds: tuple[float, float] | None) -> str:
    """Say what a strategy knows of what it did not find."""
    if STRATEGIES[strategy].leader in ("truth", "observer"):
        return "a ceiling"
    return "cannot tell the rest" if bounds is None else f"draws say {bounds[0]:.0f} to {bounds[1]:.0f}"


def _found_table(lives: pd.DataFrame, late: pd.DataFrame, world: str, domain: str) -> list[str]:
    told = {name: _of(over_seeds(lives, name), world, domain) for name in FIGURES if not lives[name].isna().all()}
    later = _of(over_seeds(late, "found"), world, domain)
    head = [
        *(FIGURES[name] for name in told),
        "found, against model only (points)",
        "second half: found",
        "against",
        "seeds",
    ]
    lines = [f"### {'All domains together' if domain == ALL else domain}", "", f"| strategy | {' | '.join(head)} |"]
    lines.append("|---|" + "---|" * len(head))
    for strategy in _in_order(told["found"]):
        cells = [_scaled(told[name][strategy], 1 if name in ("precision", "missed") else 100) for name in told]
        cells += [_difference(strategy, told["found"][strategy]), _scaled(later[strategy], 100)]
        cells += [_difference(strategy, later[strategy]), str(told["found"][strategy]["seeds"])]
        lines.append(f"| {STRATEGIES[strategy].title} | {' | '.join(cells)} |")
    return [*lines, ""]


def _lot_table(lot: pd.DataFrame, world: str) -> list[str]:
    own = lot_figures(lot[lot["world"] == world]) if len(lot) else lot
    if not len(own):
        return []
    lines = [
        "### What draws say of all traffic",
        "",
        "By intention: every draw counts, and one that came to nothing stands at the rate of its post and shift. "
        "The truth is what a thorough control of every crossing would have found.",
        "",
        "| strategy | domain | draws | came to nothing | hits | bias | bias, undone left out | mean 95 % interval, "
        "of the truth | intervals that hold the truth |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in own.to_dict("records"):
        covers = f"{row['covers']} of {row['lives']} ({row['covers_low']:.2f}–{row['covers_high']:.2f})"
        lines.append(
            f"| {STRATEGIES[row['strategy']].title} | {row['domain']} | {row['drawn']:.0f} | {row['unknown']:.0f} | "
            f"{row['hits']:.1f} | {row['bias']:+.1%} | {row['bias_left_out']:+.1%} | "
            f"{row['low_share']:.2f}–{row['high_share']:.2f} | {covers} |"
        )
    return [*lines, ""]


def _people_table(groups: pd.DataFrame, waits: pd.DataFrame, world: str) -> list[str]:
    rates = stop_rates(groups[groups["world"] == world])
    waiting = (
        waits[waits["world"] == world]
        .groupby("strategy", sort=False)[["mean_minutes", "p95_minutes", "long_share"]]
        .mean()
    )
    named = (
        ("trader_size", "small"),
        ("trader_size", "large"),
        ("trader_age", "first year"),
        ("trader_age", "older"),
        ("plates", "foreign"),
        ("plates", "domestic"),
    )
    lines = [
        "### Whom it falls on, and how long they wait",
        "",
        "Share of crossings stopped, and (of those without harm) stopped for nothing, in percent; posts: the most and "
        "the least stopped. Waits: minutes until a team is free.",
        "",
        "| strategy | "
        + " | ".join(f"{group} {kind.split('_')[0]}" for kind, group in named)
        + " | posts | mean wait | 95th of 100 | over an hour |",
        "|---|" + "---|" * (len(named) + 4),
    ]
    for strategy in _in_order(list(waiting.index)):
        own = rates[rates["strategy"] == strategy]
        by_group = {(row["kind"], row["group"]): row for row in own.to_dict("records")}
        cells = [_both(by_group[key]) if key in by_group else "–" for key in named]
        posts = own[(own["kind"] == "crossing_point") & (own["crossings"] >= _FEWEST_AT_POST)]
        low, high = (100 * float(posts["stop_rate"].agg(way)) for way in ("min", "max"))
        wait = waiting.loc[strategy]
        cells += [f"{low:.1f}–{high:.1f}" if len(posts) else "–", f"{wait['mean_minutes']:.0f}"]
        cells += [f"{wait['p95_minutes']:.0f}", f"{100 * wait['long_share']:.1f} %"]
        lines.append(f"| {STRATEGIES[strategy].title} | {' | '.join(cells)} |")
    return [*lines, ""]


def _both(row: Figures) -> str:
    return f"{100 * row['stop_rate']:.1f} / {100 * row['for_nothing_rate']:.1f}"


def _of(rows: pd.DataFrame, world: str, domain: str) -> dict[str, Figures]:
    own = rows[(rows["world"] == world) & (rows["domain"] == domain)]
    return {str(row["strategy"]): row for row in own.to_dict("records")}


def _in_order(names: Collection[str]) -> list[str]:
    return [name for name in STRATEGIES if name in names]


def _scaled(row: Figures, factor: float) -> str:
    return _written(factor * row["mean"], factor * row["low"], factor * row["high"])


def _difference(strategy: str, row: Figures) -> str:
    """Write a difference from the model alone, in points."""
    if strategy == "model":
        return "–"
    return _written(100 * row["difference"], 100 * row["difference_low"], 100 * row["difference_high"], sign="+")


def _written(mean: float, low: float, high: float, sign: str = "") -> str:
    if np.isnan(mean):
        return "–"
    bounds = "" if np.isnan(low) else f" ({low:{sign}.1f} to {high:{sign}.1f})"
    return f"{mean:{sign}.1f}{bounds}"

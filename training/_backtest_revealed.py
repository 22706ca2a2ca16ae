"""The same strategies on a history in which every outcome is known: a label is revealed only when it is selected.

A history cannot react, but where everything was inspected it can tell what every strategy would have seen, week after
week, and what it would have missed: the protocol of Kim et al. (2021), "Take a chance", on customs declarations.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.markdown import Markdown

from chekara.adapters.tracking import ModelTracker
from chekara.data.labels import label_crossings
from chekara.data.leakage import find_leakage, first_of_tuple, tuple_key
from chekara.data.sources import History
from chekara.errors import TrainingError
from chekara.modelling.spec import ModelSpec
from chekara.settings import Settings
from training._closed_loop_figures import mean_interval
from training._closed_loop_learner import Learner, WeekLines, novelty, small_spec, unsureness
from training._screen import Screen
from training._strategies import STRATEGIES, Choice, Signals, Strategy, choose, find_strategy

REVEALED = ("random", "model", "lot_5", "lot_10", "lot_20", "uncertainty", "novelty", "oracle")
"""Strategies that a history can tell of."""
AT_RANDOM_WEEKS = 4
"""Weeks in which every strategy selects at random: nobody knows anything yet."""
_WEEK = np.timedelta64(7, "D")
_NEARLY_ALL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealOrder:
    """What is replayed.

    Attributes
    ----------
    strategies : tuple of str
    seeds : tuple of int
    share : float
        Budget, as a share of a week's crossings.
    rounds : int
        Trees of each model.
    """

    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    share: float
    rounds: int


def without_copies(history: History, leaking_tuple: tuple[str, ...]) -> History:
    """Keep the first crossing of every tuple that was copied together with its outcome.

    Parameters
    ----------
    history : History
        Crossings of one goods line.
    leaking_tuple : tuple of str
        Of `chekara.data.leakage.find_leakage`.
    """
    in_time = history.crossings.sort_values("known_at", kind="stable")
    kept = in_time[first_of_tuple(tuple_key(in_time, leaking_tuple))].sort_index()
    inspected = history.inspections["crossing_id"].isin(kept["crossing_id"])
    return replace(
        history,
        crossings=kept.reset_index(drop=True),
        inspections=history.inspections[inspected].reset_index(drop=True),
    )


def replay_revealed(
    history: History,
    spec: ModelSpec,
    order: RevealOrder,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> pd.DataFrame:
    """Replay a history week by week under each strategy.

    Parameters
    ----------
    history : History
        In which every crossing has an outcome in the spec's domain; the others are left out.
    spec : ModelSpec
    order : RevealOrder
    progress : callable, optional

    Returns
    -------
    DataFrame
        One row per strategy, seed and week: ``crossings, hits, selected, found, best`` (hits among as many crossings
        for somebody who knows).
    """
    labels = label_crossings(history.inspections, spec.target).set_index("crossing_id")["hit"].astype(bool)
    told = history.crossings[history.crossings["crossing_id"].isin(labels.index)]
    # Offered once: as it was lodged first.
    is_first = told["revision"] == told.groupby("crossing_id")["revision"].transform("min")
    whole = replace(history, crossings=told[is_first].reset_index(drop=True))
    lives = [(find_strategy(name), seed) for name in order.strategies for seed in order.seeds]
    rows: list[dict[str, Any]] = []
    for done, (strategy, seed) in enumerate(lives):
        progress(f"{strategy.title}, seed {seed}", done / len(lives))
        rows += _Replay(whole, labels, spec, strategy, order, seed).rows()
    return pd.DataFrame(rows)


class _Replay:
    """One strategy's way through a history."""

    def __init__(
        self,
        history: History,
        labels: pd.Series[bool],
        spec: ModelSpec,
        strategy: Strategy,
        order: RevealOrder,
        seed: int,
    ) -> None:
        self._history, self._labels, self._strategy, self._seed = history, labels, strategy, seed
        self._spec, self._share = small_spec(spec), order.share
        learns = strategy.leader == "model"
        points = history.crossing_points
        self._learner = Learner([self._spec], points, seed=seed, rounds=order.rounds) if learns else None
        self._selected: set[str] = set()

    def rows(self) -> list[dict[str, Any]]:
        return [self._row(number, *week) for number, week in enumerate(self._weeks())]

    def _weeks(self) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, np.datetime64]]:
        """Give each week's crossings, the results that become known in the week before, and when it begins."""
        crossings, inspections = self._history.crossings, self._history.inspections
        known = _known_at(crossings)
        told = _known_at(inspections)
        first = known.min().astype("datetime64[D]").astype("datetime64[us]")
        n_weeks = int((known.max() - first) // _WEEK) + 1
        for week in range(n_weeks):
            since = first + week * _WEEK
            now = (known >= since) & (known < since + _WEEK)
            # Nothing is known before the history begins.
            before = (told >= since - _WEEK) & (told < since)
            yield crossings[now].reset_index(drop=True), inspections[before], since

    def _row(self, number: int, crossings: pd.DataFrame, told: pd.DataFrame, since: np.datetime64) -> dict[str, Any]:
        ids = np.asarray(crossings["crossing_id"].unique(), dtype=object)
        hit = self._labels.loc[ids].to_numpy(bool) if len(ids) else np.zeros(0, dtype=bool)
        budget = round(self._share * len(ids))
        rng = np.random.default_rng([self._seed, number])
        lines = self._see(crossings, told, since) if len(ids) else None
        choice = self._choose(number, lines, hit, budget, rng)
        selected = choice.arm >= 0
        if self._learner is not None and lines is not None:
            self._learner.remember(self._spec.domain, lines, selected)
        self._selected |= set(ids[selected].tolist())
        return {
            "strategy": self._strategy.name,
            "seed": self._seed,
            "week": number,
            "crossings": len(ids),
            "hits": int(hit.sum()),
            "selected": int(selected.sum()),
            "found": int((hit & selected).sum()),
            "best": min(int(hit.sum()), int(selected.sum())),
        }

    def _see(self, crossings: pd.DataFrame, told: pd.DataFrame, since: np.datetime64) -> WeekLines | None:
        if self._learner is None:
            return None
        revealed = told[told["crossing_id"].isin(self._selected)].reset_index(drop=True)
        return self._learner.see(crossings, revealed, since, since + _WEEK)[self._spec.domain]

    def _choose(
        self, number: int, lines: WeekLines | None, hit: npt.NDArray[np.bool_], budget: int, rng: np.random.Generator
    ) -> Choice:
        everybody = np.ones(len(hit), dtype=bool)
        by_chance = rng.random(len(hit))
        nothing = np.zeros(len(hit))
        if self._strategy.leader == "truth":
            return choose({}, Signals(everybody, hit + by_chance / 2, nothing, nothing), budget, rng)
        signals = Signals(everybody, by_chance, nothing, nothing)
        if self._learner is None or lines is None or number < AT_RANDOM_WEEKS:
            return choose({}, signals, budget, rng)
        self._learner.retrain()
        margin = self._learner.margins(self._spec.domain, lines)
        if margin is not None:
            signals = Signals(lines.applies, margin, unsureness(margin), novelty(self._spec.domain, lines))
        return choose(self._strategy.explores, signals, budget, rng)


def reveal_table(rows: pd.DataFrame) -> list[str]:
    """Lay out what each strategy found, after the weeks at random.

    Parameters
    ----------
    rows : DataFrame
        Of `replay_revealed`.

    Returns
    -------
    list of str
        Lines of Markdown: precision, norm-precision (over that of somebody who knows) and recall, of all weeks and of
        the last half; means over seeds with 95 % intervals.
    """
    led = rows[rows["week"] >= AT_RANDOM_WEEKS]
    half = (AT_RANDOM_WEEKS + int(rows["week"].max()) + 1) // 2
    lines = [
        "| strategy | precision | norm-precision | recall | last half: norm-precision | recall |",
        "|---|---|---|---|---|---|",
    ]
    for name in (name for name in STRATEGIES if name in set(rows["strategy"])):
        cells = (
            _cells(led[led["strategy"] == name]) + _cells(led[(led["strategy"] == name) & (led["week"] >= half)])[1:]
        )
        lines.append(f"| {STRATEGIES[name].title} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cells(rows: pd.DataFrame) -> list[str]:
    sums = rows.groupby("seed")[["hits", "selected", "found", "best"]].sum()
    figures = (sums["found"] / sums["selected"], sums["found"] / sums["best"], sums["found"] / sums["hits"])
    return [_told(figure.to_numpy(np.float64)) for figure in figures]


def _told(values: npt.NDArray[np.float64]) -> str:
    mean, low, high = mean_interval(values)
    return f"{mean:.3f}" if np.isnan(low) or low == high else f"{mean:.3f} ({low:.3f}–{high:.3f})"


def reveal_page(tables: dict[str, pd.DataFrame], command: str, notes: Sequence[str]) -> str:
    """Write the page: one table a protocol.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Of `replay_revealed`, by heading.
    command : str
        What made it.
    notes : sequence of str

    Returns
    -------
    str
        Markdown.
    """
    lines = ["# Labels revealed when selected", "", f"Made by `{command}`.", "", *(f"- {note}" for note in notes), ""]
    for heading, rows in tables.items():
        lines += [f"## {heading}", "", *reveal_table(rows)]
    return "\n".join(lines)


def run_revealed(
    history: History, specs: Sequence[ModelSpec], folder: Path, settings: Settings, screen: Screen, order: RevealOrder
) -> None:
    """Replay a history in every domain that it knows nearly every outcome of; write tables and page, track the run.

    Where rows were copied together with their outcome, the history is replayed a second time without copies.

    Parameters
    ----------
    history : History
    specs : sequence of ModelSpec
    folder : Path
        Made if it is not there.
    settings : Settings
        Where the run is tracked.
    screen : Screen
    order : RevealOrder

    Raises
    ------
    TrainingError
        In no domain nearly every outcome is known.
    """
    tables: dict[str, pd.DataFrame] = {}
    n_crossings = history.crossings["crossing_id"].nunique()
    for spec in specs:
        share = len(label_crossings(history.inspections, spec.target)) / max(n_crossings, 1)
        if share < _NEARLY_ALL:
            screen.show_skipped(spec.domain, f"the outcome of {share:.0%} of all crossings is known, too few to reveal")
            continue
        leaking = find_leakage(history, rule=spec.target, seed=order.seeds[0]).leaking_tuple
        replayed = {"as given": history}
        if leaking is not None:
            replayed["without copies: the first crossing of every tuple alone"] = without_copies(history, leaking)
        with screen.progress() as progress:
            for heading, one in replayed.items():
                tables[f"{spec.domain}, {heading}"] = replay_revealed(one, spec, order, progress)
    if not tables:
        raise TrainingError("no domain whose outcomes are nearly all known", hint="--reveal needs an inspected history")
    notes = [
        f"Each week {order.share:.0%} of its crossings are selected; only their outcomes become known, and only from "
        f"the week after on. In the first {AT_RANDOM_WEEKS} weeks everybody selects at random; they do not count.",
        f"{len(order.seeds)} seeds, {order.rounds} trees anew every week; means with 95 % intervals over seeds. "
        "Norm-precision: hits over those of somebody who knows every outcome.",
        f"History {history.digest}.",
    ]
    page = reveal_page(tables, shlex.join(["python", "-m", "training.backtest", *sys.argv[1:]]), notes)
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat([rows.assign(replay=name) for name, rows in tables.items()]).to_csv(folder / "weeks.csv", index=False)
    (folder / "report.md").write_text(page, encoding="utf-8")
    with ModelTracker(settings).run("backtest", f"labels revealed when selected, {history.directory.name}") as run:
        run.log_parameters(asdict(order))
        run.log_history(history.directory.name, history.digest, history.directory)
        run.log_text("report.md", page)
    screen.console.print(Markdown(page))
    screen.show_line(f"Report and weeks lie in {folder}; MLflow run {run.run_id}.")


def _known_at(frame: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    return np.asarray(frame["known_at"].dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")

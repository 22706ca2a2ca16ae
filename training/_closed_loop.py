"""A border that reacts to who is selected: strategies side by side, in a steady world and in one that drifts.

A history cannot tell what would have happened had others been selected; a simulated border can. Lives of one world and
seed share their warm-up and their luck, and differ in who is selected and in what the border makes of that.
"""

from __future__ import annotations

import multiprocessing
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markdown import Markdown

from chekara import __version__
from chekara.adapters.tracking import ModelTracker
from chekara.modelling.spec import ModelSpec
from chekara.settings import Settings
from training._closed_loop_figures import FIGURES, by_life, over_seeds
from training._closed_loop_learner import small_spec
from training._closed_loop_life import LifeOrder, WorldName, live_strategies
from training._closed_loop_page import loop_page, picture_loop
from training._closed_loop_store import LifeStore
from training._screen import Screen
from training._strategies import find_strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOrder:
    """What is compared.

    Attributes
    ----------
    worlds, strategies : tuple of str
    seeds : tuple of int
    per_day, warm_up, weeks, rounds : int
        As `training._closed_loop_life.LifeOrder` takes them.
    """

    worlds: tuple[WorldName, ...]
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    per_day: int
    warm_up: int
    weeks: int
    rounds: int

    def lives(self) -> Iterator[LifeOrder]:
        """Give what is simulated, world by world within a seed: an interruption leaves whole seeds behind."""
        sizes = {"per_day": self.per_day, "warm_up": self.warm_up, "weeks": self.weeks, "rounds": self.rounds}
        for seed in self.seeds:
            for world in self.worlds:
                yield LifeOrder(world=world, seed=seed, **sizes)


def run_closed_loop(
    specs: Sequence[ModelSpec], folder: Path, settings: Settings, screen: Screen, order: LoopOrder, *, jobs: int
) -> None:
    """Live what was not lived before, and write counts, pictures and page.

    Parameters
    ----------
    specs : sequence of ModelSpec
        As reviewed; the loop learns from a third of their columns.
    folder : Path
        Made if it is not there.
    settings : Settings
        Where the run is tracked.
    screen : Screen
    order : LoopOrder
    jobs : int
        Processes at once.
    """
    small = [small_spec(spec) for spec in specs]
    store = LifeStore(folder, _key_of(order, specs))
    live_all(order, small, store, screen, jobs=jobs)
    tables = store.tables(order.worlds, order.strategies, order.seeds)
    page = loop_page(tables, _command(), _notes(order, specs), takes_over=order.warm_up)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "report.md").write_text(page, encoding="utf-8")
    with ModelTracker(settings).run("backtest", f"closed loop of {order.weeks} weeks") as run:
        run.log_parameters({**asdict(order), "key": store.key, "domains": [spec.domain for spec in specs]})
        run.log_metrics(_metrics(tables["weeks"]))
        run.log_text("report.md", page)
        for name, figure in picture_loop(tables, takes_over=order.warm_up).items():
            figure.savefig(folder / f"{name}.png", dpi=144)
            run.log_figure(name, figure)
    screen.console.print(Markdown(page))
    screen.show_line(f"Report, counts and pictures lie in {folder}; MLflow run {run.run_id}.")


def live_all(order: LoopOrder, specs: Sequence[ModelSpec], store: LifeStore, screen: Screen, *, jobs: int) -> None:
    """Live what is missing in the store, several lives at once; each is kept as soon as it is over.

    Parameters
    ----------
    order : LoopOrder
    specs : sequence of ModelSpec
    store : LifeStore
    screen : Screen
    jobs : int
    """
    missing = [
        (life, [name for name in order.strategies if not store.has(life.world, name, life.seed)])
        for life in order.lives()
    ]
    missing = [(life, names) for life, names in missing if names]
    if not missing:
        screen.show_line("All lives were lived before.")
        return
    with screen.progress() as progress:
        if jobs == 1:
            for done, (life, names) in enumerate(missing):
                progress(f"{life.world} world, seed {life.seed}", done / len(missing))
                _live(life, names, specs, store)
            return
        # A process of its own each: threads of the parent must not be copied into it.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            waiting = {pool.submit(_live, life, names, specs, store): life for life, names in missing}
            for done, finished in enumerate(as_completed(waiting)):
                finished.result()
                life = waiting[finished]
                progress(f"{life.world} world, seed {life.seed} is over", (done + 1) / len(missing))


def _live(life: LifeOrder, names: Sequence[str], specs: Sequence[ModelSpec], store: LifeStore) -> None:
    for name, tables in live_strategies(life, [find_strategy(name) for name in names], specs):
        store.keep(life.world, name, life.seed, tables)


def _metrics(weeks: pd.DataFrame) -> dict[str, float]:
    lives = by_life(weeks)
    rows = [(figure, row) for figure in FIGURES for row in over_seeds(lives, figure).to_dict("records")]
    return {
        f"{row['world']}/{row['domain']}/{row['strategy']}/{figure}{suffix}": row[value]
        for figure, row in rows
        for value, suffix in (("mean", ""), ("difference", "_against_model"))
        if row[value] == row[value]
    }


def _notes(order: LoopOrder, specs: Sequence[ModelSpec]) -> list[str]:
    return [
        f"{len(order.seeds)} seeds of {order.per_day} crossings a day; {order.warm_up} weeks of habit with the world's "
        f"own lot, the same for all, then {order.weeks} weeks under each strategy. Domains: "
        f"{', '.join(spec.domain for spec in specs)}; in the others habit goes on.",
        "Every strategy has the same budget a week and domain: what the world's file calls capacity, a share of the "
        "week's crossings. A lot of 10 % takes a tenth of the budget, not of the traffic; draws that come to nothing "
        "are lost controls.",
        f"Models are trained anew every week, {order.rounds} trees on the newest known outcomes, with a third of the "
        "columns of the reviewed specs.",
        "Intervals are 95 %, over seeds. Differences are against `model only` of the same seed, whose traffic is the "
        "same.",
    ]


def _key_of(order: LoopOrder, specs: Sequence[ModelSpec]) -> Mapping[str, Any]:
    shared = {"per_day": order.per_day, "warm_up": order.warm_up, "weeks": order.weeks, "rounds": order.rounds}
    return {**shared, "specs": {spec.domain: spec.text for spec in specs}, "version": __version__}


def _command() -> str:
    return shlex.join(["python", "-m", "training.backtest", *sys.argv[1:]])

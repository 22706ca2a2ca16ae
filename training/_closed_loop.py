"""A border that reacts to who is selected: models, chance, and models that learn from their own choices alone.

A history cannot tell what would have happened had others been selected; a simulated border can. Each arm lives the
same months of the same world: it is asked every week whom to inspect, sees the results as they become known, and the
world reacts to what is found (deterrence, displacement). The lot goes on in each.
"""

from __future__ import annotations

import math
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.markdown import Markdown

from chekara.adapters.tracking import ModelTracker
from chekara.data.checks import empty_table, validate_table
from chekara.data.simulate import simulate_border
from chekara.data.sources import History
from chekara.errors import NotEnoughHitsError
from chekara.evaluation.backtest_plots import weekly_plot
from chekara.modelling.dataset import Dataset, build_dataset
from chekara.modelling.forward import Progress
from chekara.modelling.learn import Learned, learn, margins_of
from chekara.modelling.spec import ModelSpec
from chekara.modelling.split import require_hits
from chekara.settings import Settings
from training._history import just_after_newest
from training._screen import Screen

Arm: TypeAlias = Literal["model", "own_choices", "random"]

ARMS: Mapping[Arm, str] = {
    "model": "models that learn from all results",
    "own_choices": "models that learn from what they chose, without the lot",
    "random": "selected at random",
}
RETRAIN_WEEKS = 4
_FEWEST_HITS = 15  # below it, an arm selects at random


@dataclass
class Selector:
    """One arm's policy, as the simulator asks it.

    Parameters
    ----------
    specs : sequence of ModelSpec
    arm : {'model', 'own_choices', 'random'}
    seed : int
    """

    specs: Sequence[ModelSpec]
    arm: Arm
    seed: int
    _crossings: list[pd.DataFrame] = field(default_factory=list, init=False)
    _results: list[pd.DataFrame] = field(default_factory=list, init=False)
    _learned: dict[str, Learned] = field(default_factory=dict, init=False)

    def __call__(self, crossings: pd.DataFrame, results: pd.DataFrame) -> dict[str, list[str]]:
        """Rank the week's crossings by domain, the most wanted first."""
        week = len(self._crossings)
        self._crossings.append(crossings)
        self._results += [results] if len(results) else []
        ids = crossings["crossing_id"].unique()
        rng = np.random.default_rng([self.seed, week])
        by_chance = {spec.domain: rng.permutation(ids).tolist() for spec in self.specs}
        if self.arm == "random" or not self._results:
            return by_chance
        history = self._history()
        return by_chance | {
            spec.domain: ranked
            for spec in self.specs
            if (ranked := self._ranked(history, spec, set(ids), week % RETRAIN_WEEKS == 0)) is not None
        }

    def _history(self) -> History:
        results = pd.concat(self._results, ignore_index=True)
        if self.arm == "own_choices":
            results = results[results["selected_by"] != "random"]
        done = results["status"] == "done"
        results = results.assign(
            inspection_id=[f"I{number}" for number in range(len(results))],
            method=pd.Series("full", index=results.index, dtype="str").where(done),
            propensity=np.nan,
            # How likely a draw was is no matter to a fit; without it a drawn control would be refused.
            selected_by="officer",
        )
        return History(
            crossings=validate_table(pd.concat(self._crossings, ignore_index=True), "crossings").frame,
            inspections=validate_table(results, "inspections").frame,
            crossing_points=empty_table("crossing_points"),
            refusals=(),
            digest="",
            directory=Path(),
        )

    def _ranked(self, history: History, spec: ModelSpec, ids: set[str], retrain: bool) -> list[str] | None:
        """Rank crossings by a domain's model; None while there is none."""
        dataset = build_dataset(history, spec, just_after_newest(history))
        if retrain:
            self._retrain(dataset, spec)
        if spec.domain not in self._learned:
            return None
        asked = np.array([crossing_id in ids for crossing_id in dataset.crossing_ids], dtype=bool)
        if not asked.any():
            return None
        margins = margins_of(self._learned[spec.domain], dataset, asked)
        ranked: list[str] = dataset.crossing_ids[asked][np.argsort(-margins, kind="stable")].tolist()
        return ranked

    def _retrain(self, dataset: Dataset, spec: ModelSpec) -> None:
        try:
            require_hits(dataset.hit, _FEWEST_HITS, f"known in {spec.domain}")
        except NotEnoughHitsError:
            return
        # A fit every month needs no choice of its own: the fewest trees but one hold for few hits.
        rounds = spec.training.rounds[min(1, len(spec.training.rounds) - 1)]
        everything = np.ones(dataset.n_crossings, dtype=bool)
        self._learned[spec.domain] = learn(dataset, spec, ~np.isnan(dataset.hit), everything, rounds, self.seed)


def live_arm(
    specs: Sequence[ModelSpec],
    arm: Arm,
    out: Path,
    *,
    months: int,
    per_day: int,
    seed: int,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Let a border live under one arm, and count by month.

    Parameters
    ----------
    specs : sequence of ModelSpec
    arm : {'model', 'own_choices', 'random'}
    out : Path
        Folder for its history.
    months, per_day, seed : int
        Of the world; the same for all arms.
    progress : callable, optional
        Told the share that is done.

    Returns
    -------
    DataFrame
        One row per domain and month: ``arm, domain, month, crossings, harm`` (crossings with harm, whoever looked),
        ``selected`` (controls that the arm chose and that were done), ``found`` (hits among them).
    """
    simulate_border(
        out, months=months, per_day=per_day, seed=seed, policy=Selector(specs, arm, seed), progress=progress
    )
    crossings = pd.read_parquet(out / "crossings.parquet", columns=["crossing_id", "occurred_at"])
    month_of = crossings.drop_duplicates("crossing_id").set_index("crossing_id")["occurred_at"].dt.strftime("%Y-%m")
    truth = pd.read_parquet(out / "truth.parquet").set_index("crossing_id")
    inspections = pd.read_parquet(out / "inspections.parquet")
    first = inspections[(inspections["revision"] == 0) & (inspections["status"] == "done")]
    chosen = first[first["selected_by"] == "model"]
    parts = [
        pd.DataFrame(
            {
                "crossings": month_of.value_counts(),
                "harm": _count(month_of, truth.index[truth[spec.domain]]),
                "selected": _count(month_of, chosen["crossing_id"][chosen["domain"] == spec.domain]),
                "found": _count(
                    month_of, chosen["crossing_id"][(chosen["domain"] == spec.domain) & chosen["found"].astype(bool)]
                ),
            }
        )
        .fillna(0.0)
        .rename_axis("month")
        .sort_index()
        .reset_index()
        .assign(arm=arm, domain=spec.domain)
        for spec in specs
    ]
    return pd.concat(parts, ignore_index=True)


def _count(month_of: pd.Series, crossing_ids: Iterable[str]) -> pd.Series:
    return month_of.reindex(list(crossing_ids)).value_counts()


def loop_page(counts: pd.DataFrame, command: str, notes: Sequence[str]) -> str:
    """Write the page: per domain, what each arm found, and what harm was left to find.

    Parameters
    ----------
    counts : DataFrame
        Of `live_arm`, all arms.
    command : str
    notes : sequence of str

    Returns
    -------
    str
        Markdown.
    """
    lines = ["# Closed loop", "", f"Made by `{command}`.", "", *(f"- {note}" for note in notes), ""]
    months = sorted(counts["month"].unique())
    second_half = counts[counts["month"] >= months[len(months) // 2]]
    for domain, own in second_half.groupby("domain", sort=False):
        lines += [
            f"## {domain}",
            "",
            "| arm | harm per 1,000 crossings | hits per 100 controls | share of harm found |",
        ]
        lines += ["|---|---|---|---|"]
        for arm, title in ARMS.items():
            sums = own[own["arm"] == arm][["crossings", "harm", "selected", "found"]].sum()
            harm, hits = 1000 * sums["harm"] / sums["crossings"], 100 * sums["found"] / max(sums["selected"], 1.0)
            lines.append(f"| {title} | {harm:.1f} | {hits:.1f} | {sums['found'] / max(sums['harm'], 1.0):.3f} |")
        lines.append("")
    return "\n".join(lines)


def run_closed_loop(
    specs: Sequence[ModelSpec],
    folder: Path,
    settings: Settings,
    screen: Screen,
    *,
    months: int,
    per_day: int,
    seed: int,
) -> None:
    """Let every arm live, one after the other, and write counts, picture and page.

    Parameters
    ----------
    specs : sequence of ModelSpec
    folder : Path
        Made if it is not there.
    settings : Settings
        Where the run is tracked.
    screen : Screen
    months, per_day, seed : int
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: list[pd.DataFrame] = []
    for arm, title in ARMS.items():
        with tempfile.TemporaryDirectory(prefix="chekara-") as scratch, screen.progress() as progress:
            told = partial(_tell_tenths, progress, title)
            sizes = {"months": months, "per_day": per_day, "seed": seed}
            counts.append(live_arm(specs, arm, Path(scratch) / "border", **sizes, progress=told))
    table = pd.concat(counts, ignore_index=True)
    notes = [
        f"{months} months of {per_day} crossings a day, seed {seed}; arms differ in who is selected, and the lot of "
        "the world goes on in each.",
        f"Trees are fitted every {RETRAIN_WEEKS} weeks, with {_FEWEST_HITS} known hits or more; until then an arm "
        "selects at random. Every arm has the controls that the world's file allows.",
        "Counted in the second half of the months, on first results; harm is the whole truth.",
    ]
    page = loop_page(table, shlex.join(["python", "-m", "training.backtest", *sys.argv[1:]]), notes)
    table.to_csv(folder / "months.csv", index=False)
    (folder / "report.md").write_text(page, encoding="utf-8")
    with ModelTracker(settings).run("backtest", f"closed loop of {months} months") as run:
        run.log_parameters({"months": months, "per_day": per_day, "seed": seed})
        run.log_text("report.md", page)
        for domain, own in table.groupby("domain", sort=False):
            figure = _picture(str(domain), own)
            figure.savefig(folder / f"{domain}_closed_loop.png", dpi=144)
            run.log_figure(f"{domain}_closed_loop", figure)
    screen.console.print(Markdown(page))
    screen.show_line(f"Report, counts and pictures lie in {folder}; MLflow run {run.run_id}.")


def _tell_tenths(progress: Progress, title: str, share: float) -> None:
    """Name the arm and how far it is, in steps of ten percent: that many lines where there is no bar."""
    progress(f"{title}: {math.floor(10 * share) * 10} %", share)


def _picture(domain: str, own: pd.DataFrame) -> Figure:
    months = sorted(own["month"].unique())
    by_arm = {title: own[own["arm"] == arm].set_index("month").reindex(months) for arm, title in ARMS.items()}
    found = {
        title: (rows["found"].cumsum() / rows["harm"].cumsum().replace(0.0, np.nan)).to_numpy()
        for title, rows in by_arm.items()
    }
    return weekly_plot(
        [np.datetime64(month, "M") for month in months],
        found,
        title=f"Who finds more at a border that reacts?\n{domain}, share of all harm so far, month by month",
    )

"""Whether estimates of the lot cover what is true, as often as they say, also where draws are not made.

``python -m benchmarks.lot_coverage`` simulates borders with known truth, draws lots from them with the service's own
function (``chekara.policy.lot``), each with a seed of its own, loses draws in three ways, and estimates the rate of
each domain with ``chekara.evaluation.intention.lot_rate``. Printed is how often the 95 % intervals hold the true rate,
with a 95 % interval of that share, and drawn as a picture.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import pyplot as plt
from rich.console import Console
from rich.table import Table

from chekara.data.simulate import TRUTH_FILE, simulate_border
from chekara.evaluation.calibration import Z95, wilson_interval
from chekara.evaluation.intention import LotRate, lot_rate
from chekara.policy.lot import LOT_ARM, is_drawn
from chekara.policy.plans import LotException, LotPlan, Scope, Shifts

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

DOMAINS: Final = ("revenue_fraud", "contraband")
SHIFTS: Final = Shifts("Asia/Bishkek", (time(8), time(20)))
PLAN: Final = LotPlan(
    propensity=0.05,
    domains=frozenset(DOMAINS),
    exceptions=(
        LotException(Scope(frozenset({"TORUGART", "AK-JOL"}), frozenset({time(20)})), 0.1),
        LotException(Scope(frozenset({"AK-JOL"})), 0.025),
    ),
)
REPLICATES: Final = 300


@dataclass(frozen=True, slots=True)
class Border:
    """All traffic of a simulated border.

    Attributes
    ----------
    crossing_id, post : ndarray of str, shape (n,)
    group : ndarray of str, shape (n,)
        Post and shift.
    is_night : ndarray of bool, shape (n,)
    propensity, truth : mapping of str to ndarray of shape (n,)
        By domain: probability of a draw, and whether there is something to find.
    """

    crossing_id: npt.NDArray[np.object_]
    post: npt.NDArray[np.object_]
    group: npt.NDArray[np.object_]
    is_night: Mask
    propensity: Mapping[str, Floats]
    truth: Mapping[str, Mask]


Attrition = Callable[[Border, Mask, np.random.Generator], Mask]
"""From the border, what is true of each crossing and chance to whether a draw of it is done."""


def all_done(border: Border, truth: Mask, rng: np.random.Generator) -> Mask:
    """Every draw is made."""
    return np.ones(len(truth), dtype=np.bool_)


def by_post_and_shift(border: Border, truth: Mask, rng: np.random.Generator) -> Mask:
    """Nights and three busy posts make fewer of their draws; within a post and shift, chance decides."""
    busy = np.isin(border.post.astype(str), ["TORUGART", "AK-JOL", "IRKESHTAM"])
    lost = 0.05 + 0.3 * border.is_night + 0.25 * busy
    return rng.random(len(truth)) >= lost


def who_has_something_to_hide(border: Border, truth: Mask, rng: np.random.Generator) -> Mask:
    """Half of what would have been a hit is let go, and a sixth of the rest: nothing that is recorded tells why."""
    return rng.random(len(truth)) >= np.where(truth, 0.5, 1 / 6)


SCENARIOS: Final[Mapping[str, Attrition]] = {
    "all done": all_done,
    "by post and shift": by_post_and_shift,
    "who has something to hide": who_has_something_to_hide,
}


def simulated(seed: int, months: int, per_day: int) -> Border:
    """Simulate a border and plan its lot.

    Parameters
    ----------
    seed, months, per_day : int
        As for ``chekara simulate``.
    """
    with tempfile.TemporaryDirectory() as folder:
        simulate_border(Path(folder), months=months, per_day=per_day, seed=seed)
        columns = ["crossing_id", "crossing_point", "known_at"]
        crossings = pd.read_parquet(Path(folder) / "crossings.parquet", columns=columns)
        truth = pd.read_parquet(Path(folder) / TRUTH_FILE).set_index("crossing_id")
    first = crossings.sort_values("known_at", kind="stable").drop_duplicates("crossing_id")
    shift = [SHIFTS.shift_at(at) for at in first["known_at"]]
    post = first["crossing_point"].to_numpy(dtype=object)
    share = {
        domain: np.array([PLAN.propensity_at(domain, p, s) for p, s in zip(post, shift, strict=True)])
        for domain in DOMAINS
    }
    return Border(
        crossing_id=first["crossing_id"].to_numpy(dtype=object),
        post=post,
        group=np.array([f"{p} {s:%H:%M}" for p, s in zip(post, shift, strict=True)], dtype=object),
        is_night=np.array([s == time(20) for s in shift]),
        propensity=share,
        truth={domain: truth.loc[first["crossing_id"], domain].to_numpy(dtype=bool) for domain in DOMAINS},
    )


def draw_lot(border: Border, domain: str, number: int) -> npt.NDArray[np.int64]:
    """Draw a lot with a seed of its own.

    Parameters
    ----------
    border : Border
    domain : str
    number : int
        Of the lot; it makes the seed.

    Returns
    -------
    ndarray of int64
        Places of the crossings that were drawn.
    """
    seed = hashlib.sha256(f"lot {number}".encode()).digest()
    pairs = enumerate(zip(border.crossing_id, border.propensity[domain].tolist(), strict=True))
    fell = (
        place for place, (one, p) in pairs if is_drawn(seed, arm=LOT_ARM, domain=domain, crossing_id=one, propensity=p)
    )
    return np.fromiter(fell, dtype=np.int64)


def estimate(border: Border, domain: str, drawn: npt.NDArray[np.int64], attrition: Attrition, number: int) -> LotRate:
    """Lose some of a lot's draws, and estimate the domain's rate from the others.

    Parameters
    ----------
    border : Border
    domain : str
    drawn : ndarray of int64
        Of `draw_lot`.
    attrition : callable
    number : int
        Of the lot; it makes the chance that loses draws.
    """
    truth = border.truth[domain]
    is_done = attrition(border, truth, np.random.default_rng(number))[drawn]
    hit = np.where(is_done, truth[drawn], np.nan)
    weight = 1 / border.propensity[domain][drawn]
    return lot_rate(hit, weight, border.group[drawn], replicates=REPLICATES, seed=number)


@dataclass(frozen=True, slots=True)
class Trial:
    """One estimate beside what is true of the whole border."""

    true_rate: float
    estimate: LotRate

    def holds(self, interval: tuple[float, float]) -> bool:
        """Whether an interval holds the true rate."""
        return interval[0] <= self.true_rate <= interval[1]


def trials_of(
    borders: list[Border], domain: str, attritions: Mapping[str, Attrition], lots: int
) -> dict[str, list[Trial]]:
    """Draw lots from each border in turn, each with a seed of its own, and lose draws of each in several ways.

    Parameters
    ----------
    borders : list of Border
    domain : str
    attritions : mapping of str to callable
        By scenario.
    lots : int
        In all.

    Returns
    -------
    dict of str to list of Trial
        By scenario.
    """
    trials: dict[str, list[Trial]] = {scenario: [] for scenario in attritions}
    for number in range(lots):
        border = borders[number % len(borders)]
        true_rate, drawn = float(border.truth[domain].mean()), draw_lot(border, domain, number)
        for scenario, attrition in attritions.items():
            trials[scenario].append(Trial(true_rate, estimate(border, domain, drawn, attrition, number)))
    return trials


def covered(trials: list[Trial], interval: Callable[[LotRate], tuple[float, float]]) -> tuple[int, tuple[float, float]]:
    """Count the trials whose interval holds the truth, with a 95 % interval of that share."""
    hits = sum(trial.holds(interval(trial.estimate)) for trial in trials)
    return hits, wilson_interval(hits, len(trials), Z95)


INTERVALS: Final[Mapping[str, Callable[[LotRate], tuple[float, float]]]] = {
    "bootstrap": lambda rate: rate.rate.interval_95,
    "closed form": lambda rate: rate.closed_form_95,
    "bounds": lambda rate: rate.bounds_95,
}


def show(found: Mapping[str, Mapping[str, list[Trial]]], console: Console) -> None:
    """Print how often each kind of 95 % interval holds the truth.

    Parameters
    ----------
    found : mapping of str to mapping of str to list of Trial
        By domain, then by scenario.
    console : Console
    """
    table = Table("Domain", "Draws not done", "True rate", "Draws", "Unknown", "Mean estimate", *INTERVALS)
    rows = ((domain, *row) for domain, by_scenario in found.items() for row in by_scenario.items())
    for domain, scenario, trials in rows:
        shares = []
        for interval in INTERVALS.values():
            hits, (low, high) = covered(trials, interval)
            shares.append(f"{hits / len(trials):.3f} [{low:.3f}, {high:.3f}]")
        table.add_row(
            domain,
            scenario,
            f"{np.mean([t.true_rate for t in trials]):.4f}",
            f"{np.mean([t.estimate.drawn for t in trials]):.0f}",
            f"{np.mean([t.estimate.unknown / t.estimate.drawn for t in trials]):.0%}",
            f"{np.mean([t.estimate.rate.value for t in trials]):.4f}",
            *shares,
        )
    console.print(table)


def draw(trials: Mapping[str, list[Trial]], domain: str, path: Path) -> None:
    """Draw every interval of a domain, less the truth; those that miss it are red.

    Parameters
    ----------
    trials : mapping of str to list of Trial
        By scenario.
    domain : str
    path : Path
        SVG.
    """
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "chekara"
    figure, axes = plt.subplots(1, len(trials), figsize=(13, 4.2), sharey=True, layout="constrained")
    for ax, (scenario, those) in zip(axes, trials.items(), strict=True):
        ordered = sorted(those, key=lambda t: t.estimate.rate.value - t.true_rate)
        for x, one in enumerate(ordered):
            low, high = (100 * (bound - one.true_rate) for bound in one.estimate.bounds_95)
            ax.plot([x, x], [low, high], color="#dddddd", lw=1.2, zorder=1)
            low, high = (100 * (bound - one.true_rate) for bound in one.estimate.rate.interval_95)
            colour = "#2b6cb0" if one.holds(one.estimate.rate.interval_95) else "#c53030"
            ax.plot([x, x], [low, high], color=colour, lw=1.0, zorder=2)
        hits, (lowest, highest) = covered(those, INTERVALS["bootstrap"])
        bounds, _ = covered(those, INTERVALS["bounds"])
        n = len(those)
        ax.axhline(0, color="black", lw=0.8, zorder=3)
        ax.set_title(
            f"{scenario}\ncovers {hits / n:.1%} [{lowest:.1%}, {highest:.1%}]; bounds (grey) {bounds / n:.1%}",
            fontsize=9,
        )
        ax.set_xlabel(f"{n} lots, by estimate", fontsize=9)
    axes[0].set_ylim(-6, 8)  # bounds go on above: what they leave open is told in words
    axes[0].set_ylabel("95 % interval less the true rate, percentage points", fontsize=9)
    figure.suptitle(f"{domain}: what the lot says and what is true", fontsize=10)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Run all scenarios and domains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lots", type=int, default=200)
    parser.add_argument("--borders", type=int, default=4)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--per-day", type=int, default=150)
    parser.add_argument("--picture", type=Path, default=None, help="SVG to write, of the first domain")
    options = parser.parse_args()
    borders = [simulated(seed, options.months, options.per_day) for seed in range(1, options.borders + 1)]
    found = {domain: trials_of(borders, domain, SCENARIOS, options.lots) for domain in DOMAINS}
    console = Console(width=170)
    crossings = sum(len(border.crossing_id) for border in borders)
    console.print(f"{options.lots} lots over {len(borders)} borders, {crossings:,} crossings in all.", highlight=False)
    show(found, console)
    if options.picture is not None:
        draw(found[DOMAINS[0]], DOMAINS[0], options.picture)


if __name__ == "__main__":
    main()

"""Draw ``docs/images/world.png``: what a simulated border looks like.

Usage: ``chekara simulate var/world --months 12 --per-day 300 --seed 1 && python docs/images/make_world.py var/world``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
from matplotlib import pyplot as plt

OUT = Path(__file__).with_name("world.png")


def weekly_traffic(axes: Any, first: pd.DataFrame) -> None:
    """Crossings a week at the busiest posts: season, closures, a new post."""
    busiest = first["crossing_point"].value_counts().index[:6]
    shown = [*busiest, "BEDEL"] if "BEDEL" in set(first["crossing_point"]) else list(busiest)
    for post in shown:
        own = first[first["crossing_point"] == post]
        week = (own["occurred_at"] - first["occurred_at"].min()).dt.days // 7
        axes.plot(week.value_counts().reindex(range(52), fill_value=0), label=post, lw=1.2)
    axes.set(title="Crossings a week, by week", ylim=(0, None))
    axes.legend(fontsize=6, ncol=2)


def volumes(axes: Any, lines: pd.DataFrame) -> None:
    """Crossings of each importer and carrier by rank: few do most."""
    for name in ("importer_id", "carrier_id", "vehicle_id"):
        counts = lines.drop_duplicates(["crossing_id", name])[name].value_counts().to_numpy()
        axes.loglog(np.arange(1, len(counts) + 1), counts, label=name)
    axes.set(title="Crossings by rank of the id, as written")
    axes.legend(fontsize=6)


def prices(axes: Any, lines: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Compare declared prices of T-shirts from China: the honest and the others overlap."""
    own = lines[lines["hs_code"].str.startswith("610910", na=False) & (lines["origin_country"] == "CN")]
    price = own["declared_value"] / own["net_mass_kg"]
    fraud = own["crossing_id"].map(truth["revenue_fraud"]).to_numpy(dtype=bool)
    bins = np.geomspace(1, 25, 50)
    axes.hist([price[~fraud], price[fraud]], bins, stacked=True, label=["honest crossing", "revenue fraud"])
    axes.set(title="T-shirts from China, USD per kg", xscale="log")
    axes.legend(fontsize=6)


def harm_by_month(axes: Any, first: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Share of crossings with each harm, by month."""
    month = first["occurred_at"].dt.tz_localize(None).dt.to_period("M").astype(str)
    rate = truth.groupby(month.to_numpy()).mean() * 100
    for domain in rate:
        axes.plot(rate[domain], label=domain, lw=1.2)
    axes.set(title="Harm, % of crossings", ylim=(0, None))
    axes.tick_params(axis="x", rotation=60, labelsize=6)
    axes.legend(fontsize=6)


def hits_by_carrier(axes: Any, first: pd.DataFrame, truth: pd.DataFrame, hits: pd.Series) -> None:
    """Contraband of each carrier against its crossings; what was found in red."""
    carried = first.assign(harm=truth["contraband"].to_numpy(), hit=first["crossing_id"].isin(hits))
    by_carrier = carried.groupby("carrier_id")[["harm", "hit"]].agg(["sum", "size"])
    size, harm = by_carrier["harm", "size"], by_carrier["harm", "sum"]
    points = axes.scatter(size, harm + 0.15, c=by_carrier["hit", "sum"], s=12, cmap="magma_r", vmax=20)
    axes.figure.colorbar(points, ax=axes, label="found")
    axes.set(title="Contraband by carrier", xscale="log", yscale="log", xlabel="crossings", ylabel="with contraband")


def selection(axes: Any, inspections: pd.DataFrame) -> None:
    """How often each kind of selection finds something."""
    done = inspections[(inspections["status"] == "done") & (inspections["revision"] == 0)]
    rate = done.pivot_table(index="domain", columns="selected_by", values="found", aggfunc="mean") * 100
    rate.plot.barh(ax=axes, width=0.8)
    axes.set(title="Hits, % of inspections", ylabel="")
    axes.tick_params(labelsize=6)
    axes.legend(fontsize=6)


def main(folder: Path) -> None:
    """Draw the picture of one folder."""
    crossings = pd.read_parquet(folder / "crossings.parquet")
    inspections = pd.read_parquet(folder / "inspections.parquet")
    truth = pd.read_parquet(folder / "truth.parquet").set_index("crossing_id")
    lines = crossings[crossings["revision"] == 0]
    first = lines[lines["item_no"] == 1]
    own = inspections[(inspections["domain"] == "contraband") & inspections["found"]]
    figure, axes = plt.subplots(2, 3, figsize=(13, 7), layout="constrained")
    weekly_traffic(axes[0, 0], first)
    volumes(axes[0, 1], lines)
    prices(axes[0, 2], lines, truth)
    harm_by_month(axes[1, 0], first, truth)
    hits_by_carrier(axes[1, 1], first, truth, own["crossing_id"])
    selection(axes[1, 2], inspections)
    figure.savefig(OUT, dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What lives add up to: figures of each strategy over seeds, with intervals, and against the model alone.

Lives of one seed share their traffic, so that strategies are compared seed by seed: an interval of a difference is far
narrower than that of either side.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from chekara.evaluation.calibration import Z95, wilson_interval

ALL = "all"
"""Stands for all domains together."""
_SUMS = [
    "crossings",
    "harm",
    "amount",
    "selected",
    "done",
    "hits",
    "harm_selected",
    "harm_found",
    "amount_found",
    "drawn",
]
FIGURES = {
    "found": "share of harm found",
    "amount_share": "share of the money found",
    "precision": "hits per 100 controls",
    "missed": "harm that crosses, per 1,000 crossings",
}


def by_life(weeks: pd.DataFrame, since: int = 0) -> pd.DataFrame:
    """Sum weeks to one row per world, strategy, seed and domain, and domains to `ALL`.

    Parameters
    ----------
    weeks : DataFrame
        Table ``weeks`` of lives.
    since : int
        First week that counts.

    Returns
    -------
    DataFrame
        Sums, and ``found, amount_share`` (fractions of all harm), ``precision`` (hits per 100 controls that were
        done), ``missed`` (harm per 1,000 crossings that nobody found).
    """
    keys = ["world", "strategy", "seed"]
    counted = weeks[weeks["week"] >= since]
    own = counted.groupby([*keys, "domain"], sort=False)[_SUMS].sum().reset_index()
    whole = own.groupby(keys, sort=False)[_SUMS].sum().reset_index().assign(domain=ALL)
    # Every domain sees the same crossings.
    whole["crossings"] /= own["domain"].nunique()
    rows = pd.concat([own, whole], ignore_index=True)
    rows["found"] = rows["harm_found"] / rows["harm"].clip(lower=1)
    rows["amount_share"] = rows["amount_found"] / rows["amount"].where(rows["amount"] > 0)
    rows["precision"] = 100 * rows["hits"] / rows["done"].clip(lower=1)
    rows["missed"] = 1000 * (rows["harm"] - rows["harm_found"]) / rows["crossings"]
    return rows


def over_seeds(lives: pd.DataFrame, figure: str, *, against: str = "model") -> pd.DataFrame:
    """Average a figure over seeds.

    Parameters
    ----------
    lives : DataFrame
        Of `by_life`.
    figure : str
        One of its columns.
    against : str
        Strategy that the others are compared with, seed by seed.

    Returns
    -------
    DataFrame
        One row per world, domain and strategy: ``mean, low, high, difference, difference_low, difference_high,
        seeds``; 95 % intervals by Student's t over seeds, NaN with fewer than two of them.
    """
    rows = []
    for (world, domain), own in lives.groupby(["world", "domain"], sort=False):
        wide = own.pivot(index="seed", columns="strategy", values=figure)
        for strategy in own["strategy"].unique():
            values = wide[strategy].dropna()
            beside = values - wide[against] if against in wide else values * np.nan
            mean, low, high = mean_interval(values.to_numpy())
            told = mean_interval(beside.dropna().to_numpy())
            rows.append(
                {"world": world, "domain": domain, "strategy": strategy, "mean": mean, "low": low, "high": high}
                | dict(zip(("difference", "difference_low", "difference_high"), told, strict=True))
                | {"seeds": len(values)}
            )
    return pd.DataFrame(rows)


def mean_interval(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return a mean with its 95 % interval by Student's t.

    Examples
    --------
    >>> [round(x, 2) for x in mean_interval(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.48, 4.48]
    """
    n = len(values)
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    mean = float(values.mean())
    if n == 1:
        return mean, float("nan"), float("nan")
    half = float(student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def lot_figures(lot: pd.DataFrame) -> pd.DataFrame:
    """Hold what draws say against the truth.

    Parameters
    ----------
    lot : DataFrame
        Table ``lot`` of lives.

    Returns
    -------
    DataFrame
        One row per world, domain and strategy: ``lives``; ``drawn, unknown, hits`` on average; ``bias`` (mean
        estimate over mean truth, less 1), ``bias_left_out`` (the same with draws that came to nothing left out);
        ``low_share, high_share`` (mean bounds of the 95 % interval, as a share of the truth); ``covers`` (lives whose
        interval holds the truth), with Wilson bounds.
    """
    rows = []
    for keys, own in lot.groupby(["world", "domain", "strategy"], sort=False):
        covers, n = int(own["covers"].sum()), len(own)
        low, high = wilson_interval(covers, n, Z95)
        truth = own["truth"].mean()
        rows.append(
            dict(zip(("world", "domain", "strategy"), keys, strict=True))
            | {name: float(own[name].mean()) for name in ("drawn", "unknown", "hits")}
            | {"lives": n, "bias": own["rate"].mean() / truth - 1, "bias_left_out": own["left_out"].mean() / truth - 1}
            | {"low_share": float((own["low"] / own["truth"]).mean())}
            | {"high_share": float((own["high"] / own["truth"]).mean())}
            | {"covers": covers, "covers_low": low, "covers_high": high}
        )
    return pd.DataFrame(rows)


def known_of_all(lot: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float]]:
    """Return what draws tell of all harm of all domains, as shares of the truth, by world and strategy.

    Intervals of domains are joined as those of independent figures.
    """
    told = lot.assign(
        estimate=lot["rate"] * lot["crossings"],
        expected=lot["truth"] * lot["crossings"],
        below=((lot["rate"] - lot["low"]) * lot["crossings"]) ** 2,
        above=((lot["high"] - lot["rate"]) * lot["crossings"]) ** 2,
    )
    sums = told.groupby(["world", "strategy", "seed"], sort=False)[["estimate", "expected", "below", "above"]].sum()
    sums["low"] = (sums["estimate"] - np.sqrt(sums["below"])) / sums["expected"]
    sums["high"] = (sums["estimate"] + np.sqrt(sums["above"])) / sums["expected"]
    means = sums.groupby(["world", "strategy"], sort=False)[["low", "high"]].mean()
    return {(str(w), str(s)): (float(low), float(high)) for (w, s), low, high in means.itertuples()}


def stop_rates(groups: pd.DataFrame) -> pd.DataFrame:
    """Return how often each group is stopped, and how often for nothing, all seeds together.

    Parameters
    ----------
    groups : DataFrame
        Table ``groups`` of lives.

    Returns
    -------
    DataFrame
        One row per world, strategy, kind and group: the sums, ``stop_rate`` and ``for_nothing_rate`` (of crossings
        without any harm that strategies look for).
    """
    keys = ["world", "strategy", "kind", "group"]
    rows = groups.groupby(keys, sort=False)[["crossings", "stopped", "honest", "for_nothing"]].sum().reset_index()
    rows["stop_rate"] = rows["stopped"] / rows["crossings"].clip(lower=1)
    rows["for_nothing_rate"] = rows["for_nothing"] / rows["honest"].clip(lower=1)
    return rows


def rolling_found(weeks: pd.DataFrame, span: int = 4) -> Mapping[tuple[str, str], pd.Series[float]]:
    """Return the share of harm found over some weeks, by world and strategy, all seeds and domains together.

    Parameters
    ----------
    weeks : DataFrame
        Table ``weeks`` of lives.
    span : int
        Weeks that are summed.
    """
    sums = weeks.groupby(["world", "strategy", "week"], sort=False)[["harm", "harm_found"]].sum()
    out = {}
    for (world, strategy), own in sums.groupby(level=["world", "strategy"], sort=False):
        by_week = own.droplevel(["world", "strategy"]).sort_index().rolling(span, min_periods=1).sum()
        out[str(world), str(strategy)] = by_week["harm_found"] / by_week["harm"].clip(lower=1)
    return out

"""A border that has nothing in common with the shipped simulator: other names, other mechanisms, fewer columns.

Made to see whether models lean on the simulator's names or numbers. Nobody tunes anything on it: the quality run
(``make quality``) trains and scores on it beside the shipped world. Harms come from hidden habits that switch on
and off, of importers (revenue), of carrier and origin (contraband), of exporter and goods (sps_violation), of
vehicles (vehicle_crime) and of carrier, post and hour (concealed_persons). No seal, no weighbridge, no load
status, prices in another currency, codes of eight digits, and a lot of 3 %.

Usage: ``python -m benchmarks.stranger_world OUT --crossings 120000 --seed 5``
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer

from chekara.data.sources import write_history

DAYS = 540
FIRST_DAY = "2023-03-01"
LOT = 0.03
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def write_stranger_world(out: Path, *, crossings: int, seed: int) -> None:
    """Write contract files, ``truth.parquet`` and ``bayes.parquet`` (log-odds of an observer who knows every habit).

    Parameters
    ----------
    out : Path
    crossings : int
        One goods line each.
    seed : int
    """
    rng = np.random.default_rng(seed)
    day = np.sort(rng.uniform(0, DAYS, crossings))
    who = {
        "importer": _busy(rng, crossings // 40, crossings),
        "exporter": _busy(rng, crossings // 60, crossings),
        "carrier": _busy(rng, crossings // 80, crossings),
        "declarant": _busy(rng, 180, crossings),
        "goods": _busy(rng, 160, crossings),
        "origin": _busy(rng, 24, crossings),
        "post": _busy(rng, 9, crossings),
    }
    # Traders keep to their goods, origins and brokers most of the time.
    for name, share, n in (("goods", 0.8, 160), ("origin", 0.85, 24), ("declarant", 0.75, 180), ("exporter", 0.6, 0)):
        own = rng.integers(0, n or who["exporter"].max() + 1, who["importer"].max() + 1)[who["importer"]]
        who[name] = np.where(rng.random(crossings) < share, own, who[name])
    own_post = rng.integers(0, 9, who["carrier"].max() + 1)[who["carrier"]]
    who["post"] = np.where(rng.random(crossings) < 0.7, own_post, who["post"])
    who["vehicle"] = who["carrier"] * 12 + rng.integers(0, 12, crossings)
    log_price = rng.normal(3.0, 1.2, 160)[who["goods"]] + rng.normal(0, 0.25, 24)[who["origin"]]
    mass = np.exp(rng.normal(7.5, 1.0, crossings))
    hour = rng.integers(0, 24, crossings)
    odds = _odds(rng, who, day, hour)
    truth = {domain: rng.random(crossings) < 1 / (1 + np.exp(-z)) for domain, z in odds.items()}
    # The cheat declares less; honest prices spread, so that one low price proves nothing.
    cut, spread = rng.normal(0.55, 0.2, crossings), rng.normal(0, 0.35, crossings)
    deviation = spread - np.where(truth["revenue_fraud"], cut, 0.0)
    value = np.exp(log_price + deviation) * mass
    wide = np.hypot(0.35, 0.2)
    ratio = np.log(0.35 / wide) - (deviation + 0.55) ** 2 / (2 * wide**2) + deviation**2 / (2 * 0.35**2)
    odds["revenue_fraud"] = odds["revenue_fraud"] + ratio
    ids = np.char.add("N", np.arange(crossings).astype(str)).astype(object)
    occurred_at = pd.Timestamp(FIRST_DAY, tz="UTC") + pd.to_timedelta(np.floor(day) + hour / 24 + day % 1 / 24, "D")
    frame = pd.DataFrame(
        {
            "crossing_id": ids,
            "occurred_at": occurred_at,
            "known_at": occurred_at,
            "crossing_point": _codes("Q", who["post"]),
            "direction": "entry",
            "mode": "road",
            "movement": "import",
            "carrier_id": _codes("haul", who["carrier"]),
            "vehicle_id": _codes("V", who["vehicle"]),
            "item_no": 1,
            "importer_id": _codes("firm", who["importer"]),
            "exporter_id": _codes("sender", who["exporter"]),
            "declarant_id": _codes("broker", who["declarant"]),
            "origin_country": np.array(_COUNTRIES, dtype=object)[who["origin"]],
            "hs_code": (10_000_000 + who["goods"] * 523_417).astype(str).astype(object),
            "declared_value": np.round(value * 88.0, 2),
            "net_mass_kg": np.round(mass, 1),
            "packages": np.ceil(mass / 30).astype(float),
        }
    ).sort_values("known_at", kind="stable")
    inspections = _inspect(rng, frame, who, truth, odds)
    write_history({"crossings": frame, "inspections": inspections}, out)
    pd.DataFrame({"crossing_id": ids, **truth}).to_parquet(out / "truth.parquet", index=False)
    pd.DataFrame({"crossing_id": ids, **odds}).to_parquet(out / "bayes.parquet", index=False)


_COUNTRIES = tuple(  # far from the shipped world
    f"{a}{b}" for a, b in zip("ABCCEMPUBPVPCGHNSCDJTGSB", "RRLOCXEYOYEARTNIVUOMTYRZ", strict=True)
)


def _busy(rng: np.random.Generator, n: int, size: int) -> Array:
    """Draw actors, few of whom are very busy."""
    weight = rng.pareto(1.3, max(n, 2)) + 0.05
    return rng.choice(len(weight), size=size, p=weight / weight.sum())


def _codes(prefix: str, numbers: Array) -> Array:
    return np.char.add(prefix, numbers.astype(str)).astype(object)


def _habit(rng: np.random.Generator, actor: Array, day: Floats, share: float, strength: float) -> Floats:
    """Log-odds of actors with a hidden habit, each of whom cheats in a season of its own."""
    n = int(actor.max()) + 1
    is_bad = rng.random(n) < share
    begins, lasts = rng.uniform(-200, DAYS, n), rng.uniform(120, 500, n)
    level = rng.normal(strength, 0.6, n)
    is_on = (day >= begins[actor]) & (day < begins[actor] + lasts[actor])
    return np.where(is_bad[actor] & is_on, level[actor], 0.0)


def _odds(rng: np.random.Generator, who: dict[str, Array], day: Floats, hour: Array) -> dict[str, Floats]:
    carrier_origin = who["carrier"] * 24 + who["origin"]
    exporter_goods = who["exporter"] * 160 + who["goods"]
    carrier_post = who["carrier"] * 9 + who["post"]
    summer = np.cos(2 * np.pi * (day - 120) / 365)
    importer, carrier = _habit(rng, who["importer"], day, 0.12, 4.2), _habit(rng, who["carrier"], day, 0.06, 3.6)
    return {
        "revenue_fraud": -5.2 + importer + _habit(rng, who["declarant"], day, 0.08, 2.4),
        "contraband": -7.2 + _habit(rng, carrier_origin, day, 0.08, 5.2) + carrier,
        "sps_violation": -6.8 + _habit(rng, exporter_goods, day, 0.08, 5.2) + 0.7 * summer,
        "vehicle_crime": -7.4 + _habit(rng, who["vehicle"], day, 0.05, 6.4),
        "concealed_persons": -7.6 + _habit(rng, carrier_post, day, 0.08, 5.6) + np.where(hour < 5, 1.2, 0.0),
    }


def _inspect(
    rng: np.random.Generator,
    frame: pd.DataFrame,
    who: dict[str, Array],
    truth: dict[str, Array],
    odds: dict[str, Floats],
) -> pd.DataFrame:
    n = len(frame)
    order = frame.index.to_numpy()
    drawn = rng.random(n) < LOT
    tables = []
    for number, (domain, hidden) in enumerate(truth.items()):
        taste = rng.random(160)[who["goods"]] * 0.20 + rng.random(9)[who["post"]] * 0.06
        nose = 0.02 * (odds[domain] > np.quantile(odds[domain], 0.9))
        chosen = drawn | (rng.random(n) < taste + nose)
        at = order[chosen[order]]
        done = np.where(drawn[at], rng.random(len(at)) > 0.05, True)
        found = done & hidden[at] & (rng.random(len(at)) < 0.85)
        seen_at = frame["occurred_at"].loc[at] + pd.to_timedelta(rng.uniform(1, 20, len(at)), "h")
        late = pd.to_timedelta(rng.gamma(1.5, 3.0, len(at)), "D")
        tables.append(
            pd.DataFrame(
                {
                    "inspection_id": np.char.add(f"D{number}-", np.arange(len(at)).astype(str)).astype(object),
                    "crossing_id": frame["crossing_id"].loc[at].to_numpy(),
                    "domain": domain,
                    "inspected_at": seen_at.to_numpy(),
                    "known_at": (seen_at + late).to_numpy(),
                    "selected_by": np.where(drawn[at], "random", "rule"),
                    "found": found,
                    "propensity": np.where(drawn[at], LOT, np.nan),
                    "status": np.where(done, "done", "not_done"),
                    "method": "full",
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def main(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    crossings: Annotated[int, typer.Option(min=1000)] = 120_000,
    seed: Annotated[int, typer.Option(min=0)] = 5,
) -> None:
    """Write the stranger's world."""
    write_stranger_world(out, crossings=crossings, seed=seed)


if __name__ == "__main__":
    typer.run(main)

"""Small worlds with a known answer for the search for leakage: honest trade, and trade with rows copied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from chekara.data.checks import validate_table
from chekara.data.sources import History

FIRST_DAY = pd.Timestamp("2025-01-01T00:00:00Z")


def history_of(crossings: pd.DataFrame, inspections: pd.DataFrame) -> History:
    """Make a history as ``load_history`` would return it, without files."""
    lodged, controls = validate_table(crossings, "crossings"), validate_table(inspections, "inspections")
    assert not lodged.refusals + controls.refusals
    return History(
        crossings=lodged.frame,
        inspections=controls.frame,
        crossing_points=pd.DataFrame(),
        refusals=(),
        digest="sha256:none",
        directory=Path("nowhere"),
    )


def inspected(crossings: pd.DataFrame, hit: np.ndarray, *, days: float = 3.0) -> pd.DataFrame:
    """One inspection of each crossing, known some days later."""
    at = crossings["occurred_at"] + pd.Timedelta(hours=4)
    return pd.DataFrame(
        {
            "inspection_id": "I" + crossings["crossing_id"],
            "crossing_id": crossings["crossing_id"],
            "domain": "revenue_fraud",
            "inspected_at": at,
            "known_at": at + pd.Timedelta(days=days),
            "selected_by": "census",
            "found": hit,
            "method": "full",
            "result": np.where(hit, "confirmed", "clear"),
        }
    )


def one_off_trade(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Consignments that never repeat, of many parties; one goods line each."""
    hs_code = rng.choice(np.array(["610910", "640299", "847130", "950300", "870899", "392690"]), n)
    mass = np.round(rng.lognormal(7.0, 1.0, n), 1)
    value = np.round(mass * rng.lognormal(1.5, 0.6, n), 2)
    rate = pd.Series(hs_code).map({"610910": 0.12, "640299": 0.10, "847130": 0.0}).fillna(0.05).to_numpy()
    return pd.DataFrame(
        {
            "crossing_id": [f"C{i:07d}" for i in range(n)],
            "occurred_at": FIRST_DAY + pd.to_timedelta(np.sort(rng.uniform(0, 365, n)), unit="D"),
            "crossing_point": rng.choice(np.array(["P1", "P2", "P3", "P4"]), n),
            "direction": "entry",
            "mode": "road",
            "vehicle_type": rng.choice(np.array(["truck", "van"]), n, p=[0.8, 0.2]),
            "importer_id": [f"IMPORTER{i}" for i in rng.integers(0, n // 8, n)],
            "declarant_id": [f"BROKER{i}" for i in rng.integers(0, 40, n)],
            "vehicle_id": [f"PLATE{i}" for i in rng.integers(0, n // 5, n)],
            "origin_country": rng.choice(np.array(["CN", "TR", "KZ", "UZ"]), n),
            "dispatch_country": rng.choice(np.array(["CN", "TR", "KZ", "UZ"]), n),
            "hs_code": hs_code,
            "net_mass_kg": mass,
            "gross_mass_kg": np.round(mass * rng.uniform(1.02, 1.1, n), 1),
            "packages": np.ceil(mass / 20),
            "declared_value": value,
            "duty_rate": rate,
            "duty_amount": np.round(value * rate, 2),
            "x_lot_code": rng.integers(10_000, 99_999, n).astype(str),
        }
    )


def copy_rows(
    crossings: pd.DataFrame, hit: np.ndarray, columns: tuple[str, ...], *, share: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Overwrite columns and label of a share of later rows with those of any earlier row."""
    n = len(crossings)
    source = np.arange(n)
    for row in np.flatnonzero(rng.random(n) < share):
        if row > n // 10:
            source[row] = source[rng.integers(0, row)]
    copied = crossings.copy()
    for name in columns:
        copied[name] = crossings[name].to_numpy()[source]
    return copied, hit[source]


def list_price_trade(
    n: int,
    rng: np.random.Generator,
    *,
    importers: int,
    goods: int,
    habit: str,
    noise: float,
    sizes: int = 1,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Every importer ships the same few consignments at list price again and again.

    ``habit`` says what decides about a hit: the importer, the importer's kind of goods, or a low price per kilogram.
    With several ``sizes`` each kind of goods comes in as many standard masses, each at a price of its own.
    """
    who, what, size = rng.integers(0, importers, n), rng.integers(0, goods, n), rng.integers(0, sizes, n)
    shape = (importers, goods, sizes)
    mass = np.round(rng.lognormal(7.0, 1.0, shape))
    price = rng.lognormal(1.5, 0.8, (importers, goods, 1)) * rng.lognormal(0.0, 0.5 * (sizes > 1), shape)
    value = np.round(mass * price, 2)
    guilty = {
        "importer": np.broadcast_to(rng.random((importers, 1, 1)) < 0.2, shape),
        "goods": np.broadcast_to(rng.random((importers, goods, 1)) < 0.2, shape),
        "low_price": price < np.quantile(price, 0.2),
    }[habit]
    crossings = one_off_trade(n, rng).drop(columns=["gross_mass_kg", "packages", "x_lot_code"])
    codes = np.array([f"{c:06d}" for c in rng.choice(900_000, importers * goods // 2 + 1, replace=False) + 100_000])
    crossings["importer_id"] = [f"IMPORTER{i}" for i in who]
    crossings["hs_code"] = codes[rng.integers(0, len(codes), (importers, goods))][who, what]
    crossings["origin_country"] = rng.choice(np.array(["CN", "TR", "KZ"]), (importers, goods))[who, what]
    crossings["net_mass_kg"], crossings["declared_value"] = mass[who, what, size], value[who, what, size]
    crossings["duty_amount"] = np.round(crossings["declared_value"] * crossings["duty_rate"], 2)
    return crossings, rng.random(n) < np.where(guilty[who, what, size], 1.0 - noise, noise)

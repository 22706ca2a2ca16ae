"""The figures to reach in SHAP, serving and training, and what was measured of each, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Found = Mapping[str, Any]
"""Figures of one part, as its JSON holds them under ``found``."""

FLAT = 1.15
"""Largest growth of the median that is still called flat: runs on a shared machine differ by about as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure to reach.

    Attributes
    ----------
    part : str
        Whose figures answer it.
    text : str
    unit : str
    value : float
    reach : float
    aim : float or None
    is_least : bool
        Whether more is better: times, shares. Else less is: seconds, MB.
    note : str
        Where the measurement is not quite what the line asks for.
    """

    part: str
    text: str
    value: float
    reach: float
    aim: float | None = None
    unit: str = ""
    is_least: bool = False
    note: str = ""

    def _is_held(self, bound: float) -> bool:
        return self.value >= bound if self.is_least else self.value < bound

    @property
    def is_reached(self) -> bool:
        """Whether the line is reached."""
        return self._is_held(self.reach)

    @property
    def verdict(self) -> str:
        """Say what a table says."""
        if self.aim is not None and self._is_held(self.aim):
            return "yes, and the aim"
        return "yes" if self.is_reached else "**no**"

    @property
    def ratio(self) -> float:
        """Of the measured value to the one to reach, above 1 where it is better."""
        if not self.is_least:
            return self.reach / self.value if self.value else float("inf")
        return self.value / self.reach


def kernel_lines(found: Found) -> Iterable[Line]:
    """Yield the lines on exact SHAP."""
    times = {(c["model"], c["side"], c["rows"]): c["times"] for c in found["costs"]}
    for model in ("a", "c"):
        for rows, reach, aim in ((1, 5, 8), (1000, 20, 30)):
            peer = times.get((model, "lightgbm", rows))
            if peer is not None:
                what = "one row" if rows == 1 else f"{rows:,} rows"
                text = f"exact SHAP, model {model}, {what}: times faster than `pred_contrib`"
                yield Line(part="kernel", text=text, value=peer, reach=reach, aim=aim, unit="times", is_least=True)
    rivals = [value for (_, side, _), value in times.items() if side == "xgboost"]
    if rivals:
        text = "exact SHAP: least times faster than XGBoost"
        yield Line(part="kernel", text=text, value=min(rivals), reach=1, unit="times", is_least=True)
    off = found["differences"]
    for name, bound, text in (
        ("from LightGBM", 1e-10, "exact SHAP: largest difference from `pred_contrib`"),
        ("from the margin", 1e-9, "exact SHAP: sums off the margin by at most"),
    ):
        yield Line(part="kernel", text=text, value=max(each[name] for each in off.values()), reach=bound)


def service_lines(found: Found) -> Iterable[Line]:
    """Yield the lines on serving that one size of house answers."""
    closed = {(f["name"], f["connections"]): f for f in found["closed"]}
    ours, one = closed.get(("chekara", 16)), closed.get(("chekara", 1))
    if ours is not None:
        text = "serving, 16 connections: share of the ceiling"
        yield Line(part="service", text=text, value=ours["ratio"], reach=0.15, aim=0.25, is_least=True)
        peer = closed.get(("mlflow, prediction", 16))
        if peer is not None:
            text = "serving, 16 connections: times `mlflow models serve` predicting one model"
            times = ours["ratio"] / peer["ratio"]
            yield Line(part="service", text=text, value=times, reach=4, unit="times", is_least=True)
    if one is not None:
        yield Line(part="service", text="one request at a time: p50", value=one["p50_ms"], reach=3, unit="ms")
    for half in found["open"]:
        text = f"half of saturation: p99 ({found['profiles']:,} profiles; asked: 200,000)"
        yield Line(part="service", text=text, value=half["p99_ms"], reach=20, unit="ms")
    if "ready_rss_mb" in found:
        yield Line(part="service", text="a ready worker", value=found["ready_rss_mb"], reach=400, unit="MB")
    yield Line(part="service", text="a warm start listens after", value=found["ready_s"], reach=5, unit="s")
    batch = found.get("batch")
    if batch is not None:
        text = f"a batch of {batch['rows']:,} crossings, {batch['scored']:,} scored"
        reach = 0.7 * batch["rows"] / 1000
        yield Line(part="service", text=text, value=batch["seconds"], reach=reach, unit="s")


def growth_lines(found: Found) -> Iterable[Line]:
    """Yield the lines on large logs and many profiles."""
    sizes = {size["name"]: size for size in found["sizes"]}
    base = next(iter(sizes))
    figures = {(f["name"], f["connections"]): f for f in found["figures"]}
    for axis, counted in (("log", "decisions"), ("profiles", "states")):
        mine = [size for size in sizes.values() if size["axis"] == axis]
        if not mine:
            continue
        largest = max(mine, key=lambda size: int(size[counted]))
        if axis == "profiles":
            text = f"half of saturation: p99 ({largest['states']:,} profiles; asked: 5,000,000)"
            value = figures[largest["name"], 0]["p99_ms"]
            yield Line(part="growth", text=text, value=value, reach=60, unit="ms")
        value = figures[largest["name"], 1]["p50_ms"] / figures[base, 1]["p50_ms"]
        text = f"flat: p50 at {largest[counted]:,} {counted} over that at {sizes[base][counted]:,}"
        yield Line(part="growth", text=text, value=value, reach=FLAT, unit="times")


def history_lines(found: Found) -> Iterable[Line]:
    """Yield the lines on the history engine."""
    sizes = {size["rows"]: size for size in found["sizes"]}
    largest, smallest = max(sizes), min(sizes)
    asked = 1_000_000 if 1_000_000 in sizes else largest
    note = "" if asked == 1_000_000 else "not the size that is asked for"
    text = f"profiles: the full catalogue for {asked:,} goods lines on one core"
    value = sizes[asked]["all domains"]
    yield Line(part="history", text=text, value=value, reach=12 * asked / 1e6, unit="s", note=note)
    straight = sizes[largest]["all domains"] / largest / (sizes[smallest]["all domains"] / smallest)
    text = f"a straight line: time a row at {largest:,} rows over that at {smallest:,}"
    yield Line(part="history", text=text, value=straight, reach=FLAT, unit="times", note="asked: to 10,000,000")
    if "polars" in sizes[asked]:
        text = "ahead of polars in the common part"
        value = sizes[asked]["polars"] / sizes[asked]["common part"]
        yield Line(part="history", text=text, value=value, reach=1, unit="times", is_least=True)


def _of_a_million(found: Found) -> tuple[float, str]:
    n = found["crossings"]
    return found["seconds"] * 1e6 / n, "" if n >= 1_000_000 else f"a million times the cost of one of {n:,}"


def training_lines(found: Found) -> Iterable[Line]:
    """Yield the line on training."""
    seconds, note = _of_a_million(found)
    yield Line(
        part="training", text="five models on a million crossings", value=seconds, reach=240, unit="s", note=note
    )


def scoring_lines(found: Found) -> Iterable[Line]:
    """Yield the line on `chekara score`."""
    seconds, note = _of_a_million(found)
    text = f"`chekara score` of a million crossings in {len(found['domains'])} domains"
    yield Line(part="scoring", text=text, value=seconds, reach=300, aim=180, unit="s", note=note)


LINES: Mapping[str, Callable[[Found], Iterable[Line]]] = {
    "kernel": kernel_lines,
    "service": service_lines,
    "growth": growth_lines,
    "history": history_lines,
    "training": training_lines,
    "scoring": scoring_lines,
}


def all_lines(found: Mapping[str, Found]) -> list[Line]:
    """Return every line of the parts that were measured.

    Parameters
    ----------
    found : mapping of str to figures
        By part.
    """
    return [line for part, lines in LINES.items() if part in found for line in lines(found[part])]

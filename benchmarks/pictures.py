"""Pictures of the benchmark page, drawn from stored figures; the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

from benchmarks.targets import Found

OURS, PEER = "#1f5f8b", "#b8860b"
COLOURS = {"chekara": OURS, "lightgbm": PEER, "polars": "#b8860b", "pandas": "#8b4f6b", "duckdb": "#5f7f3f"}
_WIDE_ENOUGH = 0.012  # of the longest bar: a stage that has room for its number
STYLE = {"svg.hashsalt": "chekara", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_kernel(found: Found, path: Path) -> None:
    """Draw the cost of a row against rows at once, and against trees, beside LightGBM's own."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
    of_200 = [one for one in found["growth"] if one["trees"] == 200]
    for side in ("chekara", "lightgbm"):
        left.plot(
            [one["rows"] for one in of_200],
            [one[f"{side}_us"] for one in of_200],
            "o-",
            color=COLOURS[side],
            label=side,
        )
        for rows, style in ((1, "o-"), (256, "s--")):
            mine = [one for one in found["growth"] if one["rows"] == rows]
            label = f"{side}, {'one row' if rows == 1 else f'{rows} rows'}"
            right.plot(
                [one["trees"] for one in mine],
                [one[f"{side}_us"] for one in mine],
                style,
                color=COLOURS[side],
                label=label,
            )
    left.set(xscale="log", yscale="log", xlabel="rows at once (200 trees)", ylabel="processor time per row, µs")
    right.set(xscale="log", xlabel="trees")
    trees = sorted({one["trees"] for one in found["growth"]})
    right.set_xticks(trees, [str(one) for one in trees])
    right.set_xticks([], minor=True)
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def draw_service(found: Found, path: Path) -> None:
    """Draw the share of the ceiling that each server reaches at most connections, beside what is to be reached."""
    most = 16 if any(one["connections"] == 16 for one in found["closed"]) else found["closed"][-1]["connections"]
    shown = [one for one in found["closed"] if one["connections"] == most and one["name"] != "ceiling"]
    figure, axes = plt.subplots(figsize=(9, 1.1 + 0.42 * len(shown)), layout="constrained")
    for place, one in enumerate(shown):
        axes.barh(place, one["ratio"], color=OURS if one["name"] == "chekara" else PEER, height=0.6)
        axes.text(one["ratio"], place, f" {one['ratio']:.3f}, p50 {one['p50_ms']:,.0f} ms", va="center")
    axes.axvline(0.15, color="black", lw=0.8, ls=":")
    axes.text(0.15, -0.75, "to be reached", ha="center", fontsize=8)
    axes.set_yticks(range(len(shown)), [_service_name(one["name"]) for one in shown])
    axes.invert_yaxis()
    axes.set_xlim(0, max(0.18, *(one["ratio"] * 1.35 for one in shown)))
    axes.set_xlabel(f"requests per second over the ceiling's, {most} connections")
    _save(figure, path)


def _service_name(name: str) -> str:
    return "chekara: five models, profiles, log" if name == "chekara" else f"{name}: one model"


def draw_growth(found: Found, path: Path) -> None:
    """Draw latency and processor time against decisions in the log and against profile states."""
    figures = {(one["name"], one["connections"]): one for one in found["figures"]}
    figure, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained", sharex="col", sharey="row")
    for column, (axis, counted, title) in enumerate(
        (("log", "decisions", "decisions in the log"), ("profiles", "states", "profile states"))
    ):
        mine = sorted((s for s in found["sizes"] if s["axis"] in (axis, "both")), key=lambda size: int(size[counted]))
        x = [size[counted] / 1e6 for size in mine]
        upper, lower = axes[0][column], axes[1][column]
        for name, colour in (("p50", OURS), ("p99", PEER)):
            for connections, style, told in ((1, "o-", "one at a time"), (0, "s--", "half of saturation")):
                y = [figures[size["name"], connections][f"{name}_ms"] for size in mine]
                upper.plot(x, y, style, color=colour, label=f"{name}, {told}")
        for connections, style in ((1, "o-"), (16, "s--")):
            y = [figures[size["name"], connections]["server_us"] / 1000 for size in mine]
            label = "one connection" if connections == 1 else f"{connections} connections"
            lower.plot(x, y, style, color=OURS, label=label)
        lower.set(xlabel=f"{title}, millions", ylim=(0, None))
        upper.set(yscale="log")
    axes[0][0].set(ylabel="latency, ms")
    axes[1][0].set(ylabel="processor time of a crossing, ms")
    for row in axes:
        row[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def draw_history(found: Found, path: Path) -> None:
    """Draw seconds against goods lines: our catalogue, and the common part beside others."""
    figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    rows = [size["rows"] for size in found["sizes"]]
    for side, label, style in (
        ("all domains", f"chekara, {found['columns'][1]} features", "s--"),
        ("common part", "chekara, common part", "o-"),
        ("polars", "polars, common part", "o-"),
        ("pandas", "pandas, common part", "o-"),
        ("duckdb", "duckdb, common part", "o-"),
    ):
        if side in found["sizes"][0]:
            axes.plot(rows, [size[side] for size in found["sizes"]], style, color=COLOURS.get(side, OURS), label=label)
    axes.set(xscale="log", yscale="log", xlabel="goods lines", ylabel="processor time, s")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def draw_path(found: Found, path: Path) -> None:
    """Draw the stages of a request as one bar per size of group; numbers match what is wide with the legend."""
    with_names = {int(group): stages for group, stages in found["us"].items()}
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.75 * len(with_names)), layout="constrained")
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]  # a listed map has them
    longest = max(sum(stages.values()) for stages in with_names.values())
    for place, stages in enumerate(with_names.values()):
        left = 0.0
        for number, stage in enumerate(found["stages"]):
            width = stages.get(stage, 0.0)
            label = f"{number + 1} {stage}" if place == 0 else None
            axes.barh(
                place, width, left=left, color=colours[number % 20], edgecolor="white", linewidth=0.5, label=label
            )
            if width > _WIDE_ENOUGH * longest:
                axes.text(left + width / 2, place, str(number + 1), ha="center", va="center", fontsize=7)
            left += width
        axes.text(left, place, f" {left:,.0f} µs", va="center")
    axes.set_yticks(range(len(with_names)), [f"{group} in a group" if group > 1 else "alone" for group in with_names])
    axes.invert_yaxis()
    axes.set_xlabel("processor time per crossing, µs")
    axes.margins(x=0.12)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    _save(figure, path)


PICTURES: Mapping[str, tuple[str, Callable[[Found, Path], None]]] = {
    "kernel": ("What a row costs, by rows at once and by trees", draw_kernel),
    "service": ("Share of the ceiling by server", draw_service),
    "path": ("Where the time of a request goes", draw_path),
    "growth": ("Latency and processor time against the size of the log and the number of profiles", draw_growth),
    "history": ("Processor time against the number of goods lines", draw_history),
}


def draw_picture(part: str, found: Found, folder: Path) -> str | None:
    """Draw the picture of a part, if it has one; the Markdown that shows it, from a page beside ``images``.

    Parameters
    ----------
    part : str
    found : mapping
        Its figures.
    folder : Path
        Where pictures lie.
    """
    if part not in PICTURES or (part == "kernel" and not found["growth"]):
        return None
    text, draw = PICTURES[part]
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]  # its stubs list keys one by one
        draw(found, folder / f"bench-{part}.svg")
    return f"![{text}](images/bench-{part}.svg)"

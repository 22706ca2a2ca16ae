"""Write stored figures into `docs/benchmarks.md`, between markers; what stands outside of them is left as it is.

A part's block begins with the command that produced it. A part without stored figures keeps the block that it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pictures import draw_picture
from benchmarks.targets import Found, all_lines

PAGE = Path("docs/benchmarks.md")
Stored = Mapping[str, Any]
"""What the runner keeps of a part: command, instant, machine, and its figures under ``found``."""


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a table; the first ``left`` columns hold words, the others figures.

    Examples
    --------
    >>> print(markdown_table(["side", "us"], [["ours", "1.0"]]))
    | side | us |
    |---|---:|
    | ours | 1.0 |
    """
    marks = ["---" if place < left else "---:" for place in range(len(headings))]
    body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([f"| {' | '.join(headings)} |", f"|{'|'.join(marks)}|", *body])


def figure(value: float) -> str:
    """Write a figure in about three digits.

    Examples
    --------
    >>> figure(1673.8), figure(12.34), figure(0.0123), figure(2.5e-12)
    ('1,674', '12.3', '0.0123', '2.5e-12')
    """
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def kernel_block(found: Found) -> str:
    """Return the tables on exact SHAP."""
    costs = markdown_table(
        ["model", "side", "rows at once", "µs per row", "times ours"],
        [
            (c["model"], c["side"], f"{c['rows']:,}", f"{c['us']:,.1f}", f"{c['times']:.1f}")
            for c in sorted(found["costs"], key=lambda c: (c["model"], c["rows"]))
        ],
        left=2,
    )
    off = ", ".join(
        f"{model} {figure(each['from LightGBM'])} and {figure(each['from the margin'])}"
        for model, each in found["differences"].items()
    )
    told = f"{costs}\n\nLargest differences from `pred_contrib`, and of the sum from the margin: {off}."
    if not found["growth"]:
        return told
    growth = markdown_table(
        ["trees", "rows at once", "ours, µs per row", "LightGBM, µs per row", "times"],
        [
            (
                f"{one['trees']:,}",
                f"{one['rows']:,}",
                f"{one['chekara_us']:,.1f}",
                f"{one['lightgbm_us']:,.1f}",
                f"{one['lightgbm_us'] / one['chekara_us']:.1f}",
            )
            for one in found["growth"]
        ],
        left=0,
    )
    return f"{told}\n\nGrowth, depth 8:\n\n{growth}"


def _errors(by_kind: Mapping[str, int]) -> str:
    """Write how many errors there were, and of which kinds: 503 and 429 are refusals that ask to come again."""
    return ", ".join(f"{count:,} × {kind}" for kind, count in sorted(by_kind.items())) or "0"


def service_block(found: Found) -> str:
    """Return the tables on serving."""
    rows = [
        (
            one["name"],
            str(one["connections"]) if one["connections"] else "open loop, half of saturation",
            f"{one['requests_s']:,.0f}",
            f"{one['ratio']:.3f}",
            f"{one['p50_ms']:,.1f}",
            f"{one['p99_ms']:,.1f}",
            f"{one['server_us'] / 1000:.2f}",
            f"{one['rss_mb']:,.0f}",
            _errors(one["errors"]),
        )
        for one in [*found["closed"], *found["open"]]
    ]
    headings = ["server", "connections", "requests/s", "of the ceiling", "p50 ms", "p99 ms"]
    table = markdown_table([*headings, "processor ms", "memory MB", "errors"], rows, left=2)
    told = f"{found['profiles']:,} profile states; bodies of {found['body_bytes']:,.0f} bytes on average. "
    told += f"A warm start listened after {found['ready_s']:.1f} s"
    told += f" and held {found['ready_rss_mb']:,.0f} MB then."
    if "batch" in found:
        told += " A batch of {rows:,} crossings took {seconds:.2f} s ({scored:,} scored".format(**found["batch"])
        again = found["batch"].get("again")
        told += f"; sent again: {_errors(again)})." if again else ")."
    missing = f"\n\nNot measured: {found['missing']}" if "missing" in found else ""
    return f"{told}\n\n{table}{missing}"


def path_block(found: Found) -> str:
    """Return the table of stages."""
    groups = list(found["us"])
    rows = [(stage, *(f"{found['us'][group].get(stage, 0.0):,.0f}" for group in groups)) for stage in found["stages"]]
    rows.append(("together", *(f"{sum(found['us'][group].values()):,.0f}" for group in groups)))
    headings = ["µs of processor per crossing", *("alone" if g == "1" else f"{g} in a group" for g in groups)]
    return markdown_table(headings, rows)


def growth_block(found: Found) -> str:
    """Return the table of sizes."""
    figures = {(one["name"], one["connections"]): one for one in found["figures"]}
    headings = ["decisions", "profile states", "database MB", "p50 ms", "p99 ms", "processor ms"]
    headings += ["requests/s at 16", "of the ceiling", "processor ms at 16", "p99 ms at half"]
    rows = []
    for size in found["sizes"]:
        one, many, half = (figures[size["name"], connections] for connections in (1, 16, 0))
        rows.append(
            (
                f"{size['decisions']:,}",
                f"{size['states']:,}",
                f"{size['database_mb']:,.0f}",
                *(f"{one[name]:.1f}" for name in ("p50_ms", "p99_ms")),
                f"{one['server_us'] / 1000:.2f}",
                f"{many['requests_s']:,.0f}",
                f"{many['ratio']:.3f}",
                f"{many['server_us'] / 1000:.2f}",
                f"{half['p99_ms']:.0f}",
            )
        )
    return markdown_table(headings, rows, left=0)


def history_block(found: Found) -> str:
    """Return the table on the history engine."""
    one, five = found["columns"]
    named = {"one domain": f"{one} features", "all domains": f"{five} features", "common part": "common part"}
    sides = [side for side in found["sizes"][0] if side != "rows"]
    rows = [
        (
            f"{size['rows']:,}",
            *(f"{size[side]:.2f}" for side in sides),
            f"{size['all domains'] / size['rows'] * 1e6:.1f}",
            f"{size['polars'] / size['common part']:.2f}" if "polars" in size else "",
        )
        for size in found["sizes"]
    ]
    headings = ["goods lines", *(named.get(side, side) for side in sides), "µs a row, all", "polars over ours"]
    missing = f"\n\nNot measured: {'; '.join(found['missing'])}" if found["missing"] else ""
    return f"Processor seconds of one thread.\n\n{markdown_table(headings, rows, left=0)}{missing}"


def training_block(found: Found) -> str:
    """Return the sentence on training."""
    return (
        f"{found['crossings']:,} crossings, five domains, from files to registered, evaluated, drawn and audited "
        f"bundles: {found['seconds']:.0f} s on the clock, {found['processor_s']:.0f} s of processor time, "
        f"{found['peak_mb']:,.0f} MB at most."
    )


def scoring_block(found: Found) -> str:
    """Return the sentence on scoring a folder."""
    n, domains = found["crossings"], len(found["domains"])
    each = 1e6 * found["processor_s"] / n / domains
    return (
        f"{n:,} crossings in {domains} domains, from files to file, with reasons: {found['seconds']:.0f} s on the "
        f"clock, {found['processor_s']:.0f} s of processor time, {each:.0f} µs per crossing and domain with start and "
        f"profiles; {found['peak_mb']:,.0f} MB at most."
    )


BLOCKS: Mapping[str, Callable[[Found], str]] = {
    "kernel": kernel_block,
    "service": service_block,
    "path": path_block,
    "growth": growth_block,
    "history": history_block,
    "training": training_block,
    "scoring": scoring_block,
}


def part_block(part: str, stored: Stored, images: Path) -> str:
    """Return the block of a part: its command, what it ran on, its figures and its picture."""
    found = stored["found"]
    versions = found["versions"]
    if isinstance(versions, Mapping):
        versions = ", ".join(f"{name} {version}" for name, version in versions.items())
    peers = ", ".join(f"{name} {version}" for name, version in found.get("peer_versions", {}).items())
    head = f"`{stored['command']}`, {stored['measured_at'][:10]}, {stored['seconds']:,} s; {stored['machine']}, load "
    head += f"{stored['load_before']} before; {versions}{f'; peers: {peers}' if peers else ''}."
    picture = draw_picture(part, found, images)
    return "\n\n".join(each for each in (head, BLOCKS[part](found), picture) if each)


def reach_block(stored: Mapping[str, Stored]) -> str:
    """Return one row for every figure to reach, and a list of what is lost.

    Parameters
    ----------
    stored : mapping of str to mapping
        By part.
    """
    lines = all_lines({part: each["found"] for part, each in stored.items()})
    rows = [
        (
            line.text,
            f"`{line.part}`",
            f"{figure(line.value)} {line.unit}".rstrip(),
            f"{'at least' if line.is_least else 'under'} {figure(line.reach)} {line.unit}".rstrip()
            + (f", aim {figure(line.aim)}" if line.aim is not None else ""),
            f"{line.ratio:.2f}" if line.ratio < 1000 else "over 1,000",
            line.verdict + (f" ({line.note})" if line.note else ""),
        )
        for line in lines
    ]
    table = markdown_table(["figure", "part", "measured", "to reach", "ratio", "reached"], rows, left=6)
    commands = "\n".join(f"- `{part}`: `{each['command']}`" for part, each in stored.items())
    lost = [line for line in lines if not line.is_reached]
    told = "; ".join(f"{line.text}: {figure(line.value)} {line.unit}".rstrip() for line in lost) or "nothing"
    held = f"{len(lines) - len(lost)} of {len(lines)} figures are reached. **Lost**: {told}."
    head = "The ratio is 1 where a figure is just reached, and more where it is better. Parts and commands:"
    return f"{head}\n\n{commands}\n\n{table}\n\n{held}"


def fill(page: str, name: str, block: str) -> str:
    """Return a page with a block between its markers; a page without them as it is.

    Examples
    --------
    >>> fill("a <!-- bench x -->old<!-- /bench x --> b", "x", "new").split(chr(10))
    ['a <!-- bench x -->', 'new', '<!-- /bench x --> b']
    """
    begin, end = f"<!-- bench {name} -->", f"<!-- /bench {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n{block}\n{end}", page)


def read_stored(results: Path) -> dict[str, Stored]:
    """Read what the runner keeps, in the order of the page."""
    files = {part: results / f"{part}.json" for part in BLOCKS}
    return {part: json.loads(file.read_text(encoding="utf-8")) for part, file in files.items() if file.exists()}


def write_report(results: Path, page: Path = PAGE) -> list[str]:
    """Write every stored part into the page, and its pictures beside it.

    Parameters
    ----------
    results : Path
        Folder of the runner's JSON files.
    page : Path
        With markers ``<!-- bench PART -->`` and ``<!-- /bench PART -->``; pictures go to ``images`` beside it.

    Returns
    -------
    list of str
        Parts that were written.
    """
    stored = read_stored(results)
    text = page.read_text(encoding="utf-8")
    for part, each in stored.items():
        text = fill(text, part, part_block(part, each, page.parent / "images"))
    if stored:
        text = fill(text, "reach", reach_block(stored))
    page.write_text(text, encoding="utf-8")
    return list(stored)

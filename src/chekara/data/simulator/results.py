"""The simulated controls and posts as the contract's ``inspections`` and ``crossing_points`` tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from chekara.data.simulator.controls import RANDOM, RESULTS, SELECTED_BY, Controls
from chekara.data.simulator.flow import Flow
from chekara.data.simulator.names import crossing_ids, instants, numbered, text
from chekara.data.simulator.world import DOMAINS, KINDS, Floats, Ints, World, between

_SEIZED = {
    "contraband": ("narcotics", "tobacco", "medicines"),
    "vehicle_crime": ("vehicle",),
    "sps_violation": ("goods",),
}
_SEIZES = 0.8  # share of hits that carry a seizure, where there is something to seize


def inspections_table(
    world: World, flow: Flow, kind: Ints, controls: dict[str, Controls], rng: np.random.Generator
) -> pd.DataFrame:
    """Lay out the controls as the contract's ``inspections`` table, in order of time; overturned ones follow.

    Parameters
    ----------
    world : World
    flow : Flow
        As declared.
    kind : ndarray of shape (m,)
        Kind of revenue fraud of each line.
    controls : dict of str to Controls
        By domain, over the whole simulation: positions are those of ``flow``.
    rng : Generator

    Returns
    -------
    DataFrame
    """
    frames = [_domain_table(world, flow, kind, domain, controls[domain], rng) for domain in DOMAINS]
    table = pd.concat(frames, ignore_index=True)
    order = np.lexsort((table["domain"], table["crossing_id"], table["inspected_at"]))
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "inspection_id", numbered("I", np.arange(1, len(table) + 1), 9))
    return pd.concat([table, _overturned(world, table, rng)], ignore_index=True)


def week_results(
    world: World,
    flow: Flow,
    kind: Ints,
    controls: dict[str, Controls],
    rng: np.random.Generator,
    first_number: int,
) -> pd.DataFrame:
    """Lay out the controls of one week as the contract's ``inspections`` table, before any is overturned.

    Parameters
    ----------
    world : World
    flow, kind : as `inspections_table` takes them
        Of the week.
    controls : dict of str to Controls
        By domain; positions are those of the week.
    rng : Generator
    first_number : int
        Number of the week's first crossing.

    Returns
    -------
    DataFrame
        By domain and crossing.
    """
    frames = [_domain_table(world, flow, kind, d, own, rng, first_number) for d, own in controls.items()]
    table = pd.concat(frames, ignore_index=True)
    domain = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    crossing = np.concatenate([own.crossing for own in controls.values()]) + first_number
    table.insert(0, "inspection_id", numbered("I", crossing * len(DOMAINS) + domain))
    return table


def known_results(world: World, controls: dict[str, Controls], since: int, before: int) -> pd.DataFrame:
    """Return the results that became known between two seconds: the bare columns that a policy learns from.

    Parameters
    ----------
    world : World
    controls : dict of str to Controls
        By domain.
    since, before : int
        Seconds from the start, the second exclusive.

    Returns
    -------
    DataFrame
    """
    frames = [pd.DataFrame(columns=["crossing_id", "domain", "inspected_at", "known_at"])]
    for domain, own in controls.items():
        new = np.flatnonzero((own.known >= since) & (own.known < before))
        frames.append(_bare(world, domain, own, new))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def _bare(world: World, domain: str, controls: Controls, which: Ints, first_number: int = 0) -> pd.DataFrame:
    done = controls.done[which]
    return pd.DataFrame(
        {
            "crossing_id": crossing_ids(controls.crossing[which] + first_number),
            "domain": text([domain], np.zeros(len(which), dtype=np.int64)),
            "inspected_at": instants(world, controls.inspected[which]),
            "known_at": instants(world, controls.known[which]),
            "selected_by": text(SELECTED_BY, controls.selected_by[which]),
            "found": controls.found[which],
            "status": text(("not_done", "done"), done.astype(np.int64)),
            "result": text(RESULTS, np.where(done, controls.result[which], -1)),
        }
    )


def _domain_table(
    world: World,
    flow: Flow,
    kind: Ints,
    domain: str,
    controls: Controls,
    rng: np.random.Generator,
    first_number: int = 0,
) -> pd.DataFrame:
    own = world.file["practice"]["domains"][domain]
    k = len(controls.crossing)
    starts = np.cumsum(flow.lines) - flow.lines
    item_no = controls.line - starts[controls.crossing] + 1
    officers = [f"OFFICER{i:04d}" for i in range(int(controls.inspector.max(initial=0)) + 1)]
    methods = [name for name, _, _ in own["methods"]]
    more: dict[str, Any] = {
        "propensity": np.where(controls.selected_by == RANDOM, world.file["practice"]["lot"], np.nan),
        "revision": 0,
        "control_id": numbered("C", controls.crossing + first_number + 1),
        "item_no": np.where(controls.line >= 0, item_no, np.nan),
        "agency": text([own["agency"]], np.zeros(k, dtype=np.int64)),
        "inspector_id": text(officers, controls.inspector),
        "method": text(methods, np.where(controls.done, controls.method, -1)),
    }
    bare = _bare(world, domain, controls, np.arange(k), first_number)
    return bare.assign(**more, **_consequences(flow, kind, domain, controls, rng))


def _consequences(
    flow: Flow, kind: Ints, domain: str, controls: Controls, rng: np.random.Generator
) -> dict[str, pd.Series[Any]]:
    """Say what a hit leads to: kind, assessed value and revenue, or what was seized."""
    k = len(controls.crossing)
    nothing: Floats = np.full(k, np.nan)
    no_words: Ints = np.full(k, -1)
    if domain == "revenue_fraud":
        at_line = controls.line >= 0
        line = np.maximum(controls.line, 0)
        lost = np.where(at_line, flow.item["lost"][line], 0.0)
        return {
            "irregularity": text(KINDS, np.where(at_line, kind[line], -1)),
            "assessed_value": pd.Series(np.where(at_line, flow.item["true_value"][line], np.nan)),
            "revenue_recovered": pd.Series(np.where(controls.found, lost, np.nan)),
            "seizure_kind": text((), no_words),
            "seized_value": pd.Series(nothing),
        }
    kinds = _SEIZED.get(domain, ())
    seizes = controls.found & (rng.random(k) < _SEIZES) & bool(kinds)
    which = rng.integers(0, max(len(kinds), 1), k)
    return {
        "irregularity": text((), no_words),
        "assessed_value": pd.Series(nothing),
        "revenue_recovered": pd.Series(nothing),
        "seizure_kind": text(kinds, np.where(seizes, which, -1)),
        "seized_value": pd.Series(np.where(seizes, np.round(rng.lognormal(8.0, 1.2, k), 2), np.nan)),
    }


def _overturned(world: World, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Second revisions of the few hits that a laboratory or a court does not uphold."""
    practice = world.file["practice"]
    hits = table[table["found"].to_numpy(dtype=bool)]
    overturned: pd.DataFrame = hits[rng.random(len(hits)) < practice["overturned"]].copy()
    days = between(practice["overturned_days"], len(overturned), rng)
    later = pd.to_timedelta(np.round(86_400 * days), unit="s").as_unit("us")
    nothing = np.zeros(len(overturned), dtype=bool)
    gone = ("irregularity", "seizure_kind", "seized_value", "assessed_value", "revenue_recovered")
    return overturned.assign(
        known_at=overturned["known_at"] + later,
        revision=1,
        found=False,
        result="overturned",
        **{name: overturned[name].where(nothing) for name in gone},
    )


def crossing_points_table(world: World) -> pd.DataFrame:
    """Return the posts as the contract's ``crossing_points`` table, one row per post."""
    posts = world.posts
    names = ("code", "name", "neighbour", "mode", "border_regime", "latitude", "longitude", "capacity")
    return pd.DataFrame({name: getattr(posts, name) for name in names})

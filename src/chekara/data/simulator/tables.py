"""The simulated weeks as tables of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.compute as pc

from chekara.data.simulator.actors import VEHICLE_TYPES, Actors
from chekara.data.simulator.controls import RANDOM, RESULTS, SELECTED_BY, Controls
from chekara.data.simulator.flow import IMPORT, LOADED, Flow
from chekara.data.simulator.paper import SOM_A_DOLLAR, as_spelt
from chekara.data.simulator.traces import SEALS, duty_rate
from chekara.data.simulator.world import DOMAINS, KINDS, Array, Floats, Ints, Mask, World, between

MOVEMENTS = ("import", "export", "transit", "reexport", "temporary", "none")
LOADS = ("loaded", "empty", "passengers")
PROCEDURES = ("40", "10", "80", "31", "53", "")
_FIRST, _ARRIVAL, _SOON, _AFTER_HIT = range(4)


@dataclass(frozen=True, slots=True)
class Names:
    """Ids and codes of everybody, by number."""

    importer: Array
    exporter: Array
    declarant: Array
    carrier: Array
    plate: Array
    trailer: Array
    country: Array


def make_names(world: World, actors: Actors, rng: np.random.Generator) -> Names:
    """Draw the ids under which actors appear in declarations."""
    n_importers, n_vehicles = len(actors.importers.share), len(actors.vehicles.kind)
    letters = np.array(list("ABCEHKMOPTX"))
    region = rng.integers(1, 10, n_vehicles)
    country = np.array(list(world.file["conveyances"]["countries"]), dtype=object)
    middle = letters[rng.integers(0, len(letters), (n_vehicles, 3))]
    plates = [
        f"{r:02d}{country[c]}{i % 1000:03d}{''.join(m)}{i // 1000:02d}"
        for i, (r, c, m) in enumerate(zip(region, actors.vehicles.country, middle, strict=True))
    ]
    # Registration numbers: fourteen digits in no order, like those of tax payers.
    numbers = rng.permutation(10 * n_importers)[:n_importers] * 7919 + 10_000_000
    return Names(
        importer=np.array([f"0{k:013d}" for k in numbers], dtype=object),
        exporter=np.array([f"EXP{k:05d}" for k in range(len(actors.exporter_rate))], dtype=object),
        declarant=np.array([f"BROKER{k:04d}" for k in range(len(actors.is_collusive))], dtype=object),
        carrier=np.array([f"CARRIER{k:05d}" for k in range(len(actors.carriers.share))], dtype=object),
        plate=np.array(plates, dtype=object),
        trailer=np.array([f"{k % 9 + 1:02d}T{k:05d}P" for k in range(actors.vehicles.n_fleet)], dtype=object),
        country=country,
    )


def text(words: Any, which: Ints) -> pd.Series[Any]:
    """Return a text column from a list of words and the position of each row's word; -1 for none."""
    table = arrow.array([w if w else None for w in words], arrow.large_string())
    taken = table.take(arrow.array(which, mask=which < 0))
    return pd.Series(taken.to_pandas())


def crossing_id_of(number: Ints) -> pd.Series[Any]:
    """Return the ids of crossings by number."""
    digits = pc.utf8_lpad(arrow.array(number + 1).cast(arrow.string()), 9, "0")
    return pd.Series(pc.binary_join_element_wise("KG", digits, "").cast(arrow.large_string()).to_pandas())


def instants(world: World, second: Ints) -> pd.Series[Any]:
    """Return instants from seconds since the start."""
    return pd.Series(world.starts_on + second.astype("timedelta64[s]")).astype("datetime64[us]").dt.tz_localize("UTC")


def _where(values: pd.Series[Any], present: Mask) -> pd.Series[Any]:
    return values.where(present)


@dataclass(frozen=True, slots=True)
class Corrected:
    """Declarations corrected after a hit: number of the crossing, second, and line of the flow."""

    crossing: Ints
    second: Ints
    line: Ints


def crossings_table(
    world: World, names: Names, flow: Flow, rng: np.random.Generator, corrected: Corrected, first_number: int = 0
) -> pd.DataFrame:
    """Lay out what is lodged as the contract's ``crossings`` table.

    Parameters
    ----------
    world : World
    names : Names
    flow : Flow
        As declared and filled in.
    rng : Generator
    corrected : Corrected
        Declarations that are corrected after a hit.
    first_number : int
        Number of the first crossing.

    Returns
    -------
    DataFrame
        One row per (crossing_id, revision, item_no), crossings in order of time, revisions in theirs.
    """
    plan = _revisions(world, flow, rng, corrected)
    lines = flow.lines[plan["crossing"]]
    starts = np.cumsum(flow.lines) - flow.lines
    row = np.repeat(starts[plan["crossing"]] - (np.cumsum(lines) - lines), lines) + np.arange(lines.sum())
    revision = {name: np.repeat(values, lines) for name, values in plan.items()}
    is_late = revision["kind"] == _AFTER_HIT
    truth_told = is_late & np.isin(row, corrected.line)
    header = _header_columns(world, names, flow, revision)
    item = _item_columns(world, names, flow, row, revision, truth_told)
    frame = {
        "crossing_id": crossing_id_of(revision["crossing"] + first_number),
        **header,
        **item,
    }
    return pd.DataFrame(frame, copy=False)


def _revisions(world: World, flow: Flow, rng: np.random.Generator, corrected: Corrected) -> dict[str, Array]:
    """List every lodging: crossing, revision, kind, and second at which it became known."""
    paper, header = world.file["paper"], flow.header
    n = flow.size
    ahead = header["notice"] > 0
    first_known = np.where(ahead, header["second"] - header["notice"], header["second"] + header["late"])
    arrives = np.flatnonzero(ahead & (rng.random(n) < paper["arrival_follows"]))
    soon = np.flatnonzero((header["load"] == LOADED) & ~ahead & (rng.random(n) < paper["corrected_soon"]))
    crossing = np.concatenate([np.arange(n), arrives, soon, corrected.crossing])
    known = np.concatenate(
        [
            first_known,
            header["second"][arrives] + header["late"][arrives],
            header["second"][soon] + header["late"][soon] + 1800,
            corrected.second,
        ]
    )
    kind = np.repeat([_FIRST, _ARRIVAL, _SOON, _AFTER_HIT], [n, len(arrives), len(soon), len(corrected.crossing)])
    order = np.lexsort((kind, known, crossing))
    crossing, known, kind = crossing[order], known[order], kind[order]
    starts = np.flatnonzero(np.r_[True, crossing[1:] != crossing[:-1]])
    revision = np.arange(len(crossing)) - np.repeat(starts, np.diff(np.r_[starts, len(crossing)]))
    return {"crossing": crossing, "known": known, "kind": kind, "revision": revision}


def _header_columns(world: World, names: Names, flow: Flow, revision: dict[str, Array]) -> dict[str, pd.Series[Any]]:
    c = revision["crossing"]
    h = {name: values[c] for name, values in flow.header.items()}
    early = (h["notice"] > 0) & (revision["kind"] == _FIRST)
    posts = world.posts
    is_road = posts.mode[h["post"]] == "road"
    spelt = {
        "carrier_id": (names.carrier, np.where(h["no_carrier_id"], -1, h["carrier"])),
        "vehicle_id": (names.plate, np.where(is_road, h["vehicle"], -1)),
        "trailer_id": (names.trailer, h["trailer_said"]),
    }
    seal = np.where(early, -1, h["seal"])
    guaranteed = np.where((h["movement"] == 2) & (h["load"] == LOADED), (h["journey"] % 10 >= 3).astype(int), -1)
    journey = arrow.array(h["journey"]).cast(arrow.string())
    journeys = pd.Series(pc.binary_join_element_wise("J", journey, "").cast(arrow.large_string()).to_pandas())
    return {
        "occurred_at": instants(world, h["second"]),
        "crossing_point": text(posts.code, h["post"]),
        "direction": text(("exit", "entry"), h["is_entry"].astype(np.int64)),
        "mode": text(posts.mode, h["post"]),
        "known_at": instants(world, revision["known"]),
        "revision": pd.Series(revision["revision"]),
        "stage": text(("pre_arrival", "arrival"), np.where(early, 0, 1)),
        "movement": text(MOVEMENTS, h["movement"]),
        "load_status": text(LOADS, h["load"]),
        **{name: text(*as_spelt(ids, which, h[f"spelt_{name}"])) for name, (ids, which) in spelt.items()},
        "journey_id": _where(journeys, h["journey_known"]),
        "vehicle_country": text(names.country, np.where(is_road, h["country"], -1)),
        "vehicle_type": text(VEHICLE_TYPES, h["kind"]),
        "seal_status": text(SEALS, seal),
        "guarantee_type": text(("cash", "TIR"), guaranteed),
        "transit_hours": _where(pd.Series(np.round(h["hours"], 1)), ~h["no_transit_hours"]),
        "weighed_mass_kg": _where(pd.Series(h["weighed"]), ~early),
        "occupants": _where(
            pd.Series(h["occupants"].astype(float)), ~early & ~h["no_occupants"] & (h["occupants"] >= 0)
        ),
    }


def _item_columns(
    world: World, names: Names, flow: Flow, row: Ints, revision: dict[str, Array], truth_told: Mask
) -> dict[str, pd.Series[Any]]:
    c = revision["crossing"]
    it = {name: values[row] for name, values in flow.item.items()}
    loaded = it["goods"] >= 0
    is_import = flow.header["movement"][c] == IMPORT
    for said, true in (
        ("said_goods", "goods"),
        ("said_origin", "origin"),
        ("said_mass", "mass"),
        ("value", "true_value"),
        ("gross", "gross_true"),
    ):
        it[said] = np.where(truth_told, it[true], it[said])
    parties = {
        "importer_id": (names.importer, np.where(it["is_export"] | it["no_importer_id"], -1, it["trader"])),
        "exporter_id": (names.exporter, np.where(it["is_export"] | it["no_exporter_id"], -1, it["exporter"])),
        "declarant_id": (names.declarant, np.where(it["no_declarant_id"], -1, it["declarant"])),
    }
    ids = {
        name: text(*as_spelt(who, np.where(loaded, which, -1), it[f"spelt_{name}"]))
        for name, (who, which) in parties.items()
    }
    export_ids = text(names.importer, np.where(loaded & it["is_export"], it["trader"], -1))
    ids["exporter_id"] = ids["exporter_id"].where(~(loaded & it["is_export"]), export_ids)
    rate = np.where(is_import, duty_rate(world, it["said_goods"], it["said_origin"]), 0.0)
    value = it["value"]
    mass = it["said_mass"]
    swapped = (it["slip"] == 0) & loaded
    said_value = np.where(swapped, mass, np.where(it["slip"] == 1, np.round(value * SOM_A_DOLLAR, 2), value))
    said_mass = np.where(swapped, np.round(value, 1), mass)
    packages = np.maximum(np.round(mass / it["kg_a_package"]), 1.0) + (revision["kind"] == _SOON)
    per_piece = world.goods.kg_per_piece[it["said_goods"]]
    with np.errstate(divide="ignore"):
        pieces = np.where(loaded & (per_piece > 0), np.maximum(np.round(mass / per_piece), 1.0), np.nan)
    codes = world.goods.hs_code
    shown = np.where(loaded, it["said_goods"], -1)
    code = text(
        [*codes, *[k[:4] for k in codes], *[f"{k}0000" for k in codes]],
        np.where(
            shown < 0,
            -1,
            shown + len(codes) * np.where(it["is_short_code"], 1, np.where(it["declarant"] % 3 == 0, 2, 0)),
        ),
    )
    is_free = np.append(world.is_free_origin, False)[it["said_origin"]] & is_import & loaded
    union = np.append(world.is_union_origin, False)[it["said_origin"]]
    start = np.r_[
        True,
        (revision["crossing"][1:] != revision["crossing"][:-1])
        | (revision["revision"][1:] != revision["revision"][:-1]),
    ]
    first = np.flatnonzero(start)
    item_no = np.arange(len(row)) - np.repeat(first, np.diff(np.r_[first, len(row)])) + 1
    declaration = arrow.array(c.astype(np.int64) * 10_000 + it["trader"] % 10_000).cast(arrow.string())
    declarations = pd.Series(pc.binary_join_element_wise("D", declaration, "").cast(arrow.large_string()).to_pandas())

    def number_of(values: Array, absent: str = "") -> pd.Series[Any]:
        present = loaded & ~it[f"no_{absent}"] if absent else loaded
        return pd.Series(np.where(present, values, np.nan))

    return {
        "item_no": pd.Series(item_no),
        "declaration_id": declarations.where(loaded),
        "procedure": text(PROCEDURES, np.where(loaded, flow.header["movement"][c], -1)),
        **ids,
        **_country_columns(world, flow, it, c, loaded, is_import),
        "hs_code": code,
        "goods_description": text(world.goods.description, np.where(it["no_goods_description"], -1, shown)),
        "declared_value": number_of(said_value, "declared_value"),
        "duty_rate": number_of(rate),
        "duty_amount": number_of(np.round(said_value * rate, 2)),
        "net_mass_kg": number_of(said_mass, "net_mass_kg"),
        "gross_mass_kg": number_of(np.round(it["gross"], 1), "gross_mass_kg"),
        "quantity": pd.Series(pieces),
        "quantity_unit": text(("H87",), np.where(np.isnan(pieces), -1, 0)),
        "packages": number_of(packages, "packages"),
        "preference_code": text(("CIS", "EAEU"), np.where(is_free, union.astype(np.int64), -1)),
        "valuation_method": text(("1", "6"), np.where(loaded, np.where(it["is_method_1"], 0, 1), -1)),
        "authorised_operator": pd.Series(np.where(loaded, it["is_authorised"], False)).astype("boolean").where(loaded),
        "importer_registered_at": _registered(world, it, loaded),
    }


def _country_columns(
    world: World, flow: Flow, it: dict[str, Array], c: Ints, loaded: Mask, is_import: Mask
) -> dict[str, pd.Series[Any]]:
    home = world.file["country"]
    words = [*world.origins, home, *world.posts.neighbour]
    n_origins = len(world.origins)
    origin = it["said_origin"]
    via = n_origins + 1 + flow.header["post"][c]
    true_or_said = np.where(it["says_dispatch"] < 0.6, origin, np.where(it["says_dispatch"] < 0.75, it["origin"], via))
    dispatch = np.where(it["is_export"], n_origins, true_or_said)
    destinations = list(world.file["goods"]["export_destinations"])
    return {
        "origin_country": text(words, np.where(loaded, origin, -1)),
        "dispatch_country": text(words, np.where(loaded & ~it["no_dispatch_country"], dispatch, -1)),
        "destination_country": text(
            [*destinations, home],
            np.where(loaded, np.where(is_import, len(destinations), it["bound_for"] % len(destinations)), -1),
        ),
    }


def _registered(world: World, it: dict[str, Array], loaded: Mask) -> pd.Series[Any]:
    day = world.starts_on.astype("datetime64[D]") + it["registered_day"].astype("timedelta64[D]")
    day = np.where(loaded & ~it["is_export"], day, np.datetime64("NaT"))
    return pd.Series(day.astype("datetime64[us]"))


def inspections_table(
    world: World, flow: Flow, harm_kind: Ints, controls: dict[str, Controls], rng: np.random.Generator
) -> pd.DataFrame:
    """Lay out the controls as the contract's ``inspections`` table, in order of time; overturned ones follow.

    Parameters
    ----------
    world : World
    flow : Flow
        As declared.
    harm_kind : ndarray of shape (m,)
        Kind of revenue fraud of each line.
    controls : dict of str to Controls
        By domain, over the whole simulation: positions are those of ``flow``.
    rng : Generator
    """
    frames = [_domain_table(world, flow, harm_kind, domain, controls[domain], rng) for domain in DOMAINS]
    table = pd.concat(frames, ignore_index=True)
    order = np.lexsort((table["domain"], table["crossing_id"], table["inspected_at"]))
    table = table.iloc[order].reset_index(drop=True)
    number = pc.utf8_lpad(arrow.array(np.arange(1, len(table) + 1)).cast(arrow.string()), 9, "0")
    table.insert(
        0,
        "inspection_id",
        pd.Series(pc.binary_join_element_wise("I", number, "").cast(arrow.large_string()).to_pandas()),
    )
    return pd.concat([table, _overturned(world, table, rng)], ignore_index=True)


def _domain_table(
    world: World, flow: Flow, harm_kind: Ints, domain: str, controls: Controls, rng: np.random.Generator
) -> pd.DataFrame:
    own = world.file["practice"]["domains"][domain]
    k = len(controls.crossing)
    at_line = controls.line >= 0
    starts = np.cumsum(flow.lines) - flow.lines
    frame = pd.DataFrame(
        {
            "crossing_id": crossing_id_of(controls.crossing),
            "domain": text([domain], np.zeros(k, dtype=np.int64)),
            "inspected_at": instants(world, controls.inspected),
            "known_at": instants(world, controls.known),
            "selected_by": text(SELECTED_BY, controls.selected_by),
            "found": controls.found,
            "propensity": np.where(controls.selected_by == RANDOM, world.file["practice"]["lot"], np.nan),
            "revision": 0,
            "control_id": pd.Series(
                pc.binary_join_element_wise("C", arrow.array(controls.crossing + 1).cast(arrow.string()), "")
                .cast(arrow.large_string())
                .to_pandas()
            ),
            "item_no": np.where(at_line, controls.line - starts[controls.crossing] + 1, np.nan),
            "agency": text([own["agency"]], np.zeros(k, dtype=np.int64)),
            "inspector_id": text(
                [f"OFFICER{i:04d}" for i in range(int(controls.inspector.max(initial=0)) + 1)], controls.inspector
            ),
            "status": text(("not_done", "done"), controls.done.astype(np.int64)),
            "method": text([name for name, _, _ in own["methods"]], np.where(controls.done, controls.method, -1)),
            "result": text(RESULTS, np.where(controls.done, controls.result, -1)),
        }
    )
    return frame.assign(**_consequences(flow, harm_kind, domain, controls, rng))


def _consequences(
    flow: Flow, harm_kind: Ints, domain: str, controls: Controls, rng: np.random.Generator
) -> dict[str, pd.Series[Any]]:
    """Say what a hit leads to: kind, assessed value and revenue, or what was seized."""
    k = len(controls.crossing)
    at_line = controls.line >= 0
    seized_value = np.round(rng.lognormal(8.0, 1.2, k), 2)
    seizes = controls.found & (rng.random(k) < 0.8)
    nothing: Floats = np.full(k, np.nan)
    kinds = {"contraband": ["narcotics", "tobacco", "medicines"], "vehicle_crime": ["vehicle"]}.get(domain, ["goods"])
    which = rng.integers(0, len(kinds), k)
    if domain == "revenue_fraud":
        line = np.maximum(controls.line, 0)
        lost = np.where(at_line, flow.item["lost"][line], 0.0)
        return {
            "irregularity": text(KINDS, np.where(at_line, harm_kind[line], -1)),
            "assessed_value": pd.Series(np.where(at_line, flow.item["true_value"][line], np.nan)),
            "revenue_recovered": pd.Series(np.where(controls.found, lost, np.nan)),
            "seizure_kind": text(["goods"], np.full(k, -1)),
            "seized_value": pd.Series(nothing),
        }
    seizes &= domain != "concealed_persons"
    return {
        "irregularity": text(KINDS, np.full(k, -1)),
        "assessed_value": pd.Series(nothing),
        "revenue_recovered": pd.Series(nothing),
        "seizure_kind": text(kinds, np.where(seizes, which, -1)),
        "seized_value": pd.Series(np.where(seizes, seized_value, np.nan)),
    }


def _overturned(world: World, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Second revisions of the few hits that a laboratory or a court does not uphold."""
    practice = world.file["practice"]
    hits = table[table["found"].to_numpy(dtype=bool)]
    overturned: pd.DataFrame = hits[rng.random(len(hits)) < practice["overturned"]].copy()
    days = between(practice["overturned_days"], len(overturned), rng)
    overturned["known_at"] = overturned["known_at"] + pd.to_timedelta(np.round(86_400 * days), unit="s").as_unit("us")
    overturned["revision"] = 1
    overturned["found"] = False
    overturned["result"] = "overturned"
    for name in ("irregularity", "seizure_kind"):
        overturned[name] = None
    for name in ("seized_value", "assessed_value", "revenue_recovered"):
        overturned[name] = np.nan
    return overturned


def crossing_points_table(world: World) -> pd.DataFrame:
    """Return the posts as the contract's ``crossing_points`` table, one row per post."""
    posts = world.posts
    names = ("code", "name", "neighbour", "mode", "border_regime", "latitude", "longitude", "capacity")
    return pd.DataFrame({name: getattr(posts, name) for name in names})

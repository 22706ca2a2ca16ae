"""The simulated weeks as the contract's ``crossings`` table: every lodging of every declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from chekara.data.simulator.actors import VEHICLE_TYPES
from chekara.data.simulator.flow import IMPORT, LOADED, TRANSIT, Flow
from chekara.data.simulator.names import Names, crossing_ids, instants, numbered, text
from chekara.data.simulator.paper import SOM_A_DOLLAR, as_spelt
from chekara.data.simulator.traces import SEALS, duty_rate
from chekara.data.simulator.world import Array, Ints, Mask, World

MOVEMENTS = ("import", "export", "transit", "reexport", "temporary", "none")
LOADS = ("loaded", "empty", "passengers")
_PROCEDURES = ("40", "10", "80", "31", "53", "")  # by movement
_FIRST, _ARRIVAL, _SOON, _AFTER_HIT = range(4)
# What is said in a declaration, and the truth that it is corrected to after a hit.
_TRUTH_OF = {
    "said_goods": "goods",
    "said_origin": "origin",
    "said_mass": "mass",
    "value": "true_value",
    "gross": "gross_true",
}

Columns = dict[str, "pd.Series[Any]"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """Declarations corrected after a hit: number of the crossing, second, and line of the flow."""

    crossing: Ints
    second: Ints
    line: Ints


@dataclass(frozen=True, slots=True)
class _Lodged:
    """Rows of the table: crossing, line, and which lodging of the crossing it is, as arrays of shape (rows,)."""

    crossing: Ints
    line: Ints
    known: Ints
    kind: Ints
    revision: Ints


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
    rows = _rows_of(world, flow, rng, corrected)
    columns: Columns = {"crossing_id": crossing_ids(rows.crossing + first_number)}
    columns |= _header_columns(world, names, flow, rows)
    columns |= _item_columns(world, names, flow, rows, corrected)
    return pd.DataFrame(columns, copy=False)


def _rows_of(world: World, flow: Flow, rng: np.random.Generator, corrected: Corrected) -> _Lodged:
    """List every lodging: announced, on arrival, corrected soon, corrected after a hit; a row for each of its lines."""
    paper, header = world.file["paper"], flow.header
    n = flow.size
    second, arrived = header["second"], header["second"] + header["late"]
    ahead = header["notice"] > 0
    arrives = np.flatnonzero(ahead & (rng.random(n) < paper["arrival_follows"]))
    soon = np.flatnonzero((header["load"] == LOADED) & ~ahead & (rng.random(n) < paper["corrected_soon"]))
    lodgings = (
        (np.arange(n), np.where(ahead, second - header["notice"], arrived), _FIRST),
        (arrives, arrived[arrives], _ARRIVAL),
        (soon, arrived[soon] + 1800, _SOON),
        (corrected.crossing, corrected.second, _AFTER_HIT),
    )
    crossing = np.concatenate([which for which, _, _ in lodgings])
    known = np.concatenate([when for _, when, _ in lodgings])
    kind = np.concatenate([np.full(len(which), code) for which, _, code in lodgings])
    order = np.lexsort((kind, known, crossing))
    crossing, known, kind = crossing[order], known[order], kind[order]
    revision = _count_within(crossing)
    lines = flow.lines[crossing]
    starts = np.cumsum(flow.lines) - flow.lines
    line = np.repeat(starts[crossing] - (np.cumsum(lines) - lines), lines) + np.arange(lines.sum())
    by_row = [np.repeat(values, lines) for values in (crossing, known, kind, revision)]
    return _Lodged(by_row[0], line, *by_row[1:])


def _count_within(group: Ints) -> Ints:
    """Count the members of each run of equal values from 0."""
    is_first = np.r_[True, group[1:] != group[:-1]]
    first = np.flatnonzero(is_first)
    return np.arange(len(group)) - np.repeat(first, np.diff(np.r_[first, len(group)]))


def _header_columns(world: World, names: Names, flow: Flow, rows: _Lodged) -> Columns:
    h = {name: values[rows.crossing] for name, values in flow.header.items()}
    early = (h["notice"] > 0) & (rows.kind == _FIRST)
    posts = world.posts
    is_road = posts.mode[h["post"]] == "road"
    ids = {
        "carrier_id": (names.carrier, np.where(h["no_carrier_id"], -1, h["said_carrier"])),
        "vehicle_id": (names.plate, np.where(is_road, h["vehicle"], -1)),
        "trailer_id": (names.trailer, h["trailer_said"]),
    }
    guaranteed = (h["movement"] == TRANSIT) & (h["load"] == LOADED)
    counted = ~early & ~h["no_occupants"] & (h["occupants"] >= 0)
    return {
        "occurred_at": instants(world, h["second"]),
        "crossing_point": text(posts.code, h["post"]),
        "direction": text(("exit", "entry"), h["is_entry"].astype(np.int64)),
        "mode": text(posts.mode, h["post"]),
        "known_at": instants(world, rows.known),
        "revision": pd.Series(rows.revision),
        "stage": text(("pre_arrival", "arrival"), np.where(early, 0, 1)),
        "movement": text(MOVEMENTS, h["movement"]),
        "load_status": text(LOADS, h["load"]),
        **{name: text(*as_spelt(who, which, h[f"spelt_{name}"])) for name, (who, which) in ids.items()},
        "journey_id": numbered("J", h["journey"]).where(h["journey_known"]),
        "vehicle_country": text(names.country, np.where(is_road, h["country"], -1)),
        "vehicle_type": text(VEHICLE_TYPES, h["kind"]),
        "seal_status": text(SEALS, np.where(early, -1, h["seal"])),
        "guarantee_type": text(("cash", "TIR"), np.where(guaranteed, (h["journey"] % 10 >= 3).astype(np.int64), -1)),
        "transit_hours": pd.Series(np.round(h["hours"], 1)).where(~h["no_transit_hours"]),
        "weighed_mass_kg": pd.Series(h["weighed"]).where(~early),
        "occupants": pd.Series(h["occupants"].astype(float)).where(counted),
    }


def _item_columns(world: World, names: Names, flow: Flow, rows: _Lodged, corrected: Corrected) -> Columns:
    it = {name: values[rows.line] for name, values in flow.item.items()}
    it["movement"], it["post"] = flow.header["movement"][rows.crossing], flow.header["post"][rows.crossing]
    truth_told = (rows.kind == _AFTER_HIT) & np.isin(rows.line, corrected.line)
    for said, true in _TRUTH_OF.items():
        it[said] = np.where(truth_told, it[true], it[said])
    loaded = it["goods"] >= 0
    is_lodging_start = np.r_[True, (np.diff(rows.crossing) != 0) | (np.diff(rows.revision) != 0)]
    declaration = rows.crossing.astype(np.int64) * 10_000 + it["trader"] % 10_000
    return {
        "item_no": pd.Series(_count_within(np.cumsum(is_lodging_start)) + 1),
        "declaration_id": numbered("D", declaration).where(loaded),
        "procedure": text(_PROCEDURES, np.where(loaded, it["movement"], -1)),
        **_parties(names, it, loaded),
        **_countries(world, it, loaded),
        **_goods_columns(world, it, loaded),
        **_measures(world, it, loaded, rows.kind == _SOON),
        "authorised_operator": pd.Series(it["is_authorised"]).astype("boolean").where(loaded),
        "importer_registered_at": _registered(world, it, loaded),
    }


def _parties(names: Names, it: dict[str, Array], loaded: Mask) -> Columns:
    exports = it["is_export"] & loaded
    imports = ~it["is_export"] & loaded
    n_importers = len(names.importer)
    # Who exports is a trader of the country: the same ids in the other column.
    exporters = np.where(exports, it["trader"], n_importers + it["exporter"])
    ids = {
        "importer_id": (names.importer, np.where(imports & ~it["no_importer_id"], it["trader"], -1)),
        "exporter_id": (
            np.concatenate([names.importer, names.exporter]),
            np.where(exports | (imports & ~it["no_exporter_id"]), exporters, -1),
        ),
        "declarant_id": (names.declarant, np.where(loaded & ~it["no_declarant_id"], it["declarant"], -1)),
    }
    return {name: text(*as_spelt(who, which, it[f"spelt_{name}"])) for name, (who, which) in ids.items()}


def _countries(world: World, it: dict[str, Array], loaded: Mask) -> Columns:
    home = world.file["country"]
    words = [*world.origins, home, *world.posts.neighbour]
    n_origins = len(world.origins)
    luck = it["says_dispatch"]
    dispatch = np.where(luck < 0.6, it["said_origin"], np.where(luck < 0.75, it["origin"], n_origins + 1 + it["post"]))
    dispatch = np.where(it["is_export"], n_origins, dispatch)
    destinations = list(world.file["goods"]["export_destinations"])
    bound_for = np.where(it["movement"] == IMPORT, len(destinations), it["bound_for"] % len(destinations))
    return {
        "origin_country": text(words, np.where(loaded, it["said_origin"], -1)),
        "dispatch_country": text(words, np.where(loaded & ~it["no_dispatch_country"], dispatch, -1)),
        "destination_country": text([*destinations, home], np.where(loaded, bound_for, -1)),
    }


def _goods_columns(world: World, it: dict[str, Array], loaded: Mask) -> Columns:
    """Write codes of six digits, of ten where a broker is used to it, and of four where somebody was in a hurry."""
    codes = world.goods.hs_code
    shown = np.where(loaded, it["said_goods"], -1)
    form = np.where(it["is_short_code"], 1, np.where(it["declarant"] % 3 == 0, 2, 0))
    written = [*codes, *(code[:4] for code in codes), *(f"{code}0000" for code in codes)]
    is_import = it["movement"] == IMPORT
    is_free = np.append(world.is_free_origin, False)[it["said_origin"]] & is_import & loaded
    is_union = np.append(world.is_union_origin, False)[it["said_origin"]]
    return {
        "hs_code": text(written, np.where(loaded, shown + len(codes) * form, -1)),
        "goods_description": text(world.goods.description, np.where(it["no_goods_description"], -1, shown)),
        "preference_code": text(("CIS", "EAEU"), np.where(is_free, is_union.astype(np.int64), -1)),
        "valuation_method": text(("1", "6"), np.where(loaded, np.where(it["is_method_1"], 0, 1), -1)),
    }


def _measures(world: World, it: dict[str, Array], loaded: Mask, one_more: Mask) -> Columns:
    """Values and masses, with the slips of the pen: in each other's field, or in the other currency."""
    value, mass = it["value"], it["said_mass"]
    said_value = np.select([it["slip"] == 0, it["slip"] == 1], [mass, np.round(value * SOM_A_DOLLAR, 2)], value)
    said_mass = np.where(it["slip"] == 0, np.round(value, 1), mass)
    rate = np.where(it["movement"] == IMPORT, duty_rate(world, it["said_goods"], it["said_origin"]), 0.0)
    per_piece = world.goods.kg_per_piece[it["said_goods"]]
    has_pieces = loaded & (per_piece > 0)
    pieces = np.maximum(np.round(mass / np.where(has_pieces, per_piece, 1.0)), 1.0)
    packages = np.maximum(np.round(mass / it["kg_a_package"]), 1.0) + one_more
    present = {
        "declared_value": said_value,
        "net_mass_kg": said_mass,
        "gross_mass_kg": np.round(it["gross"], 1),
        "packages": packages,
    }
    return {
        **{name: pd.Series(values).where(loaded & ~it[f"no_{name}"]) for name, values in present.items()},
        "duty_rate": pd.Series(rate).where(loaded),
        "duty_amount": pd.Series(np.round(said_value * rate, 2)).where(loaded),
        "quantity": pd.Series(pieces).where(has_pieces),
        "quantity_unit": text(("H87",), np.where(has_pieces, 0, -1)),
    }


def _registered(world: World, it: dict[str, Array], loaded: Mask) -> pd.Series[Any]:
    day = world.starts_on.astype("datetime64[D]") + it["registered_day"].astype("timedelta64[D]")
    day = np.where(loaded & ~it["is_export"], day, np.datetime64("NaT"))
    return pd.Series(day.astype("datetime64[us]"))

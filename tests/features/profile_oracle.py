"""What profiles must say, straight from ``docs/profiles.md``: every sum is written out in SQL over what was known.

Nothing here is folded: for each goods line DuckDB looks at the whole history, keeps what was known strictly before and
is of other crossings, and adds up the decayed contributions.
"""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.sources import History
from chekara.features.profile_kinds import KINDS, ProfileKind
from chekara.features.profile_measures import REFERENCE_LEVEL, REFERENCE_PRICE

Floats = npt.NDArray[np.float64]
GOODS = ("all", "hs_chapter", "hs4", "hs6", "hs6_from_origin")

_STANDING = """
create table readers as select distinct cid, rev, day from lines;
create table standing as
  select r.cid as reader, r.rev as reader_rev, v.cid, max(v.rev) as rev, min(v.day) as day
  from readers r join readers v on v.cid <> r.cid and v.day < r.day group by all;
create table seen as
  select r.cid as reader, r.rev as reader_rev, v.cid, v.rev, (select min(day) from readers f where f.cid = v.cid) as day
  from readers r join readers v on v.cid <> r.cid and v.day < r.day
  where not exists (select 1 from readers w where w.cid = v.cid and w.rev > v.rev and w.day < v.day);
create table attached as
  select x.*, first_value(x.day) over (partition by x.cid, x.iid order by x.day) as first_at,
    coalesce((select max(v.rev) from readers v where v.cid = x.cid and v.day <= x.day),
             (select min(v.rev) from readers v where v.cid = x.cid
                and v.day = (select min(w.day) from readers w where w.cid = x.cid))) as rev,
    greatest(x.day, (select min(v.day) from readers v where v.cid = x.cid)) as attached_at
  from results x;
create table results_standing as
  select s.reader, s.reader_rev, a.*
  from (select r.cid as reader, r.rev as reader_rev, r.day as reader_at, x.cid, x.iid, max(x.number) as number
        from readers r join results x on x.cid <> r.cid and x.day < r.day group by all) s
  join attached a using (cid, iid, number)
  where a.counts and a.attached_at < s.reader_at;
create table shares as
  select a.cid, a.iid, a.number, m.row,
    case when exists (select 1 from lines o where o.cid = a.cid and o.rev = a.rev and o.item = a.item)
         then (m.item = a.item)::double
         else 1.0 / (select count(*) from lines o where o.cid = a.cid and o.rev = a.rev) end as share
  from attached a join lines m on m.cid = a.cid and m.rev = a.rev;
"""

_CENTRED = """
update lines set centred = case when isnan(c) then null else c end from centred where centred.row = lines.row
"""

_TRAFFIC = """
with known as (
  select l.row, exp(-ln(2) * (l.day - s.day) / 30) as recent, exp(-ln(2) * (l.day - s.day) / 365) as long,
    (m.is_first or not {crossing_level})::int as counted, m.{price}::double as price, m.log_mass::double as mass
  from lines l join standing s on s.reader = l.cid and s.reader_rev = l.rev
  join lines m on m.cid = s.cid and m.rev = s.rev and m.{kind} = l.{kind})
select row, sum(counted * recent) as volume_recent, sum(counted * long) as volume_long,
  coalesce(sum(long) filter (price is not null), 0) as prices,
  coalesce(sum(long * price), 0) as price_sum, coalesce(sum(long * price * price), 0) as price_squares,
  coalesce(sum(counted * long) filter (mass is not null), 0) as masses,
  coalesce(sum(counted * long * mass), 0) as mass_sum
from known group by row
"""

_SIGHTINGS = """
select l.row, l.day - min(s.day) as days_since_first, l.day - max(s.day) as days_since_last
from lines l join seen s on s.reader = l.cid and s.reader_rev = l.rev
join lines m on m.cid = s.cid and m.rev = s.rev and m.{kind} = l.{kind} and (m.is_first or not {crossing_level})
group by l.row, l.day
"""

_CONTROLS = """
select l.row, x.domain,
  sum(h.share * exp(-ln(2) * (l.day - x.first_at) / 30)) as inspections_recent,
  sum(h.share * x.hit * exp(-ln(2) * (l.day - x.first_at) / 30)) as hits_recent,
  sum(h.share * exp(-ln(2) * (l.day - x.first_at) / 365)) as inspections,
  sum(h.share * x.hit * exp(-ln(2) * (l.day - x.first_at) / 365)) as hits,
  sum(h.share * x.amount * exp(-ln(2) * (l.day - x.first_at) / 365)) as amount
from lines l join results_standing x on x.reader = l.cid and x.reader_rev = l.rev
join shares h on h.cid = x.cid and h.iid = x.iid and h.number = x.number
join lines m on m.row = h.row and m.{kind} = l.{kind}
group by all
"""


def profiles_by_hand(history: History, domains: tuple[str, ...]) -> dict[str, Floats]:
    """Compute every profile column of every row of ``history.crossings``."""
    lines = _lines(history)
    results = _results(history, domains)
    base = duckdb.connect()
    base.register("given_lines", lines)
    base.register("given_results", results)
    base.execute("create table lines as select * from given_lines")
    base.execute("create table results as select * from given_results")
    base.execute(_STANDING)
    out: dict[str, Floats] = {}
    known: dict[str, dict[str, Floats]] = {}
    usual = np.full(len(lines), np.nan)
    level = np.full(len(lines), np.nan)
    for place, kind in enumerate(KINDS):
        if place == len(GOODS):
            out |= {REFERENCE_PRICE: np.exp(usual), REFERENCE_LEVEL: level}
            centred = np.clip(lines["log_price"].to_numpy(np.float64) - usual, -3, 3)
            base.register("centred", pd.DataFrame({"row": lines["row"], "c": centred}))
            base.execute("alter table lines add column centred double")
            base.execute(_CENTRED)
        told = _key_told(base, kind, len(lines))
        has_key = lines[kind.name].notna().to_numpy()
        if kind.is_goods:
            own, price = _goods_price(told, usual), lines["log_price"].to_numpy(np.float64)
            own[~has_key] = np.nan
            usual = np.where(np.isnan(own), usual, own)
            level = np.where(np.isnan(own), level, float(place))
        else:
            own, price = _level(told), centred
        known[kind.name] = told
        measures = _undivided(told, own, price, lines, known.get(kind.parent or "", {}))
        for domain in domains:
            measures |= _divided(base, kind, domain, told, known.get(kind.parent or "", {}), has_key, len(lines))
        out |= {f"{kind.name}_{name}": np.where(has_key, column, np.nan) for name, column in measures.items()}
    return out


def _days(instants: pd.Series[Any]) -> Floats:
    return (instants - pd.Timestamp("2020-01-01", tz="UTC")).dt.total_seconds().to_numpy(np.float64) / 86_400


def _lines(history: History) -> pd.DataFrame:
    frame = history.crossings.reset_index(drop=True)
    group = frame.groupby(["crossing_id", "revision"])
    net, gross, value = frame["net_mass_kg"], frame["gross_mass_kg"], frame["declared_value"]
    per_kg = value / net.where(net > 0, gross)
    gross_total = group["gross_mass_kg"].transform(lambda masses: masses.sum(skipna=False))
    ratio = frame["weighed_mass_kg"] / gross_total
    point = history.crossing_points.dropna(subset=["neighbour", "border_regime"]).set_index("code")
    nearby = frame["crossing_point"].map(point["neighbour"] + " " + point["border_regime"])
    hs = frame["hs_code"]
    fields = {
        **{
            name: frame[f"{name}_id"] for name in ("importer", "exporter", "declarant", "carrier", "vehicle", "trailer")
        },
        **{name: hs.str[:n].where(hs.str.len() >= n) for name, n in (("hs6", 6), ("hs4", 4), ("hs_chapter", 2))},
        "origin": frame["origin_country"],
        "crossing_point": frame["crossing_point"],
        "neighbour_and_regime": nearby,
    }
    out = pd.DataFrame(
        {
            "row": np.arange(len(frame)),
            "cid": frame["crossing_id"].astype(object),
            "rev": frame["revision"].astype(int),
            "item": frame["item_no"].astype(int),
            "day": _days(frame["known_at"]),
            "is_first": group.cumcount() == 0,
            "log_price": np.log(per_kg.where((per_kg > 0) & np.isfinite(per_kg))),
            "log_mass": np.log(ratio.where((ratio > 0) & np.isfinite(ratio))),
        }
    )
    for kind in KINDS:
        parts = [fields[name].astype(object).where(fields[name].notna(), None) for name in kind.fields]
        out[kind.name] = (
            [None if None in key else "|".join(("", *key)) for key in zip(*parts, strict=True)] if parts else ""
        )
    return out.astype({"log_price": object, "log_mass": object}).where(out.notna(), None)


def _results(history: History, domains: tuple[str, ...]) -> pd.DataFrame:
    frame = history.inspections
    hit = frame["found"].fillna(False).astype(bool) & (frame["result"].fillna("") != "overturned")
    money = frame["revenue_recovered"].fillna(0) + frame["seized_value"].fillna(0)
    return pd.DataFrame(
        {
            "cid": frame["crossing_id"].astype(object),
            "iid": frame["inspection_id"].astype(object),
            "number": frame["revision"].astype(int),
            "day": _days(frame["known_at"]),
            "domain": frame["domain"].astype(object),
            "counts": (frame["status"] == "done").to_numpy(bool) & frame["domain"].isin(domains).to_numpy(bool),
            "hit": hit.astype(float),
            "amount": money.where(hit, 0.0),
            "item": frame["item_no"].fillna(-1).astype(int),
        }
    )


def _column(found: pd.DataFrame, name: str, n: int, missing: float) -> Floats:
    out = np.full(n, missing)
    out[found["row"].to_numpy(int)] = found[name].to_numpy(np.float64)
    return out


def _key_told(base: Any, kind: ProfileKind, n: int) -> dict[str, Floats]:
    words = {
        "kind": kind.name,
        "price": "log_price" if kind.is_goods else "centred",
        "crossing_level": str(kind.level == "crossing").lower(),
    }
    traffic = base.execute(_TRAFFIC.format(**words)).df()
    sightings = base.execute(_SIGHTINGS.format(**words)).df()
    told = {name: _column(traffic, name, n, 0.0) for name in traffic.columns if name != "row"}
    return told | {name: _column(sightings, name, n, np.nan) for name in sightings.columns if name != "row"}


def _goods_price(told: dict[str, Floats], parent: Floats) -> Floats:
    n, total = told["prices"], told["price_sum"]
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.where(np.isnan(parent), total / n, (total + 5 * parent) / (n + 5))
    return np.where(n >= 5, price, np.nan)


def _level(told: dict[str, Floats]) -> Floats:
    return np.where(told["prices"] > 1e-9, told["price_sum"] / (told["prices"] + 2), np.nan)


@np.errstate(invalid="ignore", divide="ignore")
def _undivided(
    told: dict[str, Floats], own: Floats, price: Floats, lines: pd.DataFrame, parent: dict[str, Floats]
) -> dict[str, Floats]:
    n = told["prices"]
    variance = np.maximum(told["price_squares"] / n - (told["price_sum"] / n) ** 2, 1e-4)
    spread = np.where(n >= 1.5, np.sqrt(variance), np.nan)
    mass = np.where(told["masses"] > 1e-9, told["mass_sum"] / told["masses"], np.nan)
    long = told["volume_long"]
    return {
        "volume_recent": told["volume_recent"],
        "volume_long": long,
        "burst": np.where(long > 0, told["volume_recent"] / 30 / (long / 365), np.nan),
        "days_since_first": told["days_since_first"],
        "days_since_last": told["days_since_last"],
        "price_level": np.exp(own),
        "price_spread": spread,
        "price_vs_own": np.exp(price - own),
        "price_deviation": (price - own) / np.maximum(spread, 0.1),
        "mass_level": np.exp(mass),
        "mass_vs_own": np.exp(lines["log_mass"].to_numpy(np.float64) - mass),
        "share": long / parent["volume_long"] if parent else np.full(len(long), math.nan),
    }


def _divided(
    base: Any,
    kind: ProfileKind,
    domain: str,
    told: dict[str, Floats],
    parent: dict[str, Floats],
    has_key: npt.NDArray[np.bool_],
    n: int,
) -> dict[str, Floats]:
    found = base.execute(_CONTROLS.format(kind=kind.name)).df()
    found = found[found["domain"] == domain]
    sums = {name: _column(found, name, n, 0.0) for name in found.columns if name not in ("row", "domain")}
    above = parent.get(f"rate_{domain}", np.full(n, np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = np.where(sums["inspections"] > 0, sums["hits"] / sums["inspections"], np.nan)
        shrunk = (sums["hits"] + 5 * above) / (sums["inspections"] + 5)
    rate = np.where(has_key, np.where(np.isnan(above), alone, shrunk), above)
    told[f"rate_{domain}"] = rate
    return {
        f"inspections_{domain}": sums["inspections"],
        f"hit_rate_{domain}": rate,
        f"hit_rate_recent_{domain}": (sums["hits_recent"] + 5 * rate) / (sums["inspections_recent"] + 5),
        f"hits_recent_{domain}": sums["hits_recent"],
        f"amount_{domain}": sums["amount"] / (sums["inspections"] + 5),
    }

"""Columns of two roles that a whole history has the wrong way round, which no comparison of its parts can show.

A customs history has one country of its own: where imports go, and where exports come from. Read the wrong way round,
imports come from one country and go to many. Traders have no such country, but the day on which an importer was
registered belongs to the importer: if it goes with the exporter instead, the two ids are the wrong way round.
"""

from __future__ import annotations

import pandas as pd

from chekara.data.findings import Finding

FEWEST_LINES = 200
"""Goods lines with both values known, from which on a history is judged."""
HOME_SHARE = 0.9
"""Share of lines that the own country has at least on the wrong side, where the two are the wrong way round."""
MIXED_SHARE = 0.7
"""Share that no country has more of on the right side then."""
KEPT_SHARE, BROKEN_SHARE = 0.95, 0.8
"""Lines whose day of registration is the usual one of the exporter at least, and of the importer at most."""
_COUNTRIES = ("origin_country", "dispatch_country")
_DESTINATION = "destination_country"


def find_swapped_roles(crossings: pd.DataFrame) -> list[Finding]:
    """Find a whole history with origin and destination, or importer and exporter, the wrong way round.

    Parameters
    ----------
    crossings : DataFrame
        Contract columns, one revision per crossing.

    Returns
    -------
    list of Finding
        ``swapped_roles``, a warning per pair of columns.
    """
    found = [finding for name in _COUNTRIES if (finding := _swapped_countries(crossings, name))]
    traders = _swapped_traders(crossings)
    return found if traders is None else [*found, traders]


def _swapped_countries(crossings: pd.DataFrame, origin: str) -> Finding | None:
    """Look on which side of imports and exports one country stands in nearly every line."""
    is_told = crossings["movement"].isin(["import", "export"])  # transit goes from abroad to abroad
    rows = crossings[is_told & crossings[origin].notna() & crossings[_DESTINATION].notna()]
    if len(rows) < FEWEST_LINES:
        return None
    comes_in = rows["movement"] == "import"
    home = rows[_DESTINATION].where(comes_in, rows[origin])
    away = rows[origin].where(comes_in, rows[_DESTINATION])
    home_share, away_share = (float(side.value_counts(normalize=True).iloc[0]) for side in (home, away))
    if away_share < HOME_SHARE or home_share > MIXED_SHARE:
        return None
    return Finding(
        code="swapped_roles",
        severity="warning",
        columns=(origin, _DESTINATION),
        sentence=(
            f"{origin} and {_DESTINATION} look the wrong way round in the whole history: {away_share:.0%} of imports "
            f"and exports have one country abroad, and no country at home has more than {home_share:.0%}."
        ),
        numbers={"wrong_side": away_share, "right_side": home_share, "lines": float(len(rows))},
    )


def _swapped_traders(crossings: pd.DataFrame) -> Finding | None:
    """Look whose day of registration it is: one that the id decides."""
    columns = ["importer_id", "exporter_id", "importer_registered_at"]
    rows = crossings[columns].dropna()
    if len(rows) < FEWEST_LINES or rows["importer_registered_at"].nunique() < 2:
        return None
    kept = {name: _share_kept(rows[name], rows["importer_registered_at"]) for name in columns[:2]}
    if kept["exporter_id"] < KEPT_SHARE or kept["importer_id"] > BROKEN_SHARE:
        return None
    return Finding(
        code="swapped_roles",
        severity="warning",
        columns=("importer_id", "exporter_id"),
        sentence=(
            "importer_id and exporter_id look the wrong way round: importer_registered_at is one and the same in "
            f"{kept['exporter_id']:.0%} of lines of an exporter, and in {kept['importer_id']:.0%} of an importer."
        ),
        numbers={
            "kept_by_exporter": kept["exporter_id"],
            "kept_by_importer": kept["importer_id"],
            "lines": float(len(rows)),
        },
    )


def _share_kept(ids: pd.Series, days: pd.Series) -> float:
    """Share of lines that have the commonest day of their id, among ids that come more than once; 0 without any."""
    counts = pd.DataFrame({"id": ids.to_numpy(), "day": days.to_numpy()}).value_counts(["id", "day"], sort=False)
    by_id = counts.groupby(level="id").agg(["sum", "max"])
    often = by_id[by_id["sum"] > 1]
    return float(often["max"].sum() / often["sum"].sum()) if len(often) else 0.0

"""The random lot as it was drawn: every draw of a domain, done or not, with where and when and by whom.

Labels know only draws that gave an outcome. How often a draw came to nothing, and where, is what tells whether the
lot is still random; so draws are counted here by intention. A draw that was not done has no outcome here even where
another control gave one later: somebody chose that control.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from chekara.data.labels import TargetRule, control_outcomes, newest_inspections

_DAY_BEGINS, _DAY_ENDS = 8, 20  # hours of the day shift, local time by the sun
_DEGREES_PER_HOUR = 15.0


def lot_controls(inspections: pd.DataFrame, rule: TargetRule, known_before: datetime | None = None) -> pd.DataFrame:
    """Return the controls of a domain that were drawn at random with a known probability.

    Parameters
    ----------
    inspections : DataFrame
        Validated inspections of any domains.
    rule : TargetRule
    known_before : datetime with offset, optional
        Newest revisions strictly before it; default: everything known.

    Returns
    -------
    DataFrame
        One row per control: ``crossing_id``, ``inspected_at``, ``propensity``, ``inspector_id`` and ``hit`` (1.0,
        0.0, NaN where it was not done or proves nothing).
    """
    newest = newest_inspections(inspections, known_before)
    drawn = newest[(newest["domain"] == rule.domain) & (newest["selected_by"] == "random") & (newest["propensity"] > 0)]
    kept = drawn[["crossing_id", "inspected_at", "propensity", "inspector_id"]]
    return kept.assign(hit=control_outcomes(drawn, rule)).reset_index(drop=True)


def draws_by_intention(controls: pd.DataFrame, crossings: pd.DataFrame, crossing_points: pd.DataFrame) -> pd.DataFrame:
    """Return one row per crossing that was drawn.

    Parameters
    ----------
    controls : DataFrame
        Of `lot_controls`.
    crossings, crossing_points : DataFrame
        Validated tables of the history.

    Returns
    -------
    DataFrame
        Sorted by ``crossing_id``, for crossings that the history holds: ``propensity`` (of the first control),
        ``hit`` (1.0 where any control of the lot found something, 0.0 where any says that there was nothing, else
        NaN), ``as_of`` (when the crossing was first known), ``post``, ``shift`` (``day`` from 8 to 20 h, else
        ``night``: local time by the sun where the post's longitude is known, else UTC).
    """
    ordered = controls.sort_values(["crossing_id", "inspected_at"], kind="stable")
    by_crossing = ordered.groupby("crossing_id")
    draws = by_crossing[["propensity"]].first().join(by_crossing["hit"].max())
    header = crossings.sort_values(["known_at", "revision"], kind="stable")
    header = header[header["crossing_id"].isin(draws.index)].drop_duplicates("crossing_id").set_index("crossing_id")
    draws = draws.join(header[["known_at", "occurred_at", "crossing_point"]], how="inner")
    draws = draws.rename(columns={"known_at": "as_of", "crossing_point": "post"})
    draws["shift"] = _shift(draws["occurred_at"], draws["post"], crossing_points)
    return draws.drop(columns="occurred_at").reset_index()


def _shift(occurred_at: pd.Series, post: pd.Series, crossing_points: pd.DataFrame) -> pd.Series:
    ahead = pd.Series(0.0, index=post.index)
    if "longitude" in crossing_points.columns:
        longitude = crossing_points.drop_duplicates("code").set_index("code")["longitude"]
        ahead = post.map(longitude).astype(np.float64).fillna(0.0) / _DEGREES_PER_HOUR
    local = occurred_at + pd.to_timedelta(ahead, unit="h")
    is_day = (local.dt.hour >= _DAY_BEGINS) & (local.dt.hour < _DAY_ENDS)
    return pd.Series(np.where(is_day, "day", "night"), index=post.index, dtype=object)

"""What past selection hides from a model, and what the random lot says of it instead: facts of one domain.

The facts belong to a history and a domain, not to a model: how often the harm occurs, how many draws came to
nothing, how long the lot has to go on, what the hits are about, and who made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import isfinite

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.lot import draws_by_intention, lot_controls
from chekara.data.sources import History
from chekara.data.valuation import HitKinds, hit_kinds
from chekara.evaluation.bootstrap import REPLICATES
from chekara.evaluation.inspectors import InspectorReport, compare_inspectors
from chekara.evaluation.intention import DrawsOfGroup, LotRate, draws_by_group, intention_weights, lot_rate
from chekara.evaluation.months import MonthsUntilKnown, months_until_known
from chekara.features.build import items_from_frame
from chekara.modelling.dataset import lines_that_apply
from chekara.modelling.spec import ModelSpec

_DAYS_PER_MONTH = 30.44


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveFacts:
    """What is known of a domain's lot and hits before an instant.

    Attributes
    ----------
    draws : DataFrame
        One row per draw that the domain applies to: `chekara.data.lot.draws_by_intention`.
    rate : LotRate or None
        How often the harm occurs, by intention; None without draws.
    by_post, by_shift : tuple of DrawsOfGroup
        Draws without an outcome, largest share first.
    months : MonthsUntilKnown or None
        None without draws.
    hits : HitKinds
        Which hits are about the price alone.
    inspectors : InspectorReport
        Restricted: for those who audit controls.
    """

    draws: pd.DataFrame
    rate: LotRate | None
    by_post: tuple[DrawsOfGroup, ...]
    by_shift: tuple[DrawsOfGroup, ...]
    months: MonthsUntilKnown | None
    hits: HitKinds
    inspectors: InspectorReport

    def metrics(self) -> dict[str, float]:
        """Return the figures of the lot as ``selective/lot/<figure>``; those that do not exist are left out."""
        figures: dict[str, float] = {"drawn": float(len(self.draws))}
        if self.rate is not None and self.months is not None:
            figures |= {
                "unknown": float(self.rate.unknown),
                "unknown_share": self.rate.unknown / self.rate.drawn,
                "hits": float(self.rate.hits),
                "prevalence": self.rate.rate.value,
                "prevalence_low95": self.rate.rate.interval_95[0],
                "prevalence_high95": self.rate.rate.interval_95[1],
                "prevalence_closed_low95": self.rate.closed_form_95[0],
                "prevalence_closed_high95": self.rate.closed_form_95[1],
                "prevalence_if_unknown_were_misses": self.rate.bounds[0],
                "prevalence_if_unknown_were_hits": self.rate.bounds[1],
                "draws_per_month": self.months.draws_per_month,
                "hits_per_month": self.months.hits_per_month,
                "draws_needed": self.months.draws_needed,
                "months_until_precise": self.months.months_until_precise,
                "months_until_hits": self.months.months_until_hits,
            }
        figures |= {"valuation_only_hits": float(len(self.hits.valuation_only)), "all_hits": float(self.hits.n_hits)}
        return {f"selective/lot/{name}": value for name, value in figures.items() if isfinite(value)}


def selective_facts(
    history: History, spec: ModelSpec, until: datetime, *, seed: int, replicates: int = REPLICATES
) -> SelectiveFacts:
    """Look at a domain's lot and hits as known before an instant.

    Parameters
    ----------
    history : History
    spec : ModelSpec
    until : datetime with offset
        Strictly before it.
    seed : int
        Of the bootstrap and the permutations.
    replicates : int
        Of the bootstrap.

    Returns
    -------
    SelectiveFacts
    """
    controls = lot_controls(history.inspections, spec.target, until)
    known = history.crossings[history.crossings["known_at"] < pd.Timestamp(until)]
    lines = known[known["crossing_id"].isin(controls["crossing_id"])]
    applying = lines.loc[lines_that_apply(items_from_frame(lines), spec), "crossing_id"].unique()
    controls = controls[controls["crossing_id"].isin(applying)]
    draws = draws_by_intention(controls, lines, history.crossing_points)
    is_known = draws["hit"].notna().to_numpy(dtype=bool)
    rate = _rate(draws, replicates, seed)
    return SelectiveFacts(
        draws=draws,
        rate=rate,
        by_post=draws_by_group(draws["post"].to_numpy(dtype=object), is_known),
        by_shift=draws_by_group(draws["shift"].to_numpy(dtype=object), is_known),
        months=None if rate is None else _months(draws, rate),
        hits=hit_kinds(history.inspections, spec.target, until),
        inspectors=_inspectors(controls, draws, seed),
    )


def lot_weights(
    facts: SelectiveFacts, crossing_ids: npt.NDArray[np.object_], window: tuple[np.datetime64, np.datetime64]
) -> npt.NDArray[np.float64]:
    """Weigh judged crossings so that those of the lot stand for all draws of their time, done or not.

    Parameters
    ----------
    facts : SelectiveFacts
    crossing_ids : ndarray of shape (n,), object
        Judged crossings, all with a known outcome.
    window : (first, last) instants
        Their ``as_of``: draws without an outcome count where they fall into it.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 for crossings that were not drawn, or whose draw gave no outcome.
    """
    draws = facts.draws
    place = pd.Index(crossing_ids).get_indexer(pd.Index(draws["crossing_id"]))
    as_of = draws["as_of"].dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    is_known = draws["hit"].notna().to_numpy(dtype=bool) & (place >= 0)
    counts = is_known | (draws["hit"].isna().to_numpy(dtype=bool) & (as_of >= window[0]) & (as_of <= window[1]))
    weights = np.zeros(len(crossing_ids))
    if is_known.any():
        group = _group(draws)[counts]
        spread = intention_weights(1.0 / draws["propensity"].to_numpy()[counts], is_known[counts], group)
        weights[place[is_known]] = spread[is_known[counts]]
    return weights


def is_beyond_price(facts: SelectiveFacts, crossing_ids: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    """Tell crossings that are no hit about the price alone; shape (n,)."""
    return np.array([str(crossing) not in facts.hits.valuation_only for crossing in crossing_ids], dtype=np.bool_)


def _rate(draws: pd.DataFrame, replicates: int, seed: int) -> LotRate | None:
    if draws.empty:
        return None
    weight = 1.0 / draws["propensity"].to_numpy(np.float64)
    return lot_rate(draws["hit"].to_numpy(np.float64), weight, _group(draws), replicates=replicates, seed=seed)


def _group(draws: pd.DataFrame) -> npt.NDArray[np.object_]:
    return (draws["post"].astype(str) + " " + draws["shift"].astype(str)).to_numpy(dtype=object)


def _months(draws: pd.DataFrame, rate: LotRate) -> MonthsUntilKnown:
    days = max((draws["as_of"].max() - draws["as_of"].min()).total_seconds() / 86_400, 1.0)
    weight = 1.0 / draws.loc[draws["hit"].notna(), "propensity"].to_numpy(np.float64)
    return months_until_known(
        rate.rate.value if isfinite(rate.rate.value) else 0.0,
        draws_done=rate.drawn - rate.unknown,
        hits_so_far=rate.hits,
        months_so_far=days / _DAYS_PER_MONTH,
        # Draws of unequal probability tell less than as many of equal: Kish's effect.
        design_effect=max(1.0, float(len(weight) * np.sum(weight**2) / weight.sum() ** 2)) if len(weight) else 1.0,
    )


def _inspectors(controls: pd.DataFrame, draws: pd.DataFrame, seed: int) -> InspectorReport:
    posts = draws.set_index("crossing_id")["post"]
    made = controls[controls["hit"].notna() & controls["inspector_id"].notna()]
    made = made[made["crossing_id"].isin(posts.index)]
    return compare_inspectors(
        made["hit"].to_numpy(np.float64),
        made["inspector_id"].to_numpy(dtype=object),
        made["crossing_id"].map(posts).to_numpy(dtype=object),
        seed=seed,
    )

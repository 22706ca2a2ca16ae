"""What is told of one domain: the model that serves, its decisions, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.adapters.live_decisions import LiveDecisions
from chekara.data.labels import TargetRule, control_outcomes, newest_inspections
from chekara.data.lot import draws_by_intention, lot_controls
from chekara.domain.decision import ModelIdentity
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.evaluation.monitoring import (
    GroupFigures,
    LotCalibration,
    Share,
    calibration_on_lot,
    group_figures,
    share_of,
)
from chekara.explain.evidence import Evidence
from chekara.policy import Policy
from chekara.policy.decide import lanes_by_domain
from training._monitor_alarms import Thresholds
from training._monitor_drift import FeatureDrift, ScoreDrift, feature_drift, score_drift

Floats = npt.NDArray[np.float64]
NOT_GIVEN = "not given"


class WatchedSpec(Protocol):
    """What is asked of a model's spec: which results are hits."""

    @property
    def target(self) -> TargetRule:
        """What counts as a hit and as a miss."""
        ...


class WatchedModel(Protocol):
    """What is asked of a model that serves."""

    @property
    def spec(self) -> WatchedSpec:
        """What it was made to find."""
        ...

    @property
    def identity(self) -> ModelIdentity:
        """Name, version and digest."""
        ...

    @property
    def evidence(self) -> Evidence:
        """What training counted."""
        ...

    @property
    def reference_margins(self) -> Floats:
        """Margins of training."""
        ...


@dataclass(frozen=True, slots=True)
class Channel:
    """What came of controls that one channel asked for.

    Attributes
    ----------
    selected_by : str
    controls, not_done : int
        Made, and recorded as not made.
    hits : Share
        Among those made that tell something.
    """

    selected_by: str
    controls: int
    not_done: int
    hits: Share


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What the lead agency did with what was asked of it.

    Attributes
    ----------
    agency, lane : str
    followed, overridden : Share
        Among its reviewed decisions of this lane; the others were referred or delayed.
    """

    agency: str
    lane: str
    followed: Share
    overridden: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReport:
    """Everything told of one domain.

    Attributes
    ----------
    domain : str
    model : ModelIdentity
        The champion; everything below is of its decisions alone.
    decisions : int
    first_at, last_at : datetime or None
        Of its decisions; None where there are none.
    other_models : mapping of str to int
        Decisions of other digests, which are counted and not mixed in.
    scores : ScoreDrift or None
        None without decisions.
    features : tuple of FeatureDrift
        Largest first; empty where there are too few crossings.
    features_read : int
        Decisions behind them.
    calibration : LotCalibration
    undone : Share
        Draws without an outcome.
    channels : tuple of Channel
    recall : Share
        Of hits of the lot, weighted: how many the model asks a control for.
    groups : mapping of str to tuple of GroupFigures
        By attribute.
    reviews : tuple of Reviewed
    """

    domain: str
    model: ModelIdentity
    decisions: int
    first_at: datetime | None = None
    last_at: datetime | None = None
    other_models: Mapping[str, int] = field(default_factory=dict)
    scores: ScoreDrift | None = None
    features: tuple[FeatureDrift, ...] = ()
    features_read: int = 0
    calibration: LotCalibration
    undone: Share
    channels: tuple[Channel, ...] = ()
    recall: Share
    groups: Mapping[str, tuple[GroupFigures, ...]] = field(default_factory=dict)
    reviews: tuple[Reviewed, ...] = ()


def watch_domain(
    live: LiveDecisions,
    domain: str,
    model: WatchedModel,
    policy: Policy,
    thresholds: Thresholds,
    *,
    groups: pd.DataFrame | None = None,
) -> DomainReport:
    """Tell of one domain what live decisions say.

    Parameters
    ----------
    live : LiveDecisions
    domain : str
    model : WatchedModel
        Its champion.
    policy : Policy
        The policy that serves: what it maps to red or yellow, by risk alone, is what the model asks a control for.
    thresholds : Thresholds
        How much a figure must rest on.
    groups : DataFrame, optional
        By ``crossing_id``, one column per attribute.

    Returns
    -------
    DomainReport
    """
    of_domain = live.scores[live.scores["domain"] == domain]
    is_own = (of_domain["model_digest"] == model.identity.digest).to_numpy(dtype=bool)
    others = of_domain.loc[~is_own, "model_digest"].value_counts().sort_index()
    rows = of_domain[is_own].merge(live.decisions, left_on="decision", right_index=True)
    rows = rows.sort_values("decision", kind="stable").reset_index(drop=True)
    flagged = _flagged(rows, domain, policy)
    rows = rows.assign(flagged=flagged).merge(_draws(live, rows, model.spec.target), on="crossing_id", how="left")
    drawn = rows[rows["propensity"].notna()]
    hit, weight = drawn["hit"].to_numpy(dtype=np.float64), 1 / drawn["propensity"].to_numpy(dtype=np.float64)
    is_hit = hit == 1
    has_any = len(rows) > 0
    is_meant = np.zeros(len(live.decisions), dtype=bool)
    is_meant[rows["decision"].to_numpy(dtype=np.int64)] = True
    margins = rows["margin"].to_numpy(dtype=np.float64)
    return DomainReport(
        domain=domain,
        model=model.identity,
        decisions=len(rows),
        first_at=rows["scored_at"].min().to_pydatetime() if has_any else None,
        last_at=rows["scored_at"].max().to_pydatetime() if has_any else None,
        other_models={str(digest): int(n) for digest, n in others.items()},
        scores=score_drift(rows["scored_at"], margins, model.reference_margins) if has_any else None,
        features=feature_drift(live.features, is_meant, model.evidence),
        features_read=int(is_meant[np.unique(live.features.decision)].sum()),
        calibration=calibration_on_lot(
            drawn["probability"].to_numpy(dtype=np.float64),
            hit,
            weight,
            (drawn["post"] + " " + drawn["shift"]).to_numpy(dtype=object),
            fewest_hits=thresholds.fewest_lot_hits,
        ),
        undone=share_of(np.isnan(hit)),
        channels=_channels(live.inspections, rows, model.spec.target),
        recall=share_of(drawn["flagged"].to_numpy(dtype=bool)[is_hit], weight[is_hit]),
        groups=_groups(rows, groups, thresholds),
        reviews=_reviews(rows, live.reviews),
    )


def _flagged(rows: pd.DataFrame, domain: str, policy: Policy) -> npt.NDArray[np.bool_]:
    lanes = lanes_by_domain({domain: rows["risk"].to_numpy(dtype=np.float64)}, policy)[domain]
    return np.asarray(lanes >= Lane.YELLOW.strictness, dtype=bool)


def _draws(live: LiveDecisions, rows: pd.DataFrame, rule: TargetRule) -> pd.DataFrame:
    """Return draws of the lot by intention; one whose time is not over yet is no draw so far."""
    # The shift that had to make the control is the one in which it was asked for.
    header = rows[["crossing_id", "crossing_point"]].assign(
        known_at=rows["scored_at"], occurred_at=rows["scored_at"], revision=0
    )
    controls = lot_controls(live.inspections, rule)
    controls = controls[controls["crossing_id"].isin(rows["crossing_id"])]
    draws = draws_by_intention(controls, header, pd.DataFrame())
    return draws[["crossing_id", "propensity", "hit", "post", "shift"]]


def _channels(inspections: pd.DataFrame, rows: pd.DataFrame, rule: TargetRule) -> tuple[Channel, ...]:
    newest = newest_inspections(inspections)
    own = newest[(newest["domain"] == rule.domain) & newest["crossing_id"].isin(rows["crossing_id"])]
    outcome = pd.Series(control_outcomes(own, rule), index=own.index)
    found = []
    for name, controls in own.groupby("selected_by"):
        told = outcome[controls.index].dropna()
        made = int((controls["status"] == "done").sum())
        found.append(Channel(str(name), made, len(controls) - made, share_of(told.to_numpy() == 1)))
    return tuple(sorted(found, key=lambda one: (-one.controls, one.selected_by)))


def _groups(
    rows: pd.DataFrame, groups: pd.DataFrame | None, thresholds: Thresholds
) -> dict[str, tuple[GroupFigures, ...]]:
    if groups is None or rows.empty:
        return {}
    told = {}
    for attribute in groups.columns:
        of_row = rows["crossing_id"].map(groups[attribute]).fillna(NOT_GIVEN)
        told[str(attribute)] = group_figures(
            of_row.to_numpy(dtype=object),
            rows["flagged"].to_numpy(dtype=bool),
            rows["probability"].to_numpy(dtype=np.float64),
            rows["hit"].to_numpy(dtype=np.float64),
            1 / rows["propensity"].to_numpy(dtype=np.float64),
            fewest=thresholds.fewest_in_group,
            fewest_hits=thresholds.fewest_lot_hits,
        )
    return told


def _reviews(rows: pd.DataFrame, reviews: pd.DataFrame) -> tuple[Reviewed, ...]:
    own = reviews.merge(rows[["decision_id", "agency", "lane"]], on=["decision_id", "agency"])
    found = []
    for (agency, lane), some in own.groupby(["agency", "lane"]):
        action = some["action"].to_numpy(dtype=object)
        followed, overridden = action == ReviewAction.FOLLOW.value, action == ReviewAction.OVERRIDE.value
        found.append(Reviewed(str(agency), str(lane), share_of(followed), share_of(overridden)))
    return tuple(sorted(found, key=lambda one: (one.agency, -Lane(one.lane).strictness)))

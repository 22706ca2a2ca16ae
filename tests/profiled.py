"""The small model with every profile among its features, and the batch that its decisions are held against."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import select

from chekara.adapters.database import Database
from chekara.adapters.decision_log import SqlDecisionLog
from chekara.adapters.tables import decisions
from chekara.data.sources import History
from chekara.features.build import FeatureTable, build_features, items_from_frame
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_measures import profile_names
from chekara.features.profiles import profile_columns
from chekara.service.records import Chain, Scoring
from tests.small_house import NAMES, Floats, SmallModel, small_model
from tests.streams import DOMAINS

READ = (*profile_names([kind.name for kind in KINDS], DOMAINS), "unit_price_vs_reference")
POISON = 4 * 666.0


@dataclass(frozen=True, kw_only=True)
class ProfiledModel(SmallModel):
    """The small model, which also asks for every profile there is; they add nothing to its margin."""

    read: tuple[str, ...] = field(default=READ)

    @property
    def names(self) -> tuple[str, ...]:
        return (*NAMES, *self.read)

    def features(self, items: ItemColumns) -> FeatureTable:
        return build_features(items, self.names, {})

    def encode(self, table: FeatureTable) -> Floats:
        return self.encoder.encode(_first(table, len(NAMES)))

    def contributions(self, X: Floats) -> Floats:
        own = self.explainer.contributions(X)
        return np.hstack([own[:, :-1], np.zeros((len(own), len(self.read))), own[:, -1:]])

    def applies_to(self, items: ItemColumns) -> np.ndarray:
        if (items.number("declared_value") == POISON).any():
            raise ZeroDivisionError("a poison crossing")
        return super().applies_to(items)


def _first(table: FeatureTable, n: int) -> FeatureTable:
    return FeatureTable(table.names[:n], table.kinds[:n], table.values, table.n_items)


def profiled_model() -> ProfiledModel:
    own = small_model()
    return ProfiledModel(**{name: getattr(own, name) for name in SmallModel.__dataclass_fields__})


def scorings(log: SqlDecisionLog, database: Database) -> dict[tuple[str, int], Scoring]:
    """Return how every live decision came about, by crossing and revision."""
    with database.reading() as connection:
        rows = connection.execute(select(decisions).where(decisions.c.chain == "live")).all()
    found = {(row.crossing_id, row.revision): log.scoring(Chain.LIVE, row.decision_id) for row in rows}
    return {key: scoring for key, scoring in found.items() if scoring is not None}


def hold_against_batch(log: SqlDecisionLog, database: Database, history: History, part: History | None = None) -> None:
    """Hold what the log says was read of profiles against the columns of the whole history, bit for bit.

    Parameters
    ----------
    log : SqlDecisionLog
    database : Database
    history : History
        Everything that became known.
    part : History, optional
        What was streamed, where the rest was loaded.
    """
    columns = profile_columns(history, laid_columns(READ), domains=DOMAINS)
    items = items_from_frame(history.crossings)
    batch = build_features(ItemColumns(items.values | columns, items.n_items), READ, {})
    stored = scorings(log, database)
    streamed = (history if part is None else part).crossings[["crossing_id", "revision"]].drop_duplicates()
    told = 0
    for crossing_id, revision in streamed.itertuples(index=False):
        rows = (history.crossings["crossing_id"] == crossing_id) & (history.crossings["revision"] == revision)
        live = stored[crossing_id, int(revision)].features.columns(READ)
        for name in READ:
            batched = batch.values[name][rows.to_numpy()]
            assert live[name].tobytes() == batched.tobytes(), (crossing_id, revision, name)
            told += int(np.isfinite(batched).sum())
    assert told > 1000, "there was something to compare"

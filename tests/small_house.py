"""A small real house for tests: a LightGBM model of five hundred rows, a log on SQLite, crossings to score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.adapters.checkpoints import CheckpointBook, checkpoint_file
from chekara.adapters.database import Database, open_database
from chekara.adapters.decision_log import SqlDecisionLog
from chekara.adapters.key_files import load_checkpoint_key, load_label_key
from chekara.adapters.label_cipher import AesLabelCipher
from chekara.data.identity import EntityTokens
from chekara.domain.actor import Actor
from chekara.domain.crossing import Crossing, Value
from chekara.domain.decision import ModelIdentity
from chekara.domain.inspection import Inspection
from chekara.domain.vocabulary import Role
from chekara.explain.evidence import Evidence
from chekara.explain.evidence_build import build_evidence
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features.build import FeatureTable, build_features, items_from_crossings
from chekara.features.catalogue import FeatureKind, ItemColumns
from chekara.modelling.calibration import Calibration
from chekara.modelling.encode import Encoder
from chekara.modelling.severity import Severity, fit_severity
from chekara.policy import Policy, load_policy
from chekara.service.champions import Champion, Floats, Usual
from chekara.service.grounds import GatherGrounds
from chekara.service.group import Outcome, WriteGroup
from chekara.service.inspect import RecordInspections
from chekara.service.profiles import FoldEvents
from chekara.service.ranks import RankWindows
from chekara.service.read import ReadDecisions
from chekara.service.records import ClockMode, DecisionRecord, InspectionRequest, ScoreRequest
from chekara.service.review import RecordReview
from chekara.service.score import ScoreCrossings
from chekara.settings import Settings

NAMES = ("declared_value", "net_mass_kg", "value_per_kg", "crossing_point", "origin_country")
TOKENS = EntityTokens(b"a secret of this test, 32 bytes.")
POINTS = ("KG-01", "KG-02", "KG-03")
START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
RECEIVED = START + timedelta(hours=3)  # of results


@dataclass(frozen=True, kw_only=True)
class SmallModel:
    """A real booster behind the few attributes that scoring needs of a model."""

    booster: lgb.Booster
    explainer: QuadratureTreeShap
    encoder: Encoder
    calibration: Calibration
    evidence: Evidence
    reference_margins: Floats
    identity: ModelIdentity
    severity: Severity | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return self.encoder.names

    @property
    def asked_features(self) -> frozenset[str]:
        return frozenset(NAMES)

    @property
    def kinds_of_extensions(self) -> Mapping[str, FeatureKind]:
        return {}

    def features(self, items: ItemColumns) -> FeatureTable:
        return build_features(items, NAMES, {})

    def encode(self, table: FeatureTable) -> Floats:
        return self.encoder.encode(table)

    def margins(self, X: Floats) -> Floats:
        return self.explainer.margins(X)

    def contributions(self, X: Floats) -> Floats:
        return self.explainer.contributions(X)

    def expected_amount(self, table: FeatureTable, rows: npt.NDArray[np.int64] | None = None) -> Floats:
        table = table if rows is None else table.take(rows)
        return np.full(table.n_items, np.nan) if self.severity is None else self.severity.expected(table)

    def usual(self, items: ItemColumns) -> Mapping[str, Usual]:
        return {}

    def applies_to(self, items: ItemColumns) -> np.ndarray:
        return np.array([movement != "transit" for movement in items.text("movement")], dtype=bool)


def crossing(
    crossing_id: str = "c1", *, revision: int = 0, value: float = 1000.0, items: int = 1, **header: Value
) -> Crossing:
    """Make a crossing with plausible goods."""
    given: dict[str, Value] = {
        "crossing_point": "KG-01",
        "direction": "entry",
        "mode": "road",
        "vehicle_id": "01KG777ABC",
    }
    return Crossing(
        crossing_id=crossing_id,
        revision=revision,
        occurred_at=START,
        known_at=START,
        header=given | header,
        items=tuple(
            {
                "item_no": n,
                "declared_value": value * (1 + n * 3 % 5),  # the cheapest item is neither first nor last
                "net_mass_kg": 250.0,
                "hs_code": "610910",
                "origin_country": "CN",
                "importer_id": "importer 7",
            }
            for n in range(1, items + 1)
        ),
    )


@cache
def small_model(seed: int = 1) -> SmallModel:
    """Train a model on five hundred crossings in which cheap goods are hits."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(7, 1, 500)
    history = [crossing(f"h{i}", value=float(v), crossing_point=POINTS[i % 3]) for i, v in enumerate(values)]
    items, index = items_from_crossings(history)
    table = build_features(items, NAMES, {})
    codes = {"crossing_point": {p: i for i, p in enumerate(POINTS)}, "origin_country": {"CN": 0}}
    encoder = Encoder(
        names=NAMES, codes=codes, stand_ins={"declared_value": 1096.0, "net_mass_kg": 250.0, "value_per_kg": 4.4}
    )
    hit = (rng.random(500) < 1 / (1 + values / 800)).astype(np.float64)
    parameters = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1, "seed": seed}
    parameters |= {"deterministic": True, "force_row_wise": True}
    X = encoder.encode(table)
    booster = lgb.train(parameters, lgb.Dataset(X, hit, categorical_feature=list(encoder.categorical)), 20)
    explainer = QuadratureTreeShap(booster)
    calibration = Calibration(
        intercept=-1.0,
        slope=0.9,
        covariance=(0.02, 0.0, 0.01),
        basis="lot",
        n_hits=int(hit.sum()),
        n_crossings=500,
        n_lot_hits=60,
        n_lot=500,
    )
    return SmallModel(
        booster=booster,
        explainer=explainer,
        encoder=encoder,
        calibration=calibration,
        evidence=build_evidence(table, hit, index),
        reference_margins=np.sort(explainer.margins(X)),
        identity=ModelIdentity("revenue_fraud", str(seed), f"sha256:{seed:064x}"),
        severity=fit_severity(table, values * 0.3 * rng.lognormal(0, 0.5, 500), ("declared_value",)),
    )


def actor(agency: str = "customs", role: Role = Role.SYSTEM, *, is_test: bool = False, holder: str = "post 7") -> Actor:
    """Make an actor."""
    return Actor(f"key of {agency} {role}", holder, agency, role, is_test=is_test)


def request(
    of: Crossing, *, by: Actor | None = None, is_void: bool = False, labels: Mapping[str, str] | None = None
) -> ScoreRequest:
    """Make a request to score a crossing."""
    return ScoreRequest(
        crossing=of,
        actor=by or actor(),
        received_at=START + timedelta(minutes=5),
        labels=labels or {},
        is_void=is_void,
    )


def result(inspection_id: str = "i1", **changes: object) -> Inspection:
    """Make a result of an inspection: a hit, unless told otherwise."""
    given: dict[str, object] = {
        "inspection_id": inspection_id,
        "revision": 0,
        "crossing_id": "c1",
        "domain": "revenue_fraud",
        "inspected_at": START + timedelta(hours=1),
        "known_at": START + timedelta(hours=1),
        "found": True,
        "details": {"status": "done", "result": "confirmed", "revenue_recovered": 500.0},
    }
    return Inspection(**(given | changes))  # type: ignore[arg-type]


def sent(of: Inspection, *, agency: str = "customs", received_at: datetime = RECEIVED, **who) -> InspectionRequest:
    """Make a request to record a result."""
    return InspectionRequest(inspection=of, actor=actor(agency, **who), received_at=received_at)


@dataclass
class FixedChampions:
    """Champions that a test sets."""

    models: dict[str, Champion] = field(default_factory=dict)

    def serving(self) -> Mapping[str, Champion]:
        return self.models

    def problems(self) -> tuple[str, ...]:
        return ()


@dataclass
class SmallHouse:
    """A log on SQLite and the use cases over it."""

    settings: Settings
    database: Database
    log: SqlDecisionLog
    champions: FixedChampions
    policy: Policy
    score: WriteGroup
    read: ReadDecisions
    review: RecordReview
    cipher: AesLabelCipher

    def score_one(self, of: Crossing, **more: object) -> DecisionRecord:
        """Score one crossing; its error is raised."""
        return got(self.score([request(of, **more)])[0])  # type: ignore[arg-type]

    def restarted(self) -> SmallHouse:
        """Open the same home again, as a new process would."""
        self.database.close()
        return small_house(self.settings.home, champions=self.champions.models, policy=self.policy)

    def checkpoints(self) -> CheckpointBook:
        """Return the book of checkpoints."""
        return CheckpointBook(checkpoint_file(self.settings.home), self.database, load_checkpoint_key(self.settings))


def got(outcome: Outcome) -> DecisionRecord:
    """Return a decision, or raise the error that stands for it."""
    if isinstance(outcome, Exception):
        raise outcome
    assert isinstance(outcome, DecisionRecord)
    return outcome


def small_house(
    home: Path,
    *,
    champions: Mapping[str, Champion] | None = None,
    policy: Policy | None = None,
    clock: ClockMode = "live",
    tokens: EntityTokens = TOKENS,
    grounds: GatherGrounds | None = None,
) -> SmallHouse:
    """Open a house in a folder, with one champion unless told otherwise."""
    settings = Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"})
    database = open_database(settings)
    cipher = AesLabelCipher(load_label_key(settings))
    log = SqlDecisionLog(database, cipher)
    fixed = FixedChampions(dict(champions) if champions is not None else {"revenue_fraud": small_model()})
    policy = policy or load_policy()
    profiles = FoldEvents(tuple(policy.domains))
    score = ScoreCrossings(
        champions=fixed,
        policy=policy,
        tokens=tokens,
        cipher=cipher,
        ranks=RankWindows(log.ranked_margins),
        profiles=profiles,
        grounds=grounds or GatherGrounds(),
        clock=clock,
    )
    record = RecordInspections(policy=policy, cipher=cipher, profiles=profiles, clock=clock)
    write = WriteGroup(log=log, score=score, record=record)
    review = RecordReview(log=log, policy=policy)
    return SmallHouse(settings, database, log, fixed, policy, write, ReadDecisions(log, policy), review, cipher)


def policy_asking(lane: str, domain: str = "revenue_fraud") -> Policy:
    """Return the shipped policy, changed so that every crossing gets one lane in a domain."""
    policy = load_policy()
    thresholds = {own: (0.0 if own.value == lane else 1.1) for own in policy.domains[domain].thresholds}
    changed = replace(policy.domains[domain], thresholds=thresholds)
    return replace(policy, domains=dict(policy.domains) | {domain: changed})

"""The recipe: judged on later crossings, then repeated on everything known.

What is judged is the recipe, not the model: holding back the latest months would cost a rare domain a large part of
its hits, so the model that goes live is a refit on everything, made and calibrated in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from chekara.domain.decision import ModelIdentity
from chekara.errors import NotEnoughHitsError
from chekara.explain.evidence_build import build_evidence
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features.catalogue import FeatureKind, ItemColumns
from chekara.modelling.calibration import Calibration, natural_weights
from chekara.modelling.dataset import Dataset
from chekara.modelling.fit import crossing_margins
from chekara.modelling.forward import (
    ForwardMargins,
    Progress,
    calibrated,
    forward_margins,
    joined,
    learn_in_turn,
    silent,
    step_forward,
)
from chekara.modelling.golden import answer_golden, draw_golden_rows
from chekara.modelling.learn import Learned, margins_of, matrix_of
from chekara.modelling.model import Model
from chekara.modelling.severity import Severity, severity_of_hits
from chekara.modelling.spec import ModelSpec
from chekara.modelling.split import TimeSplit, require_hits, split_in_time

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Window: TypeAlias = tuple[np.datetime64, np.datetime64]

REFERENCE_CROSSINGS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Crossings of one part in time as a learner sees them, earliest first. Only those with a known outcome.

    Attributes
    ----------
    X : ndarray of shape (n_items, k)
        Encoded features, columns as ``RecipeScores.feature_names``.
    lines : ndarray of shape (n_items,), int64
        Position of each line in ``RecipeScores.items``.
    crossing_of_item : ndarray of shape (n_items,)
        Position of each line's crossing in the arrays below.
    item_label, item_weight : ndarray of shape (n_items,)
        What the learner was told; in the test slice the crossing's own outcome and weight 1.
    hit : ndarray of shape (n_crossings,)
        0.0 or 1.0.
    amount : ndarray of shape (n_crossings,)
        Revenue recovered and value seized, currency; 0 where nothing was found.
    weight : ndarray of shape (n_crossings,)
        1 / propensity in the random lot, else 1.
    crossing_ids : ndarray of shape (n_crossings,), object
    tuple_key : ndarray of shape (n_items,), uint64, or None
        Key of the leaking tuple, where one was found.
    """

    X: Floats
    lines: Ints
    crossing_of_item: Ints
    item_label: Floats
    item_weight: Floats
    hit: Floats
    amount: Floats
    weight: Floats
    crossing_ids: npt.NDArray[np.object_]
    tuple_key: npt.NDArray[np.uint64] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeScores:
    """What the recipe did on crossings later than all that it learned from.

    Attributes
    ----------
    feature_names : tuple of str
    feature_kinds : tuple of {'number', 'category'}
        Of the encoded columns.
    items : ItemColumns
        Declared columns of all goods lines, for baselines that read them as they are.
    train, test : Slice
    margin, probability : ndarray of shape (n_test_crossings,)
    expected_amount : ndarray of shape (n_test_crossings,)
        What a hit would bring, by the crossing's highest line; NaN where nothing is known of amounts.
    calibration : Calibration
        Fitted before the test slice.
    rounds : int
        Trees that were chosen.
    is_random : ndarray of bool, shape (n_test_crossings,)
        Drawn by the lot.
    windows : mapping of str to (first, last) instants
        ``as_of`` of train, embargo, calibrate, test; a part without crossings is left out.
    protocol : {'as_given', 'leak_free'}
    notes : tuple of str
    forward : ForwardMargins or None
        All margins out of fold, those of the test slice among them, for `refit_on_everything`; None where crossings
        were scored with a fit that was at hand.
    """

    feature_names: tuple[str, ...]
    feature_kinds: tuple[FeatureKind, ...]
    items: ItemColumns
    train: Slice
    test: Slice
    margin: Floats
    probability: Floats
    expected_amount: Floats
    calibration: Calibration
    rounds: int
    is_random: Mask
    windows: Mapping[str, Window]
    protocol: str
    notes: tuple[str, ...]
    forward: ForwardMargins | None = None


def evaluate_recipe(
    dataset: Dataset,
    spec: ModelSpec,
    seed: int,
    progress: Progress | None = None,
    *,
    test_from: np.datetime64 | None = None,
) -> RecipeScores:
    """Fit on the past, judge on what came later.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    seed : int
    progress : callable, optional
        Told (stage, fraction done).
    test_from : datetime64, optional
        Judge from this ``as_of`` on, instead of the spec's share of the latest inspected crossings.

    Returns
    -------
    RecipeScores

    Raises
    ------
    NotEnoughHitsError
        Too few hits before the test slice, or none in it.
    """
    tell = progress or silent
    split = _split(dataset, spec, test_from)
    *earlier, last = step_forward(dataset, spec, (*split.blocks, split.last_block), seed, tell)
    if last is None or last.learned is None:
        raise NotEnoughHitsError("no test crossing may be judged", hint="under this protocol all are copies")
    require_hits(dataset.hit[last.rows], 1, "among test crossings that may be judged")
    calibration, rounds = calibrated(dataset, spec, joined(dataset, earlier))
    tell("judge later crossings", 0.9)
    test = np.zeros(dataset.n_crossings, dtype=bool)
    test[last.rows] = True
    scores = score_later(dataset, spec, last.learned, test, calibration, rounds)
    parts = {"train": split.train, "embargo": split.embargo, "calibrate": split.calibrate, "test": test}
    tell("judged", 1.0)
    return replace(
        scores,
        windows={name: _window(dataset, part) for name, part in parts.items() if part.any()},
        forward=joined(dataset, [*earlier, last]),
    )


def _split(dataset: Dataset, spec: ModelSpec, test_from: np.datetime64 | None = None) -> TimeSplit:
    return split_in_time(
        dataset.as_of,
        dataset.known_at,
        dataset.hit,
        test_share=spec.training.test_share,
        n_blocks=spec.training.forward_blocks,
        minimum_hits=spec.minimum_hits,
        test_from=test_from,
    )


def score_later(
    dataset: Dataset, spec: ModelSpec, learned: Learned, crossings: Mask, calibration: Calibration, rounds: int
) -> RecipeScores:
    """Score crossings with what was learned before them.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    learned : Learned
        Fitted on none of them.
    crossings : ndarray of bool, shape (n_crossings,)
        Inspected or not; where the outcome is unknown, ``hit`` is NaN.
    calibration : Calibration
    rounds : int
        Trees to score with; the fit may have more.

    Returns
    -------
    RecipeScores
        ``test`` holds the crossings asked for.
    """
    X, index = matrix_of(learned, dataset, crossings)
    raw = np.asarray(learned.booster.predict(X, raw_score=True, num_iteration=rounds, num_threads=1), dtype=np.float64)
    margin = crossing_margins(raw, index, int(crossings.sum()))
    taught = np.zeros(dataset.n_crossings, dtype=bool)
    taught[dataset.crossing_of_item[learned.lines]] = True
    severity = _severity_of(dataset, spec, taught)
    return RecipeScores(
        feature_names=learned.encoder.names,
        feature_kinds=dataset.table.kinds,
        items=dataset.items,
        train=_train_slice(dataset, learned),
        test=_test_slice(dataset, X, index, crossings),
        margin=margin,
        probability=calibration.probability(margin),
        expected_amount=_amount_of_highest(severity, dataset, crossings, raw, index),
        calibration=calibration,
        rounds=rounds,
        is_random=np.asarray(dataset.selected_by[crossings] == "random", dtype=bool),
        windows={"test": _window(dataset, crossings)},
        protocol=dataset.protocol,
        notes=dataset.notes,
    )


def _window(dataset: Dataset, crossings: Mask) -> Window:
    return dataset.as_of[crossings].min(), dataset.as_of[crossings].max()


def refit_on_everything(
    dataset: Dataset,
    spec: ModelSpec,
    seed: int,
    progress: Progress | None = None,
    *,
    forward: ForwardMargins | None = None,
) -> Model:
    """Fit the recipe on all that is known, calibrated out of fold in time.

    The forward steps are those of the judgement, and the test slice is the last of them: each crossing has its margin
    from a fit that knew nothing of it.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    seed : int
        The same seed and history give the same bundle digest.
    progress : callable, optional
        Told (stage, fraction done).
    forward : ForwardMargins, optional
        Of `evaluate_recipe` on the same dataset with the same seed, which spares these fits; the same model comes out.

    Returns
    -------
    Model
        Not yet written: its identity has no digest.

    Raises
    ------
    NotEnoughHitsError
        Fewer known hits than the spec's gate, or none in the latest part of history.
    """
    tell = progress or silent
    labelled = ~np.isnan(dataset.hit)
    require_hits(dataset.hit, spec.minimum_hits, f"known in {spec.domain}")
    if forward is None:
        split = _split(dataset, spec)
        forward = forward_margins(dataset, spec, (*split.blocks, split.last_block), seed, tell)
    calibration, rounds = calibrated(dataset, spec, forward)
    tell("fit on everything known", 0.85)
    everything = np.ones(dataset.n_crossings, dtype=bool)
    learned = learn_in_turn(dataset, spec, labelled, everything, rounds, seed)
    tell("evidence and reference", 0.95)
    newest = np.zeros(dataset.n_crossings, dtype=bool)
    newest[-REFERENCE_CROSSINGS:] = True
    model = Model(
        spec=spec,
        booster=learned.booster,
        explainer=QuadratureTreeShap(learned.booster),
        encoder=learned.encoder,
        calibration=calibration,
        severity=_severity_of(dataset, spec, labelled),
        evidence=build_evidence(
            dataset.table,
            dataset.hit[dataset.crossing_of_item],
            dataset.crossing_of_item,
            dataset.items.text("hs_code"),
        ),
        reference_margins=np.sort(margins_of(learned, dataset, newest)),
        golden={
            "rows": draw_golden_rows(dataset.items, learned.encoder.names, seed),
            "margins": [],
            "probabilities": [],
        },
        identity=ModelIdentity(spec.name, "", ""),
        about={},
    )
    answered = replace(model, golden=answer_golden(model, model.golden["rows"]))
    tell("fitted", 1.0)
    return answered


def _severity_of(dataset: Dataset, spec: ModelSpec, crossings: Mask) -> Severity | None:
    return None if spec.severity is None else severity_of_hits(dataset, spec.severity.numbers, crossings)


def _amount_of_highest(
    severity: Severity | None, dataset: Dataset, crossings: Mask, margins: Floats, index: Ints
) -> Floats:
    """Tell the amount to expect of the line with the highest margin of each crossing; the first one on a tie."""
    if severity is None:
        return np.full(int(crossings.sum()), np.nan)
    lines = np.flatnonzero(crossings[dataset.crossing_of_item])
    order = np.lexsort((lines, -margins, index))
    highest = order[np.unique(index[order], return_index=True)[1]]
    return severity.expected(dataset.table.take(lines[highest]))


def _train_slice(dataset: Dataset, learned: Learned) -> Slice:
    crossing = dataset.crossing_of_item[learned.lines]
    taught = np.zeros(dataset.n_crossings, dtype=bool)
    taught[crossing] = True
    return Slice(
        X=learned.X,
        lines=learned.lines,
        crossing_of_item=(np.cumsum(taught) - 1)[crossing],
        item_label=learned.labels.label,
        item_weight=learned.labels.weight,
        tuple_key=None if dataset.tuple_key is None else dataset.tuple_key[learned.lines],
        **_crossing_arrays(dataset, taught),
    )


def _test_slice(dataset: Dataset, X: Floats, index: Ints, crossings: Mask) -> Slice:
    lines = crossings[dataset.crossing_of_item]
    return Slice(
        X=X,
        lines=np.flatnonzero(lines),
        crossing_of_item=index,
        item_label=dataset.hit[crossings][index],
        item_weight=np.ones(len(index)),
        tuple_key=None if dataset.tuple_key is None else dataset.tuple_key[lines],
        **_crossing_arrays(dataset, crossings),
    )


class _CrossingArrays(TypedDict):
    hit: Floats
    amount: Floats
    weight: Floats
    crossing_ids: npt.NDArray[np.object_]


def _crossing_arrays(dataset: Dataset, crossings: Mask) -> _CrossingArrays:
    natural = natural_weights(dataset.selected_by[crossings], dataset.propensity[crossings])
    return _CrossingArrays(
        hit=dataset.hit[crossings],
        amount=dataset.amount[crossings],
        weight=np.where(natural > 0, natural, 1.0),
        crossing_ids=dataset.crossing_ids[crossings],
    )

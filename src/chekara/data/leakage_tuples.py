"""Tuples that were copied: find the set of columns, and what its copies say about the label.

Two consignments of parties that have nothing to do with each other never agree in mass *and* value *and* goods to
the last digit. Where many do, a row was copied, and the question is whether its label was copied along.

**Finding the columns.** Anchors are columns, alone and in pairs, in which two rows drawn at random hardly ever
agree. Rows that share an anchor's values are paired up, one pair per value, and for every other column the
agreement beyond chance is measured (Cohen's kappa). Columns in which such pairs agree nearly always join the
anchor, the rows are paired up again, and so on until nothing changes. Of all sets found this way, the copied tuple
is the widest of those with which nearly the most labels were copied.

**Judging the labels.** Honest trade repeats itself: the same importer ships the same goods at list price every
week, and if it cheats, it cheats every week. So pairs of unrelated parties are looked at first; and in both cases
the copies' labels must agree much more than those of their *neighbours*: rows that share the tuple's codes
(goods, origin, party ...) and lie next to it in its numbers without being equal. What a model may learn (this
importer, these goods, about this price) holds for neighbours too; only a copied label stops at the exact value.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from chekara.data.leakage_repeated import RepeatedTuples, are_strangers, one_pair_per_key
from chekara.data.leakage_rows import EARLIER_SLICES, Floats, Ints, Keys, Rows
from chekara.evaluation.ranking import auc

_MOST_CANDIDATES = 4
_FEWEST_PAIRS_WITH_HIT = 10
_FEWEST_NEIGHBOURS = 30
_POINTS_PER_GROUP = 3  # a group of codes with fewer distinct tuples has no neighbours, only borders
_PERMUTATIONS = 5
_NEARLY_ALL = 0.9
_HABIT_AGREEMENT = 0.3  # of the labels of an honest party's repeated consignments, to be worth a notice


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEvidence:
    """What the copies of a tuple say about the label.

    Attributes
    ----------
    between_strangers : bool
        Whether the copies belong to parties that have nothing to do with each other.
    pairs : int
        Pairs of copies (one per tuple, different crossings) with both outcomes known.
    copy_agreement, neighbour_agreement : float
        Cohen's kappa of the labels of two copies, and of two neighbours; NaN where there are too few.
    """

    between_strangers: bool
    pairs: int
    copy_agreement: float
    neighbour_agreement: float

    @property
    def are_copied(self) -> bool:
        """Whether labels follow the exact copy, beyond what honest repetition explains.

        Between strangers: labels of copies agree with a kappa of at least 0.5, and at least 0.3 above their
        neighbours' (0.8 where there are no neighbours to compare with). Within one party, where habit makes
        labels agree honestly: 0.9, and 0.5 above the neighbours', which must be there.
        """
        if np.isnan(self.copy_agreement):
            return False
        usual = max(self.neighbour_agreement, 0.0)  # NaN stays NaN
        if not self.between_strangers:
            return bool(self.copy_agreement >= 0.9 and self.copy_agreement - usual >= 0.5)
        if np.isnan(usual):
            return self.copy_agreement >= 0.8
        return bool(self.copy_agreement >= 0.5 and self.copy_agreement - usual >= 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleEvidence:
    """A set of columns whose values were copied between rows, and how far that reaches.

    Attributes
    ----------
    columns : tuple of str
    labels : LabelEvidence
    rows, distinct, repeated : int
        Item rows, distinct tuples among them, and tuples that occur in more than one crossing.
    seen_before : float
        Share of the later slices' rows whose tuple occurs in an earlier slice.
    purity, permuted_purity : float
        Share of repeated labelled tuples whose rows all carry one label, and the same with labels permuted.
    lookup_auc, lookup_auc_of_repeats : float
        AUC of a plain look-up fitted on the first three of five time slices and judged on the last two: on all
        rows, and on rows whose tuple was seen. NaN where it cannot be computed.
    """

    columns: tuple[str, ...]
    labels: LabelEvidence
    rows: int
    distinct: int
    repeated: int
    seen_before: float
    purity: float
    permuted_purity: float
    lookup_auc: float
    lookup_auc_of_repeats: float


def find_copied_tuple(rows: Rows, repeated: RepeatedTuples, rng: np.random.Generator) -> TupleEvidence | None:
    """Find the tuple of columns that was copied between rows.

    Parameters
    ----------
    rows : Rows
    repeated : RepeatedTuples
        Of the same lines.
    rng : Generator

    Returns
    -------
    TupleEvidence or None
        The tuple with which most labels were copied; where none does that, the consignments that single parties
        repeat with much the same results; None where there are none of those either.
    """
    judged: list[tuple[tuple[str, ...], LabelEvidence]] = []
    for between_strangers, grown in ((True, repeated.of_strangers), (False, repeated.of_anybody)):
        for columns in _candidate_tuples(rows, grown, between_strangers, rng):
            judged.append((columns, judge_labels(rows, columns, between_strangers=between_strangers, rng=rng)))
    leaking = [(columns, labels) for columns, labels in judged if labels.are_copied]
    # Rows that agree in a few coarse columns are no news; a party whose results repeat with its consignments is.
    habitual = [
        (columns, labels)
        for columns, labels in judged
        if not labels.between_strangers
        and labels.copy_agreement >= _HABIT_AGREEMENT
        and not set(columns).isdisjoint(rows.parties)
    ]
    worth_telling = leaking or habitual
    if not worth_telling:
        return None
    # A chance companion of the tuple loses copies; a true member that one search missed does not.
    most = max(_copied_labels(labels) for _, labels in worth_telling)
    nearly_all = [found for found in worth_telling if _copied_labels(found[1]) >= _NEARLY_ALL * most]
    columns, labels = max(nearly_all, key=lambda found: (len(found[0]), _copied_labels(found[1])))
    return weigh_tuple(rows, columns, labels, rng)


def _copied_labels(labels: LabelEvidence) -> float:
    """Count pairs that agree beyond chance."""
    return float(np.nan_to_num(labels.copy_agreement) * labels.pairs)


def judge_labels(
    rows: Rows, columns: tuple[str, ...], *, between_strangers: bool, rng: np.random.Generator
) -> LabelEvidence:
    """Compare the labels of copies with those of neighbours.

    Parameters
    ----------
    rows : Rows
    columns : tuple of str
        Candidate columns of ``rows``.
    between_strangers : bool
        Pair only rows of unrelated parties.
    rng : Generator

    Returns
    -------
    LabelEvidence
    """
    labelled = np.flatnonzero(rows.is_labelled)
    key = rows.key(columns, labelled)
    a, b = one_pair_per_key(rows, key, labelled, between_strangers, rng)
    return LabelEvidence(
        between_strangers=between_strangers,
        pairs=len(a),
        copy_agreement=_label_kappa(rows.hit[a], rows.hit[b]),
        neighbour_agreement=_neighbour_agreement(rows, columns, key, labelled, between_strangers),
    )


def weigh_tuple(rows: Rows, columns: tuple[str, ...], labels: LabelEvidence, rng: np.random.Generator) -> TupleEvidence:
    """Measure how often a tuple is repeated and what a plain look-up of it knows.

    Parameters
    ----------
    rows : Rows
    columns : tuple of str
        Candidate columns of ``rows``.
    labels : LabelEvidence
        Of `judge_labels` for these columns.
    rng : Generator

    Returns
    -------
    TupleEvidence
    """
    numbered, distinct = pd.factorize(rows.key(columns))
    tuple_of_line = numbered.astype(np.int64)
    later = rows.time_slice >= EARLIER_SLICES
    is_seen = np.zeros(len(distinct), dtype=bool)
    is_seen[tuple_of_line[~later]] = True
    purity, permuted = _purity(rows, tuple_of_line, rng)
    overall, of_repeats = _lookup_auc(rows, tuple_of_line)
    return TupleEvidence(
        columns=columns,
        labels=labels,
        rows=len(tuple_of_line),
        distinct=len(distinct),
        repeated=_repeated(tuple_of_line, rows.crossing),
        seen_before=float(is_seen[tuple_of_line[later]].mean()) if later.any() else 0.0,
        purity=purity,
        permuted_purity=permuted,
        lookup_auc=overall,
        lookup_auc_of_repeats=of_repeats,
    )


def _candidate_tuples(
    rows: Rows, grown: tuple[tuple[str, ...], ...], between_strangers: bool, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Keep the few sets with which most labels agree."""
    labelled = np.flatnonzero(rows.is_labelled)
    copied: dict[tuple[str, ...], float] = {}
    for columns in grown:
        a, b = one_pair_per_key(rows, rows.key(columns, labelled), labelled, between_strangers, rng)
        copied[columns] = float(np.nan_to_num(_label_kappa(rows.hit[a], rows.hit[b]))) * len(a)
    return sorted(copied, key=lambda c: (-copied[c], c))[:_MOST_CANDIDATES]


# Judging the labels


def _label_kappa(left: Floats, right: Floats) -> float:
    """Agreement of two labels beyond chance; NaN with too few pairs, or too few that hold a hit."""
    if len(left) < _FEWEST_NEIGHBOURS or ((left + right) > 0).sum() < _FEWEST_PAIRS_WITH_HIT:
        return float("nan")
    rate = float((left.mean() + right.mean()) / 2)
    chance = rate**2 + (1 - rate) ** 2
    return float(((left == right).mean() - chance) / (1 - chance)) if chance < 1 else float("nan")


def _neighbour_agreement(
    rows: Rows, columns: tuple[str, ...], key: Keys, labelled: Ints, between_strangers: bool
) -> float:
    """Label agreement of rows with the tuple's codes that are next to each other in a number or a ratio of two.

    The highest of all such orders counts, so that a signal in any number, or in value per kilogram, is honoured.
    """
    numbers = [n for n in columns if n in rows.numbers]
    group, _ = pd.factorize(rows.key(tuple(n for n in columns if n not in rows.numbers), labelled))
    points = pd.DataFrame({"group": group, "key": key}).drop_duplicates()["group"]
    is_wide = np.bincount(points, minlength=1)[group] >= _POINTS_PER_GROUP
    lines, group, key = labelled[is_wide], group[is_wide].astype(np.int64), key[is_wide]
    values = [rows.numbers[n][lines] for n in numbers]
    with np.errstate(divide="ignore", invalid="ignore"):
        orders = values + [x / y for x, y in combinations(values, 2)]
    found = [_adjacent_kappa(rows, key, lines, group, order, between_strangers) for order in orders]
    return max((kappa for kappa in found if not np.isnan(kappa)), default=float("nan"))


def _adjacent_kappa(rows: Rows, key: Keys, lines: Ints, group: Ints, value: Floats, between_strangers: bool) -> float:
    order = np.lexsort((key, value, group))
    next_to = (group[order[1:]] == group[order[:-1]]) & (key[order[1:]] != key[order[:-1]])
    a, b = lines[order[:-1][next_to]], lines[order[1:][next_to]]
    wanted = rows.crossing[a] != rows.crossing[b]
    if between_strangers:
        wanted &= are_strangers(rows, a, b)
    return _label_kappa(rows.hit[a[wanted]], rows.hit[b[wanted]])


def _repeated(tuple_of_line: Ints, crossing: Ints) -> int:
    """Count tuples that occur in more than one crossing."""
    size = int(crossing.max(initial=0)) + 1
    once = pd.unique(tuple_of_line * size + crossing)
    return int((np.bincount(once // size) > 1).sum()) if len(once) else 0


def _purity(rows: Rows, tuple_of_line: Ints, rng: np.random.Generator) -> tuple[float, float]:
    """Share of repeated labelled tuples with one label only, as it is and with labels permuted."""
    of, hit = tuple_of_line[rows.is_labelled], rows.hit[rows.is_labelled]
    count = np.bincount(of)
    repeated = count > 1
    if not repeated.any():
        return float("nan"), float("nan")

    def pure_share(labels: Floats) -> float:
        hits = np.bincount(of, weights=labels, minlength=len(count))[repeated]
        return float(((hits == 0) | (hits == count[repeated])).mean())

    return pure_share(hit), float(np.mean([pure_share(rng.permutation(hit)) for _ in range(_PERMUTATIONS)]))


def _lookup_auc(rows: Rows, tuple_of_line: Ints) -> tuple[float, float]:
    earlier = rows.is_labelled & (rows.time_slice < EARLIER_SLICES)
    later = rows.is_labelled & (rows.time_slice >= EARLIER_SLICES)
    if not (earlier.any() and later.any()):
        return float("nan"), float("nan")
    score = smoothed_rates(tuple_of_line[earlier], rows.hit[earlier], tuple_of_line[later])
    is_seen = np.isin(tuple_of_line[later], tuple_of_line[earlier])
    return auc_or_nan(rows.hit[later], score), auc_or_nan(rows.hit[later][is_seen], score[is_seen])


def smoothed_rates(known: Ints, hit: Floats, asked: Ints) -> Floats:
    """Look up hit rates per code, each with the overall rate as one further row.

    Parameters
    ----------
    known : ndarray of shape (n,), int64
        Codes from 0.
    hit : ndarray of shape (n,)
        0 or 1.
    asked : ndarray of shape (k,), int64

    Returns
    -------
    ndarray of shape (k,)
        The overall rate for codes never seen.
    """
    size = int(max(known.max(initial=0), asked.max(initial=0))) + 1
    hits, count = np.bincount(known, weights=hit, minlength=size), np.bincount(known, minlength=size)
    return np.asarray(((hits + hit.mean()) / (count + 1.0))[asked], dtype=np.float64)


def auc_or_nan(hit: Floats, score: Floats) -> float:
    """AUC of a score, NaN where there are fewer than ten hits or ten misses to tell apart."""
    hits = int((hit == 1).sum())
    return float("nan") if min(hits, len(hit) - hits) < _FEWEST_PAIRS_WITH_HIT else auc(hit, score)

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

from chekara.data.leakage_rows import EARLIER_SLICES, Bools, Floats, Ints, Keys, Rows, agreement_by_chance
from chekara.evaluation.ranking import auc

_ANCHOR_CHANCE = 0.01  # two rows drawn at random agree in an anchor at most this often
_MOST_ANCHORS = 7
_MOST_CANDIDATES = 4
_LINES_PER_ANCHOR = 60_000
_LINES_FOR_CHANCE = 30_000
_CONSTANT_HERE = 0.98  # a column in which nearly all rows agree says nothing about copies
_FIRST_KAPPA = 0.6  # to join a lone anchor, whose pairs are diluted by chance meetings
_MEMBER_KAPPA = 0.9  # to stay in the tuple
_FEWEST_PAIRS = 50
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


@dataclass(frozen=True, slots=True)
class RepeatedTuples:
    """Sets of columns that lines have in common beyond chance, whatever their labels.

    Attributes
    ----------
    of_strangers, of_anybody : tuple of tuple of str
        Found among lines of unrelated parties, and among all lines.
    """

    of_strangers: tuple[tuple[str, ...], ...]
    of_anybody: tuple[tuple[str, ...], ...]


def find_repeated_tuples(rows: Rows, rng: np.random.Generator) -> RepeatedTuples:
    """Find the sets of columns in which lines repeat each other: once for all domains, since no label counts here.

    Parameters
    ----------
    rows : Rows
        Labels are not looked at.
    rng : Generator
        Draws pairs.

    Returns
    -------
    RepeatedTuples
    """
    return RepeatedTuples(_grown_tuples(rows, True, rng), _grown_tuples(rows, False, rng))


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
    a, b = _one_pair_per_key(rows, key, labelled, between_strangers, rng)
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


# Finding the columns


@dataclass(frozen=True, slots=True)
class _Search:
    """One search around an anchor: lines that fill it, and how often two of them agree in each column by chance."""

    rows: Rows
    lines: Ints
    chance: dict[str, float]
    between_strangers: bool
    rng: np.random.Generator

    @classmethod
    def around(cls, rows: Rows, anchor: tuple[str, ...], between_strangers: bool, rng: np.random.Generator) -> _Search:
        lines = np.flatnonzero(~np.logical_or.reduce([rows.is_missing[n] for n in anchor]))
        if len(lines) > _LINES_PER_ANCHOR:
            # Of many lines only values of a hashed share are looked at, so that lines of one value stay together.
            lines = lines[rows.key(anchor, lines) % np.uint64(-(-len(lines) // _LINES_PER_ANCHOR)) == 0]
        some = lines[:: max(1, len(lines) // _LINES_FOR_CHANCE)]
        chance = {name: agreement_by_chance(codes[some]) for name, codes in rows.codes.items()}
        return cls(rows, lines, chance, between_strangers, rng)

    @property
    def members(self) -> tuple[str, ...]:
        """Columns that may join the tuple: those of strangers differ by construction."""
        return tuple(n for n in self.rows.codes if not (self.between_strangers and n in self.rows.parties))

    def pairs(self, columns: tuple[str, ...]) -> tuple[Ints, Ints]:
        """Pair up lines per shared value of columns that hold the anchor."""
        key = self.rows.key(columns, self.lines)
        return _one_pair_per_key(self.rows, key, self.lines, self.between_strangers, self.rng)

    def kappa(self, name: str, a: Ints, b: Ints) -> float:
        """Agreement of two sets of rows in a column beyond chance; 0 where nearly all rows agree anyway."""
        agree, chance = float((self.rows.codes[name][a] == self.rows.codes[name][b]).mean()), self.chance[name]
        return 0.0 if chance > _CONSTANT_HERE else (agree - chance) / (1.0 - chance)


def _grown_tuples(rows: Rows, between_strangers: bool, rng: np.random.Generator) -> tuple[tuple[str, ...], ...]:
    names = [n for n in rows.codes if rows.chance[n] <= _ANCHOR_CHANCE]
    if between_strangers:
        names = [n for n in names if n not in rows.parties]
    names = sorted(names, key=lambda n: (rows.chance[n], n))[:_MOST_ANCHORS]
    anchors = [(n,) for n in names] + list(combinations(names, 2))
    grown = (_grow(_Search.around(rows, anchor, between_strangers, rng), anchor) for anchor in anchors)
    return tuple(dict.fromkeys(columns for columns in grown if columns))


def _candidate_tuples(
    rows: Rows, grown: tuple[tuple[str, ...], ...], between_strangers: bool, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Keep the few sets with which most labels agree."""
    labelled = np.flatnonzero(rows.is_labelled)
    copied: dict[tuple[str, ...], float] = {}
    for columns in grown:
        a, b = _one_pair_per_key(rows, rows.key(columns, labelled), labelled, between_strangers, rng)
        copied[columns] = float(np.nan_to_num(_label_kappa(rows.hit[a], rows.hit[b]))) * len(a)
    return sorted(copied, key=lambda c: (-copied[c], c))[:_MOST_CANDIDATES]


def _grow(search: _Search, anchor: tuple[str, ...]) -> tuple[str, ...] | None:
    """Let columns that agree among rows sharing the anchor join it, until nothing changes."""
    columns, threshold = anchor, _FIRST_KAPPA
    for _ in range(4):
        a, b = search.pairs(columns)
        if len(a) < _FEWEST_PAIRS:
            return None
        grown = tuple(n for n in search.members if n in anchor or search.kappa(n, a, b) >= threshold)
        if len(grown) <= max(len(anchor), 2):
            return None
        if grown == columns and threshold == _MEMBER_KAPPA:
            break
        columns, threshold = grown, _MEMBER_KAPPA
    members = _confirmed(search, columns, anchor)
    return members if len(members) > max(len(anchor), 2) else None


def _confirmed(search: _Search, columns: tuple[str, ...], anchor: tuple[str, ...]) -> tuple[str, ...]:
    """Drop members in which rows that share all the others do not agree."""
    members = columns
    for name in columns:
        if name in anchor:
            continue
        others = tuple(n for n in members if n != name)
        a, b = search.pairs(others)
        if len(a) < _FEWEST_PAIRS or search.kappa(name, a, b) < _MEMBER_KAPPA:
            members = others
    return members


def _one_pair_per_key(
    rows: Rows, key: Keys, lines: Ints, between_strangers: bool, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw one pair of lines per shared key, from different crossings; ``key`` has one entry per entry of ``lines``."""
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    same = np.flatnonzero(sorted_key[1:] == sorted_key[:-1])
    a, b = lines[order[same]], lines[order[same + 1]]
    wanted = rows.crossing[a] != rows.crossing[b]
    if between_strangers:
        wanted &= _are_strangers(rows, a, b)
    shuffled = rng.permutation(np.flatnonzero(wanted))
    _, first = np.unique(sorted_key[same[shuffled]], return_index=True)
    return a[shuffled[first]], b[shuffled[first]]


def _are_strangers(rows: Rows, a: Ints, b: Ints) -> Bools:
    """Whether two rows share no party, and at least one party of both is known. Without parties all are."""
    if not rows.parties:
        return np.ones(len(a), dtype=bool)
    differ = np.ones(len(a), dtype=bool)
    known = np.zeros(len(a), dtype=bool)
    for name in rows.parties:
        both = ~(rows.is_missing[name][a] | rows.is_missing[name][b])
        code = rows.codes.get(name)
        equal = np.ones(len(a), dtype=bool) if code is None else code[a] == code[b]
        differ &= ~(both & equal)
        known |= both
    return differ & known


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
        wanted &= _are_strangers(rows, a, b)
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

"""Tuples that were copied: find the set of columns, and what its copies say about the label.

Two consignments of parties that have nothing to do with each other never agree in mass *and* value *and* goods to
the last digit. Where many do, a row was copied, and the question is whether its label was copied along.

**Finding the columns.** Anchors are columns, alone and in pairs, in which two rows drawn at random hardly ever
agree. Rows that share an anchor's values are paired up, one pair per value, and for every other column the
agreement beyond chance is measured (Cohen's kappa). Columns in which such pairs agree nearly always join the
anchor, the rows are paired up again, and so on until nothing changes. Of all sets found this way, the copied tuple
is the one with which most labels were copied.

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
_MOST_ANCHORS = 8
_MOST_CANDIDATES = 4
_ROWS_PER_ANCHOR = 250_000
_ROWS_FOR_CHANCE = 50_000
_CONSTANT_HERE = 0.98  # a column in which nearly all rows agree says nothing about copies
_FIRST_KAPPA = 0.6  # to join a lone anchor, whose pairs are diluted by chance meetings
_MEMBER_KAPPA = 0.9  # to stay in the tuple
_FEWEST_PAIRS = 50
_FEWEST_PAIRS_WITH_HIT = 10
_FEWEST_NEIGHBOURS = 30
_POINTS_PER_GROUP = 3  # a group of codes with fewer distinct tuples has no neighbours, only borders
_PERMUTATIONS = 5
_HABIT_AGREEMENT = 0.3  # of the labels of an honest party's repeated consignments, to be worth a notice


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleEvidence:
    """A set of columns whose values were copied between rows, and what its copies say about the label.

    Attributes
    ----------
    columns : tuple of str
    between_strangers : bool
        Whether the copies belong to parties that have nothing to do with each other.
    rows, distinct, repeated : int
        Item rows, distinct tuples among them, and tuples that occur in more than one crossing.
    seen_before : float
        Share of the later slices' rows whose tuple occurs in an earlier slice.
    label_pairs : int
        Pairs of copies (one per tuple, different crossings) with both outcomes known.
    purity, permuted_purity : float
        Share of repeated labelled tuples whose rows all carry one label, and the same with labels permuted.
    copy_agreement, neighbour_agreement : float
        Cohen's kappa of the labels of two copies, and of two neighbours; NaN where there are too few.
    lookup_auc, lookup_auc_of_repeats : float
        AUC of a plain look-up fitted on the first three of five time slices and judged on the last two: on all
        rows, and on rows whose tuple was seen. NaN where it cannot be computed.
    """

    columns: tuple[str, ...]
    between_strangers: bool
    rows: int
    distinct: int
    repeated: int
    seen_before: float
    label_pairs: int
    purity: float
    permuted_purity: float
    copy_agreement: float
    neighbour_agreement: float
    lookup_auc: float
    lookup_auc_of_repeats: float

    @property
    def copies_its_label(self) -> bool:
        """Whether the tuple carries its label along, beyond what honest repetition explains.

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


def find_copied_tuple(rows: Rows, rng: np.random.Generator) -> TupleEvidence | None:
    """Find the tuple of columns that was copied between rows.

    Parameters
    ----------
    rows : Rows
    rng : Generator

    Returns
    -------
    TupleEvidence or None
        The tuple with which most labels were copied; where none does that, the consignments that single parties
        repeat with much the same results; None where there are none of those either.
    """
    for between_strangers in (True, False):
        candidates = _candidate_tuples(rows, between_strangers, rng)
        found = [weigh_tuple(rows, c, between_strangers=between_strangers, rng=rng) for c in candidates]
        leaking = [evidence for evidence in found if evidence.copies_its_label]
        if leaking:
            return max(leaking, key=_copied_labels)
    # Rows that agree in a few coarse columns are no news; a party whose results repeat with its consignments is.
    habitual = [evidence for evidence in found if evidence.copy_agreement >= _HABIT_AGREEMENT]
    return max(habitual, key=_copied_labels, default=None)


def _copied_labels(evidence: TupleEvidence) -> float:
    """Values that were copied with their labels: pairs that agree beyond chance, times columns.

    A chance companion of the tuple would add a column, but lose most of its copies.
    """
    return evidence.copy_agreement * evidence.label_pairs * len(evidence.columns)


def weigh_tuple(
    rows: Rows, columns: tuple[str, ...], *, between_strangers: bool, rng: np.random.Generator
) -> TupleEvidence:
    """Measure how often a tuple is repeated and what its copies say about the label.

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
    TupleEvidence
    """
    key = rows.key(columns)
    numbered, crossings = _crossings_per_tuple(key, rows.crossing)
    later = rows.time_slice >= EARLIER_SLICES
    seen = np.isin(key[later], key[~later])
    a, b = _labelled_pairs(rows, key, between_strangers, rng)
    purity, permuted = _purity(rows, numbered, rng)
    overall, of_repeats = _lookup_auc(rows, key)
    return TupleEvidence(
        columns=columns,
        between_strangers=between_strangers,
        rows=len(key),
        distinct=len(crossings),
        repeated=int((crossings > 1).sum()),
        seen_before=float(seen.mean()) if len(seen) else 0.0,
        label_pairs=len(a),
        purity=purity,
        permuted_purity=permuted,
        copy_agreement=_label_kappa(rows.hit[a], rows.hit[b]),
        neighbour_agreement=_neighbour_agreement(rows, columns, key, between_strangers),
        lookup_auc=overall,
        lookup_auc_of_repeats=of_repeats,
    )


# Finding the columns


@dataclass(frozen=True, slots=True)
class _Search:
    """One search: rows that fill an anchor, and how often two of them agree in each column by chance."""

    rows: Rows
    filled: Ints
    chance: dict[str, float]
    between_strangers: bool
    rng: np.random.Generator

    @classmethod
    def around(cls, rows: Rows, anchor: tuple[str, ...], between_strangers: bool, rng: np.random.Generator) -> _Search:
        filled = np.flatnonzero(~np.logical_or.reduce([rows.is_missing[n] for n in anchor]))
        some = filled[:: max(1, len(filled) // _ROWS_FOR_CHANCE)]
        chance = {name: agreement_by_chance(codes[some]) for name, codes in rows.codes.items()}
        return cls(rows, filled, chance, between_strangers, rng)

    @property
    def members(self) -> tuple[str, ...]:
        """Columns that may join the tuple: those of strangers differ by construction."""
        return tuple(n for n in self.rows.codes if not (self.between_strangers and n in self.rows.parties))

    def pairs(self, columns: tuple[str, ...]) -> tuple[Ints, Ints]:
        """Pair up rows per shared value of the columns; of many rows, values of a hashed share: whole groups stay."""
        key = self.rows.key(columns)
        kept = self.filled
        if len(kept) > _ROWS_PER_ANCHOR:
            kept = kept[key[kept] % np.uint64(-(-len(kept) // _ROWS_PER_ANCHOR)) == 0]
        return _one_pair_per_key(self.rows, key, kept, self.between_strangers, self.rng)

    def kappa(self, name: str, a: Ints, b: Ints) -> float:
        """Agreement of two sets of rows in a column beyond chance; 0 where nearly all rows agree anyway."""
        agree, chance = float((self.rows.codes[name][a] == self.rows.codes[name][b]).mean()), self.chance[name]
        return 0.0 if chance > _CONSTANT_HERE else (agree - chance) / (1.0 - chance)


def _candidate_tuples(rows: Rows, between_strangers: bool, rng: np.random.Generator) -> list[tuple[str, ...]]:
    names = [n for n in rows.codes if rows.chance[n] <= _ANCHOR_CHANCE]
    if between_strangers:
        names = [n for n in names if n not in rows.parties]
    names = sorted(names, key=lambda n: (rows.chance[n], n))[:_MOST_ANCHORS]
    copied: dict[tuple[str, ...], float] = {}
    for anchor in [(n,) for n in names] + list(combinations(names, 2)):
        search = _Search.around(rows, anchor, between_strangers, rng)
        if (grown := _grow(search, anchor)) and grown not in copied:
            a, b = _labelled_pairs(rows, rows.key(grown), between_strangers, rng)
            agreement = np.nan_to_num(_label_kappa(rows.hit[a], rows.hit[b]))
            copied[grown] = agreement * len(a) * len(grown)
    return sorted(copied, key=lambda c: (-copied[c], c))[:_MOST_CANDIDATES]


def _grow(search: _Search, anchor: tuple[str, ...]) -> tuple[str, ...] | None:
    """Let columns that agree among rows sharing the anchor join it, until nothing changes."""
    columns, threshold = anchor, _FIRST_KAPPA
    for _ in range(4):
        a, b = search.pairs(columns)
        if len(a) < _FEWEST_PAIRS:
            return None
        grown = tuple(n for n in search.members if n in anchor or search.kappa(n, a, b) >= threshold)
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


def _labelled_pairs(rows: Rows, key: Keys, between_strangers: bool, rng: np.random.Generator) -> tuple[Ints, Ints]:
    return _one_pair_per_key(rows, key, np.flatnonzero(rows.is_labelled), between_strangers, rng)


def _one_pair_per_key(
    rows: Rows, key: Keys, kept: Ints, between_strangers: bool, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    order = kept[np.argsort(key[kept], kind="stable")]
    same = key[order[1:]] == key[order[:-1]]
    a, b = order[:-1][same], order[1:][same]
    wanted = rows.crossing[a] != rows.crossing[b]
    if between_strangers:
        wanted &= _are_strangers(rows, a, b)
    a, b = a[wanted], b[wanted]
    shuffled = rng.permutation(len(a))
    a, b = a[shuffled], b[shuffled]
    _, first = np.unique(key[a], return_index=True)
    return a[first], b[first]


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


def _neighbour_agreement(rows: Rows, columns: tuple[str, ...], key: Keys, between_strangers: bool) -> float:
    """Label agreement of rows with the tuple's codes that are next to each other in a number or a ratio of two.

    The highest of all such orders counts, so that a signal in any number, or in value per kilogram, is honoured.
    """
    numbers = [n for n in columns if n in rows.numbers]
    codes = rows.key(tuple(n for n in columns if n not in rows.numbers))
    kept = np.flatnonzero(rows.is_labelled)
    _, group = np.unique(codes[kept], return_inverse=True)
    points = pd.DataFrame({"group": group, "key": key[kept]}).drop_duplicates()["group"].value_counts(sort=False)
    wide = np.zeros(group.max() + 1 if len(group) else 0, dtype=bool)
    wide[points.index[points >= _POINTS_PER_GROUP]] = True
    kept, group = kept[wide[group]], group[wide[group]]
    values = {n: rows.frame[n].to_numpy(dtype=float)[kept] for n in numbers}
    orders = list(values.values())
    with np.errstate(divide="ignore", invalid="ignore"):
        orders += [values[x] / values[y] for x, y in combinations(numbers, 2)]
    found = [_adjacent_kappa(rows, key, kept, group, order, between_strangers) for order in orders]
    known = [kappa for kappa in found if not np.isnan(kappa)]
    return max(known, default=float("nan"))


def _adjacent_kappa(rows: Rows, key: Keys, kept: Ints, group: Ints, value: Floats, between_strangers: bool) -> float:
    by_value = np.lexsort((key[kept], value, group))
    row, of = kept[by_value], group[by_value]
    next_to = (of[1:] == of[:-1]) & (key[row[1:]] != key[row[:-1]])
    a, b = row[:-1][next_to], row[1:][next_to]
    wanted = rows.crossing[a] != rows.crossing[b]
    if between_strangers:
        wanted &= _are_strangers(rows, a, b)
    return _label_kappa(rows.hit[a[wanted]], rows.hit[b[wanted]])


def _crossings_per_tuple(key: Keys, crossing: Ints) -> tuple[Ints, Ints]:
    """Give every tuple a number, and count the crossings of each."""
    _, numbered = np.unique(key, return_inverse=True)
    pairs = np.unique(numbered.astype(np.int64) * (int(crossing.max(initial=0)) + 1) + crossing)
    counts = np.bincount(pairs // (int(crossing.max(initial=0)) + 1), minlength=int(numbered.max(initial=-1)) + 1)
    return numbered.astype(np.int64), counts.astype(np.int64)


def _purity(rows: Rows, numbered: Ints, rng: np.random.Generator) -> tuple[float, float]:
    labelled = np.flatnonzero(rows.is_labelled)
    of, hit = numbered[labelled], rows.hit[labelled]
    count = np.bincount(of)
    repeated = count > 1
    if not repeated.any():
        return float("nan"), float("nan")

    def pure_share(labels: Floats) -> float:
        hits = np.bincount(of, weights=labels, minlength=len(count))[repeated]
        return float(((hits == 0) | (hits == count[repeated])).mean())

    return pure_share(hit), float(np.mean([pure_share(rng.permutation(hit)) for _ in range(_PERMUTATIONS)]))


def _lookup_auc(rows: Rows, key: Keys) -> tuple[float, float]:
    earlier = rows.is_labelled & (rows.time_slice < EARLIER_SLICES)
    later = rows.is_labelled & (rows.time_slice >= EARLIER_SLICES)
    if not earlier.any():
        return float("nan"), float("nan")
    known, inverse = np.unique(key[earlier], return_inverse=True)
    hits = np.bincount(inverse, weights=rows.hit[earlier])
    prior = rows.hit[earlier].mean()
    rate = (hits + prior) / (np.bincount(inverse) + 1.0)
    place = np.minimum(np.searchsorted(known, key[later]), len(known) - 1)
    seen = known[place] == key[later]
    score = np.where(seen, rate[place], prior)
    return auc_or_nan(rows.hit[later], score), auc_or_nan(rows.hit[later][seen], score[seen])


def auc_or_nan(hit: Floats, score: Floats) -> float:
    """AUC of a score, NaN where there are fewer than ten hits or ten misses to tell apart."""
    hits = int((hit == 1).sum())
    return float("nan") if min(hits, len(hit) - hits) < _FEWEST_PAIRS_WITH_HIT else auc(hit, score)

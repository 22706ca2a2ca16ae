"""Columns in which goods lines repeat each other beyond chance: the part of the search that looks at no label.

How the sets of columns are found is told in `chekara.data.leakage_tuples`, which judges them by their labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from chekara.data.leakage_rows import Bools, Ints, Keys, Rows, agreement_by_chance

_ANCHOR_CHANCE = 0.01  # two rows drawn at random agree in an anchor at most this often
_MOST_ANCHORS = 7
_LINES_PER_ANCHOR = 60_000
_LINES_FOR_CHANCE = 30_000
_CONSTANT_HERE = 0.98  # a column in which nearly all rows agree says nothing about copies
_FIRST_KAPPA = 0.6  # to join a lone anchor, whose pairs are diluted by chance meetings
_MEMBER_KAPPA = 0.9  # to stay in the tuple
_FEWEST_PAIRS = 50


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
        return one_pair_per_key(self.rows, key, self.lines, self.between_strangers, self.rng)

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


def one_pair_per_key(
    rows: Rows, key: Keys, lines: Ints, between_strangers: bool, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw one pair of lines per shared key, from different crossings.

    Parameters
    ----------
    rows : Rows
    key : ndarray of shape (k,), uint64
        Of each of ``lines``.
    lines : ndarray of shape (k,), int64
    between_strangers : bool
        Pair only lines of unrelated parties.
    rng : Generator

    Returns
    -------
    a, b : ndarray of int64
        Lines that share a key, one pair per key.
    """
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    same = np.flatnonzero(sorted_key[1:] == sorted_key[:-1])
    a, b = lines[order[same]], lines[order[same + 1]]
    wanted = rows.crossing[a] != rows.crossing[b]
    if between_strangers:
        wanted &= are_strangers(rows, a, b)
    shuffled = rng.permutation(np.flatnonzero(wanted))
    _, first = np.unique(sorted_key[same[shuffled]], return_index=True)
    return a[shuffled[first]], b[shuffled[first]]


def are_strangers(rows: Rows, a: Ints, b: Ints) -> Bools:
    """Tell whether two lines share no party, and at least one party of both is known. Without parties all do.

    Parameters
    ----------
    rows : Rows
    a, b : ndarray of shape (k,), int64
        Lines.

    Returns
    -------
    ndarray of bool, shape (k,)
    """
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

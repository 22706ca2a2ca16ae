"""Keys of pairs lie beside one of their two, and are told apart by all of both."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chekara.features.profile_keys import MISSING, OWN_BITS, keys_of_kinds, slots_of, slots_of_kinds
from chekara.features.profile_kinds import FIELDS, KINDS

KEYS = st.integers(-(2**63), 2**63 - 1)
LINES = st.lists(st.lists(KEYS, min_size=len(FIELDS), max_size=len(FIELDS)), min_size=1, max_size=4)
PAIRS = [k for k, kind in enumerate(KINDS) if len(kind.fields) == 2]


@given(lines=LINES)
def test_a_pair_lies_beside_its_home_unless_a_part_is_missing(lines: list[list[int]]) -> None:
    keys = np.array(lines, dtype=np.int64)
    told = keys_of_kinds(keys)
    for k in PAIRS:
        first, second = (FIELDS.index(name) for name in KINDS[k].fields)
        home = FIELDS.index(KINDS[k].fields[KINDS[k].home])
        is_missing = (keys[:, first] == MISSING) | (keys[:, second] == MISSING)
        assert ((told[k] == MISSING) == is_missing).all()
        assert (told[k] >> OWN_BITS == keys[:, home] >> OWN_BITS)[~is_missing & (told[k] != 1)].all()


def test_pairs_differ_where_either_part_differs() -> None:
    rng = np.random.default_rng(3)
    keys = np.repeat(rng.integers(-(2**62), 2**62, (1, len(FIELDS))), 2000, axis=0)
    for k in PAIRS:
        for name in KINDS[k].fields:
            varied = keys.copy()
            varied[:, FIELDS.index(name)] = rng.integers(-(2**62), 2**62, 2000)
            assert len(np.unique(keys_of_kinds(varied)[k])) == 2000


KINDED = st.tuples(st.sampled_from([kind.name for kind in KINDS]), KEYS)


@given(key=KINDED, other=KINDED)
def test_slots_tell_kinds_apart_and_lie_where_their_keys_lie(key: tuple[str, int], other: tuple[str, int]) -> None:
    first, second = (int(slots_of(kind, np.array([n]))[0]) for kind, n in (key, other))
    assert first >> OWN_BITS == key[1] >> OWN_BITS
    if key[0] == other[0] or key[1] == other[1]:
        assert (first == second) == (key == other)


@given(lines=LINES)
def test_each_slot_of_some_lines_stands_once_in_the_order_of_the_store(lines: list[list[int]]) -> None:
    keys = np.array(lines, dtype=np.int64)
    slots, places = slots_of_kinds(keys)
    assert (slots[1:] > slots[:-1]).all()
    told = keys_of_kinds(keys)
    for kind, of_kind, place in zip(KINDS, told, places, strict=True):
        assert ((place < 0) == (of_kind == MISSING)).all()
        assert (slots[place[place >= 0]] == slots_of(kind.name, of_kind)[place >= 0]).all()

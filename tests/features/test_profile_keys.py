"""Keys of pairs lie beside one of their two, and are told apart by all of both."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chekara.features.profile_keys import MISSING, OWN_BITS, keys_of_kinds
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

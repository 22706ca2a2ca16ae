"""What a lane was derived from is stored whole and read back as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.selection import CapacityState, Draw, Floor, Grounds, RuleHit
from chekara.domain.vocabulary import Lane
from chekara.service.chain import canonical_json
from chekara.service.payload import parsed
from chekara.service.payload_grounds import grounds_from, plain_grounds

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=8)
lanes = st.sampled_from(list(Lane))
shares = st.floats(0, 1)
grounds = st.builds(
    Grounds,
    rules=st.lists(
        st.builds(
            RuleHit, words, words, lanes, words, words, st.none() | st.integers(1, 9), st.dictionaries(words, words)
        )
    ).map(tuple),
    draws=st.lists(st.builds(Draw, words, words, shares, st.booleans(), lanes, words)).map(tuple),
    capacity=st.lists(
        st.builds(
            CapacityState,
            words,
            lanes,
            words,
            st.integers(0, 99),
            st.integers(0, 99),
            st.floats(0, 1e6),
            shares | st.just(float("inf")),
        )
    ).map(tuple),
    floors=st.dictionaries(words, st.builds(Floor, lanes, words)),
    without_models=st.lists(words).map(tuple),
)


@given(grounds)
def test_grounds_are_read_back_as_they_were_written(given_grounds: Grounds) -> None:
    assert grounds_from(parsed(canonical_json(plain_grounds(given_grounds)))) == given_grounds

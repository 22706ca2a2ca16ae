"""Patterns of rules: what may take long is refused, what is taken is quick and means what `re` means."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import ConfigurationError
from chekara.policy.patterns import LONGEST_PATTERN, compile_pattern

PIECES = ["a", "b", ".", "a?", "[ab]", "(a|b)", "a*", "b+", "^", "$", r"\d", "(?:ab)", "a{2}", "a{1,3}"]


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$",
        "(a|a)*b",
        "(?:a?){30}",
        r"(a)\1",
        "(?=a)b",
        "(?P<x>a)",
        ".*a.*b",
        "a?a?a?a?a?b",
        "(a|a)(a|a)(a|a)(a|a)(a|a)b",
        "a**",
        "a*?",
        "(",
        "[a",
        r"\p",
        "a" * (LONGEST_PATTERN + 1),
    ],
)
def test_what_might_take_long_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        compile_pattern(text)


@pytest.mark.parametrize("text", ["(a|a)(a|a)(a|a)(a|a).*b", "a?a?a?a?a*[ab]b", "[ab]*[^a]{9}b"])
def test_what_is_taken_is_quick_on_the_longest_text(text: str) -> None:
    pattern = compile_pattern(text)
    begun = time.process_time()
    assert pattern.search("a" * 512) is None
    assert time.process_time() - begun < 1.0


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join), st.text("abAB1", max_size=6))
def test_it_means_what_python_means(text: str, searched: str) -> None:
    try:
        found = compile_pattern(text)
    except ConfigurationError:
        return
    assert (found.search(searched) is None) == (re.search(text, searched, re.IGNORECASE) is None)

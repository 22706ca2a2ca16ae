"""What a body means beside what is stored: a model of the rules against the code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import NotFoundError, RevisionConflictError, SupersededRevisionError
from chekara.service.records import KnownRevision
from chekara.service.revisions import Fresh, Repeated, Withdrawal, meaning_of

bodies = st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.booleans())


@given(st.lists(bodies, max_size=12))
def test_every_history_of_bodies(sent: list[tuple[int, str, bool]]) -> None:
    known: list[KnownRevision] = []
    for n, (revision, letter, is_void) in enumerate(sent):
        content = f"{letter}{is_void}"
        stored = [k for k in known if k.revision == revision and (k.is_void == is_void or not is_void)]
        expected = oracle(known, stored, revision, content, is_void=is_void)
        ordered = sorted(known, key=lambda k: (k.revision, k.is_void))
        if isinstance(expected, type):
            with pytest.raises(expected):
                meaning_of(revision=revision, content=content, is_void=is_void, known=ordered)
            continue
        meaning = meaning_of(revision=revision, content=content, is_void=is_void, known=ordered)
        assert meaning == expected
        if isinstance(meaning, Fresh):
            known.append(KnownRevision(decision_id=f"d{n}", revision=revision, content=content, is_void=False))
        if isinstance(meaning, Withdrawal):
            known.append(
                KnownRevision(decision_id=meaning.decision_id, revision=revision, content=content, is_void=True)
            )


def oracle(known, stored, revision, content, *, is_void):
    decisions = [k for k in known if not k.is_void]
    newest = max(decisions, key=lambda k: k.revision, default=None)
    if is_void and newest is None:
        return NotFoundError
    if stored:
        first = min(stored, key=lambda k: k.is_void)
        return Repeated(first.decision_id) if first.content == content else RevisionConflictError
    if any(k.revision > revision for k in known):
        return SupersededRevisionError
    if is_void:
        return Withdrawal(newest.decision_id)
    return Fresh(newest.decision_id if newest else None)

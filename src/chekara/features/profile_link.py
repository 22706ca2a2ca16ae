"""From events to operations: revisions that replace each other, results that wait, and what is one's own.

Linking knows nothing of kinds of profile; `chekara.features.profile_step` runs its tape over each of them.

Numba keys its cache by this file alone: after a change of ``profile_state.py`` touch this file, too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chekara.features.profile_state import (
    HALF_LIVES_DAYS,
    LINES,
    OPERATION,
    READ,
    RESULT_SHARES,
    Floats,
    Ints,
    Records,
    compiled,
)

_RECENT_PER_DAY, _LONG_PER_DAY = (math.log(2.0) / days for days in HALF_LIVES_DAYS)


class Links(NamedTuple):
    """Who belongs to whom, as far as the fold has come.

    Attributes
    ----------
    newest : ndarray of shape (n_crossings,), int64
        Newest revision folded; -1 before the first.
    first_at : ndarray of shape (n_crossings,), float64
        Days at which the first one was known: all its revisions count from then.
    first_inspection, next_inspection : ndarray of int64
        Inspections of each crossing as a linked list; -1 ends it.
    newest_result : ndarray of shape (n_inspections,), int64
        Newest result folded; -1 before the first.
    result_at : ndarray of shape (n_inspections,), float64
        Days at which the first one was known.
    stands_on : ndarray of shape (n_inspections,), int64
        Revision whose lines the result was added to; -1 where it does not count, or waits for its crossing.
    """

    newest: Ints
    first_at: Floats
    first_inspection: Ints
    next_inspection: Ints
    newest_result: Ints
    result_at: Floats
    stands_on: Ints


def empty_links(n_crossings: int, n_inspections: int) -> Links:
    """Return links of a fold that has not begun."""
    return Links(
        np.full(n_crossings, -1, dtype=np.int64),
        np.zeros(n_crossings),
        np.full(n_crossings, -1, dtype=np.int64),
        np.full(n_inspections, -1, dtype=np.int64),
        np.full(n_inspections, -1, dtype=np.int64),
        np.zeros(n_inspections),
        np.full(n_inspections, -1, dtype=np.int64),
    )


@compiled
def _put(
    tape: Records,
    length: int,
    code: int,
    revision: int,
    result: int,
    sign: float,
    at: float,
    recent: float,
    long: float,
) -> Records:
    """Write one operation behind the ``length`` that are there; the tape may move to a larger place."""
    if length == len(tape):
        larger = np.empty(2 * len(tape) + 16, OPERATION)
        larger[:length] = tape
        tape = larger
    tape[length].code = code
    tape[length].revision = revision
    tape[length].result = result
    tape[length].sign = sign
    tape[length].at = at
    tape[length].recent = recent
    tape[length].long = long
    tape[length].own_start = 0
    tape[length].own_stop = 0
    return tape


@compiled
def _put_change(tape: Records, length: int, code: int, revision: int, result: int, sign: float, at: float) -> Records:
    """Write an operation that adds or takes back something which counts from ``at``."""
    recent, long = math.exp(at * _RECENT_PER_DAY), math.exp(at * _LONG_PER_DAY)
    return _put(tape, length, code, revision, result, sign, at, recent, long)


@compiled
def link_events(events: Records, revisions: Records, results: Records, links: Links) -> tuple[Records, Records]:
    """Turn events into operations; events that were known at the same instant are all read before any is applied.

    Parameters
    ----------
    events : ndarray of EVENT
        In fold order, instants not split over calls.
    revisions : ndarray of REVISION
    results : ndarray of RESULT
    links : Links
        Changed.

    Returns
    -------
    tape : ndarray of OPERATION
    own : ndarray of OPERATION
        What a crossing that is read has contributed itself; the reading operation tells which of them.
    """
    tape, own = np.empty(3 * len(events) + 16, OPERATION), np.empty(16, OPERATION)
    length, n_own = 0, 0
    begin = 0
    while begin < len(events):
        end = begin
        while end < len(events) and events[end].at == events[begin].at:
            end += 1
        for e in range(begin, end):
            if events[e].reads and not events[e].is_result:
                v = events[e].index
                at = events[e].at
                tape = _put(
                    tape, length, READ, v, -1, 1.0, at, math.exp(-at * _RECENT_PER_DAY), math.exp(-at * _LONG_PER_DAY)
                )
                tape[length].own_start = n_own
                own, n_own = _list_own(revisions[v].crossing, links, own, n_own)
                tape[length].own_stop = n_own
                length += 1
        for e in range(begin, end):
            if events[e].applies:
                if events[e].is_result:
                    tape, length = _link_result(events[e].index, revisions, results, links, tape, length)
                else:
                    tape, length = _link_revision(events[e].index, revisions, results, links, tape, length)
        begin = end
    return tape[:length], own[:n_own]


@compiled
def _list_own(crossing: int, links: Links, own: Records, n_own: int) -> tuple[Records, int]:
    """List what stands of a crossing's own lines and results."""
    if links.newest[crossing] >= 0:
        own = _put_change(own, n_own, LINES, links.newest[crossing], -1, -1.0, links.first_at[crossing])
        n_own += 1
    i = links.first_inspection[crossing]
    while i >= 0:
        if links.stands_on[i] >= 0:
            own = _put_change(
                own, n_own, RESULT_SHARES, links.stands_on[i], links.newest_result[i], -1.0, links.result_at[i]
            )
            n_own += 1
        i = links.next_inspection[i]
    return own, n_own


@compiled
def _link_revision(
    v: int, revisions: Records, results: Records, links: Links, tape: Records, length: int
) -> tuple[Records, int]:
    """Let a revision take the place of the one before; results that waited for the crossing attach to it."""
    c = revisions[v].crossing
    before = links.newest[c]
    if before >= 0:
        if revisions[before].number >= revisions[v].number:
            return tape, length
        tape = _put_change(tape, length, LINES, before, -1, -1.0, links.first_at[c])
        length += 1
    else:
        links.first_at[c] = revisions[v].at
    links.newest[c] = v
    if revisions[v].start == revisions[v].stop:
        return tape, length
    tape = _put_change(tape, length, LINES, v, -1, 1.0, links.first_at[c])
    length += 1
    i = links.first_inspection[c]
    while i >= 0:
        n = links.newest_result[i]
        if links.stands_on[i] < 0 and results[n].counts:
            links.stands_on[i] = v
            tape = _put_change(tape, length, RESULT_SHARES, v, n, 1.0, links.result_at[i])
            length += 1
        i = links.next_inspection[i]
    return tape, length


@compiled
def _link_result(
    n: int, revisions: Records, results: Records, links: Links, tape: Records, length: int
) -> tuple[Records, int]:
    """Let a result take the place of the one before, on the lines of its crossing's newest revision."""
    i, c = results[n].inspection, results[n].crossing
    before = links.newest_result[i]
    if before >= 0:
        if results[before].number >= results[n].number:
            return tape, length
        if links.stands_on[i] >= 0:
            tape = _put_change(tape, length, RESULT_SHARES, links.stands_on[i], before, -1.0, links.result_at[i])
            length += 1
            links.stands_on[i] = -1
    else:
        links.result_at[i] = results[n].at
        links.next_inspection[i] = links.first_inspection[c]
        links.first_inspection[c] = i
    links.newest_result[i] = n
    v = links.newest[c]
    if results[n].counts and v >= 0 and revisions[v].start < revisions[v].stop:
        links.stands_on[i] = v
        tape = _put_change(tape, length, RESULT_SHARES, v, n, 1.0, links.result_at[i])
        length += 1
    return tape, length

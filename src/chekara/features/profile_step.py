"""The compiled fold: runs a tape of operations over one kind of profile after the other.

The same for ten million rows and for one live crossing. Hot loops take whole arrays and a row's number: a view of the
row would cost more than what is done with it.

Numba keys its cache by this file alone: after a change of ``profile_tell.py`` or ``profile_state.py`` touch it, too.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chekara.features.profile_planes import Planes
from chekara.features.profile_state import (
    AMOUNT,
    CONTROLS,
    FIRST_AT,
    FIRST_BY,
    HITS_LONG,
    HITS_RECENT,
    INSPECTIONS_LONG,
    INSPECTIONS_RECENT,
    LAST_AT,
    LAST_BY,
    LINES,
    MASS_SUM,
    MASSES,
    OTHER_FIRST_AT,
    OTHER_FIRST_BY,
    OTHER_LAST_AT,
    OTHER_LAST_BY,
    PRICE_SQUARES,
    PRICE_SUM,
    PRICES,
    READ,
    RESULT_SHARES,
    VOLUME_LONG,
    VOLUME_RECENT,
    WAS_INSPECTED,
    Floats,
    Ints,
    Records,
    compiled,
    inlined,
)
from chekara.features.profile_tell import (
    UNDIVIDED,
    controls_told,
    goods_price,
    hit_rate,
    left,
    tell_masses,
    tell_prices,
    tell_traffic,
)

_STEEPEST = 3.0  # a price beyond 20 times the usual, or below a 20th, is a slip of the pen: it counts as that much


Slots = npt.NDArray[np.int32]
Columns = npt.NDArray[np.float32]


class Ledger(NamedTuple):
    """Everything that happened, as records: what a tape speaks of.

    Attributes
    ----------
    lines : ndarray of LINE
    revisions : ndarray of REVISION
    results : ndarray of RESULT
    slots : ndarray of shape (n_kinds, n_lines), int32
        Row of each line's key in the states; -1 where it has none.
    """

    lines: Records
    revisions: Records
    results: Records
    slots: npt.NDArray[np.int32]


class States(NamedTuple):
    """What is known of every key.

    Attributes
    ----------
    sums : ndarray of shape (n_keys + 1, 16), float64
        The last row is scratch.
    controls : ndarray of shape (n_keys + 1, 5 * n_domains), float64
        Zero where ``sums`` says that the key was never inspected.
    """

    sums: Floats
    controls: Floats


class Wanted(NamedTuple):
    """Which columns are wanted, of which lines.

    Attributes
    ----------
    kinds : ndarray of KIND
        Parents before children, goods first.
    requests : ndarray of REQUEST
        Sorted by kind.
    price_column, level_column : int
        Columns of the usual price and of the group that answers; -1 where not wanted.
    places : ndarray of shape (n_lines,), int64
        Column of ``out`` of each line; -1 where it is not wanted.
    """

    kinds: Records
    requests: Records
    price_column: int
    level_column: int
    places: Ints


@inlined
def _add_line(
    sums: Floats, s: int, line: Any, price: float, sign: float, recent: float, long: float, is_counted: bool
) -> None:
    """Add a goods line to a key's sums, or take it back."""
    if is_counted:
        sums[s, VOLUME_RECENT] += sign * recent
        sums[s, VOLUME_LONG] += sign * long
        if not math.isnan(line.log_mass):
            sums[s, MASSES] += sign * long
            sums[s, MASS_SUM] += sign * long * line.log_mass
    if not math.isnan(price):
        sums[s, PRICES] += sign * long
        sums[s, PRICE_SUM] += sign * long * price
        sums[s, PRICE_SQUARES] += sign * long * price * price


@inlined
def _see(sums: Floats, s: int, mark: float, at: float) -> None:
    """Note that a crossing saw the key: first and last instant, and those of another crossing."""
    if sums[s, LAST_BY] == 0.0:
        sums[s, LAST_AT], sums[s, LAST_BY] = at, mark
        sums[s, FIRST_AT], sums[s, FIRST_BY] = at, mark
        return
    if sums[s, LAST_BY] == mark:
        sums[s, LAST_AT] = max(sums[s, LAST_AT], at)
    elif at >= sums[s, LAST_AT]:
        sums[s, OTHER_LAST_AT], sums[s, OTHER_LAST_BY] = sums[s, LAST_AT], sums[s, LAST_BY]
        sums[s, LAST_AT], sums[s, LAST_BY] = at, mark
    elif sums[s, OTHER_LAST_BY] == 0.0 or at >= sums[s, OTHER_LAST_AT]:
        sums[s, OTHER_LAST_AT], sums[s, OTHER_LAST_BY] = at, mark
    if sums[s, FIRST_BY] == mark:
        sums[s, FIRST_AT] = min(sums[s, FIRST_AT], at)
    elif at < sums[s, FIRST_AT]:
        sums[s, OTHER_FIRST_AT], sums[s, OTHER_FIRST_BY] = sums[s, FIRST_AT], sums[s, FIRST_BY]
        sums[s, FIRST_AT], sums[s, FIRST_BY] = at, mark
    elif sums[s, OTHER_FIRST_BY] == 0.0 or at < sums[s, OTHER_FIRST_AT]:
        sums[s, OTHER_FIRST_AT], sums[s, OTHER_FIRST_BY] = at, mark


@inlined
def _add_result(controls: Floats, s: int, result: Any, weight: float, recent: float, long: float) -> None:
    """Add a line's share of a result to a key's controls, or (with a weight below zero) take it back."""
    base = result.domain * CONTROLS
    controls[s, base + INSPECTIONS_RECENT] += weight * recent
    controls[s, base + INSPECTIONS_LONG] += weight * long
    controls[s, base + HITS_RECENT] += weight * recent * result.hit
    controls[s, base + HITS_LONG] += weight * long * result.hit
    controls[s, base + AMOUNT] += weight * long * result.amount


@inlined
def _line_meant(lines: Records, revision: Any, item_no: int) -> int:
    """Return the line that a result is about; -1 where it is about all of them, or about one that is not there."""
    if item_no >= 0:
        for r in range(revision.start, revision.stop):
            if lines[r].item_no == item_no:
                return r
    return -1


@inlined
def _put_lines(
    kind: Any, slots: Slots, only: int, operation: Any, lines: Records, revision: Any, sums: Floats, target: int
) -> None:
    """Add a revision's lines to the sums of their keys, or take them back.

    With ``only`` not below zero: just the lines of that key, into row ``target``.
    """
    for r in range(revision.start, revision.stop):
        slot = slots[r]
        if slot < 0 or (only >= 0 and slot != only):
            continue
        s = target if only >= 0 else slot
        line = lines[r]
        price = line.log_price if kind.is_goods else line.centred
        is_counted = r == revision.start or not kind.is_crossing_level
        _add_line(sums, s, line, price, operation.sign, operation.recent, operation.long, is_counted)
        if operation.sign > 0.0 and is_counted:
            _see(sums, s, float(revision.mark), operation.at)


@inlined
def _put_result(
    slots: Slots,
    only: int,
    operation: Any,
    lines: Records,
    revision: Any,
    result: Any,
    sums: Floats,
    controls: Floats,
    target: int,
) -> None:
    """Add a result to the controls of its lines' keys, or take it back; ``only`` and ``target`` as of lines."""
    meant = _line_meant(lines, revision, result.item_no)
    first, stop = (meant, meant + 1) if meant >= 0 else (revision.start, revision.stop)
    for r in range(first, stop):
        slot = slots[r]
        if slot < 0 or (only >= 0 and slot != only):
            continue
        s = target if only >= 0 else slot
        sums[s, WAS_INSPECTED] = 1.0
        _add_result(controls, s, result, operation.sign / (stop - first), operation.recent, operation.long)


@compiled
def _copy_without_own(
    kind: Any,
    slots: Slots,
    slot: int,
    own: Records,
    lines: Records,
    revisions: Records,
    results: Records,
    sums: Floats,
    controls: Floats,
) -> int:
    """Copy a key's state into the last row, leave out what a crossing contributed itself, and return that row."""
    copy = len(sums) - 1
    sums[copy], controls[copy] = sums[slot], controls[slot]
    for operation in own:
        revision = revisions[operation.revision]
        if operation.code == LINES:
            _put_lines(kind, slots, slot, operation, lines, revision, sums, copy)
        else:
            _put_result(slots, slot, operation, lines, revision, results[operation.result], sums, controls, copy)
    return copy


@inlined
def _fill_rates(
    rates: Floats, k: int, parent: int, q: int, controls: Floats, s: int, was_inspected: bool, long: float
) -> None:
    """Fill the hit rates that a key and its children lean on."""
    for d in range(rates.shape[2]):
        rates[k, q, d] = hit_rate(controls, s, was_inspected, d, long, rates[parent, q, d])


@inlined
def _tell_nothing(kind: Any, requests: Records, out: Columns, place: int) -> None:
    """Write the columns of a wanted line that has no key of this kind."""
    for w in range(kind.first_request, kind.last_request):
        out[requests[w].column, place] = math.nan


@inlined
def _tell_line(
    kind: Any,
    requests: Records,
    line: Any,
    mark: float,
    operation: Any,
    sums: Floats,
    controls: Floats,
    s: int,
    usual: float,
    rates: Floats,
    k: int,
    q: int,
    parent_volume: float,
    told: Floats,
    out: Columns,
    place: int,
) -> None:
    """Write the columns of a wanted line that has a key of this kind."""
    recent, long = operation.recent, operation.long
    tell_traffic(told, sums, s, mark, operation.at, recent, long, parent_volume)
    if kind.tells_prices:
        price = line.log_price if kind.is_goods else line.centred
        tell_prices(told, sums, s, long, price, kind.is_goods != 0, usual)
    if kind.tells_masses:
        tell_masses(told, sums, s, long, line.log_mass)
    was_inspected = sums[s, WAS_INSPECTED] != 0.0
    for w in range(kind.first_request, kind.last_request):
        measure, d, column = requests[w].measure, requests[w].domain, requests[w].column
        if d < 0:
            out[column, place] = told[measure]
        else:
            rate = rates[k, q, d]
            out[column, place] = controls_told(measure, controls, s, d, was_inspected, recent, long, rate)


@compiled
def _fold_kind(
    k: int,
    tape: Records,
    own: Records,
    lines: Records,
    revisions: Records,
    results: Records,
    slots: Slots,
    sums: Floats,
    controls: Floats,
    kinds: Records,
    requests: Records,
    places: Ints,
    rates: Floats,
    volumes: Floats,
    prices: Floats,
    levels: Floats,
    out: Columns,
) -> None:
    """Run the tape over one kind."""
    kind = kinds[k]
    # The plane behind the last kind is that of a parent which knows nothing.
    parent = kind.parent if kind.parent >= 0 else len(kinds)
    told = np.empty(UNDIVIDED)
    q = -1  # the line read, the same ones for every kind
    for o in range(len(tape)):
        operation = tape[o]
        revision = revisions[operation.revision]
        if operation.code == LINES:
            _put_lines(kind, slots, -1, operation, lines, revision, sums, -1)
            continue
        if operation.code == RESULT_SHARES:
            _put_result(slots, -1, operation, lines, revision, results[operation.result], sums, controls, -1)
            continue
        for r in range(revision.start, revision.stop):
            q += 1
            s, place = slots[r], places[r]
            if place < 0 and not kind.is_goods:
                continue
            prices[k, q], levels[k, q], volumes[k, q] = prices[parent, q], levels[parent, q], math.nan
            usual = math.nan
            if s >= 0:
                if operation.own_start < operation.own_stop:
                    mine = own[operation.own_start : operation.own_stop]
                    s = _copy_without_own(kind, slots, s, mine, lines, revisions, results, sums, controls)
                volumes[k, q] = left(sums[s, VOLUME_LONG], operation.long)
                if kind.is_goods:
                    usual = goods_price(sums, s, operation.long, prices[parent, q])
                    if not math.isnan(usual):
                        prices[k, q], levels[k, q] = usual, k
            if kind.needs_rates:
                was_inspected = s >= 0 and sums[s, WAS_INSPECTED] != 0.0
                _fill_rates(rates, k, parent, q, controls, s, was_inspected, operation.long)
            if place >= 0 and s < 0:
                _tell_nothing(kind, requests, out, place)
            elif place >= 0:
                _tell_line(
                    kind, requests, lines[r], float(revision.mark), operation, sums, controls, s, usual, rates, k, q,
                    volumes[parent, q], told, out, place,
                )  # fmt: skip


@compiled
def _centre(
    tape: Records,
    revisions: Records,
    lines: Records,
    usual: Floats,
    level: Floats,
    places: Ints,
    price_column: int,
    level_column: int,
    out: Columns,
) -> None:
    """Hold the prices of the lines read against the usual ones, which the narrowest group of goods has just told."""
    q = -1
    for o in range(len(tape)):
        if tape[o].code != READ:
            continue
        revision = revisions[tape[o].revision]
        for r in range(revision.start, revision.stop):
            q += 1
            centred = lines[r].log_price - usual[q]
            lines[r].centred = centred if math.isnan(centred) else min(max(centred, -_STEEPEST), _STEEPEST)
            if places[r] >= 0 and price_column >= 0:
                out[price_column, places[r]] = math.exp(usual[q])
            if places[r] >= 0 and level_column >= 0:
                out[level_column, places[r]] = level[q]


@compiled
def fold_tape(
    tape: Records, own: Records, ledger: Ledger, states: States, wanted: Wanted, planes: Planes, out: Columns
) -> None:
    """Run a tape over one kind after the other.

    Parameters
    ----------
    tape, own : ndarray of OPERATION
        Of `link_events`.
    ledger : Ledger
        The column ``centred`` of its lines is filled in.
    states : States
        Changed.
    wanted : Wanted
    planes : Planes
        Scratch, of `make_planes`.
    out : ndarray of float32, shape (n_columns, n_places)
        Filled.
    """
    lines, revisions, results, slots = ledger
    kinds, requests, price_column, level_column, places = wanted
    for k in range(len(kinds)):
        _fold_kind(
            k, tape, own, lines, revisions, results, slots[k], states.sums, states.controls, kinds, requests, places,
            planes.rates, planes.volumes, planes.prices, planes.levels, out,
        )  # fmt: skip
        if kinds[k].is_narrowest:
            usual, level = planes.prices[k], planes.levels[k]
            _centre(tape, revisions, lines, usual, level, places, price_column, level_column, out)

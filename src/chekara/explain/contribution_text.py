"""Contributions as a JSON object, or as whole numbers, in one compiled pass: an answer holds over a thousand of them.

They are whole billionths of log-odds (`chekara.service.predict.explain_rows`), so a number is written digit by digit
and reads back to the same float: a decimal of so few digits has one nearest float, and rounding found that one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit, types

from chekara.domain.once import MadeOnce

Bytes = npt.NDArray[np.uint8]

BILLION: Final = 1e9
LARGEST_INT32: Final = 2**31 - 1
LARGEST: Final = 1e6
"""Log-odds beyond this are written as any other number; below, a number takes at most 18 bytes."""
_LONGEST: Final = 18
_THOUSANDS: Final = np.frombuffer("".join(f"{n:03d}" for n in range(1000)).encode(), dtype=np.uint8)


class Members(NamedTuple):
    """The names of a model as parts of a JSON object: what stands before each number.

    Attributes
    ----------
    text : ndarray of uint8
        ``{"mode":,"hs4":`` and so on, one after the other.
    ends : ndarray of uint64
        Where each one ends.
    """

    text: Bytes
    ends: npt.NDArray[np.uint64]


def members_of(names: tuple[str, ...]) -> Members:
    """Prepare the names of a model.

    Examples
    --------
    >>> members_of(("mode", "hs4")).text.tobytes(), members_of(("mode", "hs4")).ends.tolist()
    (b'{"mode":,"hs4":', [8, 15])
    """
    parts = [b"%b%b:" % (b"," if place else b"{", msgspec.json.encode(name)) for place, name in enumerate(names)]
    ends = np.cumsum([len(part) for part in parts], dtype=np.uint64)
    return Members(np.frombuffer(b"".join(parts), dtype=np.uint8), ends)


_members = MadeOnce(members_of, most=256)


def contributions_json(names: tuple[str, ...], amounts: npt.NDArray[np.float64]) -> bytes:
    """Write contributions as a JSON object, in the order of their names.

    Parameters
    ----------
    names : tuple of str
        One object for all scores of a model.
    amounts : ndarray of shape (n_names,), float64

    Returns
    -------
    bytes
        Every number reads back to the same float; NaN and infinity become null.

    Examples
    --------
    >>> contributions_json(("mode", "hs4"), np.array([0.25, -1.5e-08]))
    b'{"mode":0.25,"hs4":-0.000000015}'
    """
    if not names:
        return b"{}"
    members = _members(names)
    room = np.empty(len(members.text) + _LONGEST * len(members.ends) + 1, dtype=np.uint8)
    amounts = np.ascontiguousarray(amounts, dtype=np.float64)
    length = write_members(members.text, members.ends, amounts, _THOUSANDS, room)
    if length < 0:
        return msgspec.json.encode(dict(zip(names, amounts.tolist(), strict=True)))
    return room[:length].tobytes()


_READ_ONLY_BYTES: Final = types.Array(types.uint8, 1, "C", readonly=True)
_PLACES: Final = types.Array(types.uint64, 1, "C", readonly=True)
_AMOUNTS: Final = types.Array(types.float64, 1, "C", readonly=True)
_WRITES: Final = types.int64(_READ_ONLY_BYTES, _PLACES, _AMOUNTS, _READ_ONLY_BYTES, types.uint8[::1])
# Unsigned throughout: LLVM then knows that no place is counted from the end, and copies names in blocks.
_U0, _U1, _U3, _U10 = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(10)
_THOUSAND, _BILLION = np.uint64(1000), np.uint64(1_000_000_000)
_ZERO_DIGIT, _POINT, _MINUS, _END = np.uint8(48), np.uint8(46), np.uint8(45), np.uint8(125)


def billionths_of(amounts: npt.NDArray[np.float64]) -> npt.NDArray[np.int32] | None:
    """Return contributions as whole billionths; None where one is larger than 2.1 and fits no int32.

    Parameters
    ----------
    amounts : ndarray of shape (n_names,), float64

    Examples
    --------
    >>> billionths_of(np.array([0.25, -1e-09])).tolist(), billionths_of(np.array([2.2])) is None
    ([250000000, -1], True)
    """
    found = np.empty(len(amounts), dtype=np.int32)
    return found if write_billionths(np.ascontiguousarray(amounts, dtype=np.float64), found) else None


@njit(types.boolean(_AMOUNTS, types.int32[::1]), cache=True, nogil=True)
def write_billionths(amounts: npt.NDArray[np.float64], found: npt.NDArray[np.int32]) -> bool:
    """Write each amount in billionths; False where one does not fit."""
    for place in range(len(amounts)):
        billionths = np.rint(amounts[place] * BILLION)
        if not abs(billionths) <= LARGEST_INT32:  # NaN included
            return False
        found[place] = np.int32(billionths)
    return True


@njit(types.uint64(types.uint64, _READ_ONLY_BYTES, types.uint8[::1], types.uint64), cache=True, nogil=True)
def _write_number(billionths: np.uint64, thousands: Bytes, room: Bytes, to: np.uint64) -> np.uint64:
    """Write a decimal without trailing zeros, one digit after the point at least; returns where it ends."""
    whole = billionths // _BILLION
    rest = billionths - whole * _BILLION
    if whole >= _U10:
        end, left = to + _U1, whole // _U10
        while left > _U0:
            end, left = end + _U1, left // _U10
        at = end
        while at > to:
            at -= _U1
            room[at] = _ZERO_DIGIT + np.uint8(whole % _U10)
            whole //= _U10
        to = end
    else:
        room[to] = _ZERO_DIGIT + np.uint8(whole)
        to += _U1
    room[to] = _POINT
    to += _U1
    first = to
    millionths = rest // _THOUSAND
    thousandths = millionths // _THOUSAND
    for group in (thousandths, millionths - thousandths * _THOUSAND, rest - millionths * _THOUSAND):
        begin = _U3 * group
        room[to], room[to + _U1], room[to + _U1 + _U1] = (
            thousands[begin],
            thousands[begin + _U1],
            thousands[begin + _U1 + _U1],
        )
        to += _U3
    while to > first + _U1 and room[to - _U1] == _ZERO_DIGIT:
        to -= _U1
    return to


@njit(_WRITES, cache=True, nogil=True)
def write_members(
    text: Bytes, ends: npt.NDArray[np.uint64], amounts: npt.NDArray[np.float64], thousands: Bytes, room: Bytes
) -> int:
    """Write names and numbers; returns the length, or -1 where a number is no whole number of billionths."""
    to, at = _U0, _U0
    for place in range(len(ends)):
        end = ends[place]
        while at < end:
            room[to] = text[at]
            at += _U1
            to += _U1
        amount = amounts[place]
        size = abs(amount)
        if not size < LARGEST:  # NaN included
            return -1
        billionths = np.rint(size * BILLION)
        if billionths / BILLION != size:
            return -1
        if amount < 0:
            room[to] = _MINUS
            to += _U1
        to = _write_number(np.uint64(billionths), thousands, room, to)
    room[to] = _END
    return int(to + _U1)

"""Names of keys that last: 64-bit digests of what a key is made of, the same from a file and from a request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.features.profile_kinds import FIELDS, KINDS
from chekara.features.profile_state import Ints

MISSING = 0
"""Key of a field that a line lacks."""

_ENTITIES = ("importer", "exporter", "declarant", "carrier", "vehicle", "trailer")
COLUMN_OF_FIELD = {
    **{name: f"{name}_id" for name in _ENTITIES},
    **dict.fromkeys(("hs6", "hs4", "hs_chapter"), "hs_code"),
    "origin": "origin_country",
    "crossing_point": "crossing_point",
    "neighbour_and_regime": "crossing_point",
}
"""Contract column that a field is read from."""
_HS_DIGITS = {"hs6": 6, "hs4": 4, "hs_chapter": 2}
_ONE_KEY = 1


def neighbourhoods(crossing_points: pd.DataFrame) -> dict[str, str]:
    """Return neighbour and border regime of each crossing point, such as ``"CN external"``.

    Parameters
    ----------
    crossing_points : DataFrame
        ``History.crossing_points``; rows that lack neighbour or regime are left out.

    Examples
    --------
    >>> points = pd.DataFrame({"code": ["TOR", "X"], "neighbour": ["CN", None], "border_regime": ["external", "union"]})
    >>> neighbourhoods(points)
    {'TOR': 'CN external'}
    """
    known = crossing_points[["code", "neighbour", "border_regime"]].dropna()
    return {str(code): f"{neighbour} {regime}" for code, neighbour, regime in known.itertuples(index=False)}


def field_reader(field: str, neighbours: Mapping[str, str]) -> Callable[[str], str | None]:
    """Tell how a field is read from its contract column.

    Parameters
    ----------
    field : str
        Of `FIELDS`.
    neighbours : mapping of str to str
        Of `neighbourhoods`.

    Returns
    -------
    callable
        Text of the column to text of the field; None where it tells nothing.

    Examples
    --------
    >>> field_reader("hs4", {})("610910"), field_reader("hs6", {})("6109")
    ('6109', None)
    """
    if field in _HS_DIGITS:
        return partial(_prefix, digits=_HS_DIGITS[field])
    return neighbours.get if field == "neighbour_and_regime" else _as_it_is


def _prefix(code: str, digits: int) -> str | None:
    return code[:digits] if len(code) >= digits else None


def _as_it_is(text: str) -> str | None:
    return text


OWN_BITS = 40
"""Bits of a key that are its own; those before them say where it lies among others."""
OWN_MASK = np.int64((1 << OWN_BITS) - 1)


# Mixed into the keys of a kind: an importer and a carrier with one key are two states. Where a key lies stays.
_SALTS = (
    np.array(
        [int.from_bytes(hashlib.blake2b(kind.name.encode(), digest_size=8).digest(), "big") for kind in KINDS],
        dtype=np.uint64,
    ).astype(np.int64)
    & OWN_MASK
)
_SALT_OF_KIND = {kind.name: salt for kind, salt in zip(KINDS, _SALTS, strict=True)}


def slots_of(kind: str, keys: Ints) -> Ints:
    """Return the slots of one kind's keys: the numbers under which states are stored; same shape.

    Examples
    --------
    >>> bool(slots_of("importer", np.array([7])) == slots_of("carrier", np.array([7])))
    False
    """
    slots: Ints = keys ^ _SALT_OF_KIND[kind]
    return slots


def key_of(field: str, text: str) -> int:
    """Return the key of one entity: signed, 64 bits, never 0.

    Parameters
    ----------
    field : str
        The same text is another entity in another field.
    text : str
    """
    digest = hashlib.blake2b(text.encode(), digest_size=8, person=field[:16].encode()).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


def mark_of(crossing_id: str) -> int:
    """Return the mark of a crossing in states: 53 bits, so that a float64 holds it, never 0."""
    digest = hashlib.blake2b(crossing_id.encode(), digest_size=8, person=b"crossing").digest()
    return int.from_bytes(digest, "little") >> 11 or 1


# Fields of each kind, twice the same where it has one: then nothing is mixed.
_FIELDS_OF_KIND = [kind.fields for kind in KINDS]
_FIRST = np.array([FIELDS.index(fields[0]) if fields else 0 for fields in _FIELDS_OF_KIND])
_SECOND = np.array([FIELDS.index(fields[-1]) if fields else 0 for fields in _FIELDS_OF_KIND])
_IS_PAIR = np.array([len(fields) == 2 for fields in _FIELDS_OF_KIND])
_IS_ONE = np.array([len(fields) == 0 for fields in _FIELDS_OF_KIND])
_HOME = np.array([FIELDS.index(kind.fields[kind.home]) for kind in KINDS if len(kind.fields) == 2])


def keys_of_kinds(keys: Ints) -> Ints:
    """Return the keys of every kind.

    Parameters
    ----------
    keys : ndarray of shape (n_lines, n_fields), int64
        Keys of `FIELDS`, `MISSING` where a line lacks one.

    Returns
    -------
    ndarray of shape (n_kinds, n_lines), int64
        In the order of `KINDS`; `MISSING` where a line has no key of the kind. A pair begins with the bits of the field
        that it lies beside (`ProfileKind.home`): a crossing then touches a third of the pages of a store in the order
        of keys. The `OWN_BITS` at the end tell apart what begins alike.
    """
    out: Ints = keys.T[_FIRST]
    left, right = out[_IS_PAIR], keys.T[_SECOND[_IS_PAIR]]
    pairs = (keys.T[_HOME] & ~OWN_MASK) | (_mixed(left, right) & OWN_MASK)
    pairs[pairs == MISSING] = _ONE_KEY
    out[_IS_PAIR] = np.where((left == MISSING) | (right == MISSING), MISSING, pairs)
    out[_IS_ONE] = _ONE_KEY
    return out


def slots_of_kinds(keys: Ints) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Return the slots that goods lines touch.

    Parameters
    ----------
    keys : ndarray of shape (n_lines, n_fields), int64
        As of `keys_of_kinds`.

    Returns
    -------
    slots : ndarray of shape (n_slots,), int64
        Each once, ascending: in the order of the store.
    places : ndarray of shape (n_kinds, n_lines), int32
        Where the slot of each kind and line stands among them; -1 where a line has no key of the kind.
    """
    of_kinds = keys_of_kinds(keys)
    is_there = of_kinds != MISSING
    places = np.full(of_kinds.shape, -1, dtype=np.int32)
    slots, places[is_there] = np.unique((of_kinds ^ _SALTS[:, np.newaxis])[is_there], return_inverse=True)
    return slots, places


def _mixed(left: Ints, right: Ints) -> Ints:
    """Mix two keys into one, as SplitMix64 finishes its numbers; the order matters."""
    mixed: npt.NDArray[np.uint64] = left.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= right.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed.astype(np.int64)

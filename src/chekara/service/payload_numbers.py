"""What a log entry holds of features and contributions: exactly, and small."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from chekara.explain.contribution_text import BILLION, billionths_of
from chekara.features.joined import JoinedFeatures
from chekara.service.contributions import Contributions

_NAN_BITS = np.float32(np.nan).view(np.uint32)

Plain = dict[str, Any]


def plain_features(features: JoinedFeatures) -> Plain:
    """Write features exactly: numbers as little-endian float32, line by line; categories as lists.

    Most numbers are missing or 0: a bit for each tells which are (the one NaN that numpy writes, and +0), and only the
    others are written. All three are base64.
    """
    bits = features.numbers.astype("<f4", copy=False).view("<u4").ravel()
    is_missing, is_zero = bits == _NAN_BITS, bits == 0
    return {
        "names": features.names,
        "items": features.n_lines,
        "missing": _packed(np.packbits(is_missing)),
        "zero": _packed(np.packbits(is_zero)),
        "others": _packed(bits[~(is_missing | is_zero)]),
        "categories": features.categories,
    }


def features_from(plain: Plain) -> JoinedFeatures:
    """Read features back, bit for bit."""
    names, n_lines = tuple(plain["names"]), int(plain["items"])
    n = n_lines * len(names)
    is_missing, is_zero = (np.unpackbits(_unpacked(plain[k], "u1"), count=n).astype(bool) for k in ("missing", "zero"))
    bits = np.where(is_missing, _NAN_BITS, np.uint32(0))
    bits[~(is_missing | is_zero)] = _unpacked(plain["others"], "<u4")
    return JoinedFeatures(names, bits.view(np.float32).reshape(n_lines, len(names)), plain["categories"])


def _packed(array: npt.NDArray[Any]) -> msgspec.Raw:
    # Base64 holds nothing to escape: it is the bytes of its own JSON.
    return msgspec.Raw(b'"%b"' % binascii.b2a_base64(array.data, newline=False))


def _unpacked(packed: str, dtype: str) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(packed), dtype=dtype)


def plain_contributions(contributions: Mapping[str, float]) -> Plain:
    """Write contributions exactly: whole billionths as base64 of little-endian int32.

    They are rounded to a billionth when they are made. Where one is larger than 2.1, and fits no int32, all of them are
    written as float64.

    Examples
    --------
    >>> plain = plain_contributions({"value_per_kg": -1.25, "mode": 0.000000001})
    >>> dict(contributions_from(msgspec.json.decode(msgspec.json.encode(plain))))
    {'value_per_kg': -1.25, 'mode': 1e-09}
    """
    if isinstance(contributions, Contributions):
        names, values = contributions.names, contributions.amounts
    else:
        names = tuple(contributions)
        values = np.fromiter(contributions.values(), dtype="<f8", count=len(contributions))
    billionths = billionths_of(values)
    if billionths is None:
        return {"names": names, "float64": _packed(np.ascontiguousarray(values, dtype="<f8"))}
    return {"names": names, "billionths": _packed(billionths.astype("<i4", copy=False))}


def contributions_from(plain: Plain) -> Contributions:
    """Read contributions back, bit for bit: they are told in the same bytes as when they were new."""
    values = (
        _unpacked(plain["billionths"], "<i4") / BILLION if "billionths" in plain else _unpacked(plain["float64"], "<f8")
    )
    return Contributions(tuple(plain["names"]), values)

"""Answers as bytes of JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from chekara.explain.contribution_text import contributions_json
from chekara.service.contributions import Contributions


def json_bytes(content: Any) -> bytes:
    """Write plain values, and contributions among them, as JSON in UTF-8.

    Parameters
    ----------
    content : anything that JSON can hold, or Contributions
        The latter are most of a decision, and are written without a dictionary between.

    Examples
    --------
    >>> import numpy as np
    >>> json_bytes({"margin": -0.5, "contributions": Contributions(("mode",), np.array([0.25]))})
    b'{"margin":-0.5,"contributions":{"mode":0.25}}'
    """
    return _ENCODER.encode(content)


def _plain(value: Any) -> msgspec.Raw:
    if isinstance(value, Contributions):
        return msgspec.Raw(contributions_json(value.names, value.amounts))
    raise TypeError(f"{type(value).__name__} is nothing that an answer holds")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)

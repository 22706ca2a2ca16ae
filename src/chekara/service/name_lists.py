"""Lists of feature names, written once: a decision's payload names each list by its digest.

A model's names are the same in every decision, and take twenty times the room of its numbers. Their digest is part of
the payload, so the chain vouches for them as for all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from chekara.domain.once import MadeOnce
from chekara.errors import AuditError
from chekara.service.chain import canonical_json, payload_digest
from chekara.service.payload import Plain, parsed_list


def shorten_names(plain: Plain) -> dict[str, bytes]:
    """Replace the lists of names in a decision's payload by their digests.

    Parameters
    ----------
    plain : dict
        What `plain_decision` wrote; changed.

    Returns
    -------
    dict of str to bytes
        The lists by digest, to be stored once.
    """
    lists: dict[str, bytes] = {}
    for holder, key in _places(plain):
        if not isinstance(holder[key], str):
            digest, content = _digested(holder[key])
            lists[digest] = content
            holder[key] = digest
    return lists


def expand_names(plain: Plain, look_up: Callable[[set[str]], Mapping[str, bytes]]) -> Plain:
    """Put the lists of names back into a decision's payload.

    Parameters
    ----------
    plain : dict
        Changed, and returned.
    look_up : callable
        From digests to the stored lists; one that is not stored is absent.

    Raises
    ------
    AuditError
        A stored list is gone, or not what its digest says.
    """
    places = [(holder, key) for holder, key in _places(plain) if isinstance(holder[key], str)]
    stored = look_up({holder[key] for holder, key in places}) if places else {}
    for holder, key in places:
        holder[key] = _names_in(holder[key], stored.get(holder[key], b""))
    return plain


def _places(plain: Plain) -> Iterator[tuple[dict[str, Any], str]]:
    yield plain["features"], "names"
    for score in plain["domains"]:
        yield score["contributions"], "names"


def _with_digest(names: Sequence[str]) -> tuple[str, bytes]:
    content = canonical_json(names)
    return payload_digest(content), content


_digested = MadeOnce(_with_digest, most=256)


@lru_cache(maxsize=256)
def _names_in(digest: str, content: bytes) -> tuple[str, ...]:
    if payload_digest(content) != digest:
        raise AuditError("a stored list of feature names was changed or is gone", where="name_lists")
    return tuple(parsed_list(content))

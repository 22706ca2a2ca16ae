"""Profiles of live events: the same compiled fold as a history's, over the few keys that a group of requests needs.

A group goes in four steps, all within the transaction that records its decisions:

1. ``group = live.group(events, pending)``: ``group.crossing_ids`` names the records to read;
2. ``group.state_keys(records)`` names the states to read;
3. ``outcome = group.fold(states)`` gives the columns of the lines to be scored, and what to write back;
4. write ``outcome.records``, ``outcome.states`` and ``outcome.pending``.

Events at the newest instant are *pending*: they are part of no state yet, since an event never sees another that was
known at the same instant. The next group with a later instant applies them first. Test events
(``is_counted=False``) read as all others do and leave nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.domain.crossing import Crossing
from chekara.domain.inspection import Inspection

StateKey: TypeAlias = tuple[str, int]
"""Name of the kind, and a signed 64-bit key (BLAKE2b of the entity's text): ``("importer", -42)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingEvent:
    """One revision of a crossing, as scored.

    Attributes
    ----------
    crossing : Crossing
        Its ``known_at`` is its *as_of*.
    position : int
        Place in the log; orders events that were known at the same instant.
    is_counted : bool
        False for test keys, or where a crossing is read again: columns are given, nothing is kept.
    """

    crossing: Crossing
    position: int
    is_counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidEvent:
    """A crossing that never came: what it contributed is taken back, when it was seen stays.

    Attributes
    ----------
    crossing_id : str
    revision : int
        Higher than all before.
    known_at : datetime
    position : int
    """

    crossing_id: str
    revision: int
    known_at: datetime
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultEvent:
    """One revision of an inspection's result.

    Attributes
    ----------
    inspection : Inspection
    position : int
    """

    inspection: Inspection
    position: int


ProfileEvent: TypeAlias = CrossingEvent | VoidEvent | ResultEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOutcome:
    """What the fold of a group gives.

    Attributes
    ----------
    columns : dict of str to float32 ndarray of shape (n_lines,)
        Profile columns of the lines of all `CrossingEvent` of the group, in the order given, line after line: as
        ``items_from_crossings`` lays out the same crossings.
    states : dict of StateKey to bytes
        Changed states, to be stored.
    records : dict of str to bytes
        By crossing_id: what changed crossings contribute, to be stored.
    pending : bytes
        To be stored, and handed to the next group.
    late : tuple of int
        Positions of events that were known before the newest instant already applied. They are folded, and scored,
        as if known at that instant.
    """

    columns: dict[str, npt.NDArray[np.float32]]
    states: dict[StateKey, bytes]
    records: dict[str, bytes]
    pending: bytes
    late: tuple[int, ...]


class LiveProfiles:
    """The live side of the profile engine; made once, used for every group.

    Parameters
    ----------
    names : sequence of str
        Columns that the models which serve need (``features.catalogue.laid_columns``).
    domains : sequence of str
        Risk domains kept in the states: those of the policy, in its order.
    neighbourhoods : mapping of str to str
        Neighbour and border regime by crossing point, of `neighbourhoods`.

    Attributes
    ----------
    layout_digest : str
        Of `chekara.features.profiles.FoldedHistory`: stored states of another layout must be rebuilt.
    """

    layout_digest: str

    def __init__(self, names: Sequence[str], *, domains: Sequence[str], neighbourhoods: Mapping[str, str]) -> None:
        raise NotImplementedError

    def group(self, events: Sequence[ProfileEvent], pending: bytes = b"") -> EventGroup:
        """Begin the fold of a group of events.

        Parameters
        ----------
        events : sequence of ProfileEvent
            In any order: the fold sorts them by (known_at, crossings before results, revision, position).
        pending : bytes
            Of the group before; empty at the very first.
        """
        raise NotImplementedError


class EventGroup:
    """A group under way; made by `LiveProfiles.group`.

    Attributes
    ----------
    crossing_ids : tuple of str
        Whose records are needed.
    """

    crossing_ids: tuple[str, ...]

    def state_keys(self, records: Mapping[str, bytes]) -> list[StateKey]:
        """Tell which states are needed.

        Parameters
        ----------
        records : mapping of str to bytes
            Stored records of `crossing_ids`; one that is absent was never seen.
        """
        raise NotImplementedError

    def fold(self, states: Mapping[StateKey, bytes]) -> GroupOutcome:
        """Fold the group.

        Parameters
        ----------
        states : mapping of StateKey to bytes
            Stored states of the keys told by `state_keys`; one that is absent was never seen.

        Raises
        ------
        ConfigurationError
            `state_keys` was not called before, or a stored state has another layout.
        """
        raise NotImplementedError


def neighbourhoods(crossing_points: pd.DataFrame) -> dict[str, str]:
    """Return neighbour and border regime of each crossing point, such as ``"CN external"``.

    Parameters
    ----------
    crossing_points : DataFrame
        ``History.crossing_points``; rows that lack neighbour or regime are left out.
    """
    raise NotImplementedError

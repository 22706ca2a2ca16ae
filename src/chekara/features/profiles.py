"""Profiles of a whole history: what was known of each line's entities just before it, as columns.

Training, backtests and ``chekara score`` ask here; the service asks `chekara.features.profile_live`, which runs the
same compiled fold over the few keys that a request needs. What is counted,
when and how it decays: ``docs/profiles.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.data.sources import History

Floats32: TypeAlias = npt.NDArray[np.float32]
Progress: TypeAlias = Callable[[int, int], None]
"""Told (rows done, of how many)."""


def profile_columns(
    history: History,
    names: Sequence[str],
    *,
    domains: Sequence[str],
    rows: npt.NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> dict[str, Floats32]:
    """Compute profile columns of goods lines, each as known strictly before its own revision was.

    Parameters
    ----------
    history : History
        All revisions, inspections and crossing points; everything in it is folded.
    names : sequence of str
        Profile features (``features.catalogue.laid_columns`` of a model's features), `REFERENCE_PRICE` and
        `REFERENCE_LEVEL`.
    domains : sequence of str
        Risk domains that are kept in the sums; a name may only tell of one of them. Inspections for other domains are
        passed over. A domain's own features do not depend on which others are kept.
    rows : ndarray of bool, shape (n_rows,), optional
        Rows of ``history.crossings`` that are wanted; default all.
    progress : callable, optional

    Returns
    -------
    dict of str to float32 ndarray of shape (n_wanted_rows,)
        In the order of ``history.crossings``; to be laid beside the items (``ItemColumns.values[name]``). NaN where
        nothing is known.

    Raises
    ------
    ConfigurationError
        A name that the engine does not know, or of a domain that is not kept.
    """
    raise NotImplementedError


class ProfileStream:
    """The fold of a history, told piece by piece: what `profile_columns` gives, in bounded memory.

    Parameters
    ----------
    history : History
    names : sequence of str
        As of `profile_columns`.
    domains : sequence of str

    Examples
    --------
    ``stream = ProfileStream(history, names, domains=domains)`` and then, chunk after chunk in order of ``known_at``,
    ``stream.columns(rows)``.
    """

    def __init__(self, history: History, names: Sequence[str], *, domains: Sequence[str]) -> None:
        raise NotImplementedError

    def columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Floats32]:
        """Return columns of some rows of ``history.crossings``.

        Parameters
        ----------
        rows : ndarray of shape (n,), int64
            Positions in ``history.crossings``. From call to call the instants at which they were known may not go
            back, but for rows that were known at the same instant; each row is told once.

        Returns
        -------
        dict of str to float32 ndarray of shape (n,)
            In the order of ``rows``. The same bytes however the history is cut.

        Raises
        ------
        ConfigurationError
            A row was told before.
        """
        raise NotImplementedError


class FoldedHistory:
    """All that is known at the end of a history, to be laid into the live store; made by `fold_history`.

    Attributes
    ----------
    layout_digest : str
        Names the layout of states and records (version, domains, kinds, half-lives): other layouts cannot be mixed.
    pending : bytes
        Events at the newest instant, which no later event has seen yet: see `profile_live`.
    """

    layout_digest: str
    pending: bytes

    def states(self) -> Iterator[tuple[str, npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """Yield, for each kind, its keys (n,) and their states (n, width); ``row.tobytes()`` is what is stored."""
        raise NotImplementedError

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Yield, for each crossing (and each id that only inspections name), what it contributed."""
        raise NotImplementedError


def fold_history(history: History, *, domains: Sequence[str], progress: Progress | None = None) -> FoldedHistory:
    """Fold a history to its end, for ``chekara profiles load`` and ``rebuild``.

    Live events that go into the same fold are appended to the history's frames by the caller, with the instants at
    which they were known.

    Parameters
    ----------
    history : History
        Tokenised as the live store is.
    domains : sequence of str
        Those of the policy, in its order.
    progress : callable, optional
    """
    raise NotImplementedError

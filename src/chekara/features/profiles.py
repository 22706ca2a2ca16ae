"""Profiles of a whole history: what was known of each line's entities just before it, as columns.

Training, backtests and ``chekara score`` ask here; the service asks `chekara.features.profile_live`, which runs the
same compiled fold over the few keys that a request needs. What is counted,
when and how it decays: ``docs/profiles.md``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.data.sources import History
from chekara.errors import ConfigurationError
from chekara.features.profile_fold import HistoryFold
from chekara.features.profile_frames import lay_out_history
from chekara.features.profile_plan import plan_columns
from chekara.features.profile_state import ProfileLayout
from chekara.features.profile_whole import FoldedHistory

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
    stream = ProfileStream(history, names, domains=domains, rows=rows)
    wanted = np.ones(len(history.crossings), dtype=bool) if rows is None else rows
    place = np.cumsum(wanted) - 1
    out = np.empty((len(stream.names), int(wanted.sum())), dtype=np.float32)
    for told_rows, told in stream.pieces():
        out[:, place[told_rows]] = told
        if progress is not None:
            progress(stream.rows_done, len(wanted))
    return dict(zip(stream.names, out, strict=True))


class ProfileStream:
    """The fold of a history, told piece by piece: what `profile_columns` gives, in bounded memory.

    Parameters
    ----------
    history : History
    names : sequence of str
        As of `profile_columns`.
    domains : sequence of str
    rows : ndarray of bool, shape (n_rows,), optional
        Rows of ``history.crossings`` that will be asked for; default all.

    Attributes
    ----------
    names : tuple of str
        Each once.

    Examples
    --------
    ``stream = ProfileStream(history, names, domains=domains)`` and then, chunk after chunk in order of ``known_at``,
    ``stream.columns(rows)``.
    """

    def __init__(
        self,
        history: History,
        names: Sequence[str],
        *,
        domains: Sequence[str],
        rows: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        kept = ProfileLayout.of(domains).domains
        plan = plan_columns(names, kept)
        self.names = plan.names
        self._fold = HistoryFold(lay_out_history(history, plan.kinds, kept), plan, len(kept))
        self._line_of_row = np.empty(len(history.crossings), dtype=np.int64)
        self._line_of_row[self._fold.history.row_of_line] = np.arange(len(history.crossings))
        self._wanted = None if rows is None else rows[self._fold.history.row_of_line]
        self._pieces: deque[_Piece] = deque()

    @property
    def rows_done(self) -> int:
        """Rows folded so far, wanted or not."""
        return self._fold.lines_done

    def pieces(self) -> Iterator[tuple[npt.NDArray[np.int64], Floats32]]:
        """Fold to the end, telling every wanted row, piece by piece as the fold comes by.

        Yields
        ------
        rows : ndarray of shape (n,), int64
            Positions in ``history.crossings``.
        columns : float32 ndarray of shape (n_names, n)
        """
        while not self._fold.is_done:
            lines, told = self._fold.advance(self._wanted)
            yield self._fold.history.row_of_line[lines], told

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
            A row was told before, or was not to be asked for.
        """
        lines = self._line_of_row[rows]
        while not self._fold.is_done and self._fold.lines_done <= lines.max(initial=-1):
            told_lines, told = self._fold.advance(self._wanted)
            self._pieces.append(_Piece(told_lines, told))
        out = np.empty((len(self.names), len(rows)), dtype=np.float32)
        n_told = sum(piece.tell(lines, out) for piece in self._pieces)
        if n_told < len(rows):
            raise ConfigurationError("a row was told before, or was not to be asked for", where="ProfileStream")
        while self._pieces and self._pieces[0].is_told:
            self._pieces.popleft()
        return dict(zip(self.names, out, strict=True))


class _Piece:
    """Columns of a run of lines that wait until they are asked for."""

    def __init__(self, lines: npt.NDArray[np.int64], columns: Floats32) -> None:
        self._lines, self._columns = lines, columns
        self._is_left = np.ones(len(lines), dtype=bool)

    @property
    def is_told(self) -> bool:
        return not self._is_left.any()

    def tell(self, lines: npt.NDArray[np.int64], out: Floats32) -> int:
        """Fill in the columns of those lines that are here; how many."""
        places = np.searchsorted(self._lines, lines)
        here = places < len(self._lines)
        found = places[here]
        here[here] = (self._lines[found] == lines[here]) & self._is_left[found]
        out[:, here] = self._columns[:, places[here]]
        self._is_left[places[here]] = False
        return int(here.sum())


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
    return FoldedHistory(history, domains, progress)

"""A history as it was known at an instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd

from chekara.data.sources import History
from chekara.errors import TrainingError


def just_after_newest(history: History) -> datetime:
    """Return the instant just after everything in a history was known.

    Raises
    ------
    TrainingError
        There is no crossing at all.
    """
    known: list[pd.Timestamp] = [
        frame["known_at"].max() for frame in (history.crossings, history.inspections) if len(frame)
    ]
    if not known:
        raise TrainingError("the history holds no usable crossing", where="crossings", hint="run `chekara check DIR`")
    return max(known).to_pydatetime() + timedelta(microseconds=1)


def history_before(history: History, until: datetime) -> History:
    """Return what was known strictly before an instant: later rows of crossings and inspections are dropped.

    Raises
    ------
    TrainingError
        No crossing was known by then.
    """
    crossings = _before(history.crossings, until)
    if crossings.empty:
        raise TrainingError("no crossing was known before this instant", where="--until", hint="give a later one")
    return replace(
        history,
        crossings=crossings,
        inspections=_before(history.inspections, until),
    )


def _before(frame: pd.DataFrame, until: datetime) -> pd.DataFrame:
    is_known = frame["known_at"] < until
    return frame if is_known.all() else frame[is_known]  # a history can be large: no copy without need

"""How long those who are stopped wait: one queue a post, as many teams as the shift has, first come, first served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MINUTES = {
    "revenue_fraud": 90.0,
    "contraband": 60.0,
    "vehicle_crime": 20.0,
    "concealed_persons": 30.0,
    "sps_violation": 45.0,
}
"""Minutes that a control takes, by domain; a joint control takes as long as its longest part."""
_OTHER_MINUTES = 45.0
SHIFT_HOURS = 8
_NIGHT_SHARE = 0.5  # of the teams of a day shift, one at least
_SPARE = 1.5  # teams have so much more time than an even spread of the budget would take
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Posts:
    """Teams by post and shift, shape (n_posts, 3): from midnight, from 8 and from 16 o'clock."""

    teams: npt.NDArray[np.int64]

    @classmethod
    def staffed(cls, capacity: npt.NDArray[np.float64], controls_a_day: float) -> Posts:
        """Spread teams over posts in proportion to their capacity.

        Parameters
        ----------
        capacity : ndarray of shape (n_posts,)
            Relative.
        controls_a_day : float
            What the budget allows the whole border, every domain on its own.
        """
        minutes = _SPARE * controls_a_day * max(MINUTES.values()) * capacity / capacity.sum()
        by_day = np.maximum(np.ceil(minutes / _DAY_MINUTES), 1.0)
        night = np.maximum(np.floor(_NIGHT_SHARE * by_day), 1.0)
        return cls(np.stack([night, by_day, by_day], axis=1).astype(np.int64))


def control_minutes(selected: Mapping[str, npt.NDArray[np.bool_]]) -> npt.NDArray[np.float64]:
    """Return minutes that the joint control of each crossing takes; 0 where nobody looks.

    Parameters
    ----------
    selected : mapping of str to ndarray of bool, shape (n,)
        By domain.
    """
    parts = [np.where(picked, MINUTES.get(domain, _OTHER_MINUTES), 0.0) for domain, picked in selected.items()]
    return np.asarray(np.max(parts, axis=0))


def waits(
    post: npt.NDArray[np.int64],
    arrival_minute: npt.NDArray[np.float64],
    minutes: npt.NDArray[np.float64],
    posts: Posts,
) -> npt.NDArray[np.float64]:
    """Return how long each crossing waits for a team.

    Parameters
    ----------
    post : ndarray of shape (k,)
        Position of the post.
    arrival_minute : ndarray of shape (k,)
        Minutes since some midnight, by the clocks of the country, in any order.
    minutes : ndarray of shape (k,)
        That its control takes.
    posts : Posts

    Returns
    -------
    ndarray of shape (k,)
        Minutes from arrival to the beginning of the control.

    Examples
    --------
    >>> one_team = Posts(np.ones((1, 3), dtype=np.int64))
    >>> waits(np.zeros(2, dtype=np.int64), np.array([600.0, 610.0]), np.array([60.0, 60.0]), one_team).tolist()
    [0.0, 50.0]
    """
    out = np.zeros(len(post))
    free = [np.zeros(int(teams.max())) for teams in posts.teams]
    for k in np.argsort(arrival_minute, kind="stable").tolist():
        teams = posts.teams[post[k]]
        begins = [
            _on_duty_from(max(free_at, arrival_minute[k]), team, teams)
            for team, free_at in enumerate(free[post[k]].tolist())
        ]
        team = int(np.argmin(begins))
        out[k] = begins[team] - arrival_minute[k]
        free[post[k]][team] = begins[team] + minutes[k]
    return out


def _on_duty_from(minute: float, team: int, teams: npt.NDArray[np.int64]) -> float:
    """First minute from a given one on at which a team is on duty: at night the higher ones sleep."""
    shift = int(minute % _DAY_MINUTES) // (SHIFT_HOURS * 60)
    if team < teams[shift]:
        return minute
    into = minute % (SHIFT_HOURS * 60)
    return _on_duty_from(minute - into + SHIFT_HOURS * 60, team, teams)

"""What each feature adds to a margin: names that all scores of a model share, beside numbers of one score."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView

import numpy as np
import numpy.typing as npt


class Contributions(Mapping[str, float]):
    """Log-odds per feature, read like a dictionary, which is only made for who looks a name up.

    A model tells of some hundred features, and most readers want all of them at once: `names` and `amounts`.

    Parameters
    ----------
    names : tuple of str
        One object for all scores of a model.
    amounts : ndarray of shape (n_names,), float64
        In the same order; not to be changed.

    Examples
    --------
    >>> told = Contributions(("mode", "hs4"), np.array([0.25, -1.5]))
    >>> told["hs4"], len(told), told == {"hs4": -1.5, "mode": 0.25}
    (-1.5, 2, True)
    """

    __slots__ = ("_of_name", "amounts", "names")

    def __init__(self, names: tuple[str, ...], amounts: npt.NDArray[np.float64]) -> None:
        self.names = names
        self.amounts = amounts
        self._of_name: dict[str, float] | None = None

    def __getitem__(self, name: str) -> float:
        return self._dictionary()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Contributions({self._dictionary()!r})"

    def items(self) -> ItemsView[str, float]:
        """Return names and amounts; ``dict(contributions.items())`` is the quick way to a dictionary."""
        return self._dictionary().items()

    def values(self) -> ValuesView[float]:
        """Return the amounts as plain floats."""
        return self._dictionary().values()

    def _dictionary(self) -> dict[str, float]:
        if self._of_name is None:
            self._of_name = dict(zip(self.names, self.amounts.tolist(), strict=True))
        return self._of_name

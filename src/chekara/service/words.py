"""Whether what a person gives as a reason is one."""

from __future__ import annotations


def has_words(reason: str) -> bool:
    r"""Whether a reason says anything: spaces, invisible characters and punctuation alone do not.

    Examples
    --------
    >>> has_words("Weighed again"), has_words("\u200b \u2800 ...")
    (True, False)
    """
    return any(letter.isalnum() for letter in reason)

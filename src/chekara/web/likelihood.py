"""A probability in words that need no statistics: natural frequencies, "31 of 100 such crossings".

People read frequencies with a reference class far better than percentages (Gigerenzer and Hoffrage, Psychological
Review 102, 1995).
"""

from __future__ import annotations

import math

from chekara import messages
from chekara.domain.decision import DomainScore
from chekara.web.pages import Likelihood

_REFERENCE_CLASSES = (100, 1_000, 10_000)


def likelihood_of(score: DomainScore, language: str, currency: str) -> Likelihood:
    """Put a domain's probability, interval, rank and the size of a hit into words.

    Parameters
    ----------
    score : DomainScore
    language : str
    currency : str
        What the size of a hit is in.

    Returns
    -------
    Likelihood
        Probability and interval count in the same hundred, thousand or ten thousand crossings, the smallest in which
        the probability is at least one crossing.
    """
    of = next((size for size in _REFERENCE_CLASSES if score.probability * size >= 1), _REFERENCE_CLASSES[-1])
    low, high = score.interval
    size = messages.number(of, language)
    about = _count(score.probability, of, language)
    return Likelihood(
        probability=messages.text("page.case.probability", language, n=about, of=size),
        interval=messages.text(
            "page.case.interval", language, low=_count(low, of, language), high=_count(high, of, language), of=size
        ),
        rank=messages.text("page.case.rank", language, share=_rank(score.rank, language)),
        short=messages.text("page.queue.of", language, n=about, of=size),
        amount=_amount(score, "page.case.size", language, currency),
        amount_short=_amount(score, "page.queue.size", language, currency),
    )


def _amount(score: DomainScore, key: str, language: str, currency: str) -> str | None:
    if score.expected_amount is None:
        return None
    # A mean of few hits: more than two digits would claim a precision that nobody has.
    rounded = float(f"{score.expected_amount:.2g}")
    return messages.text(
        key, language, amount=f"{messages.number(rounded, language)}{messages.NO_BREAK_SPACE}{currency}"
    )


def _rank(rank: float, language: str) -> str:
    # Cut, not rounded: nothing is riskier than all of the crossings that it is one of.
    return f"{messages.number(math.floor(rank * 1000) / 10, language)}{messages.NO_BREAK_SPACE}%"


def _count(probability: float, of: int, language: str) -> str:
    crossings = probability * of
    return f"<{messages.NO_BREAK_SPACE}1" if 0 < crossings < 0.5 else messages.number(round(crossings), language)

"""Parts of pages about agencies acting together, and the option that every list is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a list.

    Attributes
    ----------
    value, label : str
    is_chosen : bool
    """

    value: str
    label: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class ControlLine:
    """The one joint control of a crossing that several agencies want.

    Attributes
    ----------
    lead : str
        Who leads, and for what.
    others : str or None
        Who joins.
    due_at : str
        The earliest deadline.
    """

    lead: str
    others: str | None
    due_at: str


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The form in which the agency that is asked answers a referral.

    Attributes
    ----------
    actions, results : tuple of Choice
        A button each; what may be reported back.
    problem : str or None
        Why the last try was not taken.
    """

    actions: tuple[Choice, ...]
    results: tuple[Choice, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class ReferralLine:
    """One referral.

    Attributes
    ----------
    referral_id : str
    title : str
        Who asks whom, about what.
    state, state_label : str
        Code, for its colour, and word.
    clock : str or None
        By when what is due, and how long that is; None once it is finished.
    is_overdue : bool
    reason, opened : str
        Why, by whom and when.
    steps : tuple of str
        What happened since, oldest first.
    form : AnswerForm or None
        None where the reader has nothing to answer.
    """

    referral_id: str
    title: str
    state: str
    state_label: str
    clock: str | None
    is_overdue: bool
    reason: str
    opened: str
    steps: tuple[str, ...]
    form: AnswerForm | None


@dataclass(frozen=True, slots=True)
class DelayLine:
    """Where a delayed release stands: ``waits``, ``held`` or ``released``, in a sentence, and what holds it."""

    state: str
    said: str
    held: str | None


@dataclass(frozen=True, slots=True)
class ResultLine:
    """What a control found: domain, ``found``, ``clear`` or ``not_done`` with its word, and who told it when."""

    domain: str
    outcome: str
    outcome_label: str
    told: str


@dataclass(frozen=True, slots=True)
class AgencyRow:
    """Deadlines of one agency.

    Attributes
    ----------
    agency, share, missed, waiting : str
        In words.
    width : float
        Of the bar, from 0 to 100.
    """

    agency: str
    share: str
    missed: str
    waiting: str
    width: float


@dataclass(frozen=True, slots=True)
class Task:
    """What one agency is asked to do.

    Attributes
    ----------
    agency, role, domain, control, instruction, due_at : str
        In words.
    lane : str
        Code, for its colour.
    is_own : bool
        Whether it is the reader's agency.
    """

    agency: str
    role: str
    domain: str
    lane: str
    control: str
    instruction: str
    due_at: str
    is_own: bool

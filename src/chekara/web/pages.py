"""The pages, as documented dataclasses: everything a template may show, ready for the reader's eye.

A page is built in the reader's language by ``chekara.web.queue`` and ``chekara.web.case`` and rendered by the template
of the same name. Templates hold layout and fixed words, never a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from chekara.web.lines import AgencyRow, Choice, ControlLine, DelayLine, ReferralLine, ResultLine, Task


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds every page.

    Attributes
    ----------
    language : str
    path : str
        Path and query of this page, so that a change of language comes back to it.
    csrf_token : str
        Token that every form of the page sends back.
    holder, agency, role : str or None
        Who is signed in, in words; None on pages that anybody may see.
    is_test : bool
        Signed in with a test key: everything goes to a separate log.
    may_see_agencies : bool
        Whether the way to the supervisors' page is shown.
    currency : str
        What amounts are in, by the policy; empty where a page tells none.
    blind_first : bool
        What the policy says: officers read no number of a model before their agency has reviewed the crossing.
    is_without_models : bool
        The reader's agency has stopped the models.
    """

    language: str
    path: str
    csrf_token: str
    holder: str | None = None
    agency: str | None = None
    role: str | None = None
    is_test: bool = False
    currency: str = ""
    blind_first: bool = False
    is_without_models: bool = False
    may_see_agencies: bool = False


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The way in: one field for a personal key.

    Attributes
    ----------
    frame : Frame
    problem : str or None
        Why the last try failed.
    next_path : str
        Where to go after signing in; a path of these pages.
    """

    frame: Frame
    problem: str | None
    next_path: str


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """Something could not be shown or done.

    Attributes
    ----------
    frame : Frame
    status : int
        HTTP status.
    title, message : str
    """

    frame: Frame
    status: int
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One decision that waits for a review.

    Attributes
    ----------
    link : str
        Path of the case.
    crossing_id : str
    lane, lane_label : str or None
        What the reader's agency is asked for: code of the lane, for its colour, and in words; None where it is nothing.
    others_lane : str or None
        The crossing's lane in words, where it comes from another agency.
    control : str or None
        What the reader's agency is asked to do.
    domain : str or None
        Domain that asks for this lane, in words; the highest risk where the agency is asked for nothing.
    likelihood : str or None
        How many of such crossings have a hit; None for a reader who must not be anchored by a score.
    size : str or None
        What a hit brings on average; None like the likelihood, and where nothing is known of amounts.
    crossing_point, scored_at, waiting : str
        Where, when, and for how long it has waited.
    is_overdue : bool
        Whether the time by which the agency had to act is past.
    """

    link: str
    crossing_id: str
    lane: str | None
    lane_label: str | None
    others_lane: str | None
    control: str | None
    domain: str | None
    likelihood: str | None
    size: str | None
    crossing_point: str
    scored_at: str
    waiting: str
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Decisions of the reader's agency that are still to be reviewed, the strictest lane first.

    On a page those come first that ask most of the own agency.

    Attributes
    ----------
    frame : Frame
    rows : tuple of QueueRow
    lanes, domains : tuple of Choice
        The filters, with what is chosen.
    crossing_point : str
        The third filter: a code, as typed.
    next_link, first_link : str or None
        The next page, and back to the first one.
    is_filtered : bool
    """

    frame: Frame
    rows: tuple[QueueRow, ...]
    lanes: tuple[Choice, ...]
    domains: tuple[Choice, ...]
    crossing_point: str
    next_link: str | None
    first_link: str | None
    is_filtered: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value of the declaration."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """One goods line.

    Attributes
    ----------
    item_no : str
    title : str
        "Item 3".
    goods : str
        HS code and description.
    facts : tuple of Fact
    is_scored : bool
        Whether this line carries a domain's score.
    """

    item_no: str
    title: str
    goods: str
    facts: tuple[Fact, ...]
    is_scored: bool


@dataclass(frozen=True, slots=True)
class WaterfallBar:
    """One step of the waterfall, in units of the drawing's width.

    Attributes
    ----------
    kind : {'base', 'towards', 'away', 'other', 'total'}
        Where the steps start, which way one goes, and where they end.
    label : str
    amount : str
        The step as a signed number.
    x, width : float
        Left edge and width of the bar.
    start_x, end_x : float
        The running sum before and after the step: the next bar starts where this one ends.
    """

    kind: str
    label: str
    amount: str
    x: float
    width: float
    start_x: float
    end_x: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """From the base value through the contributions to the margin, to scale.

    Attributes
    ----------
    bars : tuple of WaterfallBar
        Base first, total last.
    width : float
        Width of the drawing that the bars are scaled to.
    """

    bars: tuple[WaterfallBar, ...]
    width: float


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """One reason in words.

    Attributes
    ----------
    sentence : str
    amount : str or None
        Its contribution, signed; None where the reader is shown no score.
    strength : str or None
        In a word, for a reader in a hurry.
    """

    sentence: str
    amount: str | None
    strength: str | None


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a hit is, in words that need no statistics.

    Attributes
    ----------
    probability : str
        "About 31 of 100 such crossings have a violation".
    interval : str
        "between 24 and 39 of 100 such crossings".
    rank : str
        "Riskier than 98 % of recent crossings".
    short : str
        "31 of 100", for a table.
    amount : str or None
        "about 8,400 on average", if there is a hit; None where nothing is known of amounts.
    amount_short : str or None
        "if so, about 8,400", for a table.
    """

    probability: str
    interval: str
    rank: str
    short: str
    amount: str | None
    amount_short: str | None


@dataclass(frozen=True, slots=True)
class DomainPanel:
    """One risk domain that the reader may see.

    Attributes
    ----------
    domain : str
        Code, used as anchor.
    title : str
    lead : str
        Lead agency in words.
    item : str
        The goods line that carries the score, in words.
    likelihood : Likelihood or None
        None for an inspector, who must not be anchored by a score.
    reasons_for, reasons_against : tuple of ReasonLine
    facts : tuple of ReasonLine
        What is known, in no order that tells how it weighs, where the reader judges before reading numbers; else empty.
    waterfall : Waterfall or None
        None where the reader has no right to the contributions.
    risk : tuple of Fact
        What the policy combined to the risk; empty where it is the rank, or where the waterfall is not shown.
    model : str
        Name, version and short digest of the model.
    """

    domain: str
    title: str
    lead: str
    item: str
    likelihood: Likelihood | None
    reasons_for: tuple[ReasonLine, ...]
    reasons_against: tuple[ReasonLine, ...]
    facts: tuple[ReasonLine, ...]
    waterfall: Waterfall | None
    risk: tuple[Fact, ...]
    model: str


@dataclass(frozen=True, slots=True)
class AgenciesPage:
    """How often agencies missed the deadlines of referrals, the one that misses most first; for supervisors."""

    frame: Frame
    rows: tuple[AgencyRow, ...]


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """One review that was recorded."""

    officer: str
    agency: str
    what: str
    reason: str
    reviewed_at: str


@dataclass(frozen=True, slots=True)
class ReviewForm:
    """The form in which an officer says what is done, with the reason; refilled after a mistake.

    Attributes
    ----------
    actions, lanes, agencies : tuple of Choice
    until : str
        Local instant as typed.
    reason : str
        As typed.
    problems : mapping of str to str
        What is wrong, by field.
    """

    actions: tuple[Choice, ...]
    lanes: tuple[Choice, ...]
    agencies: tuple[Choice, ...]
    until: str
    reason: str
    problems: dict[str, str]


@dataclass(frozen=True, slots=True)
class CasePage:
    """One decision: what is recommended, why, and what was done with it.

    Attributes
    ----------
    frame : Frame
    decision_id, crossing_id, revision : str
    lane, lane_label : str
    lane_meaning : str or None
        None where the crossing has left.
    own_lane : str or None
        What the reader's agency is asked for, where the lane comes from another agency.
    kind : str
        What the lane is: a recommendation, or what would have been one.
    applied : str or None
        What was done where the crossing has left.
    headline : str or None
        How likely what is, in one sentence, of the risk that asked for the lane of the reader's agency; None where the
        reader is shown no score.
    main_reason : str or None
        The rule that asked for that lane, else the strongest reason of that risk whose evidence speaks for it.
    scored_at, crossing_point : str
    control : ControlLine or None
        Where several agencies act on the crossing.
    tasks : tuple of Task
    delay : DelayLine or None
    referrals : tuple of ReferralLine
        Newest first.
    results : tuple of ResultLine
        Oldest first.
    decided_elsewhere : tuple of Fact
        What was decided while the service could not be reached; empty where nothing was.
    rules : tuple of str
        Rules that were met, and what they ask for at least.
    warnings : tuple of str
    domains : tuple of DomainPanel
    header_facts : tuple of Fact
    labels : tuple of Fact
        What an officer reads on the paper or plate.
    items : tuple of ItemFacts
    items_hidden : str or None
        How many goods lines are not shown, in words.
    reviews : tuple of ReviewLine
        Newest first.
    form : ReviewForm or None
        None where the reader may not review or a newer revision was scored.
    newer_link : str or None
        The newer revision, where there is one.
    just_reviewed : bool
        Whether the reader comes from sending the form.
    """

    frame: Frame
    decision_id: str
    crossing_id: str
    revision: str
    lane: str
    lane_label: str
    lane_meaning: str | None
    own_lane: str | None
    kind: str
    applied: str | None
    headline: str | None
    main_reason: str | None
    scored_at: str
    crossing_point: str
    control: ControlLine | None
    tasks: tuple[Task, ...]
    delay: DelayLine | None
    referrals: tuple[ReferralLine, ...]
    results: tuple[ResultLine, ...]
    decided_elsewhere: tuple[Fact, ...]
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    domains: tuple[DomainPanel, ...]
    header_facts: tuple[Fact, ...]
    labels: tuple[Fact, ...]
    items: tuple[ItemFacts, ...]
    items_hidden: str | None
    reviews: tuple[ReviewLine, ...]
    form: ReviewForm | None
    newer_link: str | None
    just_reviewed: bool

"""Every page renders from its dataclass, in every language, escaped, without a script or style of its own."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

import chekara.web
from chekara import messages
from chekara.domain.referral import Step
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.service.delayed import DelayedRelease
from chekara.service.overdue import OverdueShare
from chekara.service.records import DecisionPage
from chekara.web import pages
from chekara.web.case import build_case
from chekara.web.pages import ErrorPage, SignInPage
from chekara.web.queue import QueueFilter, build_queue
from chekara.web.render import Page, render, template_name
from chekara.web.review_form import build_form
from chekara.web.together import SinceThen, build_agencies
from tests.web import examples

TEMPLATES = Path(chekara.web.__file__).parent / "templates"
STATIC = Path(chekara.web.__file__).parent / "static"
NOW = examples.SCORED_AT + timedelta(hours=3)
VOID_TAGS = {"meta", "link", "input", "br", "line", "rect"}


def all_pages(language: str, text: str = "T-shirts") -> list[Page]:
    """Every page, with ``text`` wherever somebody outside may write."""
    frame = examples.frame(language)
    record = examples.record(goods=text, labels={"plate": text, text: "x"})
    reviews = tuple(examples.review(action, reason=text) for action in ReviewAction)
    form = build_form(("agriculture", text), language, sent={"reason": text, "until": text}, problems={"reason": text})
    return [
        SignInPage(examples.frame(language, is_signed_in=False), text, text),
        ErrorPage(frame, 404, text, text),
        build_queue(
            DecisionPage((record,), "next"),
            examples.ANALYST,
            QueueFilter(crossing_point=text, cursor=text),
            ("revenue_fraud",),
            frame=frame,
            now=NOW,
        ),
        build_case(record, reviews, examples.ANALYST, form, frame=frame, since=everything(text), just_reviewed=True),
        build_case(record, (), examples.INSPECTOR, None, frame=frame, since=examples.since()),
        build_case(
            examples.record(superseded_by="d-5000"), (), examples.ANALYST, None, frame=frame, since=examples.since()
        ),
        build_agencies((OverdueShare(text, 7, 2, 1), OverdueShare("customs", 0, 0, 3)), frame=frame),
        build_agencies((), frame=frame),
    ]


def everything(text: str) -> SinceThen:
    """Everything that can have happened to a case, with ``text`` wherever somebody wrote."""
    accepted = examples.step(Step.ACCEPTED, 30, reason=text, officer=text)
    closed = examples.step(Step.CLOSED, 50, reason=text, result="confirmed")
    return examples.since(
        referrals=(
            examples.referral(reason=text, referral_id=text),
            examples.referral(accepted, referral_id="f-2"),
            examples.referral(accepted, closed, referral_id="f-3", opened_by=text),
            examples.referral(examples.step(Step.REROUTED, 90), referral_id="f-4"),
            examples.referral(examples.step(Step.DECLINED, 30), referral_id="f-5"),
        ),
        delay=DelayedRelease("customs", NOW, "referral", None),
        results=(examples.inspected(), examples.inspected(found=False), examples.inspected(status="not_done")),
        problem=(text, text),
    )


class Outline(HTMLParser):
    """Tags as a browser sees them: balance, forms, ids, and what is read aloud."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self.feed(html)
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.faults.append(f"</{tag}> closes {self.open[-1:]}")


@pytest.mark.parametrize("language", messages.languages())
def test_every_page_is_well_formed_and_labelled(language: str) -> None:
    for page in all_pages(language):
        outline = Outline(render(page))
        assert outline.faults == []
        ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert sum(tag == "h1" for tag, _ in outline.tags) == 1
        assert ("html", {"lang": language, "class": "govuk-template"}) in outline.tags
        labelled = {attributes.get("for") for tag, attributes in outline.tags if tag == "label"}
        for tag, attributes in outline.tags:
            if tag in ("select", "textarea") or (tag == "input" and attributes.get("type") != "hidden"):
                assert attributes["id"] in labelled
            for points in ("aria-labelledby", "aria-describedby"):
                assert set((attributes.get(points) or "").split()) <= set(ids)


@pytest.mark.parametrize("language", messages.languages())
def test_pages_hold_no_script_no_style_no_key_of_a_text_and_nothing_from_elsewhere(language: str) -> None:
    for page in all_pages(language):
        html = render(page)
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", html)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", html)
        assert not re.search(r">\s*(page|lane|feature|warning|reason|column|code)\.[a-z_.]+\s*<", html)
        assert "nan" not in re.sub(r"<[^>]+>", " ", html).lower().split()


def test_what_others_wrote_is_inert_everywhere() -> None:
    attack = "\"'>" + examples.SCRIPT + "{{ 7 * 7 }}"
    for page in all_pages("en", attack):
        html = render(page)
        assert examples.SCRIPT not in html
        assert not [tag for tag, _ in Outline(html).tags if tag == "script"]
        assert "49" not in re.sub(r"<[^>]+>", " ", html).split()
    assert "&lt;script&gt;" in render(all_pages("en", attack)[3])


def test_every_form_that_changes_something_carries_its_token() -> None:
    for page in all_pages("en"):
        for form in re.findall(r"<form.*?</form>", render(page), re.DOTALL):
            assert ('method="post"' in form) == ('name="csrf_token" value="token"' in form)


def test_every_page_class_is_documented_and_has_its_template() -> None:
    kinds = [kind for kind in vars(pages).values() if dataclasses.is_dataclass(kind) and isinstance(kind, type)]
    assert {type(page) for page in all_pages("en")} == {kind for kind in kinds if kind.__name__.endswith("Page")}
    for kind in kinds:
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}(")
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # set by @dataclass
        if kind.__name__.endswith("Page"):
            assert (TEMPLATES / template_name(kind)).is_file()


def test_styles_and_fonts_lie_here_and_cover_kyrgyz() -> None:
    style = (STATIC / "chekara.css").read_text("utf-8")
    wanted = re.findall(r'url\("([^"]+)"\)', style)
    assert wanted
    assert all((STATIC / path).is_file() for path in wanted)
    ranges = [
        (int(first, 16), int(last or first, 16))
        for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", style)
    ]
    letters = {letter for language in messages.languages() for page in all_pages(language) for letter in render(page)}
    uncovered = {letter for letter in letters | set("ңөүҢӨҮё№") if not any(a <= ord(letter) <= b for a, b in ranges)}
    assert uncovered - {"\n"} == set()
    vendored = (STATIC / "vendor" / "govuk.css").read_text("utf-8")
    assert not re.search(r"GDS|crown|crest|url\((?!['\"]?data:)|@import", vendored)


def test_green_ones_are_left_out_of_the_queue_unless_asked_for() -> None:
    red = examples.record()
    green = dataclasses.replace(red, decision=dataclasses.replace(red.decision, lane=Lane.GREEN, actions=()))

    def shown(chosen: QueueFilter) -> pages.QueuePage:
        found = DecisionPage((red, green), "more")
        return build_queue(found, examples.ANALYST, chosen, (), frame=examples.frame(), now=NOW)

    assert [row.lane for row in shown(QueueFilter()).rows] == ["red"]
    assert shown(QueueFilter()).next_link is None
    assert [row.lane for row in shown(QueueFilter(lane="green")).rows] == ["red", "green"]
    assert shown(QueueFilter(lane="green")).next_link == "/queue?lane=green&cursor=more"


def test_queue_tells_what_is_overdue_and_for_how_long_it_waits() -> None:
    def row(hours: float) -> pages.QueueRow:
        now = examples.SCORED_AT + timedelta(hours=hours)
        found = DecisionPage((examples.record(),), None)
        return build_queue(found, examples.ANALYST, QueueFilter(), (), frame=examples.frame(), now=now).rows[0]

    assert (row(1.5).is_overdue, row(2.5).is_overdue) == (False, True)
    assert row(1.5).waiting.replace(messages.NO_BREAK_SPACE, " ") == "1 h 30 min"
    assert row(1.5).likelihood == "31 of 100"


@pytest.mark.parametrize("language", messages.languages())
def test_pages_of_an_agency_that_stopped_the_models_say_so(language: str) -> None:
    said = messages.text("page.models_stopped", language)
    frame = examples.frame(language)
    stopped = dataclasses.replace(frame, is_without_models=True)
    assert said in render(ErrorPage(stopped, 404, "x", "y"))
    assert said not in render(ErrorPage(frame, 404, "x", "y"))

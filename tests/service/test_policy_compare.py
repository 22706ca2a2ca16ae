"""Two policies over one history, and rules before they are activated: counted again, crossing by crossing."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from chekara.adapters import policy_folder
from chekara.adapters.policy_folder import _learned_until, compare_folder, dry_run_folder, write_comparison
from chekara.data.sources import History, load_history
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.evaluation.calibration import wilson_interval
from chekara.policy import load_policy
from chekara.policy.load import policy_texts
from chekara.policy.rules import RuleText
from chekara.service.dry_run import dry_run
from chekara.service.match_rules import MatchPolicyRules
from chekara.service.policy_compare import Comparison, compare_policies, known_results, unlearned_results
from chekara.service.policy_page import comparison_page
from chekara.service.score_history import lanes_of_history, score_history
from chekara.settings import Settings
from chekara.web.comparison import render_comparison
from tests.service.test_rules_parity import RISK, RULE, policy_with
from tests.service.test_score_parity import leaning_model
from tests.streams import dirty_history

RULES = (
    ("red", "net_mass_kg > 10 and declared_value / net_mass_kg < 50"),
    ("yellow", "starts_with(hs_code, '0', '1')"),
)
DOMAIN = "revenue_fraud"
CHAMPIONS = {DOMAIN: leaning_model()}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return dirty_history(tmp_path_factory.mktemp("history"), seed=3)


def test_lanes_under_several_policies_are_those_of_each_alone(history: History) -> None:
    policies = (load_policy(), policy_with(*RULES, domain=DOMAIN))
    pairs = [(policy, MatchPolicyRules(policy)) for policy in policies]
    chunks = list(lanes_of_history(history, CHAMPIONS, pairs, chunk_size=17))
    for i, policy in enumerate(policies):
        rows = [row for table in score_history(history, CHAMPIONS, policy) for row in table.to_pylist()]
        strictest = [max(own[j] for own in c.lanes[i].values()) for c in chunks for j in range(len(c.crossing_id))]
        assert strictest == [Lane(row["lane"]).strictness for row in rows]


def test_a_comparison_counts_each_agency_once_a_crossing(history: History) -> None:
    a, b = load_policy(), policy_with(*RULES, domain=DOMAIN)
    pairs = [(policy, MatchPolicyRules(policy)) for policy in (a, b)]
    compared = compare_policies(
        lanes_of_history(history, CHAMPIONS, pairs, chunk_size=17), (a, b), known_results(history)
    )
    lanes = [
        {row["crossing_id"]: row["lane"] for table in score_history(history, CHAMPIONS, p) for row in table.to_pylist()}
        for p in (a, b)
    ]
    expected = Counter((Lane(lanes[0][own]), Lane(lanes[1][own])) for own in lanes[0])
    assert compared.moved == dict(expected)
    assert compared.crossings == len(lanes[0])
    # Both policies ask in one domain alone, so an agency's lane is the crossing's.
    for side, own in enumerate(lanes):
        for lane in (Lane.RED, Lane.YELLOW, Lane.BLUE):
            counted = sum((row.a, row.b)[side].crossings for row in compared.rows if row.lane is lane)
            assert counted == sum(value == lane for value in own.values())
    # Every control counts that was done in a domain of the agency, not only in the one that asks.
    point_of = history.crossings.sort_values("revision").groupby("crossing_id")["crossing_point"].last()
    hits: dict[str, bool] = {}
    for crossing, domain, found in known_results(history)[["crossing_id", "domain", "found"]].itertuples(index=False):
        point = point_of[crossing]
        if lanes[1][crossing] != "green" and b.agencies(domain, point).lead == b.agencies(DOMAIN, point).lead:
            hits[crossing] = hits.get(crossing, False) or bool(found)
    of_domain = known_results(history).query("domain == @DOMAIN")["crossing_id"]
    assert set(hits) - set(of_domain)
    assert sum(row.b.controlled for row in compared.rows) == len(hits)
    assert sum(row.b.found for row in compared.rows) == sum(hits.values()) > 0


@pytest.mark.parametrize("inspections", ["none", "not done"])
def test_a_history_without_a_control_is_compared(history: History, inspections: str) -> None:
    rows = history.inspections.iloc[:0] if inspections == "none" else history.inspections.assign(status="not_done")
    blind = replace(history, inspections=rows)
    policies = (load_policy(), policy_with(*RULES, domain=DOMAIN))
    pairs = [(policy, MatchPolicyRules(policy)) for policy in policies]
    counted = compare_policies(lanes_of_history(blind, CHAMPIONS, pairs), policies, known_results(blind)).rows
    assert counted
    assert all(count.controlled == count.found == 0 for row in counted for count in (row.a, row.b))


def test_what_models_learned_from_is_no_proof_of_them(history: History, compared: Comparison) -> None:
    known_at, results = history.crossings.groupby("crossing_id")["known_at"].min(), known_results(history)
    until = known_at.median()
    fresh, notice = unlearned_results(history, until.to_pydatetime())
    later = results[results["crossing_id"].map(known_at) >= until]
    assert 0 < len(fresh) < len(results)
    assert fresh.reset_index(drop=True).equals(later.reset_index(drop=True))
    assert f"{len(later)} of {len(results)}" in notice
    everything, warning = unlearned_results(history, (known_at.max() + pd.Timedelta(days=1)).to_pydatetime())
    assert everything.equals(results)
    assert f"all {len(results)} results" in warning
    untaught, silence = unlearned_results(history, None)
    assert (len(untaught), silence) == (len(results), "")
    told = replace(compared, notice=warning)
    assert f"**{warning}**" in comparison_page(told, None)
    assert f"<strong>{warning}</strong>" in render_comparison(told, None)
    assert "**" not in comparison_page(compared, None)
    assert "<strong>" not in render_comparison(compared, None)


def test_models_have_learned_until_the_newest_of_them_was_trained(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_at = history.crossings["known_at"]
    abouts = [{}, {"until": known_at.min().isoformat()}, {"until": (known_at.max() + pd.Timedelta(days=1)).isoformat()}]
    taught = {f"{DOMAIN}{i}": SimpleNamespace(about=about) for i, about in enumerate(abouts)}
    monkeypatch.setattr(policy_folder, "_learned_until", partial(lambda own, _none: own(taught), _learned_until))
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path / "nowhere"), "CHEKARA_ENV": "dev"})
    (name, shipped), *_ = policy_texts().items()
    (tmp_path / name).write_text(shipped, "utf-8")
    folder, console = Path(history.directory), Console(width=300, file=io.StringIO())
    compared = compare_folder(settings, tmp_path / name, tmp_path / name, folder, console)
    assert "may have learned from all" in compared.notice
    risk, rule = RISK.format(domain=DOMAIN), RULE.format(number=1, lane="red", criteria=RULES[0][1])
    (tmp_path / "rules.toml").write_text(risk + rule, "utf-8")
    dry_run_folder(settings, tmp_path / "rules.toml", folder, console)
    assert compared.notice in console.file.getvalue()  # type: ignore[attr-defined]


def test_what_was_overturned_is_known_and_no_hit(history: History) -> None:
    hits = history.inspections[history.inspections["found"].astype(bool)]
    overturned = hits.assign(revision=99, result="overturned", known_at=history.inspections["known_at"].max())
    later = replace(history, inspections=pd.concat([history.inspections, overturned], ignore_index=True))
    before, after = known_results(history), known_results(later)
    assert before["found"].any()
    assert not after["found"].any()
    assert after[["crossing_id", "domain"]].equals(before[["crossing_id", "domain"]])


def tables_of_markdown(page: str) -> dict[str, list[list[str]]]:
    """Return the rows of every table, without its headings, by the title above it."""
    found: dict[str, list[list[str]]] = {}
    title = ""
    for line in page.splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found.setdefault(title, []).append([cell.strip().replace("\\|", "|").strip("`") for cell in cells])
    return {title: rows[1:] for title, rows in found.items()}


class _Tables(HTMLParser):
    """Reads the rows of every table by the title above it, as a browser would show them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._title, self._in = "", ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._in = tag if tag in {"h1", "h2", "h3", "td", "th"} else self._in
        if tag in {"h1", "h2", "h3"}:
            self._title = ""
        elif tag == "tr":
            self.found.setdefault(self._title, []).append([])
        elif tag in {"td", "th"}:
            self.found[self._title][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"h1", "h2", "h3", "td", "th"}:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in {"h1", "h2", "h3"}:
            self._title += data
        elif self._in:
            self.found[self._title][-1][-1] += data


def tables_of_html(page: str) -> dict[str, list[list[str]]]:
    parser = _Tables()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def compared(history: History) -> Comparison:
    """Two policies that differ in rules, one of them with a name that means mischief."""
    a, b = load_policy(), replace(policy_with(*RULES, domain=DOMAIN), name="<b>|\nwinter</b>")
    pairs = [(policy, MatchPolicyRules(policy)) for policy in (a, b)]
    return compare_policies(lanes_of_history(history, CHAMPIONS, pairs), (a, b), known_results(history))


def test_both_pages_tell_every_figure_in_a_table_of_its_own(compared: Comparison) -> None:
    markdown = tables_of_markdown(comparison_page(compared, None))
    html = tables_of_html(render_comparison(compared, None))
    points = {row.crossing_point for row in compared.rows}
    assert set(markdown) == {"What the other policy would change", "Lanes", "What moves", *points}
    days = compared.days
    for point in points:
        own = [row for row in compared.rows if row.crossing_point == point]
        for row, cells in zip(own, markdown[point], strict=True):
            assert cells[:2] == [row.agency, row.lane.value]
            a, b = row.a.crossings / days, row.b.crossings / days
            assert [float(cell) for cell in cells[2:5]] == pytest.approx([a, b, b - a], abs=0.051)
            for cell, count in zip(cells[5:], (row.a, row.b), strict=True):
                assert cell == (f"{count.found}/{count.controlled}" if count.controlled else "-")
        agency = ""
        for expected, cells in zip(markdown[point], html[point][1:], strict=True):
            agency = cells[0] or agency  # an agency is named once
            assert [agency, *cells[1:]] == expected
    assert html["Lanes"][1:] == markdown["Lanes"]
    assert html["What moves"][1:] == markdown["What moves"]
    assert [row[0] for row in markdown["Lanes"]] == ["red", "yellow", "blue", "green"]
    assert sum(float(row[1]) for row in markdown["Lanes"]) == pytest.approx(compared.crossings / days, abs=0.21)
    moved = sum(n for (before, after), n in compared.moved.items() if before is not after)
    assert sum(int(row[2].replace(",", "")) for row in markdown["What moves"]) == moved
    changes = [sum(abs(float(cells[4])) for cells in rows) for point, rows in markdown.items() if point in points]
    assert changes == pytest.approx(sorted(changes, reverse=True), abs=0.21)


def test_names_of_policies_stay_words(compared: Comparison) -> None:
    page, html = comparison_page(compared, None), render_comparison(compared, None)
    title = "What the other policy would change"
    assert tables_of_markdown(page)[title][1][1] == "<b>| winter</b>"
    assert "<b>" not in html
    assert tables_of_html(html)[title][1][1].split() == ["<b>|", "winter</b>"]


def test_a_page_is_one_file_or_two_and_the_same_again(compared: Comparison, tmp_path: Path) -> None:
    (whole,) = write_comparison(compared, tmp_path / "page.html", render_comparison)
    first = whole.read_bytes()
    assert b'src="data:image/svg+xml;base64,' in first
    assert b"http" not in first, "nothing is fetched"
    write_comparison(compared, whole, render_comparison)
    assert whole.read_bytes() == first
    page, picture = write_comparison(compared, tmp_path / "page.md", render_comparison)
    assert f"]({picture.name})" in page.read_text("utf-8")
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigurationError, match=r"\.md or \.html"):
        write_comparison(compared, tmp_path / "page.pdf", render_comparison)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_comparison(compared, tmp_path / "nowhere" / "page.html", render_comparison)


def test_policies_that_are_alike_change_nothing(history: History) -> None:
    pairs = [(load_policy(), MatchPolicyRules(load_policy())) for _ in range(2)]
    alike = compare_policies(lanes_of_history(history, CHAMPIONS, pairs), [load_policy()] * 2, known_results(history))
    page = comparison_page(alike, None)
    assert "0 (0.0%) change their lane." in page
    assert "What moves" not in page
    assert "What moves" not in render_comparison(alike, None)


def test_a_dry_run_counts_what_rules_meet_and_what_the_model_thinks_of_it(history: History) -> None:
    candidate = policy_with(*RULES, domain=DOMAIN)
    alone, rules = replace(candidate, rules=RuleText()), candidate.rules.rules
    pairs = [(policy, MatchPolicyRules(policy)) for policy in (alone, candidate)]
    runs = dry_run(lanes_of_history(history, CHAMPIONS, pairs), rules, known_results(history))
    newest = {row["crossing_id"]: row for t in score_history(history, CHAMPIONS, alone) for row in t.to_pylist()}
    lines = history.crossings.set_index(["crossing_id", "revision"]).sort_index()
    met = [
        crossing
        for crossing, row in newest.items()
        if any(
            pd.notna(line.net_mass_kg) and line.net_mass_kg > 10 and line.declared_value / line.net_mass_kg < 50
            for line in lines.loc[[(crossing, row["revision"])]].itertuples()
        )
    ]
    assert runs[0].met == len(met) > 0
    assert runs[0].in_model_red == pytest.approx(sum(newest[c]["lane"] == "red" for c in met) / len(met))
    known = known_results(history)
    hits = known[known["domain"].eq(DOMAIN) & known["crossing_id"].isin(met)]["found"]
    assert (runs[0].controlled, runs[0].found) == (len(hits), int(hits.sum()))
    assert runs[0].precision == pytest.approx((hits.mean(), *wilson_interval(int(hits.sum()), len(hits))))


def test_folders_are_compared_without_an_installation(tmp_path: Path, history: History) -> None:
    folder = Path(history.directory)
    assert len(load_history(folder).crossings) == len(history.crossings)
    (name, shipped), *_ = policy_texts().items()
    a, b = tmp_path / name, tmp_path / "b.toml"
    risk, rule = RISK.format(domain=DOMAIN), RULE.format(number=1, lane="red", criteria=RULES[0][1])
    a.write_text(shipped, "utf-8")
    b.write_text(shipped + risk + rule, "utf-8")
    rules = tmp_path / "rules.toml"
    rules.write_text(risk + rule, "utf-8")
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path / "nowhere"), "CHEKARA_ENV": "dev"})
    console = Console(width=200)
    compared = compare_folder(settings, a, b, folder, console)
    (run,) = dry_run_folder(settings, rules, folder, console)
    # An earlier revision may have met the rule, too: no lane is lowered.
    assert compared.moved[Lane.GREEN, Lane.RED] >= run.met > 0
    assert run.in_model_red is None
    written = write_comparison(compared, tmp_path / "page.md")
    assert all(path.stat().st_size > 0 for path in written)
    assert not (tmp_path / "nowhere").exists()


def test_a_rule_is_tried_on_a_history_that_lies_before_it(tmp_path: Path, history: History) -> None:
    """Rules begin after the history that they are tried on; only those that have ended change nothing tomorrow."""
    folder, console = Path(history.directory), Console(width=200)
    (name, shipped), *_ = policy_texts().items()
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path / "nowhere"), "CHEKARA_ENV": "dev"})
    (tmp_path / name).write_text(shipped, "utf-8")
    met, moved = [], []
    for begins, ends in (("2000-01-01", "2100-01-01"), ("2090-01-01", "2100-01-01"), ("2000-01-01", "2000-02-01")):
        rule = RULE.format(number=1, lane="red", criteria=RULES[0][1])
        rule = rule.replace("2000-01-01", begins).replace("2100-01-01", ends).replace("2027-06-01", begins)
        text = RISK.format(domain=DOMAIN) + rule
        (tmp_path / "rules.toml").write_text(text, "utf-8")
        (tmp_path / "b.toml").write_text(shipped + text, "utf-8")
        met.append(dry_run_folder(settings, tmp_path / "rules.toml", folder, console)[0].met)
        moved.append(compare_folder(settings, tmp_path / name, tmp_path / "b.toml", folder, console).moved)
    assert met[0] == met[1] == met[2] > 0
    assert moved[0] == moved[1]
    assert (Lane.GREEN, Lane.RED) in moved[1]
    assert (Lane.GREEN, Lane.RED) not in moved[2]

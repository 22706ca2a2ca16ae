"""A card says what the run measured, names it, and reads back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chekara.errors import ConfigurationError
from chekara.modelling.baselines import score_baselines
from chekara.modelling.card import (
    BEGIN,
    END,
    CardFacts,
    compare_numbers,
    fill_card,
    number_block,
    plain_frame,
    read_numbers,
)
from chekara.modelling.judgement import Judgement, judge_recipe
from tests.modelling.recipe_scores import made_facts, made_scores

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def judgements() -> tuple[Judgement, ...]:
    scores = made_scores(seed=1)
    return judge_recipe(scores, score_baselines(scores), made_facts(scores), seed=1, replicates=20)


@pytest.fixture(scope="module")
def card(judgements: tuple[Judgement, ...]) -> str:
    scores = made_scores(seed=1)
    block = number_block(
        CardFacts(
            domain="revenue_fraud",
            title="Revenue fraud",
            run_id="run-1",
            until=datetime(2026, 1, 1, tzinfo=UTC),
            seed=1,
            history_digest="sha256:abc",
            served_protocol="as_given",
            scores=scores,
            calibration=scores.calibration,
            judgements=judgements,
            selective=made_facts(scores),
            findings=("Rows were copied.",),
            notes=scores.notes,
        )
    )
    return fill_card(plain_frame("Revenue fraud"), block, where="frame")


def metrics_of(judgements: tuple[Judgement, ...]) -> dict[str, float]:
    figures = {name: value for judgement in judgements for name, value in judgement.metrics().items()}
    return figures | made_facts(made_scores(seed=1)).metrics()


def test_the_card_equals_its_run(card: str, judgements: tuple[Judgement, ...]) -> None:
    assert compare_numbers(card, metrics_of(judgements), run_id="run-1") == ()
    shown = read_numbers(card).figures
    assert len(shown) > 100
    assert {name.split("/")[1] for name in shown} == {"inspected", "without_valuation", "lot"}
    judged = {name.split("/")[2] for name in shown if not name.startswith("selective/")}
    assert judged >= {"model", "chance", "best_column", "logistic_regression"}


def test_a_changed_figure_and_another_run_are_told(card: str, judgements: tuple[Judgement, ...]) -> None:
    metrics = metrics_of(judgements)
    name = "as_given/inspected/model/auc"
    assert compare_numbers(card, {**metrics, name: metrics[name] + 0.01}) == (
        f"{name}: {round(metrics[name], 3)} in the card, {metrics[name] + 0.01:.4f} in the run",
    )
    assert compare_numbers(card, metrics, run_id="run-2") == ("the card names another run",)
    assert f"{name}: in the card, not in the run" in compare_numbers(card, {})
    no_figures = re.sub(r"^\| (?!MLflow).*$", "", card, flags=re.MULTILINE)
    assert compare_numbers(no_figures, metrics) == ("the card holds no figures",)


def test_the_card_says_where_its_numbers_come_from(card: str) -> None:
    for part in ("run-1", "sha256:abc", "2026-01-01", "as_given", "Rows were copied.", "x_lane", "random lot"):
        assert part in card


def test_every_figure_of_the_lot_is_checked(card: str, judgements: tuple[Judgement, ...]) -> None:
    metrics = metrics_of(judgements)
    for name in (
        "drawn",
        "unknown",
        "hits",
        "prevalence",
        "draws_needed",
        "months_until_precise",
        "valuation_only_hits",
    ):
        changed = {**metrics, f"selective/lot/{name}": metrics[f"selective/lot/{name}"] + 1.0}
        (difference,) = compare_numbers(card, changed)
        assert difference.startswith(f"selective/lot/{name}: ")


def test_naive_and_corrected_stand_side_by_side_and_inspectors_nowhere(card: str) -> None:
    row = next(line for line in card.split("### Naive and corrected")[1].splitlines() if line.startswith("| AUC"))
    assert row.count("–") == 3
    assert "restricted folder" in card
    assert "officer" not in card
    assert re.search(r"Probabilities average 0\.\d+ over all traffic, (inside|above|below) the 95 % interval", card)


def test_a_slope_needs_hits(card: str, judgements: tuple[Judgement, ...]) -> None:
    few = {j.part for j in judgements if j.model.n_hits < 200}
    assert few
    for judgement in judgements:
        table = card.partition(f"(`as_given/{judgement.part}`)")[2].partition("###")[0]
        row = next(line for line in table.splitlines() if line.startswith("| calibration slope"))
        assert ("insufficient data" in row) == (judgement.part in few)


def test_frames_without_markers_are_refused() -> None:
    for frame in ("no markers", f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}", BEGIN):
        with pytest.raises(ConfigurationError):
            fill_card(frame, "block", where="models/x/CARD.md")
    with pytest.raises(ConfigurationError):
        read_numbers(plain_frame("Revenue fraud"))


def test_filling_keeps_the_reviewed_words_and_can_be_repeated(card: str) -> None:
    block = card[card.index(BEGIN) : card.index(END) + len(END)]
    frame = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    filled = fill_card(frame, block, where="frame")
    assert filled == f"before\n{block}\nafter\n"
    assert fill_card(filled, block, where="frame") == filled


@pytest.mark.parametrize("path", sorted(MODELS.glob("*/CARD.md")), ids=lambda path: path.parent.name)
def test_reviewed_cards_can_be_filled_and_say_what_a_card_must(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert fill_card(text, f"{BEGIN}\n{END}", where=path.name)
    for heading in ("## Intended use", "## Not for", "## Known limits", "## Numbers"):
        assert heading in text

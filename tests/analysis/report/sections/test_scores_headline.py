"""The head of a report: verdicts by the interval of the improvement, and tiles; the wording is pinned here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import threshold
from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.evaluation.linear_model import LinearModel, linear_benchmark
from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.analysis.report.page import Verdict, headline
from nncli.analysis.report.run_page import page_of
from nncli.analysis.report.sections.scores import summary_sentence, tiles, verdicts
from nncli.base.errors import Location
from nncli.base.findings import Finding, FindingCode
from nncli.base.text import format_percent
from nncli.models.scores import Averaging
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from tests.analysis.report.support import SMALL, trained_on


def test_a_good_model_is_clearly_better_than_the_baseline(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    (verdict,) = verdicts(held_out, held_out.scores_with_intervals())
    assert verdict.is_clear
    assert verdict.text.startswith("Clearly better than the baseline: its log loss is lower (95 % CI of the difference")


def test_a_model_of_noise_is_not_clearly_better(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=80), "y": rng.normal(size=80)})
    held_out = predict_held_out(trained_on(tmp_path, frame, "y"))
    (verdict,) = verdicts(held_out, held_out.scores_with_intervals())
    assert not verdict.is_clear
    assert verdict.text.startswith(("Not clearly better than the baseline", "Worse than the baseline"))


@pytest.mark.parametrize(
    ("gain", "is_clear", "start"),
    [
        (ConfidenceInterval(0.01, 0.02), True, "Clearly better"),
        (ConfidenceInterval(-0.01, 0.02), False, "Not clearly better"),
        (ConfidenceInterval(-0.03, -0.02), False, "Worse"),
        (None, False, "Not clearly better"),
    ],
)
def test_the_interval_decides(penguins: Path, gain: ConfidenceInterval | None, is_clear: bool, start: str) -> None:
    held_out = predict_held_out(penguins)
    scores = held_out.scores_with_intervals()
    scores = replace(scores, scores=tuple(replace(score, improvement=gain) for score in scores.scores))
    (verdict,) = verdicts(held_out, scores)
    assert (verdict.is_clear, verdict.text.startswith(start)) == (is_clear, True)


def test_a_main_score_that_is_clearly_worse_has_a_verdict_of_its_own(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    scores = held_out.scores_with_intervals()
    gains = {"log_loss": ConfidenceInterval(-0.01, 0.02), "accuracy": ConfidenceInterval(-0.09, -0.01)}
    scores = replace(scores, scores=tuple(replace(score, improvement=gains.get(score.name)) for score in scores.scores))
    _, of_accuracy = verdicts(held_out, scores)
    assert (of_accuracy.is_clear, of_accuracy.measure) == (False, "accuracy")
    assert of_accuracy.text.startswith("Worse than the baseline: its accuracy is lower (95 % CI")


def test_scores_of_training_rows_decide_nothing(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(40)], "label": ["a", "b"] * 20})
    held_out = predict_held_out(trained_on(tmp_path, frame, "label", SMALL + "validation: 0"))
    (verdict,) = verdicts(held_out, held_out.scores_with_intervals())
    assert not verdict.is_clear


def tiles_of(held_out: HeldOutPredictions) -> dict[str, str]:
    return {tile.label: tile.value for tile in tiles(held_out, held_out.scores_with_intervals())}


def test_the_tiles_are_the_main_score_the_baseline_and_the_sizes(penguins: Path, pair: Path) -> None:
    held_out = predict_held_out(penguins)
    found = tiles_of(held_out)
    assert list(found) == ["Accuracy", "Baseline", "Scored on"]
    assert found["Scored on"] == f"{len(held_out):,}"
    assert found["Accuracy"].endswith(" %")
    assert next(iter(tiles_of(predict_held_out(pair)))) == "RMSE of “x2”"


def test_balanced_accuracy_is_the_main_score_if_a_class_is_rare(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * (i % 7) for i in range(200)], "label": [*["a"] * 195, *["b"] * 5]})
    summary = summarize_run(trained_on(tmp_path, frame, "label"))
    assert summary.held_out is not None
    result = tiles_of(summary.held_out)
    assert list(result)[:2] == ["Balanced accuracy", "Baseline"]
    assert result["Baseline"] == "50.0 %"
    sentence = summary_sentence(summary, summary.held_out.scores_with_intervals())
    assert "Balanced accuracy on" in sentence
    assert sentence.endswith(": 50.0 %.")


def test_a_linear_model_stands_beside_the_baseline(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    scores, linear = held_out.scores_with_intervals(), linear_benchmark(held_out)
    assert [tile.label for tile in tiles(held_out, scores, linear)][:3] == ["Accuracy", "Baseline", "Linear model"]
    baseline, beside = verdicts(held_out, scores, linear)
    assert baseline.is_clear
    assert "a linear model (logistic regression)" in beside.text


def test_a_leak_is_said_first(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    leak = Finding("warning", FindingCode.TARGET_LEAKAGE, Location(column="bill"), "it leaks", "")
    first, second = verdicts(held_out, held_out.scores_with_intervals(), None, [leak])
    assert not first.is_clear
    assert "“bill”" in first.text
    assert second.is_clear


def linear_with(held_out: HeldOutPredictions, **gains: tuple[float, ConfidenceInterval]) -> LinearModel:
    """A linear model whose scores are worse by so much than those of the run, with these intervals."""
    scores = held_out.scores_with_intervals()
    beside = tuple(
        replace(score, baseline=(score.value or 0.0) + gains[score.name][0], improvement=gains[score.name][1])
        for score in scores.scores
        if score.name in gains
    )
    return LinearModel("ridge regression", None, scores=replace(scores, scores=beside))


def test_a_clear_gain_over_the_linear_model_that_is_tiny_is_left_out(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    scores = held_out.scores_with_intervals()
    tiny, large = (linear_with(held_out, log_loss=(gain, ConfidenceInterval(1e-5, 1.0))) for gain in (1e-5, 0.5))
    assert len(verdicts(held_out, scores, tiny)) == 1
    assert [verdict.is_clear for verdict in verdicts(held_out, scores, large)] == [True, True]


def test_what_is_clearly_worse_than_the_linear_model_is_named(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    unclear, worse = ConfidenceInterval(-0.1, 0.1), ConfidenceInterval(-0.2, -0.1)
    linear = linear_with(held_out, log_loss=(0.0, unclear), accuracy=(0.1, worse), macro_f1=(0.1, worse))
    *_, last = verdicts(held_out, held_out.scores_with_intervals(), linear)
    assert not last.is_clear
    assert last.measure == "accuracy, macro F1"


def test_a_score_that_includes_the_gain_of_averaging_says_so(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    scores = held_out.scores_with_intervals()
    averaged = replace(held_out, averaging=Averaging((0.9,), 40))
    plain, told = (tiles(rows, scores)[0].remark for rows in (held_out, averaged))
    assert told.startswith(plain)
    assert "without" in told.removeprefix(plain)


def test_the_headline_is_one_sentence_of_verdicts_that_agree() -> None:
    better, also = (Verdict("", True, "Better than", other, "RMSE") for other in ("the baseline", "a linear model"))
    (sentence,) = headline([better, also])
    assert sentence == Verdict("Better than the baseline and a linear model, by RMSE.", is_clear=True)
    worse = Verdict("", False, "Worse than", "a linear model", "RMSE")
    assert [one.is_clear for one in headline([better, worse])] == [True, False]
    assert headline([Verdict("A sentence.", is_clear=True)]) == (Verdict("A sentence.", is_clear=True),)


@pytest.mark.slow
def test_without_rows_there_is_no_head(penguins: Path) -> None:
    page = page_of(replace(summarize_run(penguins), held_out=None), None, None)
    assert (page.verdicts, page.tiles) == ((), ())


def test_with_costs_the_cost_and_the_saving_come_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    frame = pl.DataFrame({"x": x, "y": np.where(rng.random(300) < 1 / (1 + np.exp(1 - 3 * x)), "yes", "no")})
    run = trained_on(tmp_path, frame, "y", "layers: []\nlearning_rate: 0.1\nepochs: 30\nvalidation: 0.5\n")
    threshold(run, cost=(1, 5), save=True)
    held_out = predict_held_out(run)
    scores = held_out.scores_with_intervals()
    cost = scores.scores[0]
    assert cost.name == "cost_per_row"
    assert cost.value is not None
    assert cost.baseline is not None
    sentence = summary_sentence(summarize_run(run), scores)
    assert "Cost per row on 150 validation rows" in sentence
    assert f"saves {format_percent(1 - cost.value / cost.baseline)}" in sentence
    assert tiles(held_out, scores)[0].label == "Cost per row"
    (verdict,) = verdicts(held_out, scores)
    assert "the best constant prediction, always “yes”" in verdict.text
    assert "cost per row" in verdict.text

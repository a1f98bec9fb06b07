"""The overview: summary sentence, notices and facts; the wording is pinned here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.analysis.report.page import Paragraph
from nncli.analysis.report.run_page import page_of
from nncli.analysis.report.sections.feature_importance import compute_importance
from nncli.analysis.report.sections.scores import (
    notices,
    overview_facts,
    quoted_name,
    quoted_names,
    scored_predictions,
    scored_rows,
    summary_sentence,
)
from tests.analysis.report.support import SMALL, flat, trained_on


def summary_of(run: Path) -> str:
    summary = summarize_run(run)
    assert summary.held_out is not None
    return summary_sentence(summary, summary.held_out.scores_with_intervals())


def test_the_summary_of_a_classification(penguins: Path) -> None:
    text = summary_of(penguins)
    assert text.startswith("A neural network classifies “species” into 3 classes from 6 columns. Accuracy on 69 ")
    assert "; the baseline, which always predicts “Adelie”: " in text


def test_the_summary_of_a_regression(pair: Path) -> None:
    text = summary_of(pair)
    assert text.startswith("A neural network predicts “x2” and 1 more from 1 column. RMSE of “x2” on ")
    assert "; the baseline, which always predicts the mean: " in text


@pytest.mark.slow
def test_an_ensemble_is_scored_on_out_of_fold_rows(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": np.random.default_rng(0).normal(size=60), "label": ["a", "b"] * 30})
    run = trained_on(tmp_path, frame, "label", SMALL + "members: 3\nworkers: 1")
    summary = summarize_run(run)
    assert summary.held_out is not None
    assert scored_rows(summary.held_out) == "60 out-of-fold rows"
    assert summary_of(run).startswith("An ensemble of 3 neural networks classifies “label”")


def test_a_separate_validation_table_is_named(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": np.random.default_rng(0).normal(size=60), "label": ["a", "b"] * 30})
    frame.write_csv(tmp_path / "held.csv")
    run = trained_on(tmp_path, frame, "label", SMALL + "validation: {path: held.csv}")
    facts = dict(overview_facts(summarize_run(run)))
    assert facts["scored on"].startswith("60 validation rows of a separate table, ")
    assert facts["target"] == "“label”: 2 classes, “a”, “b”"


def test_training_rows_as_scored_rows_are_an_error(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(40)], "label": ["a", "b"] * 20})
    result = notices(summarize_run(trained_on(tmp_path, frame, "label", SMALL + "validation: 0")))
    assert [notice.level for notice in result] == ["error"]
    assert "no validation rows" in result[0].text


def test_names_are_quoted_and_cut() -> None:
    assert quoted_name("a") == "“a”"
    assert quoted_names(tuple("abcdefghij")).endswith("“h” and 2 more")


@pytest.mark.slow
def test_sections_say_which_predictions_they_are_of(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    several = replace(held_out, oof_mask=np.arange(len(held_out)) % 2 == np.arange(2)[:, None])
    given = replace(held_out, split="table")
    texts = [scored_predictions(item) for item in (held_out, several, given)]
    assert "optimistic" in scored_predictions(replace(held_out, optimistic=True))
    assert ["validation" in texts[0], "Out-of-fold" in texts[1], "nncli predict" in texts[2]] == [True, True, True]
    page = page_of(summarize_run(penguins), held_out.scores_with_intervals(), compute_importance(held_out))
    with_text = [one.name for one in page.sections if Paragraph(texts[0]) in flat(one.parts)]
    assert {"scores", "classes", "calibration", "slices", "largest-errors"} <= set(with_text)

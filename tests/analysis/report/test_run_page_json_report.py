"""The report as JSON: scores and importances as numbers, and every section."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.analysis.report.page import (
    ColumnsBlock,
    Details,
    FigureBlock,
    Gallery,
    Page,
    Paragraph,
    Section,
    TableBlock,
    Verdict,
)
from nncli.analysis.report.run_page import report_json
from nncli.api.report import ReportFiles


def test_scores_are_numbers_with_intervals_and_baselines(penguins: Path, penguins_report: ReportFiles) -> None:
    recorded = json.loads((penguins / "metrics.json").read_text())["validation"]
    content = penguins_report.content
    assert (content["scored_on"], content["rows_scored"]) == ("validation", recorded["rows"])
    scores = {score["metric"]: score for score in content["scores"]}
    assert scores["log_loss"].keys() == {"metric", "target", "value", "low", "high", "baseline", "improvement"}
    assert scores["log_loss"]["value"] == pytest.approx(recorded["metrics"]["log_loss"])
    assert scores["log_loss"]["baseline"] == pytest.approx(recorded["baseline"]["log_loss"])
    assert scores["log_loss"]["improvement"]["low"] > 0
    assert scores["calibration_error"]["improvement"] is None


def test_importances_are_numbers(penguins_report: ReportFiles) -> None:
    first = penguins_report.content["feature_importance"][0]
    assert first.keys() == {"column", "loss_increase", "low", "high", "metric_worsening"}
    json.dumps(penguins_report.json(), allow_nan=False)


def test_a_chart_is_its_table(penguins: Path) -> None:
    figure = FigureBlock("<svg/>", "t", "d", TableBlock("c", ("a",), (("1",),)))
    page = Page("title", "summary", (), (Section("s", "S", (Gallery((figure,)),)),))
    content = report_json(summarize_run(penguins), None, None, page)
    (gallery,) = content["sections"][0]["parts"]
    assert gallery["figures"][0]["table"]["rows"] == [["1"]]
    assert "<svg" not in json.dumps(content)


def test_folded_parts_keep_their_title_and_their_parts(penguins: Path) -> None:
    part = Details("more", (ColumnsBlock((Paragraph("a"), Paragraph("b"))),))
    page = Page("title", "summary", (), (Section("s", "S", (part,)),), (Verdict("better", True),))
    content = report_json(summarize_run(penguins), None, None, page)
    (folded,) = content["sections"][0]["parts"]
    assert folded["title"] == "more"
    assert [inner["text"] for inner in folded["parts"][0]["parts"]] == ["a", "b"]
    assert content["verdicts"] == [{"text": "better", "is_clear": True}]


def test_the_linear_model_is_in_the_json(penguins_report: ReportFiles) -> None:
    linear = penguins_report.content["linear_model"]
    assert linear["name"] == "logistic regression"
    scores = {score["metric"]: score for score in linear["scores"]}
    assert 0 < scores["log_loss"]["value"] < 1
    assert scores["log_loss"]["improvement"].keys() == {"low", "high"}

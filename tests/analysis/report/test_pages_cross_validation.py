"""The report of a cross-validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli import cross_validate
from nncli.analysis.evaluation.run_summary import summarize_cross_validation
from nncli.analysis.report.pages import cross_validation_page, main_metric
from nncli.api.report import report
from tests.analysis.report.support import parsed
from tests.cli.support import DATA, Cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cross-validation."""
    path = tmp_path_factory.mktemp("cv")
    (path / "c.yaml").write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 1\n")
    cross_validate(path / "c.yaml", folds=3, output=path / "cv")
    return path / "cv"


@pytest.mark.slow
def test_a_cross_validation_has_a_report_of_its_folds(folder: Path) -> None:
    files = report(folder)
    assert (files.html, files.card) == (folder / "report.html", folder / "report.md")
    text = parsed(files).text
    assert "Scores by fold" in text
    assert "out-of-fold" in text
    assert report(folder) == files  # an earlier report is replaced


def test_an_unfinished_cross_validation_is_a_warning(folder: Path) -> None:
    summary = summarize_cross_validation(folder)
    assert main_metric(summary) == "rmse"
    assert main_metric(replace(summary, out_of_fold={"balanced_accuracy": 0.5, "accuracy": 0.9})) == "balanced_accuracy"
    page = cross_validation_page(replace(summary, scored=(), out_of_fold={}, mean={}, standard_deviation={}, rows=0))
    assert [notice.level for notice in page.notices] == ["warning"]
    assert page.tiles == ()


def test_show_prints_its_scores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Cli(monkeypatch)("show", folder).check()
    assert "mean of folds" in shown.out
    assert "rmse" in shown.out
    assert "next: nncli report" in shown.err

"""`nncli report`: write the HTML report and the model card of a run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nncli.analysis.diagnosis import recorded_diagnosis
from nncli.analysis.evaluation.held_out import run_copies
from nncli.analysis.evaluation.linear_model import linear_benchmark
from nncli.analysis.evaluation.run_summary import summarize_cross_validation, summarize_run
from nncli.analysis.report.page import MARK, check_html_suffix, render
from nncli.analysis.report.pages import cross_validation_page
from nncli.analysis.report.run_page import MARK as CARD_MARK
from nncli.analysis.report.run_page import model_card, page_of, report_json, summary_card
from nncli.analysis.report.sections.feature_importance import compute_importance
from nncli.base.atomic_files import batched_fsync, check_overwrite, write_text
from nncli.base.errors import NncliError
from nncli.base.logs import log_duration
from nncli.base.regular_files import open_regular
from nncli.run_directory.cross_validation import is_cross_validation
from nncli.run_directory.run import is_search
from nncli.tuning.report import search_page
from nncli.tuning.summary import read_search

NAME = "report.html"


@dataclass(frozen=True)
class ReportFiles:
    """The paths of the two files, whether they are `in_run`, and the content of the report as JSON."""

    html: Path
    card: Path
    content: Mapping[str, Any] = field(default_factory=dict, compare=False)
    in_run: bool = False

    def json(self) -> dict[str, Any]:
        """The content, and the paths of the files."""
        return {**self.content, "html": str(self.html), "card": str(self.card)}

    def write(self, html: str, card: str) -> None:
        """Write both files; links in a run, which may lead anywhere, are replaced."""
        with batched_fsync():
            write_text(self.html, html, in_place=self.in_run)
            write_text(self.card, card, in_place=self.in_run)


def report(run: str | Path, output: str | Path | None = None, *, force: bool = False) -> ReportFiles:
    """Write the report of a run to `output` (default: report.html in the run directory), and a model card beside it.

    An earlier report at the default path is replaced; any other existing file only with `force`.

    Raises:
        RunError: there is no such run, or its manifest is damaged.
        UsageError: a file exists already, or the output does not end in .html or .htm.
    """
    path = Path(run)
    files = report_paths(path, None if output is None else Path(output), force=force)
    if is_search(path):
        return _report_search(path, files)
    if is_cross_validation(path):
        return _report_cross_validation(path, files)
    with run_copies(path):
        return _report(path, files)


def _report(path: Path, files: ReportFiles) -> ReportFiles:
    with log_duration("reading the run"):
        summary = summarize_run(path)
    with log_duration("computing scores"):
        scores = None if summary.held_out is None else summary.held_out.scores_with_intervals()
    with log_duration("fitting a linear model"):
        linear = None if summary.held_out is None else linear_benchmark(summary.held_out)
    diagnosis = None
    with log_duration("drawing"):
        importance = None if summary.held_out is None else compute_importance(summary.held_out)
        with suppress(NncliError):  # what is wrong with the files is said already
            diagnosis = recorded_diagnosis(path)
        page = page_of(summary, scores, importance, linear, diagnosis)
    files.write(render(page), model_card(summary, scores, page, files.html.name))
    return replace(files, content=report_json(summary, scores, importance, page, linear))


def _report_cross_validation(path: Path, files: ReportFiles) -> ReportFiles:
    """Write the report of a cross-validation; as it has no model, its card is a summary."""
    summary = summarize_cross_validation(path)
    page = cross_validation_page(summary)
    files.write(render(page), summary_card(page))
    return replace(files, content={**summary.json(), "title": page.title, "summary": page.summary})


def _report_search(path: Path, files: ReportFiles) -> ReportFiles:
    """Write the report of a search; as it has no model, its card is a summary."""
    summary = read_search(path)
    with log_duration("drawing"):
        page = search_page(summary)
    files.write(render(page), summary_card(page))
    return replace(files, content={**summary.json(), "title": page.title, "summary": page.summary})


def report_paths(run: Path, output: Path | None, *, force: bool) -> ReportFiles:
    """The paths of the report and the model card, checked.

    Raises:
        UsageError: a file exists already, or the output does not end in .html or .htm.
    """
    page = run / NAME if output is None else output
    check_html_suffix(page)
    card_path = page.with_suffix(".md")
    in_run = output is None
    for file, mark in ((page, MARK), (card_path, CARD_MARK)):
        check_overwrite(file, force=force or (in_run and _begins_with(file, mark)), in_place=in_run)
    return ReportFiles(page, card_path, in_run=in_run)


def _begins_with(file: Path, mark: bytes) -> bool:
    """Whether `mark` is among the first 4,096 bytes of a regular file."""
    try:
        with open_regular(file) as content:
            return mark in content.read(4096)
    except OSError:
        return False

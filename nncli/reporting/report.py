"""`nncli report`: a run directory in, one HTML file and a model card out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.evaluation.run_summary import RunSummary, summarize_run
from nncli.evaluation.score_intervals import ScoresWithIntervals, score_with_intervals
from nncli.reporting.html import MARK, html, refuse_other_than_html
from nncli.reporting.json_report import report_json
from nncli.reporting.model_card import MARK as CARD_MARK
from nncli.reporting.model_card import card
from nncli.reporting.page import Page, Section, shown
from nncli.reporting.sections.classification import classes
from nncli.reporting.sections.data import data
from nncli.reporting.sections.feature_importance import FeatureImportance, compute_importance, influence
from nncli.reporting.sections.intended_use import intended_use
from nncli.reporting.sections.largest_errors import largest_errors
from nncli.reporting.sections.learning_curves import curves
from nncli.reporting.sections.overview import notices, summary, summary_sentence
from nncli.reporting.sections.provenance import provenance
from nncli.reporting.sections.regression import numbers
from nncli.reporting.sections.scores import measured, recorded
from nncli.reporting.sections.slices import segments
from nncli.runs.history import RecordedMetrics
from nncli.utils.atomic_files import batched_fsync, check_overwrite, write_text
from nncli.utils.logs import log_duration
from nncli.version import __version__

NAME = "report.html"


@dataclass(frozen=True)
class ReportFiles:
    """The two files, and what they say, for programs."""

    html: Path
    card: Path
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def json(self) -> dict[str, Any]:
        """The facts, and where the files are."""
        return {**self.facts, "html": str(self.html), "card": str(self.card)}


def report(run: str | Path, output: str | Path | None = None, *, force: bool = False) -> ReportFiles:
    """Write what there is to know of a run into `output`, by default report.html in the run directory, and a model
    card beside it. An earlier report at the default place is replaced; any other file only with `force`.

    Raises:
        RunError: there is no such run, or its manifest is damaged.
        UsageError: a file is in the way, or the output is not named as a page is.
    """
    path = Path(run)
    written = report_paths(path, None if output is None else Path(output), force=force)
    with log_duration("gathering what is known"):
        evidence = summarize_run(path)
    with log_duration("assessing"):
        assessment = None if evidence.judged is None else score_with_intervals(evidence.judged)
    with log_duration("drawing"):
        influenced = None if evidence.judged is None else compute_importance(evidence.judged)
        page = page_of(evidence, assessment, influenced)
    with batched_fsync():
        write_text(written.html, html(page))
        write_text(written.card, card(evidence, assessment, page, written.html.name))
    return replace(written, facts=report_json(evidence, assessment, influenced, page))


def report_paths(run: Path, output: Path | None, *, force: bool) -> ReportFiles:
    """Where the files go.

    Raises:
        UsageError: a file is in the way, or the output is not named as a page is.
    """
    page = run / NAME if output is None else output
    refuse_other_than_html(page)
    beside = page.with_suffix(".md")
    for file, mark in ((page, MARK), (beside, CARD_MARK)):
        check_overwrite(file, force=force or (output is None and _begins_with(file, mark)))
    return ReportFiles(page, beside)


def _begins_with(file: Path, mark: bytes) -> bool:
    """Whether `mark` is in the first bytes of a file."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return mark in content.read(4096)


def page_of(evidence: RunSummary, assessment: ScoresWithIntervals | None, influenced: FeatureImportance | None) -> Page:
    """The report of what is known."""
    judged, metrics = evidence.judged, evidence.metrics
    sections = [
        summary(evidence),
        *(
            []
            if judged is None or assessment is None or influenced is None
            else row_sections(judged, assessment, metrics, influenced)
        ),
        *([recorded(metrics)] if judged is None and metrics is not None else []),
        curves(evidence.histories),
        intended_use(evidence),
        provenance(evidence),
    ]
    return Page(
        title=f"Report of {shown(evidence.path.resolve().name)}",
        lead=summary_sentence(evidence, assessment),
        notices=notices(evidence, assessment),
        sections=tuple(section for section in sections if section is not None),
        footer=f"Written by nncli {__version__}.",
    )


def row_sections(
    judged: HeldOutPredictions,
    assessment: ScoresWithIntervals,
    metrics: RecordedMetrics | None,
    found: FeatureImportance,
) -> list[Section | None]:
    """What the judged rows show."""
    return [
        measured(judged, assessment, metrics),
        classes(judged),
        numbers(judged),
        segments(judged, assessment, found.columns),
        influence(judged, found),
        largest_errors(judged, found),
        data(judged),
    ]

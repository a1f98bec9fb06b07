"""The report of a run as a page: its sections in order."""

from __future__ import annotations

from dataclasses import replace

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.linear_model import LinearBenchmark
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Page, Paragraph, Section, display
from nncli.analysis.report.sections.classification import classification
from nncli.analysis.report.sections.data import data
from nncli.analysis.report.sections.decision import decision
from nncli.analysis.report.sections.feature_importance import FeatureImportance, feature_importance
from nncli.analysis.report.sections.headline import head_of
from nncli.analysis.report.sections.intended_use import intended_use
from nncli.analysis.report.sections.largest_errors import largest_errors
from nncli.analysis.report.sections.learning_curves import learning_curves
from nncli.analysis.report.sections.overview import notices, overview, scored_predictions, summary_sentence
from nncli.analysis.report.sections.provenance import provenance
from nncli.analysis.report.sections.regression import regression
from nncli.analysis.report.sections.scores import held_out_scores, recorded_scores
from nncli.analysis.report.sections.slices import slices
from nncli.analysis.report.sections.thresholds import thresholds
from nncli.analysis.report.sections.uncertainty import uncertainty
from nncli.models.scores import ScoresWithIntervals
from nncli.runs.history import RecordedMetrics
from nncli.version import __version__


def page_of(
    summary: RunSummary,
    scores: ScoresWithIntervals | None,
    importance: FeatureImportance | None,
    linear: LinearBenchmark | None = None,
) -> Page:
    """The page of the report."""
    held_out, metrics, manifest = summary.held_out, summary.metrics, summary.manifest
    sections = [
        overview(summary),
        *(
            []
            if held_out is None or scores is None or importance is None
            else row_sections(held_out, scores, metrics, importance, linear)
        ),
        *([recorded_scores(metrics, manifest.held_out_kind)] if held_out is None and metrics is not None else []),
        learning_curves(summary.histories, summary.monitor),
        intended_use(summary),
        provenance(summary),
    ]
    verdicts, tiles = head_of(summary, scores, linear)
    return Page(
        title=f"Report of {display(summary.path.resolve().name)}",
        summary=summary_sentence(summary, scores),
        notices=notices(summary),
        verdicts=verdicts,
        tiles=tiles,
        sections=tuple(section for section in sections if section is not None),
        footer=f"Written by nncli {__version__}.",
    )


def row_sections(
    held_out: HeldOutPredictions,
    scores: ScoresWithIntervals,
    metrics: RecordedMetrics | None,
    importance: FeatureImportance,
    linear: LinearBenchmark | None = None,
) -> list[Section | None]:
    """The sections that need the scored rows, each with the predictions that it is of."""
    of_predictions = [
        *classification(held_out),
        decision(held_out),
        thresholds(held_out),
        regression(held_out),
        uncertainty(held_out, importance.columns),
        slices(held_out, scores, importance.columns),
    ]
    predictions = Paragraph(scored_predictions(held_out))
    return [
        held_out_scores(held_out, scores, metrics, linear),
        *(replace(one, parts=(predictions, *one.parts)) for one in of_predictions if one is not None),
        feature_importance(importance),
        largest_errors(held_out, importance),
        data(held_out),
    ]

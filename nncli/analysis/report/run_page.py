"""The report of a run as a page: its sections in order."""

from __future__ import annotations

from dataclasses import replace

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.linear_model import LinearBenchmark
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Details, Facts, Listing, Page, Paragraph, Part, Section, Table, display
from nncli.analysis.report.sections.classification import classification
from nncli.analysis.report.sections.data import data
from nncli.analysis.report.sections.decision import decision
from nncli.analysis.report.sections.feature_importance import FeatureImportance, feature_importance
from nncli.analysis.report.sections.headline import head_of
from nncli.analysis.report.sections.largest_errors import largest_errors
from nncli.analysis.report.sections.learning_curves import learning_curves
from nncli.analysis.report.sections.overview import (
    intended_use,
    notices,
    overview,
    scored_predictions,
    summary_sentence,
)
from nncli.analysis.report.sections.regression import regression
from nncli.analysis.report.sections.scores import held_out_scores, recorded_scores
from nncli.analysis.report.sections.slices import slices
from nncli.analysis.report.sections.thresholds import thresholds
from nncli.analysis.report.sections.uncertainty import uncertainty
from nncli.base.logs import format_duration
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


def provenance(summary: RunSummary) -> Section:
    """The facts of the manifest, the checksums of the files, and the configuration with all defaults."""
    manifest = summary.manifest
    pairs = [
        ("status", manifest.status),
        ("command", display(" ".join(manifest.command), 400) or "called from Python"),
        ("started", manifest.started),
        ("finished", manifest.finished or "not finished"),
        ("duration", "–" if manifest.seconds is None else format_duration(manifest.seconds)),
        ("table", display(manifest.data.title, 400)),
        ("SHA-256 of the table", manifest.data.sha256 or "unknown, as it was read from a pipe"),
        ("rows of the table", f"{manifest.data.rows:,}"),
        ("training rows", f"{manifest.training_rows:,}"),
        (f"{manifest.held_out_kind} rows", f"{manifest.validation_rows:,}"),
        ("features", f"{manifest.features:,}"),
        ("networks", f"{manifest.members:,}"),
        ("parameters", f"{manifest.parameters:,}"),
        ("seed", str(manifest.seed)),
        ("backend", f"{manifest.backend}, {manifest.n_shards} batch shard(s), {manifest.blas_threads} BLAS thread(s)"),
        ("nncli", manifest.nncli_version),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
        ("machine", f"{manifest.machine.system}, {manifest.machine.processor}, {manifest.machine.cores} cores"),
        *([("BLAS", manifest.machine.blas)] if manifest.machine.blas else []),
    ]
    if manifest.teacher is not None:
        pairs.insert(8, ("teacher", display(manifest.teacher.path, 400)))
        pairs.insert(9, ("SHA-256 of the teacher's weights", manifest.teacher.sha256))
    if manifest.selection is not None:
        pairs.insert(8, ("selected", display(manifest.selection.text, 400)))
    if manifest.validation_data is not None:
        pairs.insert(8, ("validation table", display(manifest.validation_data.title, 400)))
    sums = tuple((display(name), digest) for name, digest in sorted(manifest.files.items()))
    checksums = Table("Checksums of the run's files", ("file", "SHA-256"), sums, prose=(0, 1))
    configuration = "config.yaml includes all defaults: training with it reproduces the model."
    if manifest.selection is not None:
        configuration = "config.yaml is that of the trial of the largest weight: training with it gives another model."
    parts: list[Part] = [
        Details("Command, versions and machine", (Facts(tuple(pairs)),)),
        Details("Checksums", (checksums,)),
        *([Listing("config.yaml", summary.config)] if summary.config else []),
        Paragraph(configuration if summary.config else "The configuration cannot be read."),
    ]
    return Section("provenance", "Provenance", tuple(parts))

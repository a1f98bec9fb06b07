"""The report of a run: its sections in order as a page, as JSON, and in short as a model card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import singledispatch
from typing import Any

from nncli.analysis.diagnosis import TrainingDiagnosis
from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.linear_model import LinearModel
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import (
    Cell,
    Details,
    Facts,
    FigureBlock,
    Listing,
    Page,
    Paragraph,
    Part,
    Section,
    TableBlock,
    Tile,
    Verdict,
    display,
)
from nncli.analysis.report.pictures import picture
from nncli.analysis.report.sections.classification import classification, decision, thresholds
from nncli.analysis.report.sections.errors import largest_errors, slices
from nncli.analysis.report.sections.feature_importance import FeatureImportance, feature_importance
from nncli.analysis.report.sections.learning_curves import learning_curves
from nncli.analysis.report.sections.predictions import headline_intervals, residuals, survival, uncertainty
from nncli.analysis.report.sections.scores import (
    COMMANDS,
    held_out_scores,
    intended,
    intended_use,
    lead,
    limitations,
    notices,
    overview,
    overview_facts,
    recorded_rows,
    recorded_scores,
    score_row,
    scored_predictions,
    scored_rows,
    summary_sentence,
    tiles,
    verdicts,
)
from nncli.analysis.report.sections.training_health import training_health
from nncli.base.findings import Finding
from nncli.base.logs import format_duration
from nncli.base.text import format_number, format_percent, json_safe
from nncli.data.profile import ColumnProfile
from nncli.fitting.table_report import TableReport, check_table
from nncli.models.scores import ScoresWithIntervals, ScoreWithInterval
from nncli.run_directory.history_and_metrics import RecordedMetrics
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.views import ClassProbabilities, PositiveClass, Residuals, SurvivalCurves, View
from nncli.version import __version__

MAX_FINDINGS = 40
MAX_COLUMNS = 200
MAX_VALUES = 3
MAX_MESSAGE_LENGTH = 600
MIN_REPEATS = 2
"""Rows of the most frequent value from which the values of a column are drawn as bars."""
HISTOGRAMS = (
    "Bars are the numbers of rows: of numbers from the 1st to the 99th percentile, the outermost with all rows beyond; "
    "of other columns for the most frequent values, the last for all others."
)


def data(held_out: HeldOutPredictions) -> Section:
    """The data check's findings and the columns of the run's table."""
    report = check_table(held_out.config)
    parts: list[Part] = [*_findings(report), *_column_parts(held_out, report.profiles)]
    return Section("data", "Data", tuple(parts), wide=True)


def _findings(report: TableReport) -> list[Part]:
    findings, note = report.findings, ""
    if not findings:
        return [Paragraph("The data check has no findings.")]
    rows = tuple(_finding(finding) for finding in findings[:MAX_FINDINGS])
    if len(findings) > MAX_FINDINGS:
        note = f"The first {MAX_FINDINGS} of {len(findings):,} findings. Run nncli check to see all of them."
    titles = ("level", "location", "finding", "hint")
    return [TableBlock("Findings of the data check", titles, rows, (0, 1, 2, 3), note, folds=True)]


def _finding(finding: Finding) -> tuple[str, ...]:
    place = finding.location
    where = [] if place.row is None else [f"row {place.row:,}"]
    where += [] if place.column is None else [f"column {display(place.column)}"]
    where += [] if place.key is None else [display(place.key)]
    return (
        finding.level,
        ", ".join(where) or "–",
        display(finding.message, MAX_MESSAGE_LENGTH),
        display(finding.hint, MAX_MESSAGE_LENGTH),
    )


def _column_parts(held_out: HeldOutPredictions, profiles: tuple[ColumnProfile, ...]) -> list[Part]:
    if not profiles:
        return []
    used = {*held_out.model.names}
    rows = tuple(_column(profile, used, held_out.config.data.target) for profile in profiles[:MAX_COLUMNS])
    note = f"The first {MAX_COLUMNS} of {len(profiles):,} columns." if len(profiles) > MAX_COLUMNS else ""
    note = f"{HISTOGRAMS} {note}".strip()
    titles = ("column", "role", "kind", "missing", "distinct values", "distribution", "range or most frequent values")
    return [TableBlock("Columns of the table", titles, rows, (0, 1, 2, 5, 6), note, folds=True)]


def _column(profile: ColumnProfile, used: set[str], targets: tuple[str, ...]) -> tuple[str | Cell, ...]:
    role = "target" if profile.name in targets else "feature" if profile.name in used else "not used"
    missing = format_percent(profile.missing / profile.rows) if profile.rows else "–"
    if profile.lowest is not None and profile.highest is not None:
        low, high, median = map(format_number, (profile.lowest, profile.highest, profile.median))
        values = f"{low} to {high}, median {median}"
    else:
        values = ", ".join(f"{display(top, 30)} ({count:,})" for top, count in profile.top_values[:MAX_VALUES]) or "–"
    kind, distinct, bars = str(profile.label), f"{profile.distinct:,}", _bars(profile)
    distribution = Cell("", bars=bars) if bars else Cell("–")
    return display(profile.name), role, kind, missing, distinct, distribution, values


def _bars(profile: ColumnProfile) -> tuple[float, ...]:
    """The bars of a column's histogram, or those of its most frequent values if they repeat."""
    if profile.histogram:
        return tuple(map(float, profile.histogram))
    if not profile.top_values or profile.top_values[0][1] < MIN_REPEATS:
        return ()
    counts = [float(count) for _, count in profile.top_values]
    others = profile.present - sum(counts)
    return (*counts, others) if others > 0 else tuple(counts)


def page_of(
    summary: RunSummary,
    scores: ScoresWithIntervals | None,
    importance: FeatureImportance | None,
    linear: LinearModel | None = None,
    diagnosis: TrainingDiagnosis | None = None,
) -> Page:
    """The page of the report."""
    held_out, metrics, manifest = summary.held_out, summary.metrics, summary.manifest
    sections: list[Section | None] = []
    head, numbers, shown = tuple[Verdict, ...](), tuple[Tile, ...](), None
    if held_out is not None and scores is not None and importance is not None:
        sections += row_sections(held_out, scores, metrics, importance, linear)
        findings = () if metrics is None else metrics.findings
        head, numbers = verdicts(held_out, scores, linear, findings), tiles(held_out, scores, linear)
        shown = _picture(held_out)
    elif held_out is None and metrics is not None:
        sections.append(recorded_scores(metrics, manifest.held_out_kind))
    sections += [
        learning_curves(summary.histories, summary.monitor),
        None if diagnosis is None else training_health(diagnosis),
        overview(summary),
        intended_use(summary),
        provenance(summary),
    ]
    return Page(
        title=f"Report of {display(summary.path.resolve().name)}",
        summary=summary_sentence(summary, scores),
        notices=notices(summary),
        verdicts=head,
        tiles=numbers,
        picture=shown,
        lead=lead(summary),
        sections=tuple(section for section in sections if section is not None),
    )


def _picture(held_out: HeldOutPredictions) -> FigureBlock | None:
    """The picture of the predictions."""
    predictions, intervals = held_out.predictions, headline_intervals(held_out)
    shown = picture(predictions.target.view(predictions, held_out.y, held_out.weights, intervals))
    if shown is None or held_out.averaging is None:
        return shown
    scores = "Scores" if predictions.decision is None else "Scores of probabilities"
    text = f"{scores} include the expected gain of averaging all networks, single rows do not."
    return replace(shown, description=f"{shown.description} {text}")


def row_sections(
    held_out: HeldOutPredictions,
    scores: ScoresWithIntervals,
    metrics: RecordedMetrics | None,
    importance: FeatureImportance,
    linear: LinearModel | None = None,
) -> list[Section | None]:
    """The sections that need the scored rows, each with the predictions that it is of."""
    of_predictions = [
        *view_sections(held_out),
        uncertainty(held_out, importance.columns),
        slices(held_out, scores, importance.columns),
    ]
    predictions = scored_predictions(held_out)
    return [
        held_out_scores(held_out, scores, metrics, linear),
        feature_importance(importance),
        *(one.with_method(predictions) for one in of_predictions if one is not None),
        largest_errors(held_out, importance),
        data(held_out),
    ]


def view_sections(held_out: HeldOutPredictions) -> tuple[Section, ...]:
    """The sections of all views of the scored rows."""
    views = held_out.head.views.of_rows(held_out.predictions, held_out.y, held_out.weights, held_out.baseline)
    return tuple(section for view in views for section in _sections(view, held_out) if section is not None)


@singledispatch
def _sections(view: View, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    """The sections of a view; none of one that reports do not know."""
    return ()


@_sections.register
def _(view: ClassProbabilities, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (*classification(view, held_out), decision(held_out))


@_sections.register
def _(view: PositiveClass, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (thresholds(view, held_out),)


@_sections.register
def _(view: Residuals, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (residuals(view),)


@_sections.register
def _(view: SurvivalCurves, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (survival(view),)


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
    checksums = TableBlock("Checksums of the run's files", ("file", "SHA-256"), sums, prose=(0, 1))
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


def report_json(
    summary: RunSummary,
    scores: ScoresWithIntervals | None,
    importance: FeatureImportance | None,
    page: Page,
    linear: LinearModel | None = None,
) -> dict[str, Any]:
    """The report as a JSON object; null stands for unknown and infinite numbers."""
    held_out = summary.held_out
    document = {
        "run": str(summary.path),
        "status": summary.manifest.status,
        "title": page.title,
        "summary": page.summary,
        "verdicts": [{"text": verdict.text, "is_clear": verdict.is_clear} for verdict in page.verdicts],
        "notices": [asdict(notice) for notice in page.notices],
        "scored_on": None if held_out is None else held_out.split,
        "out_of_fold": held_out is not None and held_out.is_out_of_fold,
        "rows_scored": 0 if held_out is None else len(held_out),
        "scores": [] if scores is None else [_score(score) for score in scores.scores],
        "linear_model": None if linear is None else _linear(linear),
        "feature_importance": [] if importance is None else [asdict(item) for item in importance.importances],
        "sections": [
            {"name": section.name, "title": section.title, "parts": [_part(part) for part in section.parts]}
            for section in page.sections
        ],
    }
    return {key: json_safe(value) for key, value in document.items()}


def _score(score: ScoreWithInterval) -> dict[str, Any]:
    return {
        "metric": score.name,
        "target": score.target,
        "value": score.value,
        **_ends(score.interval),
        "baseline": score.baseline,
        "improvement": None if score.improvement is None else _ends(score.improvement),
    }


def _linear(linear: LinearModel) -> dict[str, Any]:
    """The linear model's scores and the intervals of the run's improvement over it, or why there is none."""
    scores = [] if linear.scores is None else linear.scores.scores
    return {
        "name": linear.name,
        "reason": linear.reason or None,
        "scores": [
            {
                "metric": score.name,
                "target": score.target,
                "value": score.baseline,
                "improvement": None if score.improvement is None else _ends(score.improvement),
            }
            for score in scores
        ],
    }


def _ends(interval: ConfidenceInterval | None) -> dict[str, float | None]:
    return {"low": None, "high": None} if interval is None else {"low": interval.low, "high": interval.high}


def _part(part: Part) -> dict[str, Any]:
    """A part of a section; a chart is represented by its table."""
    if isinstance(part, TableBlock):
        return {
            "kind": part.kind,
            "caption": part.caption,
            "columns": list(part.columns),
            "rows": [[cell.full for cell in row] for row in part.cells],
            "note": part.note,
        }
    shown = {name: value for name, value in vars(part).items() if name not in ("svg", "wide")}
    return {"kind": part.kind, **{name: _value(value) for name, value in shown.items()}}


def _value(value: object) -> object:
    if isinstance(value, tuple):
        return [_value(inner) for inner in value]
    return _part(value) if isinstance(value, Part) else value


MARK = b"<!-- A model card by nncli "


def model_card(summary: RunSummary, scores: ScoresWithIntervals | None, page: Page, report: str) -> str:
    """The model card; `report` is the file name of the full report."""
    name = display(summary.path.resolve().name)
    parts = [
        f"<!-- A model card by nncli {__version__} -->",
        f"# Model card: {plain(name)}",
        plain(page.summary),
        *(plain(verdict.text) for verdict in page.verdicts),
        *(f"**{notice.level.capitalize()}:** {plain(notice.text)}" for notice in page.notices),
        "## Intended use",
        plain(intended(summary)),
        "## Model and data",
        bullets(f"{term}: {value}" for term, value in overview_facts(summary)),
        "## Scores",
        _scores(summary, scores),
        "## Limitations",
        bullets(limitations(summary)),
        "## Next steps",
        plain(f"RUN is the run directory, {name}."),
        f"```sh\n{COMMANDS}\n```",
        f"The full report is {plain(display(report))}.",
    ]
    return "\n\n".join(parts) + "\n"


def summary_card(page: Page) -> str:
    """A card of a page without a model: its title, summary and main numbers."""
    tiles = bullets(f"{tile.label}: {tile.value} {tile.remark}".rstrip() for tile in page.tiles)
    parts = [f"<!-- A model card by nncli {__version__} -->", f"# {plain(page.title)}", plain(page.summary), tiles]
    return "\n\n".join(filter(None, parts)) + "\n"


def plain(text: str) -> str:
    """Text on one line, with Markdown's special characters escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))


def bullets(points: Iterable[str]) -> str:
    """A bulleted list."""
    return "\n".join(f"- {plain(point)}" for point in points)


def table(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A Markdown table whose first column is aligned to the left, the others to the right."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    escaped = [[plain(cell.full) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *escaped])


def _scores(summary: RunSummary, scores: ScoresWithIntervals | None) -> str:
    held_out, metrics = summary.held_out, summary.metrics
    if held_out is not None and scores is not None:
        labels = held_out.predictions.target.labels
        rows = [score_row(score, None, labels)[:4] for score in scores.scores]
        return f"On {scored_rows(held_out)}:\n\n" + table(("metric", "model", "95 % CI", "baseline"), rows)
    recorded = None if metrics is None else metrics.validation or metrics.training
    if metrics is None or recorded is None:
        return "No scores were recorded."
    split = summary.manifest.held_out_kind if metrics.validation else "training"
    return f"On {recorded.rows:,} {split} rows:\n\n" + table(("metric", "model", "baseline"), recorded_rows(recorded))

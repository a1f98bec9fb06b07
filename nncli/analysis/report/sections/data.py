"""The training table: findings of the data check, and a profile of each column."""

from __future__ import annotations

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.report.page import Cell, Paragraph, Part, Section, Table, display
from nncli.base.findings import Finding
from nncli.base.text import format_number, format_percent
from nncli.data.profile import ColumnProfile
from nncli.fitting.dry_run.steps import TableReport, check_table

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
    parts: list[Part] = [*_findings(report), *_columns(held_out, report.profiles)]
    return Section("data", "Data", tuple(parts), wide=True)


def _findings(report: TableReport) -> list[Part]:
    findings, note = report.findings, ""
    if not findings:
        return [Paragraph("The data check has no findings.")]
    rows = tuple(_finding(finding) for finding in findings[:MAX_FINDINGS])
    if len(findings) > MAX_FINDINGS:
        note = f"The first {MAX_FINDINGS} of {len(findings):,} findings. Run nncli check to see all of them."
    titles = ("level", "location", "finding", "hint")
    return [Table("Findings of the data check", titles, rows, (0, 1, 2, 3), note, folds=True)]


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


def _columns(held_out: HeldOutPredictions, profiles: tuple[ColumnProfile, ...]) -> list[Part]:
    if not profiles:
        return []
    used = {*held_out.model.names}
    rows = tuple(_column(profile, used, held_out.config.data.target) for profile in profiles[:MAX_COLUMNS])
    note = f"The first {MAX_COLUMNS} of {len(profiles):,} columns." if len(profiles) > MAX_COLUMNS else ""
    note = f"{HISTOGRAMS} {note}".strip()
    titles = ("column", "role", "kind", "missing", "distinct values", "distribution", "range or most frequent values")
    return [Table("Columns of the table", titles, rows, (0, 1, 2, 5, 6), note, folds=True)]


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

"""The table: what a look at it brings up, and what its columns are."""

from __future__ import annotations

from nncli.checks.findings import Finding
from nncli.checks.table_checks import TableReport, check_table
from nncli.data.profile import ColumnProfile
from nncli.evaluation.held_out import HeldOutPredictions
from nncli.reporting.page import Heading, Paragraph, Part, Section, Table, number, percent, shown

MOST_FINDINGS = 40
MOST_COLUMNS = 200
MOST_VALUES = 3
MOST_OF_A_MESSAGE = 600


def data(judged: HeldOutPredictions) -> Section:
    """Findings and columns of the run's table."""
    examination = check_table(judged.config)
    parts: list[Part] = [*_findings(examination), *_columns(judged, examination.profiles)]
    return Section("data", "The table", tuple(parts))


def _findings(examination: TableReport) -> list[Part]:
    found = examination.findings
    if not found:
        return [Paragraph("A look at the table brings up nothing to mend: see nncli check for what is looked at.")]
    rows = tuple(_finding(one) for one in found[:MOST_FINDINGS])
    note = f"The first {MOST_FINDINGS} of {len(found):,}: nncli check shows all." if len(found) > MOST_FINDINGS else ""
    titles = ("level", "where", "what", "how to mend it")
    return [
        Heading("The data check"),
        Table("What a look at the table brings up", titles, rows, (0, 1, 2, 3), note, folds=True),
    ]


def _finding(one: Finding) -> tuple[str, ...]:
    place = one.place
    where = [] if place.row is None else [f"row {place.row:,}"]
    where += [] if place.column is None else [f"column {shown(place.column)}"]
    where += [] if place.key is None else [shown(place.key)]
    return one.level, ", ".join(where) or "–", shown(one.message, MOST_OF_A_MESSAGE), shown(one.hint, MOST_OF_A_MESSAGE)


def _columns(judged: HeldOutPredictions, profiles: tuple[ColumnProfile, ...]) -> list[Part]:
    if not profiles:
        return []
    used = {*judged.model.names}
    rows = tuple(_column(one, used, judged.config.data.target) for one in profiles[:MOST_COLUMNS])
    note = f"The first {MOST_COLUMNS} of {len(profiles):,} columns." if len(profiles) > MOST_COLUMNS else ""
    titles = ("column", "use", "holds", "missing", "different values", "range, or commonest values")
    return [Heading("The columns"), Table("Columns of the table", titles, rows, (0, 1, 2, 5), note, folds=True)]


def _column(one: ColumnProfile, used: set[str], targets: tuple[str, ...]) -> tuple[str, ...]:
    use = "target" if one.name in targets else "feature" if one.name in used else "not used"
    missing = percent(one.missing / one.rows) if one.rows else "–"
    if one.lowest is not None and one.highest is not None:
        what = f"{number(one.lowest)} to {number(one.highest)}, median {number(one.median)}"
    else:
        what = ", ".join(f"{shown(value, 30)} ({count:,})" for value, count in one.top_values[:MOST_VALUES]) or "–"
    return shown(one.name), use, str(one.label), missing, f"{one.distinct:,}", what

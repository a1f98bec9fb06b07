"""The report of a cross-validation as one HTML file: scores by fold, and those of all out-of-fold rows."""

from __future__ import annotations

from nncli.analysis.evaluation.cross_validation_summary import CrossValidationSummary
from nncli.analysis.report.charts import Range, ranges
from nncli.analysis.report.page import Columns, Facts, Notice, Page, Paragraph, Section, Table, Tile, display
from nncli.base.text import format_number
from nncli.version import __version__

MAIN = ("accuracy", "balanced_accuracy", "rmse")
MAX_FOLDS = 60
"""Most folds that are listed."""
SPREAD = (
    "Mean and standard deviation are of the scores of the folds; the out-of-fold scores are of all rows at once. No "
    "row is scored by a network that was trained on it."
)


def cross_validation_page(summary: CrossValidationSummary) -> Page:
    """The page of a cross-validation."""
    name, names = main_metric(summary), tuple(summary.out_of_fold)
    overview = Facts(tuple((term, display(value, 400)) for term, value in summary.facts() if value))
    sections = [Section("overview", "Overview", (overview,), wide=True)]
    if summary.is_done:
        sections.append(
            Section("scores", "Scores", (Paragraph(SPREAD), _table(summary, names), *_chart(summary, name)))
        )
    target = display(", ".join(summary.config.data.target))
    value, mean = (format_number(scores.get(name)) for scores in (summary.out_of_fold, summary.mean))
    spread = format_number(summary.standard_deviation.get(name))
    text = f"A cross-validation of “{target}” in {summary.folds:,} folds."
    if summary.is_done:
        text += f" {display(name)} on {summary.rows:,} out-of-fold rows: {value}."
    unfinished = f"The cross-validation is not finished. To continue: {display(summary.resume, 400)}"
    return Page(
        title=f"Report of {display(summary.path.resolve().name)}",
        summary=text,
        notices=() if summary.is_done else (Notice("warning", unfinished),),
        sections=tuple(sections),
        footer=f"Written by nncli {__version__}.",
        tiles=(
            Tile(display(name), value, "of all out-of-fold rows"),
            Tile("Mean of the folds", mean, f"standard deviation {spread}"),
            Tile("Folds", f"{summary.folds:,}", f"repeated {summary.repeats:,} times" if summary.repeats > 1 else ""),
            Tile("Rows", f"{summary.rows:,}"),
        )
        if summary.is_done
        else (),
    )


def main_metric(summary: CrossValidationSummary) -> str:
    """The metric that stands first; the scores begin with balanced_accuracy if a class is rare."""
    names = [*summary.out_of_fold]
    return next((name for name in names if name.startswith(MAIN)), names[0] if names else "")


def _table(summary: CrossValidationSummary, names: tuple[str, ...]) -> Table:
    lines = [
        (_title(summary, one.repeat, one.fold), f"{one.rows:,}", one.metrics) for one in summary.scored[:MAX_FOLDS]
    ]
    lines += [
        ("mean", "", summary.mean),
        ("standard deviation", "", summary.standard_deviation),
        ("out-of-fold", f"{summary.rows:,}", summary.out_of_fold),
    ]
    rows = [(title, count, *(format_number(scores.get(name)) for name in names)) for title, count, scores in lines]
    note = f"The first {MAX_FOLDS} of {len(summary.scored):,} folds." if len(summary.scored) > MAX_FOLDS else ""
    return Table("Scores by fold", ("fold", "rows", *map(display, names)), tuple(rows), note=note)


def _chart(summary: CrossValidationSummary, name: str) -> tuple[Columns, ...]:
    """The main metric by fold, beside that of all out-of-fold rows."""
    values = [(fold, fold.metrics.get(name)) for fold in summary.scored[:MAX_FOLDS]]
    drawn = [
        Range(f"fold {_title(summary, fold.repeat, fold.fold)}", value, None, None)
        for fold, value in values
        if value is not None
    ]
    level = summary.out_of_fold.get(name)
    if not drawn or level is None:
        return ()
    rows = tuple((one.name, format_number(one.value)) for one in drawn)
    title = display(name)
    table = Table(f"{title} by fold", ("fold", title), rows)
    description = f"The {title} of each fold. Dotted line: all out-of-fold rows."
    return (Columns((ranges(f"{title} by fold", description, title, drawn, table, level),)),)


def _title(summary: CrossValidationSummary, repeat: int, fold: int) -> str:
    return f"{repeat}.{fold}" if summary.repeats > 1 else str(fold)

"""`nncli drift` on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nncli.analysis.drift_limits import VALIDITY
from nncli.api.options import DriftOptions, SourceOptions
from nncli.base.option import OUTPUT, Option, Options
from nncli.base.text import escape_unprintable, format_percent
from nncli.cli.console import format_number, interrupt_at_once, rows
from nncli.cli.shared_arguments import (
    PageOptions,
    ResultOptions,
    RunDirectory,
    input_table,
    requires_extra,
    show_targets,
)
from nncli.cli.tables import one_line_table, table

if TYPE_CHECKING:
    from nncli.analysis.drift_report import ColumnDrift, Drift, DriftWindow
    from nncli.targets.metrics.sums import ClassSums, TrueSums

MAX_COLUMNS = 30
"""Columns of a table that are shown; --json has all."""
MAX_NAMED = 3
"""Columns that are named for a batch."""
DRIFT_FOUND = 1
"""The exit code with --fail-on drift."""


@dataclass(frozen=True, kw_only=True)
class FailOptions(Options):
    """What ends the command with exit code 1."""

    fail_on: Annotated[Literal["drift"] | None, Option("End with exit code 1 if there is drift.", OUTPUT)] = None


def drift(
    *,
    run: RunDirectory,
    data: Annotated[
        str,
        typer.Argument(
            help="New rows: a table with the feature columns, - for standard input, or a profile (.json) of `nncli "
            "predict --profile`.",
            metavar="TABLE",
        ),
    ],
    place: SourceOptions,
    options: DriftOptions,
    page: PageOptions,
    fail: FailOptions,
    display: ResultOptions,
) -> None:
    """A column has drifted if its distribution, its share of missing cells or of unseen categories differs by more than
    --limit, and the difference is significant at 5 % over all tests of the same rows. So at most about one of 20
    batches without drift has a finding. For classes, accuracy, log loss and the area under the ROC curve are estimated
    from the probabilities, without labels; that is valid under covariate shift: P(class | features) unchanged. If TABLE
    has the target's column, the true scores are printed too: for numbers RMSE and MAE, for labels log loss and F1. The
    column of data.time is not compared: new rows are later ones.

    \b
    nncli drift runs/penguins new.csv
    nncli drift runs/penguins new.csv --every 1000 --json
    nncli drift runs/penguins new.csv --by month --fail-on drift
    nncli predict runs/penguins new.csv -o out.csv --profile seen.json; nncli drift runs/penguins seen.json
    """
    from nncli.api.drift import drift_with
    from nncli.run_directory.run import Run

    interrupt_at_once()
    page.check()
    source = input_table(place, data)
    if page.html is not None:
        Run.open(run).check_one_target()
    result = drift_with(run, source, replace(options, on_note=display.note))
    if page.html is not None:
        with requires_extra("report"):
            from nncli.analysis.report.page import write_page
            from nncli.analysis.report.pages import drift_page

        write_page(drift_page(result), page.html, force=page.force)
    show_targets(display, result, _text, lambda _: ())
    if fail.fail_on is not None and result.has_drift:
        raise typer.Exit(DRIFT_FOUND)


def _text(result: Drift) -> str:
    return "\n".join(_lines(result))


def _lines(result: Drift) -> Iterator[str]:
    """The result as text: a table of columns, or a line for each of several batches."""
    if len(result.batches) == 1:
        yield from _one_batch(result, result.batches[0])
        return
    titles = ["batch", "rows", "drift"]
    estimated = any(batch.comparison.performance for batch in result.batches)
    errors = [batch.comparison.errors for batch in result.batches]
    measured = [None if sums is None else next(iter(sums.actual.values()), None) for sums in errors]
    first = next(filter(None, measured), {}) if all(sums is None or len(sums.names) == 1 for sums in errors) else {}
    shown = [*first][:1]  # RMSE of numbers, the log loss of labels
    lines = [titles + ["estimated accuracy"] * estimated + [f"true {name}" for name in shown]]
    for batch, scores in zip(result.batches, measured, strict=True):
        values = [format_number(None if scores is None else scores[name]) for name in shown]
        lines.append([*_batch_line(batch, estimated=estimated), *values])
    yield one_line_table(lines)
    n = sum(bool(batch.comparison.drifted) for batch in result.batches)
    yield f"{n:,} of {len(result.batches):,} batches have drifted"


def _batch_line(batch: DriftWindow, *, estimated: bool) -> list[str]:

    comparison = batch.comparison
    names = [escape_unprintable(column.title) for column in comparison.drifted]
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    line = [escape_unprintable(batch.name), f"{comparison.rows:,}", ", ".join(names[:MAX_NAMED]) + more or "-"]
    if estimated:
        performance = comparison.performance
        line.append(format_number(None if performance is None else performance.estimated.accuracy))
    return line


def _one_batch(result: Drift, batch: DriftWindow) -> Iterator[str]:

    comparison = batch.comparison
    name = "" if batch.name == "all" else f"{batch.name}: "
    yield f"{name}{rows(comparison.rows)}, compared with {result.reference.total:,} training rows"
    titles = ["column", "drift", "PSI", "distance", "adjusted p", "missing", "in training", "unseen"]
    shown = comparison.columns[:MAX_COLUMNS]
    yield one_line_table([titles, *(line for column in shown for line in _lines_of(column))], droppable=(6, 4, 3))
    if len(comparison.columns) > MAX_COLUMNS:
        yield f"{MAX_COLUMNS} of {len(comparison.columns):,} columns; --json has all"
    if comparison.predictions:
        predictions = [line[:5] for column in comparison.predictions for line in _lines_of(column)]
        yield "\n" + one_line_table([["prediction", *titles[1:5]], *predictions])
    if comparison.performance is not None:
        yield from _performance(comparison.performance)
    if comparison.errors is not None:
        yield from _errors(comparison.errors)
    n = len(comparison.drifted)
    yield f"\n{n:,} of {len(comparison.columns) + len(comparison.predictions):,} have drifted" if n else "\nno drift"


def _lines_of(column: ColumnDrift) -> list[list[str]]:
    """A line for each kind of drift of a column or a prediction, or one line without drift."""
    missing, unseen = column.test("missing"), column.test("unseen")
    shares = [
        "-" if missing is None or missing.new is None else format_percent(missing.new),
        "-" if missing is None or missing.reference is None else format_percent(missing.reference),
        "-" if unseen is None or unseen.new is None else format_percent(unseen.new),
    ]
    title = escape_unprintable(column.title)
    return [
        [
            title,
            test.kind if column.drifted else "-",
            *map(format_number, (test.psi, test.distance, test.adjusted_p)),
            *shares,
        ]
        for test in column.shown
    ] or [[title, *["-"] * 4, *shares]]


def _errors(errors: TrueSums) -> Iterator[str]:
    """The true scores of the rows with a label."""
    for target, scores in errors.actual.items():
        name = f" of {escape_unprintable(target)}" if len(errors.names) > 1 else ""
        title = f"true, {rows(errors.labeled[errors.names.index(target)])}"
        lines = [["score", title], *([f"{score}{name}", format_number(value)] for score, value in scores.items())]
        yield f"\n{table(lines)}"


def _performance(performance: ClassSums) -> Iterator[str]:

    estimated, actual = performance.estimated, performance.actual
    title = f"true, {rows(performance.labeled)}"
    lines: list[Sequence[str]] = [["score", "estimated"] + [title] * bool(performance.labeled)]
    for name in ("accuracy", "log_loss", "roc_auc"):
        if getattr(estimated, name) is not None:
            values = [getattr(estimated, name)] + [getattr(actual, name)] * bool(performance.labeled)
            lines.append([name, *map(format_number, values)])
    yield f"\n{table(lines)}"
    if performance.unknown:
        yield f"the true scores are without {rows(performance.unknown)} whose class the model does not know"
    yield f"estimated without labels: valid {VALIDITY}"

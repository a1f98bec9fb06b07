"""`nncli evaluate` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.options import AsJson, ErrorsFile, Force, NoColor, OnError, OnInvalidCell, Quiet, RunDirectory, Verbose

if TYPE_CHECKING:
    from nncli.commands.evaluate import Evaluation

MAX_CONFUSION_CLASSES = 40
"""Largest number of classes for which the confusion matrix is printed."""


def evaluate(
    run: RunDirectory,
    table: Annotated[
        str, typer.Argument(help="A table with the target column, or - for standard input.", metavar="INPUT")
    ],
    on_error: OnInvalidCell = OnError.FAIL,
    errors: ErrorsFile = None,
    as_json: AsJson = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Score a trained run on a labeled table.

    Notes on stderr say how the table was read and count unseen categories, values out of range and missing cells. A
    warning says so if rows of the table were trained on. A cell that cannot be read ends the command with exit code 4,
    unless --on-error is missing or skip; rows whose target cannot be read are then left out.

    \b
    nncli evaluate runs/penguins labeled.csv
    nncli evaluate runs/penguins labeled.csv --json | jq .metrics.accuracy
    """
    import json

    from nncli.cli.console import announce_input, echo_err, rows
    from nncli.cli.errors_file import check_errors_file
    from nncli.cli.signals import interrupt_at_once
    from nncli.commands.evaluate import evaluate as score

    interrupt_at_once()
    if table == "-":
        announce_input("a table")
    if errors is not None:
        check_errors_file(errors, None if table == "-" else Path(table), None, force=force)
    evaluation = score(run, table, on_error=on_error.value, errors=errors)
    notes = [*evaluation.notes]
    if evaluation.skipped:
        notes.append(f"skipped {rows(evaluation.skipped)} without a target")
    if evaluation.anomalies.note:
        notes.append(evaluation.anomalies.note)
    for note in [] if quiet else notes:
        echo_err(f"note: {note}")
    if evaluation.training_rows is not None and evaluation.training_rows.warning:
        echo_err(f"warning: {evaluation.training_rows.warning}")
    if as_json:
        typer.echo(json.dumps(evaluation.json(), ensure_ascii=False).encode())
    else:
        _show(evaluation)


def _show(evaluation: Evaluation) -> None:
    """Print the scores, per class and with the confusion matrix for classification."""
    from nncli.cli.console import format_number, rows
    from nncli.cli.tables import prose, table
    from nncli.metrics.classification import ClassificationScores
    from nncli.scoring import headlines
    from nncli.text import escape_unprintable

    scores = evaluation.scores
    figures = [[escape_unprintable(name), format_number(value)] for name, value in headlines(scores)]
    typer.echo(f"{rows(evaluation.rows)}\n{table([['metric', 'value'], *figures])}")
    if not isinstance(scores, ClassificationScores):
        return
    labels = [escape_unprintable(label) for label in scores.labels]
    classes = [
        [label, format_number(one.precision), format_number(one.recall), format_number(one.f1), f"{one.support:,.0f}"]
        for label, one in zip(labels, scores.per_class, strict=True)
    ]
    typer.echo(f"\nby class\n{table([['class', 'precision', 'recall', 'f1', 'rows'], *classes])}")
    if len(labels) > MAX_CONFUSION_CLASSES:
        typer.echo("\n" + prose(f"confusion matrix: not shown for {len(labels):,} classes; use --json"))
        return
    pairs = [
        [label, *(f"{count:,.0f}" for count in counts)]
        for label, counts in zip(labels, scores.confusion_matrix, strict=True)
    ]
    title = prose("confusion matrix: rows are true classes, columns are predicted classes")
    typer.echo(f"\n{title}\n{table([['', *labels], *pairs])}")

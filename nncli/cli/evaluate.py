"""`nncli evaluate` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nncli.commands.evaluate import Evaluation


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory made by `nncli train`.", metavar="RUN")],
    table: Annotated[Path, typer.Argument(help="A table that has the target's column.", metavar="INPUT")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score a trained RUN on a labelled table.

    \b
    nncli evaluate runs/penguins labelled.csv
    nncli evaluate runs/penguins labelled.csv --json | jq .metrics.accuracy
    """
    import json

    from nncli.cli.console import say
    from nncli.commands.evaluate import evaluate as score

    evaluation = score(run, table)
    if evaluation.skipped:
        say(f"note: left out {evaluation.skipped:,} rows that have no target")
    if as_json:
        typer.echo(json.dumps(evaluation.json(), ensure_ascii=False))
    else:
        _show(evaluation)


def _show(evaluation: Evaluation) -> None:
    """Scores as tables on stdout."""
    from rich.console import Console
    from rich.table import Table

    from nncli.cli.console import number
    from nncli.commands.scores import headlines
    from nncli.training.metrics import ClassificationScores

    console = Console(markup=False, highlight=False, emoji=False)

    def table(*columns: str) -> Table:
        made = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 2))
        for i, name in enumerate(columns):
            made.add_column(printable(name), justify="right" if i else "left")
        return made

    scores = evaluation.scores
    console.print(f"{evaluation.rows:,} rows")
    figures = table("metric", "value")
    for name, value in headlines(scores):
        figures.add_row(printable(name), number(value))
    console.print(figures)
    if not isinstance(scores, ClassificationScores):
        return
    console.print("\nby class")
    classes = table("class", "precision", "recall", "f1", "rows")
    for one in scores.per_class:
        row = (number(one.precision), number(one.recall), number(one.f1), f"{one.support:g}")
        classes.add_row(printable(one.label), *row)
    console.print(classes)
    console.print("\nconfusion: a row for each true class, a column for each predicted one")
    confusion = table("", *scores.labels)
    for label, counts in zip(scores.labels, scores.confusion, strict=True):
        confusion.add_row(printable(label), *(f"{count:g}" for count in counts))
    console.print(confusion)

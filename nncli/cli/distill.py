"""`nncli distill` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.cli.help import OUTPUT, TRAINING
from nncli.cli.options import Assignments, JsonLines, NoColor, Quiet, RunDirectory, Verbose
from nncli.cli.signals import interrupt_at_once
from nncli.cli.train import TrainingPrinter, print_next

StudentRun: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="RUN",
        help="The run directory to create. Default: that of RUN with -student at its end.",
        rich_help_panel=OUTPUT,
    ),
]
Units: TypeAlias = Annotated[
    int,
    typer.Option("--units", metavar="N", help="Units of each of the two layers.", rich_help_panel=TRAINING),
]


def distill(
    run: RunDirectory,
    units: Units = 64,
    assignments: Assignments = None,
    output: StudentRun = None,
    as_json: JsonLines = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """It learns the run's predictions of the training rows, and of rows that are made by swapping some of their cells.
    The network predicts many times as fast as an ensemble, and nearly as well. The result is a run like any other.

    The scores are those of rows that neither the network nor its teachers were trained on.

    \b
    nncli distill runs/penguins
    nncli distill runs/penguins --units 32 -o runs/small
    nncli predict runs/penguins-student data/penguins-test.csv
    """
    import sys

    # Imported deep within the call stack, Polars takes longer, see `train`.
    import polars  # noqa: F401

    from nncli.api.distill import distill_events

    interrupt_at_once()
    printer = TrainingPrinter(quiet, as_json=as_json, requested=output, with_limit=False)
    events = distill_events(
        run,
        output=output,
        units=units,
        assignments=assignments or (),
        command=sys.argv,
        stop=printer.asked_to_stop,
    )
    finished = printer.run(events)
    if not (quiet or as_json):
        print_next(finished.run, has_report=False)

"""`nncli distill` on the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nncli.api.options import DistillOptions
from nncli.cli.console import interrupt_at_once
from nncli.cli.options import DisplayOptions, JsonLines, RunDirectory
from nncli.cli.train import TrainingPrinter, print_next


def distill(
    *,
    run: RunDirectory,
    options: DistillOptions,
    as_json: JsonLines = False,
    display: DisplayOptions,
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

    from nncli.api.distill import distill_events_with

    interrupt_at_once()
    requested = None if options.output is None else Path(options.output)
    printer = TrainingPrinter(display.quiet, as_json=as_json, requested=requested, with_limit=False)
    events = distill_events_with(run, replace(options, stop=printer.asked_to_stop), sys.argv)
    finished = printer.run(events)
    if not (display.quiet or as_json):
        print_next(finished.run, has_report=False)

"""`nncli cross-validate` on the command line."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.options import (
    AsJson,
    Assignments,
    ConfigOrTable,
    Force,
    NoColor,
    QualityOfPreset,
    Quiet,
    Scheduler,
    TargetOfTable,
    Verbose,
)
from nncli.cli.signals import EventPrinter, StoppedError, asked_to_stop, interrupt_at_once, renamed_run_note

if TYPE_CHECKING:
    from nncli.commands.cross_validate import CrossEvent, CrossValidated
    from nncli.pipeline.ensemble.cross_validation import CrossValidation

MOST_ROWS = 60
"""Folds of which each has a row in the table."""


def cross_validate(
    config: ConfigOrTable = None,
    target: TargetOfTable = None,
    quality: QualityOfPreset = None,
    folds: Annotated[int, typer.Option("--folds", metavar="K", help="Into how many folds the rows are dealt.")] = 5,
    repeats: Annotated[int, typer.Option("--repeats", metavar="R", help="How often, each time with other folds.")] = 1,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The directory to make; default: runs/NAME-cv.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with one that was stopped or killed.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="FILE", help="Write what was predicted of each row by who never saw it."),
    ] = None,
    force: Force = False,
    assignments: Assignments = None,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Train as CONFIG says once for every fold of the rows, and score on the rows that were left out.

    Folds hold each class alike, whole groups where data.group names some, and blocks of time where data.time does.
    Trainings run side by side, as the key `workers` says. Ctrl-C saves and stops all of them; --resume goes on.

    \b
    nncli cross-validate data/penguins.csv --target species --quality fast
    nncli cross-validate configs/penguins.yaml
    nncli cross-validate config.yaml --folds 10 --repeats 3 --json | jq .mean
    nncli cross-validate config.yaml --predictions unseen.csv
    nncli cross-validate --resume runs/config-cv
    """
    settle_within_limit()
    import sys

    from nncli.cli.training_input import resolve_input, warn
    from nncli.commands.cross_validate import cross_validation_events, resume_cross_validation_events
    from nncli.errors import UsageError
    from nncli.text import quote
    from nncli.utils.atomic_files import check_overwrite

    if config is None and resume is None:
        raise UsageError(
            "cross-validate needs a CONFIG, or --resume DIR",
            hint="For a table: nncli cross-validate TABLE --target COLUMN",
        )
    if config is not None and resume is not None:
        raise UsageError("--resume goes on with its own configuration", hint=f"Leave {quote(config)} out.")
    if resume is not None and (output is not None or assignments or target or quality):
        raise UsageError(
            "--resume goes on with what was begun, in its own directory",
            hint="Leave -o, --set, --target and --quality out.",
        )
    if predictions is not None:
        check_overwrite(predictions, force=force)
    interrupt_at_once()
    watched = _Watched(quiet, output)
    stop = watched.asked_to_stop
    if config is None:
        events = resume_cross_validation_events(str(resume), command=sys.argv, stop=stop, scheduler=scheduler)
    else:
        wanted = resolve_input(config, target, assignments, quality, quiet=quiet)
        warn((*wanted.reasons, *wanted.doubts))
        events = cross_validation_events(
            wanted.config,
            folds=folds,
            repeats=repeats,
            output=output,
            assignments=wanted.assignments,
            command=sys.argv,
            stop=stop,
            scheduler=scheduler,
        )
    _report(watched.run(events), predictions, force=force, as_json=as_json, quiet=quiet)


class _Watched(EventPrinter):
    """A cross-validation as a person sees it; `wanted` is the directory that was named."""

    def __init__(self, quiet: bool, wanted: Path | None) -> None:
        super().__init__(quiet)
        self._wanted = wanted

    def run(self, events: Generator[CrossEvent, None, None]) -> CrossValidated:
        """Show the events; StoppedError when a signal ended it."""
        from nncli.cli.console import echo_err, terminal
        from nncli.cli.progress.ensemble import LiveMembers, PlainMembers
        from nncli.commands.cross_validate import CrossValidated
        from nncli.pipeline.train.events import MembersStarted

        console = terminal()
        shown: LiveMembers | PlainMembers | None = None
        with ExitStack() as stack:
            stack.callback(events.close)
            for event in events:
                if isinstance(event, MembersStarted):
                    self._asked = stack.enter_context(asked_to_stop())
                    if not self._quiet:
                        for note in (*event.notes, *renamed_run_note(self._wanted, event.run)):
                            echo_err(f"note: {note}")
                        shown = LiveMembers(event, console) if console else PlainMembers(event)
                        stack.callback(shown.close)
                elif isinstance(event, CrossValidated):
                    ended = event
                elif shown is not None:
                    shown.update(event)
        if ended.result is None:
            raise StoppedError(
                "stopped; what the trainings have learnt is saved",
                number=(self._asked.number if self._asked else None) or 2,
                hint=f"To go on: nncli cross-validate --resume {ended.path}",
            )
        return ended


def _report(ended: CrossValidated, predictions: Path | None, *, force: bool, as_json: bool, quiet: bool) -> None:
    import json

    from nncli.cli.console import echo_err
    from nncli.data.io.writers import open_sink

    result = ended.result
    assert result is not None, "a cross-validation that was stopped has been told of"
    if predictions is not None:
        with open_sink(predictions, force=force) as sink:
            sink.write(result.predictions)
    if as_json:
        typer.echo(json.dumps(result.json(), ensure_ascii=False).encode())
    else:
        _show(result)
    if not quiet:
        echo_err(f"the run of each fold is in {ended.path}")


def _show(result: CrossValidation) -> None:
    """Scores as a table on stdout: a row for each fold, then their mean and spread, and the score of all rows."""
    from nncli.cli.console import number
    from nncli.cli.tables import table
    from nncli.scoring import headlines
    from nncli.text import escape_unprintable

    names = [name for name, _ in headlines(result.out_of_fold)]
    lines = [["fold", "rows", *map(escape_unprintable, names)]]
    several = result.folds[-1].repeat > 1
    for one in result.folds if len(result.folds) <= MOST_ROWS else ():
        title = f"{one.repeat}.{one.fold}" if several else str(one.fold)
        lines.append([title, f"{one.rows:,}", *(number(value) for _, value in headlines(one.scores))])
    lines.append(["mean", "", *(number(result.means[name]) for name in names)])
    lines.append(["deviation", "", *(number(result.standard_deviations[name]) for name in names)])
    together = [number(value) for _, value in headlines(result.out_of_fold)]
    lines.append(["together", f"{len(result.predictions):,}", *together])
    typer.echo(table(lines))

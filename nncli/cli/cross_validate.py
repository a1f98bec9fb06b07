"""`nncli cross-validate` on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.cli.completion import complete_run
from nncli.cli.findings import FindingPrinter
from nncli.cli.help import INPUT, OUTPUT, TRAINING
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
from nncli.cli.signals import EventPrinter, StoppedError, interrupt_at_once, renamed_run_note
from nncli.cli.source_options import CellRange, DatabaseTable, Query, Sheet, SourceOptions
from nncli.cli.training_input import copied_table, resolve_input

if TYPE_CHECKING:
    from nncli.api.cross_validate import CrossEvent, CrossValidated
    from nncli.cli.options import Quality
    from nncli.fitting.ensemble.cross_validation import CrossValidation

MAX_FOLD_ROWS = 60
"""Largest number of folds that are printed one by one."""


ResumedDirectory: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="DIR",
        help="Resume a cross-validation that was stopped or killed.",
        autocompletion=complete_run,
        rich_help_panel=INPUT,
    ),
]
Folds: TypeAlias = Annotated[
    int, typer.Option("--folds", metavar="K", help="Number of folds.", rich_help_panel=TRAINING)
]
Repeats: TypeAlias = Annotated[
    int,
    typer.Option("--repeats", metavar="R", help="Repetitions with other folds.", rich_help_panel=TRAINING),
]
NewDirectory: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="DIR", help="The directory to create. Default: runs/NAME-cv.", rich_help_panel=OUTPUT
    ),
]
PredictionsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="FILE", help="Write the out-of-fold predictions.", rich_help_panel=OUTPUT),
]


def cross_validate(
    config: ConfigOrTable = None,
    target: TargetOfTable = None,
    assignments: Assignments = None,
    sheet: Sheet = None,
    cells: CellRange = None,
    table_name: DatabaseTable = None,
    query: Query = None,
    resume: ResumedDirectory = None,
    quality: QualityOfPreset = None,
    folds: Folds = 5,
    repeats: Repeats = 1,
    scheduler: Scheduler = None,
    output: NewDirectory = None,
    predictions: PredictionsFile = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Folds are stratified by class, keep the groups of data.group together and are blocks of time with data.time.
    Trainings run in parallel, see the key `workers`. Ctrl-C saves and stops all of them; --resume continues.

    \b
    nncli cross-validate data/penguins.csv --target species --quality fast
    nncli cross-validate configs/penguins.yaml
    nncli cross-validate config.yaml --folds 10 --repeats 3 --json | jq .mean
    nncli cross-validate config.yaml --predictions out-of-fold.csv
    nncli cross-validate --resume runs/config-cv
    """
    import polars  # noqa: F401 - before interrupt_at_once, which replaces its signal handler

    from nncli.base.atomic_files import check_overwrite
    from nncli.cli.standard_streams import check_standard_output
    from nncli.data.sources.input_kept import check_input_kept

    check_standard_output()
    options = SourceOptions(sheet, cells, table_name, query)
    _check_arguments(config, resume, any((output is not None, assignments, target, quality, options.words)))
    if predictions is not None:
        check_overwrite(predictions, force=force)
        if config is not None:
            check_input_kept(options.source(config), predictions, option="--predictions")
    interrupt_at_once()
    printer = _CrossValidationPrinter(quiet, output)
    with copied_table(config, target, options, output):
        if config is None:
            events = _resume(str(resume), printer, scheduler)
        else:
            events = _start(config, target, assignments, quality, options, folds, repeats, output, scheduler, printer)
        outcome = printer.run(events)
    _report(outcome, predictions, force=force, as_json=as_json, quiet=quiet)
    if outcome.result is not None:
        printer.findings.show(outcome.result.findings)


def _check_arguments(config: str | None, resume: Path | None, has_options: bool) -> None:
    """Raise a UsageError unless there is either a configuration or a directory to resume, the latter without options.

    Raises:
        UsageError: there is neither or both, or an option that only a new cross-validation takes.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    if config is None and resume is None:
        raise UsageError(
            "cross-validate needs a CONFIG, or --resume DIR",
            hint="For a table: nncli cross-validate TABLE --target COLUMN",
        )
    if config is not None and resume is not None:
        raise UsageError("--resume uses the configuration in DIR", hint=f"Remove {quote(config)}.")
    if resume is not None and has_options:
        raise UsageError(
            "--resume keeps the settings and the directory of the cross-validation",
            hint="Remove -o, --set, --target and --quality.",
        )


def _resume(
    directory: str, printer: _CrossValidationPrinter, scheduler: str | None
) -> Generator[CrossEvent, None, None]:
    import sys

    from nncli.api.cross_validate import resume_cross_validation_events

    return resume_cross_validation_events(directory, command=sys.argv, stop=printer.asked_to_stop, scheduler=scheduler)


def _start(
    config: str,
    target: Sequence[str] | None,
    assignments: Sequence[str] | None,
    quality: Quality | None,
    options: SourceOptions,
    folds: int,
    repeats: int,
    output: Path | None,
    scheduler: str | None,
    printer: _CrossValidationPrinter,
) -> Generator[CrossEvent, None, None]:
    import sys

    from nncli.api.cross_validate import cross_validation_events

    resolved = resolve_input(config, target, assignments, quality, options, quiet=printer.quiet)
    printer.findings.show(resolved.findings)
    return cross_validation_events(
        resolved.config,
        folds=folds,
        repeats=repeats,
        output=output,
        assignments=resolved.assignments,
        command=sys.argv,
        stop=printer.asked_to_stop,
        scheduler=scheduler,
        findings=resolved.findings,
    )


class _CrossValidationPrinter(EventPrinter):
    """Prints the events of a cross-validation; `requested` is the directory named with -o."""

    def __init__(self, quiet: bool, requested: Path | None) -> None:
        super().__init__(quiet)
        self._requested = requested
        self.findings = FindingPrinter(quiet)

    def run(self, events: Generator[CrossEvent, None, None]) -> CrossValidated:
        """Print the events and return the result.

        Raises:
            StoppedError: a signal stopped the cross-validation.
        """
        from nncli.api.cross_validate import CrossValidated
        from nncli.cli.console import echo_err, terminal
        from nncli.cli.progress.ensemble import LiveMembers, PlainMembers
        from nncli.fitting.train.events import MembersStarted

        console = terminal()
        progress: LiveMembers | PlainMembers | None = None
        with ExitStack() as stack:
            stack.callback(events.close)
            for event in events:
                if isinstance(event, MembersStarted):
                    self._stop_request = stack.enter_context(self.until_asked_to_stop("cross-validate", event.run))
                    self.findings.show(event.findings)
                    if not self.quiet:
                        for note in renamed_run_note(self._requested, event.run):
                            echo_err(f"note: {note}")
                        progress = LiveMembers(event, console) if console else PlainMembers(event)
                        stack.callback(progress.close)
                elif isinstance(event, CrossValidated):
                    outcome = event
                elif progress is not None:
                    progress.update(event)
        if outcome.result is None:
            raise StoppedError(
                "stopped; all trainings are saved",
                number=(self._stop_request.number if self._stop_request else None) or 2,
                hint=f"To resume: nncli cross-validate --resume {shlex.quote(str(outcome.path))}",
            )
        return outcome


def _report(outcome: CrossValidated, predictions: Path | None, *, force: bool, as_json: bool, quiet: bool) -> None:
    """Write the out-of-fold predictions and print the scores."""
    import json

    from nncli.cli.console import echo_err
    from nncli.data.formats.writers import open_sink

    result = outcome.result
    assert result is not None, "run() raises for a cross-validation that was stopped"
    if predictions is not None:
        with open_sink(predictions, force=force) as sink:
            sink.write(result.predictions)
    if as_json:
        typer.echo(json.dumps(result.json(), ensure_ascii=False).encode())
    else:
        typer.echo(_scores(result))
    if not quiet:
        echo_err(f"the runs of the folds are in {outcome.path}")


def _scores(result: CrossValidation) -> str:
    """A table of scores: a line for each fold, their mean and standard deviation, and the out-of-fold scores."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.console import format_number
    from nncli.cli.tables import table
    from nncli.models.scores import headlines

    names = [name for name, _ in headlines(result.out_of_fold)]
    lines = [["fold", "rows", *map(escape_unprintable, names)]]
    repeated = result.folds[-1].repeat > 1
    for fold in result.folds if len(result.folds) <= MAX_FOLD_ROWS else ():
        title = f"{fold.repeat}.{fold.fold}" if repeated else str(fold.fold)
        values = dict(headlines(fold.scores))
        lines.append([title, f"{fold.rows:,}", *(format_number(values[name]) for name in names)])
    lines.append(["mean", "", *(format_number(result.means[name]) for name in names)])
    lines.append(["std", "", *(format_number(result.standard_deviations[name]) for name in names)])
    pooled = [format_number(value) for _, value in headlines(result.out_of_fold)]
    lines.append(["out-of-fold", f"{len(result.predictions):,}", *pooled])
    return table(lines)

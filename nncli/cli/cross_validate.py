"""`nncli cross-validate` on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.api.options import (
    AssignmentOptions,
    ClusterOptions,
    CrossValidateOptions,
    FoldOptions,
    NewCrossValidationOptions,
    QualityOptions,
)
from nncli.base.option import INPUT, OUTPUT, Option, Options
from nncli.cli.console import EventPrinter, StoppedError, interrupt_at_once, renamed_run_note
from nncli.cli.findings import FindingPrinter
from nncli.cli.options import (
    AsJson,
    ConfigOrTable,
    DisplayOptions,
    Force,
    SourceOptions,
    TargetOptions,
    TrainingInputOptions,
)
from nncli.cli.train import copied_table, resolve_input

if TYPE_CHECKING:
    from nncli.api.cross_validate import CrossEvent, CrossValidated
    from nncli.fitting.ensemble.cross_validation import CrossValidation

MAX_FOLD_ROWS = 60
"""Largest number of folds that are printed one by one."""


@dataclass(frozen=True, kw_only=True)
class ResumedDirectoryOptions(Options):
    """The cross-validation that is resumed."""

    resume: Annotated[
        str | None,
        Option("Resume a cross-validation that was stopped or killed.", INPUT, metavar="DIR", completion="run"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class CrossValidateCommandOptions(
    CrossValidateOptions,
    NewCrossValidationOptions,
    ClusterOptions,
    FoldOptions,
    TrainingInputOptions,
    QualityOptions,
    ResumedDirectoryOptions,
    SourceOptions,
    AssignmentOptions,
    TargetOptions,
):
    """The options of `nncli cross-validate`, which begins or resumes a cross-validation."""


PredictionsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="FILE", help="Write the out-of-fold predictions.", rich_help_panel=OUTPUT),
]


def cross_validate(
    *,
    config: ConfigOrTable = None,
    options: CrossValidateCommandOptions,
    predictions: PredictionsFile = None,
    force: Force = False,
    as_json: AsJson = False,
    display: DisplayOptions,
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
    from nncli.cli.console import check_standard_output
    from nncli.data.sources.output import check_input_kept

    check_standard_output()
    _check_arguments(config, options)
    if predictions is not None:
        check_overwrite(predictions, force=force)
        if config is not None:
            check_input_kept(options.source(config), predictions, option="--predictions")
    interrupt_at_once()
    printer = _CrossValidationPrinter(display.quiet, None if options.output is None else Path(options.output))
    options = replace(options, stop=printer.asked_to_stop)
    with copied_table(config, options, options.output):
        outcome = printer.run(_events(config, options, printer))
    _report(outcome, predictions, force=force, as_json=as_json, quiet=display.quiet)
    if outcome.result is not None:
        printer.findings.show(outcome.result.findings)


def _check_arguments(config: str | None, options: CrossValidateCommandOptions) -> None:
    """Check that there is either a configuration or a directory to resume, the latter without other options.

    Raises:
        UsageError: there is neither or both, or an option that only a new cross-validation takes.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    if config is None and options.resume is None:
        raise UsageError(
            "cross-validate needs a CONFIG, or --resume DIR",
            hint="For a table: nncli cross-validate TABLE --target COLUMN",
        )
    if config is not None and options.resume is not None:
        raise UsageError("--resume uses the configuration in DIR", hint=f"Remove {quote(config)}.")
    kept = (options.output is not None, options.assignments, options.target, options.quality, options.words)
    if options.resume is not None and any(kept):
        raise UsageError(
            "--resume keeps the settings and the directory of the cross-validation",
            hint="Remove -o, --set, --target and --quality.",
        )


def _events(
    config: str | None, options: CrossValidateCommandOptions, printer: _CrossValidationPrinter
) -> Generator[CrossEvent, None, None]:
    """The events of a cross-validation that begins or is resumed."""
    import sys

    from nncli.api.cross_validate import cross_validation_events_with, resume_cross_validation_events

    if config is None:
        return resume_cross_validation_events(str(options.resume), options, sys.argv)
    resolved = resolve_input(config, options, quiet=printer.quiet)
    printer.findings.show(resolved.findings)
    options = replace(options, assignments=resolved.assignments)
    return cross_validation_events_with(resolved.config, options, sys.argv, resolved.findings)


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
    from nncli.data.formats.registry import FileOptions
    from nncli.data.formats.writers import open_sink

    result = outcome.result
    assert result is not None, "run() raises for a cross-validation that was stopped"
    if predictions is not None:
        with open_sink(predictions, FileOptions(force=force)) as sink:
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

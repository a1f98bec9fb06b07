"""`nncli train` on the command line: options, progress, the summary."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.cli.completion import complete_run
from nncli.cli.extras import requires_extra
from nncli.cli.findings import FindingPrinter
from nncli.cli.help import INPUT, OUTPUT, TRAINING
from nncli.cli.options import (
    Assignments,
    ConfigOrTable,
    JsonLines,
    NoColor,
    QualityOfPreset,
    Quiet,
    Scheduler,
    TargetOfTable,
    Track,
    Verbose,
)
from nncli.cli.signals import EventPrinter, StoppedError, interrupt_at_once, renamed_run_note
from nncli.cli.source_options import CellRange, DatabaseTable, Query, Sheet, SourceOptions
from nncli.cli.training_input import copied_table, resolve_input, tracker_words

if TYPE_CHECKING:
    from nncli.cli.options import Quality
    from nncli.fitting.timing.clock import TimeLimit
    from nncli.fitting.train.events import Event, Finished, MembersStarted, Started


ResumedRun: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="RUN",
        help="Resume a run that was stopped or killed.",
        autocompletion=complete_run,
        rich_help_panel=INPUT,
    ),
]
TimeLimitOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        metavar="DURATION",
        help="Train the best model there is time for, for example 60s, 5m or 1h.",
        rich_help_panel=TRAINING,
    ),
]
NewRun: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="RUN", help="The run directory to create. Default: runs/NAME.", rich_help_panel=OUTPUT
    ),
]
WithReport: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--report",
        help="Also write report.html into the run directory, see `nncli report`.",
        rich_help_panel=OUTPUT,
    ),
]


def train(
    config: ConfigOrTable = None,
    target: TargetOfTable = None,
    assignments: Assignments = None,
    sheet: Sheet = None,
    cells: CellRange = None,
    table_name: DatabaseTable = None,
    query: Query = None,
    resume: ResumedRun = None,
    quality: QualityOfPreset = None,
    time_limit: TimeLimitOption = None,
    scheduler: Scheduler = None,
    output: NewRun = None,
    report: WithReport = False,
    track: Track = None,
    as_json: JsonLines = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """For a table and a target, the configuration is that of `nncli init`; it is saved as config.yaml in the run.

    Ctrl-C (or SIGTERM) stops after the current batch and saves the run; a second one stops at once. --resume continues,
    also after a crash, to the same result as without the interruption.

    \b
    nncli train data/penguins.csv --target species
    nncli train data/penguins.csv --target species --quality fast --report
    nncli train data/penguins.csv --target species --time-limit 60s
    nncli train configs/penguins.yaml
    nncli train config.yaml --set layers=[128,64] --set learning_rate=0.01 -o runs/wide
    nncli train --resume runs/penguins
    nncli train --resume runs/penguins --set epochs=200
    nncli train config.yaml --set members=8
    nncli train config.yaml --track tensorboard
    nncli train config.yaml --json | jq -r 'select(.event == "epoch") | .val_loss'
    """
    limit, trackers = _time_limit(time_limit), tracker_words(track)
    # Imported deep within the call stack, Polars takes longer: the stack grows and shrinks at thousands of calls.
    import polars  # noqa: F401

    options = SourceOptions(sheet, cells, table_name, query)
    _check_arguments(config, target, quality, options, resume, output, time_limit)
    interrupt_at_once()
    if report:  # fail before the training rather than after it
        with requires_extra("report"):
            import nncli.api.report  # noqa: F401
    printer = TrainingPrinter(quiet, as_json=as_json, requested=output)
    with copied_table(config, target, options, output):
        if config is None:
            events = _resume(str(resume), assignments, scheduler, printer, trackers)
        else:
            events = _start(config, target, assignments, quality, options, output, scheduler, printer, limit, trackers)
        finished = printer.run(events)
        if report:
            _report(finished.run, quiet=quiet)
    if not (quiet or as_json):
        print_next(finished.run, has_report=report)


def _check_arguments(
    config: str | None,
    target: Sequence[str] | None,
    quality: Quality | None,
    options: SourceOptions,
    resume: Path | None,
    output: Path | None,
    time_limit: str | None,
) -> None:
    """Check that there is either a configuration or a run to resume.

    Raises:
        UsageError: there is neither or both, or an option that only a new run takes.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    if config is None and resume is None:
        raise UsageError("train needs a CONFIG, or --resume RUN", hint="For a table: nncli train TABLE --target COLUMN")
    if resume is None:
        return
    if config is not None:
        raise UsageError("--resume uses the configuration in RUN", hint=f"Remove {quote(config)}.")
    if target or quality:
        option = "--target" if target else "--quality"
        raise UsageError("--resume keeps the target and the quality of RUN", hint=f"Remove {option}.")
    if options.words:
        raise UsageError("--resume keeps the table of RUN", hint=f"Remove {options.words[0]}.")
    if time_limit is not None:
        raise UsageError("--resume trains what RUN was started for", hint="Remove --time-limit.")
    if output is not None:
        raise UsageError("--resume writes into RUN", hint="Remove -o.")


def _resume(
    run: str,
    assignments: Sequence[str] | None,
    scheduler: str | None,
    printer: TrainingPrinter,
    trackers: Sequence[str],
) -> Generator[Event, None, None]:
    import sys

    from nncli.api.train import resume_events

    return resume_events(
        run,
        assignments=assignments or [],
        command=sys.argv,
        stop=printer.asked_to_stop,
        scheduler=scheduler,
        track=trackers,
    )


def _start(
    config: str,
    target: Sequence[str] | None,
    assignments: Sequence[str] | None,
    quality: Quality | None,
    options: SourceOptions,
    output: Path | None,
    scheduler: str | None,
    printer: TrainingPrinter,
    limit: TimeLimit | None,
    trackers: Sequence[str],
) -> Generator[Event, None, None]:
    import sys

    from nncli.api.train import train_events

    resolved = resolve_input(config, target, assignments, quality, options, quiet=printer.quiet)
    printer.findings.show(resolved.findings)
    return train_events(
        resolved.config,
        output=output,
        assignments=resolved.assignments,
        command=sys.argv,
        stop=printer.asked_to_stop,
        scheduler=scheduler,
        findings=resolved.findings,
        time_limit=limit,
        track=trackers,
    )


def _time_limit(duration: str | None) -> TimeLimit | None:
    """The time limit, from now on.

    Raises:
        UsageError: it is no duration.
    """
    if duration is None:
        return None
    from nncli.api.train import limit_of

    return limit_of(duration)


def _report(run: Path, *, quiet: bool) -> None:
    """Write the report of a run and print its path on stderr."""
    from nncli.api.report import report
    from nncli.cli.console import echo_err

    written = report(run)
    if not quiet:
        echo_err(f"report: {written.html}")


def print_next(run: Path, *, has_report: bool) -> None:
    """Print the commands that use the run."""
    from nncli.cli.console import echo_err

    name = shlex.quote(str(run))
    commands = [f"nncli predict {name} NEW_TABLE"]
    if not has_report:
        commands.insert(0, f"nncli report {name}")
    echo_err(f"next: {', or '.join(commands)}")


MIN_ESTIMATE = 2.0
"""Seconds of a training from which the estimate is printed."""


def rounded_duration(seconds: float) -> str:
    """A duration to two digits, such as 23 s, 4 min or 1.5 h."""
    amount, unit = next(
        (seconds / size, unit) for size, unit in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= size
    )
    return f"{float(f'{amount:.2g}'):g} {unit}"


class TrainingPrinter(EventPrinter):
    """Prints the events of a training: findings, progress, summary on stderr, the run directory's path on stdout.

    With `as_json`, events are printed as JSON lines on stdout, and only findings on stderr. `requested` is the
    directory named with -o. `with_limit` says that the command has the option --time-limit.
    """

    def __init__(self, quiet: bool, *, as_json: bool, requested: Path | None, with_limit: bool = True) -> None:
        super().__init__(quiet)
        self._with_limit = with_limit
        self._as_json = as_json
        self.findings = FindingPrinter(quiet)
        self._requested = requested

    def run(self, events: Generator[Event, None, None]) -> Finished:
        """Print the events and return the last one.

        Raises:
            StoppedError: a signal stopped the training.
        """
        from nncli.cli.console import echo_err, print_path, summary
        from nncli.cli.progress.json_events import JsonLines
        from nncli.fitting.train.events import MembersStarted

        lines = JsonLines() if self._as_json else None
        started, finished = self._follow(events, lines.write if lines else None)
        if lines:
            lines.write(finished)
            self.findings.show(finished.findings)
        else:
            if not self.quiet:
                echo_err(summary(started, finished))
            self.findings.show(finished.findings)
            print_path(finished.run)
        stop = self._stop_request
        if finished.status == "stopped" and stop is not None and stop.number is not None:
            raise _stopped(finished, stop.number, ensemble=isinstance(started, MembersStarted))
        return finished

    def _print_estimate(self, seconds: float | None) -> None:
        """Print how long the training takes, unless that is short."""
        from nncli.cli.console import echo_err

        if seconds is not None and seconds >= MIN_ESTIMATE and not (self.quiet or self._as_json):
            how = "; --time-limit to change that" if self._with_limit else ""
            echo_err(f"about {rounded_duration(seconds)}{how}")

    def _follow(
        self, events: Generator[Event, None, None], write: Callable[[Event], None] | None
    ) -> tuple[Started | MembersStarted, Finished]:
        """Print each event with `write`, or as progress without it; return the first and the last event."""
        from nncli.cli.progress.training_display import progress_for
        from nncli.fitting.train.events import Finished, MembersStarted, ScoredTraining, Started, TrackingStopped
        from nncli.nn.training.loop import LearningRateHalved

        show: Callable[[Event], None] = write or (lambda event: None)
        started: Started | MembersStarted | None = None
        finished: Finished | None = None
        with ExitStack() as stack:
            stack.callback(events.close)
            for event in events:
                if isinstance(event, Finished):
                    finished = event
                    continue
                if isinstance(event, Started | MembersStarted):
                    started = event
                    self._stop_request = stack.enter_context(self.until_asked_to_stop("train", event.run))
                    self.findings.show(event.findings)
                    self._print_notes(renamed_run_note(self._requested, event.run))
                    self._print_estimate(event.estimate)
                    if write is None and not self.quiet:
                        show = progress_for(event, stack)
                        continue
                elif isinstance(event, TrackingStopped):
                    self.findings.show([event.finding])
                elif isinstance(event, ScoredTraining):
                    self._print_notes(["training another network without the validation rows, for the scores"])
                elif isinstance(event, LearningRateHalved):
                    self._print_notes(
                        [f"{event.reason}; back to epoch {event.epoch} with {event.factor:g} of the learning rate"]
                    )
                show(event)
        if started is None or finished is None:
            raise AssertionError("a training ends with Finished or an error")
        return started, finished

    def _print_notes(self, notes: Iterable[str]) -> None:
        from nncli.cli.console import echo_err

        for note in () if self.quiet else notes:
            echo_err(f"note: {note}")


def _stopped(finished: Finished, number: int, *, ensemble: bool) -> StoppedError:
    """The error of a training that signal `number` stopped."""
    run = shlex.quote(str(finished.run))
    resume = f"To resume: nncli train --resume {run}"
    if ensemble:
        return StoppedError("stopped; all members are saved", number=number, hint=resume)
    return StoppedError(
        f"stopped after epoch {finished.epochs}; the run is saved",
        number=number,
        hint=f"{resume}\n  To predict with the best weights so far: nncli predict {run} TABLE",
    )

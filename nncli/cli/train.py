"""`nncli train` on the command line: options, progress, the summary."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nncli.api.options import (
    AssignmentOptions,
    ClusterOptions,
    NewRunOptions,
    QualityOptions,
    ResumeOptions,
    TimeLimitOptions,
    TrackOptions,
    TrainOptions,
)
from nncli.base.option import INPUT, OUTPUT, Option, Options
from nncli.cli.console import EventPrinter, StoppedError, interrupt_at_once, renamed_run_note
from nncli.cli.findings import FindingPrinter
from nncli.cli.options import (
    ConfigOrTable,
    DisplayOptions,
    JsonLines,
    SourceOptions,
    TargetOptions,
    TrainingInputOptions,
    requires_extra,
)

if TYPE_CHECKING:
    from nncli.base.findings import Finding
    from nncli.config.schema import Config
    from nncli.fitting.timing.clock import TimeLimit
    from nncli.fitting.train.events import Event, Finished, MembersStarted, Started


@dataclass(frozen=True, kw_only=True)
class ResumedRunOptions(Options):
    """The run that is resumed."""

    resume: Annotated[
        str | None,
        Option("Resume a run that was stopped or killed.", INPUT, metavar="RUN", completion="run"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Options):
    """What is written into the run besides."""

    report: Annotated[bool, Option("Also write report.html into the run directory, see `nncli report`.", OUTPUT)] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class TrainCommandOptions(
    TrainOptions,
    ResumeOptions,
    TrackOptions,
    ReportOptions,
    NewRunOptions,
    ClusterOptions,
    TimeLimitOptions,
    TrainingInputOptions,
    QualityOptions,
    ResumedRunOptions,
    SourceOptions,
    AssignmentOptions,
    TargetOptions,
):
    """The options of `nncli train`, which begins or resumes a training."""


def train(
    *,
    config: ConfigOrTable = None,
    options: TrainCommandOptions,
    as_json: JsonLines = False,
    display: DisplayOptions,
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
    options = replace(options, time_limit=_begun(options.time_limit), track=tracker_words(options.track))
    # Imported deep within the call stack, Polars takes longer: the stack grows and shrinks at thousands of calls.
    import polars  # noqa: F401

    _check_arguments(config, options)
    interrupt_at_once()
    if options.report:  # fail before the training rather than after it
        with requires_extra("report"):
            import nncli.api.report  # noqa: F401
    requested = None if options.output is None else Path(options.output)
    printer = TrainingPrinter(display.quiet, as_json=as_json, requested=requested)
    options = replace(options, stop=printer.asked_to_stop)
    with copied_table(config, options, options.output):
        finished = printer.run(_events(config, options, printer))
        if options.report:
            _report(finished.run, quiet=display.quiet)
    if not (display.quiet or as_json):
        print_next(finished.run, has_report=options.report)


def _check_arguments(config: str | None, options: TrainCommandOptions) -> None:
    """Check that there is either a configuration or a run to resume.

    Raises:
        UsageError: there is neither or both, or an option that only a new run takes.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    if config is None and options.resume is None:
        raise UsageError("train needs a CONFIG, or --resume RUN", hint="For a table: nncli train TABLE --target COLUMN")
    if options.resume is None:
        return
    if config is not None:
        raise UsageError("--resume uses the configuration in RUN", hint=f"Remove {quote(config)}.")
    if options.target or options.quality:
        option = "--target" if options.target else "--quality"
        raise UsageError("--resume keeps the target and the quality of RUN", hint=f"Remove {option}.")
    if options.words:
        raise UsageError("--resume keeps the table of RUN", hint=f"Remove {options.words[0]}.")
    if options.time_limit is not None:
        raise UsageError("--resume trains what RUN was started for", hint="Remove --time-limit.")
    if options.output is not None:
        raise UsageError("--resume writes into RUN", hint="Remove -o.")


def _events(config: str | None, options: TrainCommandOptions, printer: TrainingPrinter) -> Generator[Event, None, None]:
    """The events of a training that begins or is resumed."""
    import sys

    from nncli.api.train import resume_events_with, train_events_with

    if config is None:
        return resume_events_with(str(options.resume), options, sys.argv)
    resolved = resolve_input(config, options, quiet=printer.quiet)
    printer.findings.show(resolved.findings)
    options = replace(options, assignments=resolved.assignments)
    return train_events_with(resolved.config, options, sys.argv, resolved.findings)


def _begun(limit: float | str | TimeLimit | None) -> TimeLimit | None:
    """The time limit, from now on.

    Raises:
        UsageError: it is no duration.
    """
    if limit is None:
        return None
    from nncli.api.train import limit_of

    return limit_of(limit)


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


@dataclass(frozen=True)
class TrainingInput:
    """A configuration, or its file, with `assignments` still to be applied.

    `arguments` are the equivalent command-line arguments. For a table, `findings` are about its columns and rows.
    """

    config: str | Config
    assignments: list[str]
    arguments: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def resolve_input(path: str, given: TrainingInputOptions, *, quiet: bool) -> TrainingInput:
    """Resolve the CONFIG argument to a configuration file or, for a table, to a drafted configuration.

    Raises:
        UsageError: a target was given with a configuration, or with a table on standard input.
        ConfigError, DataError: no configuration can be drafted for the table.
    """
    import shlex

    from nncli.api.init import config_for, is_table
    from nncli.cli.console import announce_input, echo_err

    targets = [word for name in given.target for word in ("--target", name)]
    sets_of_words = [word for text in given.assignments for word in ("--set", text)]
    quality_words = [] if given.quality is None else ["--quality", given.quality]
    arguments = (path, *given.words, *targets, *quality_words, *sets_of_words)
    sets = [*given.assignments, *given.source_assignments]
    if not quiet:
        note_ignored_variables()
    if given.quality is not None:
        sets.append(f"quality={given.quality}")
    if not is_table(path, given.target):
        if path == "-":
            announce_input("a configuration")
        return TrainingInput(path, sets, arguments)
    config, drafted = config_for(path, given.target, sets)
    if not quiet:
        words = shlex.join(arguments)
        echo_err(f"note: to edit this configuration: nncli init {words} -o config.yaml")
    return TrainingInput(config, [], arguments, drafted.decisions)


@contextmanager
def copied_table(path: str | None, given: TrainingInputOptions, output: str | Path | None) -> Iterator[None]:
    """Within the block, read a distant table for which a configuration is drafted from one copy, near `output`.

    The draft, the training and its report read the table, each more than once.

    Raises:
        DataError: the table cannot be read.
    """
    if path is None or not given.target or "://" not in path:
        yield
        return
    from nncli.base.scratch import existing_parent
    from nncli.data.sources.local_copies import local_copies
    from nncli.data.sources.open import open_original

    folder = existing_parent(Path(output or "runs/model"))
    with local_copies([given.source(path)], open_original, folder):
        yield


def note_ignored_variables() -> None:
    """Print a note about environment variables that look like nncli's and are not."""
    import os

    from nncli.cli.console import echo_err
    from nncli.config.overrides import ignored_variables

    if note := ignored_variables(os.environ):
        echo_err(f"note: {note}")


def tracker_words(words: Sequence[str]) -> Sequence[str]:
    """The trackers as they were named.

    Raises:
        UsageError: there is no such tracker, or its package is not installed.
    """
    if not words:
        return ()
    from nncli.tracking.tracker import parse_trackers

    return [str(choice) for choice in parse_trackers(words)]

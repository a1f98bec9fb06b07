"""`nncli train` on the command line: options, progress, the summary."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.completion import complete_run
from nncli.cli.options import (
    Assignments,
    ConfigOrTable,
    JsonLines,
    NoColor,
    QualityOfPreset,
    Quiet,
    Scheduler,
    TargetOfTable,
    Verbose,
)
from nncli.cli.signals import EventPrinter, StoppedError, asked_to_stop, interrupt_at_once, renamed_run_note

if TYPE_CHECKING:
    from nncli.pipeline.train.events import Event, Finished, MembersStarted, Started


def train(
    config: ConfigOrTable = None,
    target: TargetOfTable = None,
    quality: QualityOfPreset = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The run directory to make; default: runs/NAME.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="RUN", help="Go on with a run that was stopped or killed.", autocompletion=complete_run
        ),
    ] = None,
    assignments: Assignments = None,
    report: Annotated[
        bool, typer.Option("--report", help="Then write report.html into the run directory, as `nncli report` does.")
    ] = False,
    scheduler: Scheduler = None,
    as_json: JsonLines = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Train a network as CONFIG says and print the path of the run directory.

    Of a table and a target, the configuration is the one that `nncli init` writes; the run's config.yaml holds it.

    Ctrl-C (or SIGTERM) ends the training after the current batch and saves it; a second one stops at once. Either way,
    and after a crash, --resume goes on to the same result as if nothing had happened.

    \b
    nncli train data/penguins.csv --target species
    nncli train data/penguins.csv --target species --quality fast --report
    nncli train configs/penguins.yaml
    nncli train config.yaml --set layers=[128,64] --set learning_rate=0.01 -o runs/wide
    nncli train --resume runs/penguins
    nncli train --resume runs/penguins --set epochs=200
    nncli train config.yaml --set members=8
    nncli train config.yaml --json | jq -r 'select(.event == "epoch") | .val_loss'
    """
    settle_within_limit()
    import shlex
    import sys

    # Imported from deep within, Python's stack would grow and shrink by a page at each of some thousand calls.
    import polars  # noqa: F401

    from nncli.cli.console import echo_err
    from nncli.cli.report import needing_extra
    from nncli.cli.training_input import resolve_input, warn
    from nncli.commands.train import resume_events, train_events
    from nncli.errors import UsageError
    from nncli.text import quote

    if config is None and resume is None:
        raise UsageError("train needs a CONFIG, or --resume RUN", hint="For a table: nncli train TABLE --target COLUMN")
    if config is not None and resume is not None:
        raise UsageError("--resume goes on with the run's own configuration", hint=f"Leave {quote(config)} out.")
    if resume is not None and (target or quality):
        raise UsageError(
            "--resume goes on with what the run has begun", hint=f"Leave {'--target' if target else '--quality'} out."
        )
    if resume is not None and output is not None:
        raise UsageError("--resume goes on in the run's own directory", hint="Leave -o out.")
    interrupt_at_once()
    if report:  # whether it can be written had better be known now
        with needing_extra():
            import nncli.reporting.report  # noqa: F401
    watched = _Watched(quiet, as_json=as_json, wanted=output)
    stop = watched.asked_to_stop
    if config is None:
        events = resume_events(
            str(resume), assignments=assignments or [], command=sys.argv, stop=stop, scheduler=scheduler
        )
    else:
        wanted = resolve_input(config, target, assignments, quality, quiet=quiet)
        warn((*wanted.reasons, *wanted.doubts))
        events = train_events(
            wanted.config,
            output=output,
            assignments=wanted.assignments,
            command=sys.argv,
            stop=stop,
            scheduler=scheduler,
        )
    finished = watched.run(events)
    if report:
        _report(finished.run, quiet=quiet)
    if not (quiet or as_json):
        run = shlex.quote(str(finished.run))
        echo_err(
            f"next: nncli predict {run} NEW_TABLE"
            if report
            else f"next: nncli report {run}, or nncli predict {run} NEW_TABLE"
        )


def _report(run: Path, *, quiet: bool) -> None:
    """Write the report of a run, and say where it is."""
    from nncli.cli.console import echo_err
    from nncli.reporting.report import report

    written = report(run)
    if not quiet:
        echo_err(f"report: {written.html}")


class _Watched(EventPrinter):
    """A training as a person sees it: progress, notes, the summary, and the run directory's path on stdout.

    As JSON it is told to a program instead, and a person has the notes alone. `wanted` is the directory that was named.
    """

    def __init__(self, quiet: bool, *, as_json: bool, wanted: Path | None) -> None:
        super().__init__(quiet)
        self._as_json = as_json
        self._wanted = wanted

    def run(self, events: Generator[Event, None, None]) -> Finished:
        """Show the events, and what came of them."""
        import os

        from nncli.cli.console import echo_err, summary
        from nncli.cli.progress.json_events import JsonLines
        from nncli.pipeline.train.events import Finished, MembersStarted, Started
        from nncli.training.loop import LearningRateHalved

        lines = JsonLines() if self._as_json else None
        told = not self._quiet and lines is None
        show: Callable[[Event], None] = lines.write if lines else lambda event: None
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
                    self._asked = stack.enter_context(asked_to_stop())
                    self._tell((*event.notes, *renamed_run_note(self._wanted, event.run)))
                    if told:
                        show = _progress_for(event, stack)
                        continue
                elif isinstance(event, LearningRateHalved):
                    self._tell([f"{event.reason}; back to epoch {event.epoch} with {event.factor:g} of the rate"])
                show(event)
        if started is None or finished is None:
            raise AssertionError("a training ends with Finished or an error")
        if lines:
            lines.write(finished)
        if told:
            echo_err(summary(started, finished))
        if not lines:
            typer.echo(os.fsencode(finished.run))
        if finished.status == "stopped" and self._asked is not None and self._asked.number is not None:
            raise _stopped(finished, self._asked.number, together=isinstance(started, MembersStarted))
        return finished

    def _tell(self, notes: Iterable[str]) -> None:
        from nncli.cli.console import echo_err

        for note in () if self._quiet else notes:
            echo_err(f"note: {note}")


def _progress_for(started: Started | MembersStarted, stack: ExitStack) -> Callable[[Event], None]:
    """What shows the events of a training that begins: a live picture, or lines; it is closed with the stack."""
    from nncli.cli.console import terminal
    from nncli.cli.progress.ensemble import LiveMembers, PlainMembers
    from nncli.cli.progress.live import LiveProgress
    from nncli.cli.progress.training import PlainProgress
    from nncli.pipeline.train.events import MembersProgress, Started
    from nncli.training.loop import EpochReport, LearningRateHalved

    console = terminal()
    if isinstance(started, Started):
        epochs = LiveProgress(started, console) if console else PlainProgress(started)
        stack.callback(epochs.close)
        return lambda event: epochs.update(event) if isinstance(event, EpochReport | LearningRateHalved) else None
    members = LiveMembers(started, console) if console else PlainMembers(started)
    stack.callback(members.close)
    return lambda event: members.update(event) if isinstance(event, MembersProgress) else None


def _stopped(finished: Finished, number: int, *, together: bool) -> StoppedError:
    go_on = f"To go on: nncli train --resume {finished.run}"
    if together:
        return StoppedError("stopped; what the members have learnt is saved", number=number, hint=go_on)
    return StoppedError(
        f"stopped after epoch {finished.epochs}; everything is saved",
        number=number,
        hint=f"{go_on}\n  The best weights so far predict: nncli predict {finished.run} TABLE",
    )

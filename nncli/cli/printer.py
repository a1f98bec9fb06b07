"""Prints the events of trainings: findings, notes and progress on stderr, or JSON lines on stdout, and the summary."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nncli.api.training_input import Drafted
from nncli.base.errors import RunCommand, UseOption, in_terminal
from nncli.base.logs import format_duration
from nncli.base.text import escape_unprintable
from nncli.base.threads import available_cpus
from nncli.cli.console import (
    StoppedError,
    StopRequest,
    answer_stop_request,
    asked_to_stop,
    format_number,
    interval_text,
    print_path,
)
from nncli.cli.findings import FindingPrinter
from nncli.cli.progress.status import Live, Plain, Work, progress_of
from nncli.cli.progress.training import TrainingProgress, TrainingsProgress
from nncli.cli.shared_arguments import DisplayOptions
from nncli.cli.tables import table
from nncli.fitting.train.events import (
    Finished,
    HealthWarning,
    MembersProgress,
    MembersStarted,
    ScoredTraining,
    Started,
    TrackingStopped,
)
from nncli.models.scores import ScoreCard, class_scores, headlines, title_of
from nncli.nn.training.loop import LearningRateHalved
from nncli.targets.metrics.registry import has_baseline

if TYPE_CHECKING:
    from nncli.cli.progress.json_events import JsonLines, SearchJsonLines

MIN_ESTIMATE, LONGER = 2.0, 1.25
"""Seconds of a training from which the estimate is printed, and relative to it, those with the most epochs."""
MAX_CLASSES = 6
"""Most classes of a confusion matrix in the summary."""
T = TypeVar("T")


class Printer:
    """Prints events up to the last one, and asks for a stop at a signal.

    `command` resumes what is trained. `advice` follows the estimate.
    """

    as_json = False

    def __init__(self, display: DisplayOptions, command: str, *, advice: str = "") -> None:
        self.display, self.findings = display, FindingPrinter(display.quiet)
        self.started: Started | MembersStarted | None = None
        self.stop_request: StopRequest | None = None
        self._command, self._advice = command, advice
        self.progress: Plain | Live | JsonLines | SearchJsonLines | None = None

    def asked_to_stop(self) -> bool:
        """Whether a signal has asked for a stop since the training started."""
        return self.stop_request is not None and self.stop_request()

    def show_draft(self, drafted: Drafted) -> None:
        """Print what was found for the configuration of a table, and how it can be edited."""
        self.display.note_draft(drafted)
        self.findings.show(drafted.findings)

    def follow(self, events: Generator[Any, None, None], end: type[T]) -> T | None:
        """Print the events, and return the last one, which is of the type `end`; None if there is none."""
        ended: T | None = None
        with ExitStack() as stack:
            stack.callback(events.close)
            for event in events:
                if isinstance(event, end):
                    ended = event
                else:
                    self.show(event, stack)
        return ended

    def show(self, event: Any, stack: ExitStack) -> None:
        """Print an event; the stack ends what begins with it."""
        if isinstance(event, Started):
            self.started = event
            self.begin(event, event.run, TrainingProgress(event), stack)
        elif isinstance(event, MembersStarted):
            self.started = event
            self.begin(event, event.run, TrainingsProgress(event.noun), stack)
        elif isinstance(event, TrackingStopped | HealthWarning):
            self.findings.show([event.finding])
        elif isinstance(event, ScoredTraining):
            self.display.note("training another network without the validation rows, for the scores")
        elif isinstance(event, LearningRateHalved):
            rate = f"{event.factor:g} of the learning rate"
            self.display.note(f"{event.reason}; back to epoch {event.epoch} with {rate}")
        elif isinstance(event, MembersProgress) and isinstance(self.progress, Plain | Live):
            self.findings.show(event.members[0].findings)  # those of the others are nearly the same
        if self.progress is not None:
            self.progress.update(event)

    def begin(self, event: Any, run: Path, work: Work, stack: ExitStack) -> None:
        """Print what is said of a beginning, and begin to show the progress of the work."""
        resume = f"nncli {self._command} --resume {shlex.quote(str(run))}"
        answer = () if self.display.quiet else (answer_stop_request,)
        self.stop_request = stack.enter_context(asked_to_stop(resume, *answer))
        self.findings.show(event.findings)
        self.show_estimate(getattr(event, "estimate", None), getattr(event, "longest", None))
        self.progress = self.progress_of(work, stack)

    def progress_of(self, work: Work, stack: ExitStack) -> Plain | Live | JsonLines | SearchJsonLines | None:
        """What shows the progress of the work, until the stack ends it."""
        return None if self.display.quiet else progress_of(work, stack)

    def show_estimate(self, seconds: float | None, longest: float | None = None) -> None:
        """Print how long the training takes, and how long with the most epochs, unless that is short."""
        if seconds is not None and seconds >= MIN_ESTIMATE and not self.as_json:
            is_longer = longest is not None and longest > LONGER * seconds
            up_to = f", up to {rounded_duration(longest or 0.0)} if further epochs pay" if is_longer else ""
            is_busy = hasattr(os, "getloadavg") and os.getloadavg()[0] > 1.5 * available_cpus()
            busy = ", and longer while other programs need the processors" if is_busy else ""
            self.display.say(f"about {rounded_duration(seconds)}{up_to}{busy}{self._advice}")

    def stopped(self, message: str, run: Path, more: str = "") -> StoppedError:
        """The error of what a signal stopped; `more` is said after how it is resumed."""
        number = self.stop_request.number if self.stop_request else None
        hint = f"To resume: nncli {self._command} --resume {shlex.quote(str(run))}{more}"
        return StoppedError(message, number=number or 2, hint=hint)


class TrainingPrinter(Printer):
    """Prints a training, its summary on stderr, and the run directory's path on stdout.

    With `as_json`, events are printed as JSON lines on stdout, and only findings on stderr.
    """

    def __init__(self, display: DisplayOptions, *, as_json: bool, advice: str = "") -> None:
        super().__init__(display, "train", advice=advice)
        self.as_json = as_json

    def progress_of(self, work: Work, stack: ExitStack) -> Plain | Live | JsonLines | SearchJsonLines | None:
        """JSON lines, or a display."""
        if not self.as_json:
            return super().progress_of(work, stack)
        from nncli.cli.progress.json_events import JsonLines

        return JsonLines()

    def run(self, events: Generator[Any, None, None]) -> Finished:
        """Print the events and return the last one.

        Raises:
            StoppedError: a signal stopped the training.
        """
        finished = self.follow(events, Finished)
        assert finished is not None, "a training ends with Finished or an error"
        assert self.started is not None, "a training begins with Started or MembersStarted"
        if self.as_json and self.progress is not None:
            self.progress.update(finished)
        else:
            self.display.say(summary(self.started, finished))
        self.findings.show(finished.findings)
        if not self.as_json:
            print_path(finished.run)
        if finished.status == "stopped" and self.stop_request is not None and self.stop_request.number is not None:
            if isinstance(self.started, MembersStarted):
                raise self.stopped("stopped; all networks are saved", finished.run)
            predict = f"nncli predict {shlex.quote(str(finished.run))} TABLE"
            raise self.stopped(
                f"stopped after epoch {finished.epochs}; the run is saved",
                finished.run,
                f"\n  To predict with the best weights so far: {predict}",
            )
        return finished

    def show_next(self, finished: Finished, *, has_report: bool = False) -> None:
        """Print the commands that use the run; first that which finds the rows of a class that is never predicted."""
        if not self.as_json:
            name = shlex.quote(str(finished.run))
            card = finished.validation
            scores = None if card is None else class_scores(card.model)
            if scores is not None and any(not each.predicted for each in scores.by_class if each.support):
                options = (*scores.threshold_options, UseOption("save", "save", True))
                if len(options) > 1:
                    self.display.next(in_terminal(RunCommand("threshold", (str(finished.run),), options)))
            commands = [f"nncli report {name}"] * (not has_report) + [f"nncli predict {name} NEW_TABLE"]
            self.display.next(", or ".join(commands))


def rounded_duration(seconds: float) -> str:
    """A duration to two digits, such as 23 s, 4 min or 1.5 h."""
    amount, unit = next(
        (seconds / size, unit) for size, unit in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= size
    )
    return f"{float(f'{amount:.2g}'):g} {unit}"


def summary(started: Started | MembersStarted, finished: Finished) -> str:
    """The summary of a training: sizes, and a table of scores beside those of the baseline.

    If a class is rare, a confusion matrix comes first.
    """
    sizes = f"{_sizes(started, finished)}, {format_duration(finished.seconds)}"
    of_targets = [
        line
        for name, (training, validation) in finished.targets.items()
        for line in (
            f"\n{escape_unprintable(name)}",
            *_scores(replace(finished, training=training, validation=validation)),
        )
    ]
    return "\n".join(
        [sizes, *_scores(finished), *of_targets, *([] if finished.training is None else _meaning(finished))]
    )


def _scores(finished: Finished) -> list[str]:
    """A table of the scores, after a confusion matrix if a class is rare; nothing without scores."""
    if finished.training is None:
        return []
    card = finished.validation or finished.training
    rows = "training" if finished.validation is None else "out-of-fold" if finished.out_of_fold else "validation"
    baseline, training = dict(headlines(card.baseline)), dict(headlines(finished.training.model))
    titles = ["", rows, "95% interval", "baseline", "training"]
    scores = [
        [
            escape_unprintable(title_of(name, card.model)),
            format_number(value),
            "–" if card.intervals is None else interval_text(card.intervals.scores[i].interval),
            format_number(baseline[name] if has_baseline(name) else None),
            format_number(training[name]),
        ]
        for i, (name, value) in enumerate(headlines(card.model))
    ]
    if finished.validation is None:
        titles, scores = ["", rows, "baseline"], [[name, value, other] for name, value, _, other, _ in scores]
    figures = table([titles, *scores], sys.stderr)
    return [*_confusion_matrix(rows, card), figures]


def _confusion_matrix(title: str, card: ScoreCard) -> list[str]:
    """The confusion matrix of a few classes one of which is rare."""
    scores = class_scores(card.model)
    if scores is None or not scores.has_rare_class or len(scores.labels) > MAX_CLASSES:
        return []
    labels = [escape_unprintable(label) for label in scores.labels]
    rows = [[f"{count:,.6g}" for count in row] for row in scores.confusion_matrix or ()]
    lines = [[f"{title} rows of class", *(f"predicted {label}" for label in labels)]]
    lines += [[label, *row] for label, row in zip(labels, rows, strict=True)]
    return ["", table(lines, sys.stderr), ""]


def _meaning(finished: Finished) -> Iterator[str]:
    """What the scores are of, in one line each."""
    card = finished.validation
    if card is None and finished.taught == "refit":
        yield "optimistic: scores of the training rows; the network for the validation scores is not trained yet"
    elif card is None:
        yield "optimistic: scores of the training rows; set validation: 0.2 to measure scores on new rows"
    elif card.optimistic:
        yield f"optimistic: the validation rows chose the epoch{' of the teacher' if finished.taught else ''}"
    elif finished.taught == "refit":
        yield "validation: of a network trained without these rows, by networks that did not train on them either"
    elif finished.taught == "once":
        yield "validation: rows that neither the network nor its teacher was trained on"
    elif card.averaging is not None:
        gain = escape_unprintable(card.averaging.words(headlines(card.model)))
        yield f"out-of-fold: each row at the epoch that other rows choose, {gain}"
    elif card.intervals is not None:
        yield f"{'out-of-fold' if finished.out_of_fold else 'validation'}: each row at the epoch that other rows choose"


def _sizes(started: Started | MembersStarted, finished: Finished) -> str:
    """The numbers of rows, features, parameters and epochs, or those of an ensemble, in one line."""
    if isinstance(started, Started):
        best = "no epoch completed"
        if finished.best_epoch:
            monitor = started.monitor if started.monitor.endswith("loss") else started.monitor.removeprefix("val_")
            best = f"best epoch {finished.best_epoch} of {finished.epochs} by {monitor}"
        # The validation rows of a refit are those of another network, which is trained at the end.
        refit_rows = finished.validation.rows if finished.taught == "refit" and finished.validation else 0
        validation_rows = started.validation_rows or refit_rows
        return (
            f"{started.training_rows:,} training rows, {validation_rows:,} validation rows, "
            f"{started.features:,} feature{'' if started.features == 1 else 's'}, "
            f"{started.parameters:,} parameters, {best}"
        )
    if finished.training is None:
        return f"{started.members:,} networks"
    kind = "out-of-fold" if finished.out_of_fold else "validation"
    validation = f"{finished.validation.rows:,} {kind} rows, " if finished.validation else ""
    networks, epochs = f"{started.members:,} networks", f"up to {finished.epochs:,} epochs"
    if (kept := len(finished.averaged_epochs)) > 1:
        networks = f"{kept * started.members:,} networks ({started.members:,} trainings, {kept} epochs of each)"
    if finished.averaged_epochs:
        *first, last = (f"{epoch:,}" for epoch in sorted(finished.averaged_epochs))
        best = f"epochs {', '.join(first)} and {last}" if first else f"epoch {last}"
        epochs = f"best {best} of {finished.epochs:,}"
    return f"{networks}, {finished.training.rows:,} training rows, {validation}{epochs}"

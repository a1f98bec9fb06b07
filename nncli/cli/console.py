"""Messages on stderr: notes, log lines and the summary of a training. stdout is for data."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nncli.base import text
from nncli.base.credentials import redacted
from nncli.base.errors import NncliError, UsageError
from nncli.base.logs import format_duration
from nncli.base.text import escape_unprintable
from nncli.cli.tables import table

if TYPE_CHECKING:
    from rich.console import Console

    from nncli.fitting.train.events import Finished, MembersStarted, Started
    from nncli.models.scores import ScoreCard

MAX_CLASSES = 6
"""Most classes of a confusion matrix in the summary."""


def echo_err(message: str) -> None:
    """Print a line on stderr, without the credentials of URLs in it.

    A log on a full disk is no reason to stop; a reader who has left is one.

    Raises:
        BrokenPipeError: the reader of the pipe has closed it.
    """
    try:
        print(escape_unprintable(redacted(message)), file=sys.stderr, flush=True)  # noqa: T201
    except BrokenPipeError:
        raise
    except OSError:
        pass


def print_path(path: Path) -> None:
    """Print the path of what was written on stdout; on stderr if stdout is closed, since nothing is lost then.

    A program gets the bytes of the path; on a terminal, characters that could control it are escaped.
    """
    try:
        typer.echo(escape_unprintable(str(path)) if sys.stdout.isatty() else os.fsencode(path))
    except NncliError:
        echo_err(f"written to {path}")


class _StderrHandler(logging.Handler):
    """Prints log records on the present sys.stderr, which a live view may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        echo_err(record.getMessage())


def set_verbose(verbose: bool) -> None:
    """Switch the log of stages on or off (-v)."""
    log = logging.getLogger("nncli")
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    log.handlers = [_StderrHandler()] if verbose else []
    log.propagate = not verbose


def announce_input(what: str) -> None:
    """Print a note before standard input is read if it is a terminal.

    Raises:
        UsageError: standard input is closed.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="Name a file, or pipe one in.")
    if sys.stdin.isatty():
        echo_err(f"reading {what} from the terminal; end it with Ctrl-D on an empty line")


def rows(count: int) -> str:
    """A number of rows, for example `1 row` or `1,024 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def terminal() -> Console | None:
    """A Rich console on stderr if that is a terminal that can redraw lines, else None.

    CI is no terminal even where it looks like one. Markup and highlighting are off: the text may come from a table.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return None
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return None
    from rich.console import Console

    no_color = True if os.environ.get("CLICOLOR") == "0" else None  # None: Rich reads NO_COLOR
    return Console(stderr=True, markup=False, highlight=False, emoji=False, no_color=no_color)


def format_number(value: float | None) -> str:
    """`nncli.base.text.format_number` in ASCII, so that numbers can be pasted; a dash for None and NaN."""
    return text.format_number(value).replace("−", "-").replace("∞", "inf")


def summary(started: Started | MembersStarted, finished: Finished) -> str:
    """The summary of a training: sizes, and a table of scores beside those of the baseline.

    If a class is rare, a confusion matrix comes first.
    """
    from nncli.models.scores import headlines
    from nncli.targets.metrics.registry import has_baseline

    sizes = f"{_sizes(started, finished)}, {format_duration(finished.seconds)}"
    if finished.training is None:
        return sizes
    card = finished.validation or finished.training
    rows = "training" if finished.validation is None else "out-of-fold" if finished.out_of_fold else "validation"
    baseline, training = dict(headlines(card.baseline)), dict(headlines(finished.training.model))
    titles = ["", rows, "95% interval", "baseline", "training"]
    scores = [
        [
            escape_unprintable(name),
            format_number(value),
            _interval(card, i),
            format_number(baseline[name] if has_baseline(name) else None),
            format_number(training[name]),
        ]
        for i, (name, value) in enumerate(headlines(card.model))
    ]
    if finished.validation is None:
        titles, scores = ["", rows, "baseline"], [[name, value, other] for name, value, _, other, _ in scores]
    figures = table([titles, *scores], sys.stderr)
    return "\n".join([sizes, *_confusion_matrix(rows, card), figures, *_meaning(finished)])


def _confusion_matrix(title: str, card: ScoreCard) -> list[str]:
    """The confusion matrix of a few classes one of which is rare, and the positive class of two."""
    from nncli.models.scores import class_scores

    scores = class_scores(card.model)
    if scores is None or not scores.has_rare_class or len(scores.labels) > MAX_CLASSES:
        return []
    labels = [escape_unprintable(label) for label in scores.labels]
    rows = [[f"{count:,.6g}" for count in row] for row in scores.confusion_matrix or ()]
    lines = [[f"{title} rows of class", *(f"predicted {label}" for label in labels)]]
    lines += [[label, *row] for label, row in zip(labels, rows, strict=True)]
    about = f"f1, precision, recall and average_precision are of class {labels[-1]}"
    return ["", table(lines, sys.stderr), "", *([about] if len(labels) == 2 else [])]


def _interval(card: ScoreCard, i: int) -> str:
    """The 95 % interval of score `i`."""
    interval = None if card.intervals is None else card.intervals.scores[i].interval
    return "–" if interval is None else f"{format_number(interval.low)} to {format_number(interval.high)}"


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
        yield "validation: of a network trained without these rows, by members that did not train on them either"
    elif finished.taught == "once":
        yield "validation: rows that neither the network nor its teacher was trained on"
    elif card.averaging is not None:
        yield "out-of-fold: each row at the epoch that other rows choose, with the gain of averaging all members"
    elif card.intervals is not None:
        yield f"{'out-of-fold' if finished.out_of_fold else 'validation'}: each row at the epoch that other rows choose"


def _sizes(started: Started | MembersStarted, finished: Finished) -> str:
    """The numbers of rows, features, parameters and epochs, or those of an ensemble, in one line."""
    from nncli.fitting.train.events import Started

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
        return f"{started.members:,} members"
    kind = "out-of-fold" if finished.out_of_fold else "validation"
    validation = f"{finished.validation.rows:,} {kind} rows, " if finished.validation else ""
    epochs = f"up to {finished.epochs:,} epochs"
    if finished.joint_epoch:
        epochs = f"best epoch {finished.best_epoch:,} of {finished.epochs:,} for all members"
    return f"{started.members:,} members, {finished.training.rows:,} training rows, {validation}{epochs}"

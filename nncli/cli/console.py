"""Progress, tables and notes for people. All of it goes to stderr; stdout is for data."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nncli.errors import UsageError, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import TaskID

    from nncli.commands.progress import MembersStarted
    from nncli.commands.session import Finished, Started
    from nncli.training.loop import EpochReport

SECONDS_BETWEEN_LINES = 2.0


def say(text: str) -> None:
    """A line to stderr."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


class _Said(logging.Handler):
    """Says what the log is told, to whatever stderr is by then: a live view takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show_stages(wanted: bool) -> None:
    """Whether each stage of what is done is said (-v)."""
    log = logging.getLogger("nncli")
    log.setLevel(logging.INFO if wanted else logging.WARNING)
    log.handlers = [_Said()] if wanted else []
    log.propagate = not wanted


def announce_input(what: str) -> None:
    """Before the standard input is read: tell a person at a terminal that something is waited for.

    Raises:
        UsageError: there is no standard input.
    """
    if sys.stdin is None:
        raise UsageError("the standard input is closed", hint="Name a file, or pipe one in.")
    if sys.stdin.isatty():
        say(f"reading {what} from the terminal; Ctrl-D on a line of its own ends it")


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, one column beneath the other: the first flush left, all others right, none cut off.

    >>> print(table([["", "training"], ["rmse", "0.35"], ["r2", "-0.021"]]))
            training
    rmse        0.35
    r2        -0.021
    """
    from nncli.config.text import width

    widest = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "    ".join(
            " " * (most - width(cell)) + cell if i else cell + " " * (most - width(cell))
            for i, (cell, most) in enumerate(zip(line, widest, strict=True))
        )
        for line in lines
    )


def rows(count: int) -> str:
    """`1 row`, `1,024 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def terminal() -> Console | None:
    """Rich on stderr, where that is a terminal: anything else need not wait for its import.

    Without markup or highlighting: what is shown may come from anybody's table.
    """
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    no_color = True if os.environ.get("CLICOLOR") == "0" else None  # None: as NO_COLOR says
    return Console(stderr=True, markup=False, highlight=False, emoji=False, no_color=no_color)


def number(value: float | None) -> str:
    """Four significant digits; a dash for what is undefined, 0 for what is no more than rounding."""
    if value is None:
        return "–"
    return "0" if abs(value) < 1e-12 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """1:02:03, 2:03 or 4.2 s."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class PlainProgress:
    """For pipes, logs and CI: the first epoch, the last, and one line every couple of seconds between."""

    def __init__(self, started: Started) -> None:
        self._started, self._next = started, 0.0
        self._begun = time.monotonic()
        self._last: EpochReport | None = None
        self._shown = 0
        self._best: EpochReport | None = None

    def update(self, report: EpochReport) -> None:
        """Take note of an epoch, and show it when it is time."""
        self._last = report
        if report.is_best:
            self._best = report
        if time.monotonic() >= self._next:
            self._show(report)

    def _show(self, report: EpochReport) -> None:
        self._next, self._shown = time.monotonic() + SECONDS_BETWEEN_LINES, report.epoch
        left = (time.monotonic() - self._begun) / (report.epoch - self._started.done)
        left *= self._started.epochs - report.epoch
        say(
            "  ".join(
                [
                    f"epoch {report.epoch}/{self._started.epochs}",
                    *figures(self._started, report, self._best),
                    f"{duration(left)} left",
                ]
            )
        )

    def close(self) -> None:
        """Show the last epoch, unless it was shown."""
        if self._last is not None and self._last.epoch != self._shown:
            self._show(self._last)


class LiveProgress:
    """For terminals: a bar with the time left, and beneath it the figures of the latest epoch."""

    def __init__(self, started: Started, console: Console) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._started = started
        self._bar = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(bar_width=32),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self._task: TaskID = self._bar.add_task("", total=started.epochs, completed=started.done)
        self._best: EpochReport | None = None
        self._live = Live(self._bar, console=console, refresh_per_second=10)
        self._live.start()

    def update(self, report: EpochReport) -> None:
        """Show an epoch."""
        from rich.console import Group
        from rich.text import Text

        if report.is_best:
            self._best = report
        self._bar.update(self._task, completed=report.epoch)
        self._live.update(Group(self._bar, Text("  ".join(figures(self._started, report, self._best)))))

    @property
    def picture(self) -> RenderableType:
        """What is on the screen now."""
        return self._live.renderable

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._live.stop()


def figures(started: Started, report: EpochReport, best: EpochReport | None) -> list[str]:
    """The figures of an epoch, each with its name."""
    parts = [f"loss {number(report.loss)}"]
    if report.penalty:
        parts.append(f"penalty {number(report.penalty)}")
    if report.val_loss is not None:
        parts.append(f"val_loss {number(report.val_loss)}")
    if started.metric is not None:
        parts.append(f"{started.metric} {number(report.metric)}")
    if best is not None:
        loss = best.loss if best.val_loss is None else best.val_loss
        parts.append(f"best {number(loss)} at {best.epoch}")
    parts.append(f"rate {report.learning_rate:.3g}")
    return parts


def summary(started: Started | MembersStarted, finished: Finished) -> str:
    """The end: what was trained, and a table of how good it is beside the trivial guess."""
    from nncli.commands.scores import headlines

    trained = f"{_trained(started, finished)}, {duration(finished.seconds)}"
    titles, columns = [""], []
    for title, card in (("training", finished.training), ("validation", finished.validation)):
        if card is not None:
            titles += [title, "trivial"]
            columns += [headlines(card.model), headlines(card.baseline)]
    if finished.training is None:
        return trained
    scores = [
        [printable(name), *(number(value) for _, value in figures)]
        for (name, _), *figures in zip(columns[0], *columns, strict=True)
    ]
    return f"{trained}\n{table([titles, *scores])}"


def _trained(started: Started | MembersStarted, finished: Finished) -> str:
    """What was trained, in a line."""
    from nncli.commands.session import Started

    best = f"best epoch {finished.best_epoch} of {finished.epochs}" if finished.best_epoch else "no epoch was completed"
    if isinstance(started, Started):
        return (
            f"{started.training_rows:,} training rows, {started.validation_rows:,} validation rows, "
            f"{started.features:,} features, {started.parameters:,} parameters, {best}"
        )
    if finished.training is None:
        return f"{started.members:,} members"
    held = finished.validation
    judged = f"{rows(held.rows)} held out, " if held else ""
    return f"{started.members:,} members, {rows(finished.training.rows)}, {judged}at most {finished.epochs:,} epochs"

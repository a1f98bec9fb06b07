"""Progress, tables and notes for people. All of it goes to stderr; stdout is for data."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from nncli.errors import UsageError, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import TaskID
    from rich.table import Table

    from nncli.commands.progress import MembersStarted
    from nncli.commands.session import Finished, ScoreCard, Started
    from nncli.training.loop import EpochReport

SECONDS_BETWEEN_LINES = 2.0
UNBOUNDED = 100_000  # columns of a screen


def say(text: str) -> None:
    """A line to stderr."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


def announce_input(what: str) -> None:
    """Before the standard input is read: tell a person at a terminal that something is waited for.

    Raises:
        UsageError: there is no standard input.
    """
    if sys.stdin is None:
        raise UsageError("the standard input is closed", hint="Name a file, or pipe one in.")
    if sys.stdin.isatty():
        say(f"reading {what} from the terminal; Ctrl-D on a line of its own ends it")


def wide(console: Console, table: Table) -> None:
    """Print a table at its full width: a terminal would rather wrap it than have figures cut off."""
    unbounded = console.options.update(max_width=UNBOUNDED)
    console.width = max(console.width, console.measure(table, options=unbounded).maximum)
    console.print(table)


def rows(count: int) -> str:
    """`1 row`, `1,024 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def error_console() -> Console:
    """Rich on stderr, without markup or highlighting: what is shown may come from anybody's table."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)


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


def show_summary(started: Started | MembersStarted, finished: Finished, console: Console) -> None:
    """The table at the end: what was trained, and how good it is beside the trivial guess."""
    from rich.table import Table
    from rich.text import Text

    from nncli.commands.scores import headlines

    console.print(f"{_trained(started, finished)}, {duration(finished.seconds)}", soft_wrap=True)
    if finished.training is None:
        return
    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 2))
    table.add_column("")
    cards: list[tuple[str, ScoreCard]] = [("training", finished.training)]
    if finished.validation is not None:
        cards.append(("validation", finished.validation))
    for title, _ in cards:
        table.add_column(title, justify="right")
        table.add_column("trivial", justify="right", style="dim")
    scores = [[*headlines(card.model)] for _, card in cards]
    guesses = [[*headlines(card.baseline)] for _, card in cards]
    for i, (name, _) in enumerate(scores[0]):
        cells = [cell for s, g in zip(scores, guesses, strict=True) for cell in (number(s[i][1]), number(g[i][1]))]
        table.add_row(Text(printable(name)), *cells)
    wide(console, table)


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

"""Progress, tables and notes for people. All of it goes to stderr; stdout is for data."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from nncli.commands.train import Finished, ScoreCard, Started
    from nncli.training.loop import EpochReport

# Control characters, and those that turn the direction of text: they could repaint a terminal or hide what it says.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

SECONDS_BETWEEN_LINES = 2.0


def printable(text: str) -> str:
    """`text` with every character that could disturb a terminal spelled out; line ends and tabs stay."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def say(text: str) -> None:
    """A line to stderr."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


def error_console() -> Console:
    """Rich on stderr, without markup or highlighting: what is shown may come from anybody's table."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def number(value: float | None) -> str:
    """Four significant digits, or a dash for what is undefined."""
    return "–" if value is None else f"{value:.4g}"


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
        self._best: float | None = None

    def update(self, report: EpochReport) -> None:
        """Take note of an epoch, and show it when it is time."""
        self._last = report
        if report.is_best:
            self._best = report.loss if report.val_loss is None else report.val_loss
        if time.monotonic() >= self._next:
            self._show(report)

    def _show(self, report: EpochReport) -> None:
        self._next, self._shown = time.monotonic() + SECONDS_BETWEEN_LINES, report.epoch
        left = (time.monotonic() - self._begun) / report.epoch * (self._started.epochs - report.epoch)
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
    """For terminals: a bar, the time left, and the figures of the latest epoch."""

    def __init__(self, started: Started, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._started = started
        self._progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
        )
        self._best: float | None = None
        self._task: TaskID = self._progress.add_task("", total=started.epochs, figures="")
        self._progress.start()

    def update(self, report: EpochReport) -> None:
        """Show an epoch."""
        if report.is_best:
            self._best = report.loss if report.val_loss is None else report.val_loss
        shown = "  ".join(figures(self._started, report, self._best))
        self._progress.update(self._task, completed=report.epoch, figures=shown)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()


def figures(started: Started, report: EpochReport, best: float | None) -> list[str]:
    """The figures of an epoch, each with its name."""
    parts = [f"loss {number(report.loss)}"]
    if report.penalty:
        parts.append(f"penalty {number(report.penalty)}")
    if report.val_loss is not None:
        parts.append(f"val_loss {number(report.val_loss)}")
    if started.metric is not None:
        parts.append(f"{started.metric} {number(report.metric)}")
    parts.append(f"best {number(best)}")
    parts.append(f"rate {report.learning_rate:.3g}")
    return parts


def show_summary(started: Started, finished: Finished, console: Console) -> None:
    """The table at the end: what was trained, and how good it is beside the trivial guess."""
    from rich.table import Table
    from rich.text import Text

    from nncli.commands.scores import headlines

    best = f"best epoch {finished.best_epoch} of {finished.epochs}" if finished.best_epoch else "no epoch was completed"
    console.print(
        f"{started.training_rows:,} training rows, {started.validation_rows:,} validation rows, "
        f"{started.features:,} features, {started.parameters:,} parameters, {best}, {duration(finished.seconds)}",
        soft_wrap=True,
    )
    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 2))
    table.add_column("")
    cards: list[tuple[str, ScoreCard]] = [("training", finished.training)]
    if finished.validation is not None:
        cards.append(("validation", finished.validation))
    for title, _ in cards:
        table.add_column(title, justify="right")
        table.add_column("trivial", justify="right", style="dim")
    rows = [[*headlines(card.model)] for _, card in cards]
    guesses = [[*headlines(card.baseline)] for _, card in cards]
    for i, (name, _) in enumerate(rows[0]):
        cells = [cell for r, g in zip(rows, guesses, strict=True) for cell in (number(r[i][1]), number(g[i][1]))]
        table.add_row(Text(printable(name)), *cells)
    console.print(table)

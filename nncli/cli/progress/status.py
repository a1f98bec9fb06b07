"""How far work is, and how that is shown: again and again on a terminal, and as lines in pipes, logs and CI.

The work only appends its events to a queue, which the refreshing thread of a terminal reads and draws: even epochs of
microseconds are not slowed down.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from nncli.base.logs import format_duration
from nncli.cli.console import echo_err, terminal
from nncli.cli.progress.chart import Curve, LineRole, chart

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

MIN_CHART_WIDTH = 60
"""Width of the terminal below which there is neither chart nor bar."""
MAX_WIDTH, MAX_CHART_HEIGHT = 100, 12
"""Size limits of the chart in characters."""
MIN_CHART_HEIGHT = 4
"""Height below which there is no chart."""
MAX_RUNNING = 8
"""Tasks that run which are shown."""
STYLES: dict[LineRole, str] = {"loss": "cyan", "monitored": "yellow", "best": "bold green", "axis": "dim"}
"""Without colors the curves still differ: one is dotted."""
LEGEND: dict[bool, dict[LineRole, str]] = {
    True: {"loss": "⠄⠄", "monitored": "⠤⠤"},
    False: {"loss": "..", "monitored": "**"},
}
"""The line style of each curve, with braille and without."""
LONGEST_TIME_LEFT = "100:00:00 left"
PYTHON_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")
"""Values to which Python itself sets LC_CTYPE if the locale is C (PEP 538)."""
SECONDS_BETWEEN_LINES = 2.0
MAX_SAMPLES = 64
MIN_SHARE, ENOUGH_SHARE = 0.02, 0.05
"""Shares of the work after which the remaining time is estimated, the second one if there is a single sample."""


class Speed:
    """The speed of a task over the latter half of the work: the first part may be slower or faster."""

    def __init__(self, done: int | None = None) -> None:
        """Start at `done` now, or with None at the first call of `add`."""
        self._samples: list[tuple[float, int]] = [] if done is None else [(time.monotonic(), done)]

    def add(self, done: int) -> None:
        """Record the work done by now; if it has decreased, the measurement restarts."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        if not self._samples or done > self._samples[-1][1]:
            self._samples.append((time.monotonic(), done))
        if len(self._samples) > MAX_SAMPLES:
            del self._samples[1:-1:2]

    @property
    def per_second(self) -> float | None:
        """The work per second; None before there is any."""
        if len(self._samples) < 2:
            return None
        (_, first), (now, done) = self._samples[0], self._samples[-1]
        then, before = next(s for s in reversed(self._samples[:-1]) if s[1] <= first + (done - first) / 2)
        return (done - before) / max(now - then, 1e-9)

    def seconds_left(self, remaining: int) -> float | None:
        """The seconds that the remaining work takes; None if the speed is unknown.

        The first steps are slower, since loops are compiled and processes start meanwhile.
        """
        if self.per_second is None:
            return None
        done = self._samples[-1][1] - self._samples[0][1]
        if done < (MIN_SHARE if len(self._samples) > 2 else ENOUGH_SHARE) * (done + remaining):
            return None
        return remaining / self.per_second


def left(seconds: float | None) -> str:
    """The time left as text; empty if it is unknown."""
    return "" if seconds is None else f"{format_duration(seconds)} left"


@dataclass(frozen=True)
class Curves:
    """Curves over the `epoch` epochs, or another `unit`, with the best one."""

    loss: Curve
    monitored: Curve
    epoch: int
    best: int | None
    unit: str = "epoch"


@dataclass(frozen=True)
class Status:
    """How far work is: how many of a `total` are `done`, `what` is counted, and the time left.

    `values` are the figures of the work, each with what it is in the curves, and `settings` others. `details` and
    `running`, a line for each task that runs, are shown on a terminal only.
    """

    what: str
    done: int
    total: int
    left: str = ""
    values: tuple[tuple[str, LineRole | None], ...] = ()
    settings: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    curves: Curves | None = None

    @property
    def figures(self) -> list[str]:
        """What was done, without the time."""
        count = [f"{self.what} {self.done}/{self.total}"] if self.total else []
        return [*count, *(text for text, _ in self.values), *self.settings]


class Work(ABC):
    """The state of work by its events, from which every display is made."""

    begins_at_once: ClassVar[bool] = True
    """Whether there is a line for the first event."""
    ends_with_line: ClassVar[bool] = True
    """Whether there is a line for the last event."""
    stays: ClassVar[bool] = True
    """Whether the last state of a display stays on the screen."""
    period: ClassVar[float] = SECONDS_BETWEEN_LINES
    """Seconds between lines."""
    is_over = False

    @abstractmethod
    def update(self, event: Any) -> None:
        """Record an event."""

    @abstractmethod
    def status(self) -> Status:
        """How far the work is now."""

    def lines(self, event: Any) -> Iterable[str]:
        """What is printed at once of an event that was recorded, where lines are printed."""
        return ()


class Plain:
    """Progress for pipes, logs and CI: a line now and then."""

    def __init__(self, work: Work) -> None:
        self._work, self._shown = work, work.status().figures
        self._next = time.monotonic() + (0.0 if work.begins_at_once else work.period)

    def update(self, event: Any) -> None:
        """Record an event, and print a line if it is due."""
        self._work.update(event)
        for line in self._work.lines(event):
            echo_err(line)
        if time.monotonic() >= self._next:
            self._show()

    def _show(self) -> None:
        status = self._work.status()
        if status.figures != self._shown:
            self._next, self._shown = time.monotonic() + self._work.period, status.figures
            echo_err("  ".join([*status.figures, *filter(None, [status.left])]))

    def close(self) -> None:
        """Print the last line if it has not been printed."""
        if self._work.ends_with_line:
            self._show()


class Live:
    """Progress for terminals; it adapts to the size of the terminal at each refresh."""

    def __init__(self, work: Work, console: Console) -> None:
        from nncli.cli.progress.display import Display

        self._work, self._lock = work, Lock()
        self._queue: deque[Any] = deque()
        self._unicode = supports_unicode(console.encoding)
        self._display = Display(self, console)
        self._display.start()

    def update(self, event: Any) -> None:
        """Record an event for the next refresh."""
        self._queue.append(event)

    def close(self) -> None:
        """Stop the display and leave its last state on the screen."""
        self._work.is_over = True
        self._display.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the current state."""
        with self._lock:
            while self._queue:
                self._work.update(self._queue.popleft())
            lines = self._lines(self._work.status(), options.max_width, console.height)
        if self._work.stays or not self._work.is_over:
            yield from lines

    def _lines(self, status: Status, width: int, height: int) -> list[Text]:
        from rich.text import Text

        left = "" if self._work.is_over else status.left
        first = bar(status.done, status.total, left, width, unicode=self._unicode, noun=status.what)
        figures = wrapped([self._figure(text, role) for text, role in status.values], width)
        figures += wrapped([Text(text) for text in (*status.settings, *status.details)], width)
        figures += [Text(line, no_wrap=True, overflow="ellipsis") for line in status.running[:MAX_RUNNING]]
        figures = figures[: max(height - 2, 0)]
        rows, curves = min(height - 2 - len(figures), MAX_CHART_HEIGHT), status.curves
        if curves is None or width < MIN_CHART_WIDTH or rows < MIN_CHART_HEIGHT:
            return [first, *figures]
        drawn = chart(
            curves.loss,
            curves.monitored,
            epoch=curves.epoch,
            best=curves.best,
            width=min(width, MAX_WIDTH),
            height=rows,
            braille=self._unicode,
            unit=curves.unit,
        )
        return [first, *(Text.assemble(*((text, STYLES[role]) for text, role in line)) for line in drawn), *figures]

    def _figure(self, text: str, role: LineRole | None) -> Text:
        """A figure, behind the line style of its curve if it has one."""
        from rich.text import Text

        style = "" if role is None else STYLES[role]
        symbol = None if role is None else LEGEND[self._unicode].get(role)
        return Text(text, style) if symbol is None else Text.assemble((symbol, style), f" {text}")


def progress_of(work: Work, stack: ExitStack) -> Plain | Live:
    """The display of work, live on a terminal and line by line elsewhere; the stack closes it."""
    console = terminal()
    progress = Plain(work) if console is None else Live(work, console)
    stack.callback(progress.close)
    return progress


class StageProgress(Work):
    """Steps of a name, of which so many parts of a total are done: events are these three."""

    begins_at_once = ends_with_line = stays = False

    def __init__(self) -> None:
        self._status = Status("", 0, 0)

    def update(self, event: tuple[str, int, int]) -> None:
        """Record how far a step is."""
        self._status = Status(*event)

    def status(self) -> Status:
        """The step of now."""
        return self._status


def bar(done: int, total: int, left: str, width: int, *, unicode: bool, noun: str = "epoch") -> Text:
    """The numbers of epochs, or of another `noun`, and the time left; a progress bar if the line is wide enough."""
    from rich.text import Text

    line = Text(f"{noun} {done}/{total}", no_wrap=True, overflow="ellipsis")
    cells = min(width, MAX_WIDTH) - len(line) - len(f"   100 %  {LONGEST_TIME_LEFT}")
    if width >= MIN_CHART_WIDTH and cells > 0 and total:
        full_cells = min(cells, cells * done // total)
        full, empty = ("━", "─") if unicode else ("#", "-")
        line = Text.assemble(line, " ", (full * full_cells, "green"), (empty * (cells - full_cells), "dim"))
        line.append(f"  {100 * done // total:3} %")
    return line.append(f"  {left}" if left else "")


def wrapped(parts: Iterable[Text], width: int) -> list[Text]:
    """Join the parts into lines of at most `width` characters without splitting a part."""
    from rich.text import Text

    lines: list[Text] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1].append("  ").append_text(part)
        else:
            lines.append(Text(no_wrap=True, overflow="fold").append_text(part))
    return lines


def supports_unicode(encoding: str) -> bool:
    """Whether a terminal displays Unicode.

    Python writes UTF-8 even if the locale is C by default; only an explicitly set C or POSIX locale means ASCII.
    """
    ctype = os.environ.get("LC_CTYPE")
    locale = os.environ.get("LC_ALL") or (None if ctype in PYTHON_LOCALES else ctype) or os.environ.get("LANG")
    return encoding.lower().startswith("utf") and locale not in ("C", "POSIX")

"""Live view of a training on a terminal: a progress bar, the time left, learning curves and the latest metrics.

The training only appends its reports to a queue, which the refreshing thread reads and draws: even epochs
of microseconds are not slowed down.
"""

from __future__ import annotations

import os
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from nncli.base.memory import format_bytes, peak_rss_bytes, rss_bytes
from nncli.cli.progress.chart import Curve, Role, chart
from nncli.cli.progress.training import TrainingProgress

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from nncli.fitting.train.events import Started
    from nncli.nn.training.loop import EpochReport, LearningRateHalved

MIN_CHART_WIDTH = 60
"""Width of the terminal below which there is neither chart nor bar."""
MAX_WIDTH, MAX_CHART_HEIGHT = 100, 12
"""Size limits of the chart in characters."""
MIN_CHART_HEIGHT = 4
"""Height below which there is no chart."""
STYLES: dict[Role, str] = {"loss": "cyan", "monitored": "yellow", "best": "bold green", "axis": "dim"}
"""Without colors the curves still differ: one is dotted."""
LONGEST_TIME_LEFT = "100:00:00 left"
LEGEND: dict[bool, dict[Role, str]] = {
    True: {"loss": "⠄⠄", "monitored": "⠤⠤"},
    False: {"loss": "..", "monitored": "**"},
}
"""The line style of each curve, with braille and without."""
PYTHON_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")
"""Values to which Python itself sets LC_CTYPE if the locale is C (PEP 538)."""


class LiveProgress:
    """The live view; it adapts to the size of the terminal at each refresh."""

    def __init__(self, started: Started, console: Console) -> None:
        from nncli.cli.progress.display import Display

        self._progress = TrainingProgress(started)
        self._queue: deque[EpochReport | LearningRateHalved] = deque()
        self._lock = Lock()
        self._is_closed = False
        self._braille = supports_unicode(console.encoding)
        self._live = Display(self, console)
        self._live.start()

    def update(self, event: EpochReport | LearningRateHalved) -> None:
        """Record an epoch, or a return to an earlier one, for the next refresh."""
        self._queue.append(event)

    def close(self) -> None:
        """Stop the display and leave its last state on the screen."""
        self._is_closed = True
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the current state."""
        with self._lock:
            if self._queue:
                while self._queue:
                    self._progress.update(self._queue.popleft())
                self._progress.sample()
            lines = self._lines(options.max_width, console.height)
        yield from lines

    def _lines(self, width: int, height: int) -> list[Text]:
        metrics = [line for part in (self._metrics_line(), self._speed_line()) for line in wrapped(part, width)]
        lines = [self._bar(width), *metrics][: max(height - 1, 1)]
        rows = min(height - 1 - len(lines), MAX_CHART_HEIGHT)
        has_chart = width >= MIN_CHART_WIDTH and rows >= MIN_CHART_HEIGHT
        return [lines[0], *(self._chart(min(width, MAX_WIDTH), rows) if has_chart else ()), *lines[1:]]

    def _bar(self, width: int) -> Text:
        left = "" if self._is_closed else self._progress.time_left
        return bar(self._progress.epoch, self._progress.started.epochs, left, width, unicode=self._braille)

    def _chart(self, width: int, height: int) -> list[Text]:
        from rich.text import Text

        progress = self._progress
        best = progress.best.epoch if progress.best else None
        lines = chart(
            progress.loss if progress.draws_loss else Curve(),
            progress.monitored,
            epoch=progress.epoch,
            best=best,
            width=width,
            height=height,
            braille=self._braille,
        )
        return [Text.assemble(*((text, STYLES[role]) for text, role in line)) for line in lines]

    def _metrics_line(self) -> list[Text]:
        """The losses, the metric and the best epoch; the learning rate is on the other line."""
        from rich.text import Text

        roles: dict[str, Role] = {self._progress.second_name: "monitored"}
        if self._progress.draws_loss:
            roles["loss"] = "loss"
        parts = []
        for text in self._progress.metrics[:-1]:
            name = text.partition(" ")[0]
            role = roles.get(name)
            if role is not None:
                line, style = LEGEND[self._braille][role], STYLES[role]
                parts.append(Text.assemble((line, style), f" {text}"))
            else:
                parts.append(Text(text, STYLES["best"] if name == "best" else ""))
        return parts

    def _speed_line(self) -> list[Text]:
        from rich.text import Text

        speed, memory, peak = self._progress.rows_per_second, rss_bytes(), peak_rss_bytes()
        parts = self._progress.metrics[-1:]
        if speed is not None:
            parts.append(f"{float(f'{speed:.3g}'):,.0f} rows/s")
        if memory is not None:
            parts.append(f"memory {format_bytes(memory)}")
        elif peak is not None:
            parts.append(f"peak memory {format_bytes(peak)}")
        return list(map(Text, parts))


def bar(done: int, total: int, left: str | None, width: int, *, unicode: bool, noun: str = "epoch") -> Text:
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


def wrapped(parts: list[Text], width: int) -> list[Text]:
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

"""A training on a terminal, as a live picture: a bar, the time left, the losses as curves, and the latest figures.

Whoever trains only leaves its reports here. They are taken, and the picture is drawn, on the thread that refreshes the
screen a few times a second, so that epochs of microseconds cost no more than long ones.
"""

from __future__ import annotations

import os
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from nncli.cli.progress.chart import Role, chart
from nncli.cli.progress.training import TrainingProgress
from nncli.utils.memory import format_bytes, peak_rss_bytes, rss_bytes

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from nncli.pipeline.train.events import Started
    from nncli.training.loop import EpochReport, LearningRateHalved

REFRESHES_PER_SECOND = 3
"""A picture costs some 2 ms, in which an epoch cannot be trained."""
NARROW = 60
"""Columns below which there is no curve and no bar."""
WIDEST, HIGHEST = 100, 12
"""Columns and lines that a curve takes at the most."""
LOWEST = 4
"""Lines below which a curve shows nothing."""
STYLES: dict[Role, str] = {"loss": "cyan", "val_loss": "yellow", "best": "bold green", "axis": "dim"}
"""The curves also differ where there are no colours: one is dotted."""
LONGEST_LEFT = "100:00:00 left"
LINES = {True: {"loss": "⠄⠄", "val_loss": "⠤⠤"}, False: {"loss": "..", "val_loss": "**"}}
"""How each curve is drawn, in braille and without."""
OF_PYTHON = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python itself sets LC_CTYPE to where the locale is C (PEP 538)."""


class LiveProgress:
    """What is on the screen; it fits itself to the terminal whenever it is drawn."""

    def __init__(self, started: Started, console: Console) -> None:
        from rich.live import Live

        self._course = TrainingProgress(started)
        self._waiting: deque[EpochReport | LearningRateHalved] = deque()
        self._drawing = Lock()
        self._over = False
        self._braille = speaks_unicode(console.encoding)
        self._live = Live(self, console=console, refresh_per_second=REFRESHES_PER_SECOND)
        self._live.start()

    def update(self, event: EpochReport | LearningRateHalved) -> None:
        """Show an epoch, or that the training went back, when the picture is drawn next."""
        self._waiting.append(event)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._over = True
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The picture as it is now."""
        with self._drawing:
            if self._waiting:
                while self._waiting:
                    self._course.update(self._waiting.popleft())
                self._course.sample()
            lines = self._lines(options.max_width, console.height)
        yield from lines

    def _lines(self, width: int, height: int) -> list[Text]:
        figures = [line for part in (self._figures(), self._pace()) for line in wrapped(part, width)]
        shown = [self._bar(width), *figures][: max(height - 1, 1)]
        room = min(height - 1 - len(shown), HIGHEST)
        curve = self._curve(min(width, WIDEST), room) if width >= NARROW and room >= LOWEST else []
        return [shown[0], *curve, *shown[1:]]

    def _bar(self, width: int) -> Text:
        left = "" if self._over else self._course.left
        return bar(self._course.epoch, self._course.started.epochs, left, width, unicode=self._braille)

    def _curve(self, width: int, height: int) -> list[Text]:
        from rich.text import Text

        course = self._course
        best = course.best.epoch if course.best else None
        lines = chart(
            course.loss,
            course.val_loss,
            epoch=course.epoch,
            best=best,
            width=width,
            height=height,
            braille=self._braille,
        )
        return [Text.assemble(*((text, STYLES[role]) for text, role in line)) for line in lines]

    def _figures(self) -> list[Text]:
        """How good it is; the rate, last of the figures, is a matter of the pace."""
        from rich.text import Text

        parts = []
        for figure in self._course.figures[:-1]:
            name = figure.partition(" ")[0]
            if name in ("loss", "val_loss"):
                drawn, style = LINES[self._braille][name], STYLES["loss" if name == "loss" else "val_loss"]
                parts.append(Text.assemble((drawn, style), f" {figure}"))
            else:
                parts.append(Text(figure, STYLES["best"] if name == "best" else ""))
        return parts

    def _pace(self) -> list[Text]:
        from rich.text import Text

        pace, now, most = self._course.rows_per_second, rss_bytes(), peak_rss_bytes()
        parts = self._course.figures[-1:]
        if pace is not None:
            parts.append(f"{float(f'{pace:.3g}'):,.0f} rows/s")
        if now is not None:
            parts.append(f"memory {format_bytes(now)}")
        elif most is not None:
            parts.append(f"memory {format_bytes(most)} at most")
        return list(map(Text, parts))


def bar(epoch: int, epochs: int, left: str | None, width: int, *, unicode: bool) -> Text:
    """How many epochs are done, in numbers, and on a line that is wide enough as a bar, and the time left."""
    from rich.text import Text

    line = Text(f"epoch {epoch}/{epochs}", no_wrap=True, overflow="ellipsis")
    cells = min(width, WIDEST) - len(line) - len(f"   100 %  {LONGEST_LEFT}")
    if width >= NARROW and cells > 0 and epochs:
        done = min(cells, cells * epoch // epochs)
        full, empty = ("━", "─") if unicode else ("#", "-")
        line = Text.assemble(line, " ", (full * done, "green"), (empty * (cells - done), "dim"))
        line.append(f"  {100 * epoch // epochs:3} %")
    return line.append(f"  {left}" if left else "")


def wrapped(parts: list[Text], width: int) -> list[Text]:
    """The parts side by side, in as many lines as it takes to cut none in two."""
    from rich.text import Text

    lines: list[Text] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1].append("  ").append_text(part)
        else:
            lines.append(Text(no_wrap=True, overflow="fold").append_text(part))
    return lines


def speaks_unicode(encoding: str) -> bool:
    """Whether a terminal shows more than ASCII.

    Python writes UTF-8 even where the locale is C, as it is where nothing is set; whoever has set it means it.
    """
    ctype = os.environ.get("LC_CTYPE")
    said = os.environ.get("LC_ALL") or (None if ctype in OF_PYTHON else ctype) or os.environ.get("LANG")
    return encoding.lower().startswith("utf") and said not in ("C", "POSIX")

"""Progress of many files that are predicted, live or line by line, and the errors of those that failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nncli.api.prediction.many_files.record import FilesProgress
from nncli.base.logs import format_duration
from nncli.cli.console import echo_err, rows, terminal
from nncli.cli.progress.training import SECONDS_BETWEEN_LINES, Speed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


def files_progress(quiet: bool) -> FilesErrors:
    """The progress to show: errors alone, live on a terminal, else in lines."""
    if quiet:
        return FilesErrors()
    console = terminal()
    return PlainFiles() if console is None else LiveFiles(console)


class FilesErrors:
    """Prints the error of each file that failed."""

    def update(self, progress: FilesProgress) -> None:
        """Print the error of the latest file if it has one."""
        file = progress.latest
        if file is not None and file.error is not None:
            place = file.error.location
            name = "" if place is not None and place.source else f"{file.name}: "
            echo_err(f"error: {name}{file.error}")

    def close(self) -> None:
        """End the display."""


class PlainFiles(FilesErrors):
    """Progress for pipes, logs and CI: a line every two seconds."""

    def __init__(self) -> None:
        self._pace, self._next = Speed(), time.monotonic() + SECONDS_BETWEEN_LINES

    def update(self, progress: FilesProgress) -> None:
        """Print an error, and a line if one is due."""
        super().update(progress)
        self._pace.add(progress.done + progress.failed)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_LINES
            echo_err(progress_line(progress, self._pace))


class LiveFiles(FilesErrors):
    """Progress for terminals: one line, which is drawn again and again."""

    def __init__(self, console: Console) -> None:
        from nncli.cli.progress.display import Display

        self._pace, self._line = Speed(), ""
        self._live = Display(self, console)
        self._is_drawn = False

    def update(self, progress: FilesProgress) -> None:
        """Record the progress for the next refresh."""
        self._pace.add(progress.done + progress.failed)
        self._line = progress_line(progress, self._pace)
        if not self._is_drawn:  # not before all checks: their errors are printed alone
            self._is_drawn = True
            self._live.start()
        super().update(progress)

    def close(self) -> None:
        """Stop the display and erase it: the summary follows."""
        self._line = ""
        if self._is_drawn:
            self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the current state."""
        from rich.text import Text

        if self._line:
            yield Text(self._line, no_wrap=True, overflow="ellipsis")


def progress_line(progress: FilesProgress, pace: Speed) -> str:
    """The progress in a line, for example `12 of 64 files, 1,234,567 rows, 12.3 s left`."""
    ended = progress.done + progress.skipped + progress.failed
    parts = [f"{ended:,} of {progress.total:,} files", rows(progress.rows)]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    seconds = pace.seconds_left(progress.total - ended)
    if seconds is not None and ended < progress.total:
        parts.append(f"{format_duration(seconds)} left")
    return ", ".join(parts)

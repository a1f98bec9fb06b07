"""Progress of an ensemble or a cross-validation, live or line by line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nncli.base.logs import format_duration
from nncli.cli.console import echo_err, format_number
from nncli.cli.findings import FindingPrinter
from nncli.cli.progress.live import bar, supports_unicode, wrapped
from nncli.cli.progress.training import SECONDS_BETWEEN_LINES, Speed, shown_name
from nncli.fitting.train.events import MembersProgress

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from nncli.fitting.train.events import MembersStarted, Progress

MAX_MEMBER_LINES = 8
"""Members in training that are shown with a line each."""


class PlainMembers:
    """Progress for pipes, logs and CI: a line every two seconds, and the last one."""

    def __init__(self, started: MembersStarted) -> None:
        self._noun = started.noun
        self._pace, self._findings, self._next = Speed(), FindingPrinter(False, started.findings), 0.0
        self._last: MembersProgress | None = None
        self._shown: MembersProgress | None = None

    def update(self, progress: MembersProgress) -> None:
        """Record the progress, and print it if a line is due."""
        self._last = progress
        self._findings.show(progress.members[0].findings)  # those of the others are nearly the same
        if time.monotonic() >= self._next:
            self._show(progress)

    def _show(self, progress: MembersProgress) -> None:
        self._next, self._shown = time.monotonic() + SECONDS_BETWEEN_LINES, progress
        echo_err("  ".join([*metrics_text(progress, self._noun), *_left(self._pace, progress)]))

    def close(self) -> None:
        """Print the last progress if it has not been printed."""
        if self._last is not None and self._last != self._shown:
            self._show(self._last)


class LiveMembers:
    """Progress for terminals: a bar over the epochs of all members, and a line for each member in training."""

    def __init__(self, started: MembersStarted, console: Console) -> None:
        from nncli.cli.progress.display import Display

        self._noun = started.noun
        self._pace, self._findings = Speed(), FindingPrinter(False, started.findings)
        self._progress = MembersProgress(())
        self._left = ""
        self._unicode = supports_unicode(console.encoding)
        self._live = Display(self, console)
        self._live.start()

    def update(self, progress: MembersProgress) -> None:
        """Record the progress for the next refresh."""
        self._findings.show(progress.members[0].findings)  # those of the others are nearly the same
        self._left = "".join(_left(self._pace, progress))
        self._progress = progress

    def close(self) -> None:
        """Stop the display and leave its last state on the screen."""
        self._left = ""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the current state."""
        from rich.text import Text

        progress, width = self._progress, options.max_width
        yield bar(progress.epochs, progress.epochs_of_all, self._left, width, unicode=self._unicode)
        parts = [part for part in metrics_text(progress, self._noun) if not part.startswith("epoch ")]
        training = [f"{i}: {_line(m)}" for i, m in enumerate(progress.members, 1) if m.epoch and not m.done]
        max_lines = min(MAX_MEMBER_LINES, max(console.height - 4, 0))
        yield from wrapped(list(map(Text, parts)), width)
        yield from (Text(line, no_wrap=True, overflow="ellipsis") for line in training[:max_lines])


def _left(pace: Speed, progress: MembersProgress) -> list[str]:
    """The time left as text; empty before the first epoch of this session."""
    pace.add(progress.trained)  # not `epochs`: those skipped by early stopping took no time
    seconds = pace.seconds_left(progress.epochs_of_all - progress.epochs)
    return [] if seconds is None else [f"{format_duration(seconds)} left"]


def metrics_text(progress: MembersProgress, noun: str) -> list[str]:
    """The numbers of finished members and of epochs, and the mean of the value that chooses the best epoch."""
    parts = [f"{noun} {progress.done}/{len(progress.members)}"]
    if progress.epochs_of_all:
        parts.append(f"epoch {progress.epochs}/{progress.epochs_of_all}")
    if progress.mean is not None:
        name, value = progress.mean
        parts.append(f"best {shown_name(name)} {format_number(value)} on average (optimistic)")
    return parts


def _line(member: Progress) -> str:
    best = (
        f", best {shown_name(member.metric)} {format_number(member.value)} at {member.best_epoch}"
        if member.best_epoch
        else ""
    )
    return f"epoch {member.epoch}/{member.epochs}{best}"

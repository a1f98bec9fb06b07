"""How far the members of an ensemble have come, all in one picture."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nncli.cli.console import echo_err, format_number
from nncli.cli.progress.live import REFRESHES_PER_SECOND, bar, speaks_unicode, wrapped
from nncli.cli.progress.training import SECONDS_BETWEEN_LINES, Speedometer
from nncli.pipeline.train.events import MembersProgress
from nncli.utils.logs import format_duration

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from nncli.pipeline.train.events import MembersStarted, Progress

MOST_LINES = 8
"""Members at work that are shown with a line of their own."""


class _Notes:
    """What the first member says of the table: the others would say much the same."""

    def __init__(self, told: Iterable[str]) -> None:
        self._told = set(told)

    def tell(self, progress: MembersProgress) -> None:
        """Say what has not been said."""
        for note in progress.members[0].notes:
            if note not in self._told:
                self._told.add(note)
                echo_err(f"note: {note}")


class PlainMembers:
    """For pipes, logs and CI: a line every couple of seconds, and the last."""

    def __init__(self, started: MembersStarted) -> None:
        self._called = started.noun
        self._pace, self._notes, self._next = Speedometer(), _Notes(started.notes), 0.0
        self._last: MembersProgress | None = None
        self._shown: MembersProgress | None = None

    def update(self, progress: MembersProgress) -> None:
        """Take note of the progress, and show it when it is time."""
        self._last = progress
        self._notes.tell(progress)
        if time.monotonic() >= self._next:
            self._show(progress)

    def _show(self, progress: MembersProgress) -> None:
        self._next, self._shown = time.monotonic() + SECONDS_BETWEEN_LINES, progress
        echo_err("  ".join([*figures(progress, self._called), *_left(self._pace, progress)]))

    def close(self) -> None:
        """Show the last progress, unless it was shown."""
        if self._last is not None and self._last != self._shown:
            self._show(self._last)


class LiveMembers:
    """For terminals: a bar over the epochs of all members, and beneath it a line for each that is at work."""

    def __init__(self, started: MembersStarted, console: Console) -> None:
        from rich.live import Live

        self._called = started.noun
        self._pace, self._notes = Speedometer(), _Notes(started.notes)
        self._progress = MembersProgress(())
        self._left = ""
        self._unicode = speaks_unicode(console.encoding)
        self._live = Live(self, console=console, refresh_per_second=REFRESHES_PER_SECOND)
        self._live.start()

    def update(self, progress: MembersProgress) -> None:
        """Show the progress when the picture is drawn next."""
        self._notes.tell(progress)
        self._left = "".join(_left(self._pace, progress))
        self._progress = progress

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._left = ""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The picture as it is now."""
        from rich.text import Text

        progress, width = self._progress, options.max_width
        yield bar(progress.epochs, progress.epochs_of_all, self._left, width, unicode=self._unicode)
        said = [figure for figure in figures(progress, self._called) if not figure.startswith("epoch ")]
        at_work = [f"{i}: {_line(m)}" for i, m in enumerate(progress.members, 1) if m.epoch and not m.done]
        room = min(MOST_LINES, max(console.height - 4, 0))
        yield from wrapped(list(map(Text, said)), width)
        yield from (Text(line, no_wrap=True, overflow="ellipsis") for line in at_work[:room])


def _left(pace: Speedometer, progress: MembersProgress) -> list[str]:
    """The time left, in words, once an epoch was trained in this session."""
    pace.note(progress.trained)  # what a member that is done early leaves out was not done quickly
    seconds = pace.left(progress.epochs_of_all - progress.epochs)
    return [] if seconds is None else [f"{format_duration(seconds)} left"]


def figures(progress: MembersProgress, called: str) -> list[str]:
    """How many members are done, how many epochs, and the mean of their metric."""
    said = [f"{called} {progress.done}/{len(progress.members)}"]
    if progress.epochs_of_all:
        said.append(f"epoch {progress.epochs}/{progress.epochs_of_all}")
    if progress.mean is not None:
        name, value = progress.mean
        said.append(f"{name} {format_number(value)} on average")
    return said


def _line(member: Progress) -> str:
    best = f", best {member.metric} {format_number(member.value)} at {member.best_epoch}" if member.best_epoch else ""
    return f"epoch {member.epoch}/{member.epochs}{best}"

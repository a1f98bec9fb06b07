"""How far the members of an ensemble have come, all in one picture."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nncli.cli.console import SECONDS_BETWEEN_LINES, duration, number, say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from nncli.commands.progress import MembersProgress, MembersStarted, Progress

MOST_LINES = 8
"""Members at work that are shown with a line of their own."""


class _Pace:
    """The time that is left, from the epochs since the first picture."""

    def __init__(self) -> None:
        self._begun, self._first = time.monotonic(), -1

    def left(self, progress: MembersProgress) -> float | None:
        """Seconds, or None before the first epoch."""
        if self._first < 0 or progress.epochs < self._first:  # a member may go back to what it had saved
            self._begun, self._first = time.monotonic(), progress.epochs
        gone = progress.epochs - self._first
        took = time.monotonic() - self._begun
        return took / gone * (progress.epochs_of_all - progress.epochs) if gone else None


class _Notes:
    """What the first member says of the table: the others would say much the same."""

    def __init__(self, told: Iterable[str]) -> None:
        self._told = set(told)

    def tell(self, progress: MembersProgress) -> None:
        """Say what has not been said."""
        for note in progress.members[0].notes:
            if note not in self._told:
                self._told.add(note)
                say(f"note: {note}")


class PlainMembers:
    """For pipes, logs and CI: a line every couple of seconds, and the last."""

    def __init__(self, started: MembersStarted) -> None:
        self._called = started.called
        self._pace, self._notes, self._next = _Pace(), _Notes(started.notes), 0.0
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
        left = self._pace.left(progress)
        say("  ".join([*figures(progress, self._called), *([] if left is None else [f"{duration(left)} left"])]))

    def close(self) -> None:
        """Show the last progress, unless it was shown."""
        if self._last is not None and self._last != self._shown:
            self._show(self._last)


class LiveMembers:
    """For terminals: a bar over the epochs of all members, and beneath it a line for each that is at work."""

    def __init__(self, started: MembersStarted, console: Console) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._called = started.called
        self._pace, self._notes = _Pace(), _Notes(started.notes)
        self._bar = Progress(
            TextColumn("epoch"), MofNCompleteColumn(), BarColumn(bar_width=32), TextColumn("{task.description}")
        )
        self._task = self._bar.add_task("", total=None)
        self._live = Live(self._bar, console=console, refresh_per_second=10)
        self._live.start()

    def update(self, progress: MembersProgress) -> None:
        """Show the progress."""
        from rich.console import Group
        from rich.text import Text

        self._notes.tell(progress)
        left = self._pace.left(progress)
        told = "" if left is None else f"{duration(left)} left"
        self._bar.update(self._task, completed=progress.epochs, total=progress.epochs_of_all, description=told)
        at_work = [f"{i}: {_line(m)}" for i, m in enumerate(progress.members, 1) if m.epoch and not m.done]
        said = [figure for figure in figures(progress, self._called) if not figure.startswith("epoch ")]
        lines = ["  ".join(said), *at_work[:MOST_LINES]]
        self._live.update(Group(self._bar, *map(Text, lines)))

    @property
    def picture(self) -> RenderableType:
        """What is on the screen now."""
        return self._live.renderable

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._live.stop()


def figures(progress: MembersProgress, called: str) -> list[str]:
    """How many members are done, how many epochs, and the mean of their metric."""
    said = [f"{called} {progress.done}/{len(progress.members)}"]
    if progress.epochs_of_all:
        said.append(f"epoch {progress.epochs}/{progress.epochs_of_all}")
    if progress.mean is not None:
        name, value = progress.mean
        said.append(f"{name} {number(value)} on average")
    return said


def _line(member: Progress) -> str:
    best = f", best {member.metric} {number(member.value)} at {member.best_epoch}" if member.best_epoch else ""
    return f"epoch {member.epoch}/{member.epochs}{best}"

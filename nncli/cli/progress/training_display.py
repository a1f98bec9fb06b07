"""The display of a training's progress: live on a terminal, line by line elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from nncli.cli.console import terminal
from nncli.cli.progress.ensemble import LiveMembers, PlainMembers
from nncli.cli.progress.live import LiveProgress
from nncli.cli.progress.training import PlainProgress
from nncli.fitting.train.events import Event, MembersProgress, MembersStarted, Started
from nncli.nn.training.loop import EpochReport, LearningRateHalved


def progress_for(started: Started | MembersStarted, stack: ExitStack) -> Callable[[Event], None]:
    """A function that displays events, live on a terminal and line by line elsewhere; the stack closes the display."""
    console = terminal()
    if isinstance(started, Started):
        epochs = LiveProgress(started, console) if console else PlainProgress(started)
        stack.callback(epochs.close)
        return lambda event: epochs.update(event) if isinstance(event, EpochReport | LearningRateHalved) else None
    members = LiveMembers(started, console) if console else PlainMembers(started)
    stack.callback(members.close)
    return lambda event: members.update(event) if isinstance(event, MembersProgress) else None

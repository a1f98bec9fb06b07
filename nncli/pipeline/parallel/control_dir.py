"""How tasks and whoever handed them out know of each other: small files in a folder that both can reach.

    signal     a number that grows while somebody waits for the tasks, or `stop`
    1.json …   how far a task has come

They are written without fsync: what they say is of use only while somebody waits.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nncli.pipeline.train.events import Progress
from nncli.utils.atomic_files import TEMPORARY_SUFFIX

STOP = "stop"
BETWEEN_LOOKS = 0.4
"""Seconds between two looks at a file, and between two times that it is written."""
LONGEST_SILENCE = 120.0
"""Seconds after which a task takes it that nobody waits for it any more."""


@dataclass(frozen=True)
class ControlDirectory:
    """The folder of these files."""

    folder: Path

    def open(self) -> None:
        """Make the folder, and tell all who look that they are waited for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.heartbeat()

    def heartbeat(self) -> None:
        """Tell them that they still are."""
        _write(self.folder / "signal", str(time.time_ns()))

    def stop(self) -> None:
        """Tell them to save and to stop."""
        _write(self.folder / "signal", STOP)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def read_signal(self) -> str:
        """What the signal says; the folder of a training that is over is not there, which says stop."""
        try:
            return (self.folder / "signal").read_text()
        except OSError:
            return STOP

    def write_progress(self, task: int, progress: Progress) -> None:
        """Say how far a task has come."""
        _write(self.folder / f"{task}.json", json.dumps(asdict(progress)))

    def read_progress(self, task: int) -> Progress | None:
        """How far a task has come, if that is known."""
        try:
            said = json.loads((self.folder / f"{task}.json").read_text())
            return replace(Progress(**said), notes=tuple(said["notes"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None


def _write(path: Path, text: str) -> None:
    """Write a file that is whole whenever it is read. A full disk is no reason to end a training."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    with suppress(OSError):
        temporary.write_text(text)
        temporary.replace(path)


class StopCheck:
    """Whether a task is to stop, asked after every batch: it was told to, or nobody waits for it any more."""

    def __init__(self, control: ControlDirectory, leaving: Callable[[], bool]) -> None:
        self._control, self._leaving = control, leaving
        self._next, self._said, self._heard = 0.0, "", time.monotonic()
        self._stopped = False

    def __call__(self) -> bool:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + BETWEEN_LOOKS
            said = self._control.read_signal()
            if said != self._said:
                self._said, self._heard = said, now
            self._stopped |= said == STOP or now - self._heard > LONGEST_SILENCE
        return self._stopped or self._leaving()

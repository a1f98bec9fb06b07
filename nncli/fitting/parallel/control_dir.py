"""The control directory, through which the parent and its training tasks communicate by small files.

    signal     the owner, and a number that grows while the parent waits for the tasks, or `stop`
    1.json …   the progress of a task
    1.csv …    its epochs so far, see epochs_file.py
    1.stop …   written if one task has to stop

They are written without fsync, since they are of use only while the parent runs.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from secrets import token_hex

from nncli.base.atomic_files import TEMPORARY_SUFFIX
from nncli.base.findings import of_json
from nncli.fitting.train.events import Progress

STOP = "stop"
POLL_SECONDS = 0.4
"""Seconds between two reads of a file, and between two writes."""
MAX_SILENCE = 120.0
"""Seconds without a heartbeat after which a task assumes that its parent has ended."""


@dataclass(frozen=True)
class ControlDirectory:
    """A directory of control files.

    A task of a parent that was killed must not take the heartbeat of the next parent for its own: so each has a name,
    the `owner`.
    """

    folder: Path
    owner: str = field(default_factory=lambda: token_hex(4))

    def open(self) -> None:
        """Create the folder, without the signals of a parent that was killed, and write the first heartbeat."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for signal in self.folder.glob("*.stop"):
            signal.unlink(missing_ok=True)
        self.heartbeat()

    def heartbeat(self) -> None:
        """Write a heartbeat: the parent still waits for the tasks."""
        _write(self.folder / "signal", f"{self.owner} {time.time_ns()}")

    def stop(self) -> None:
        """Signal the tasks to save a checkpoint and stop."""
        _write(self.folder / "signal", STOP)

    def stop_task(self, task: int) -> None:
        """Signal one task to save a checkpoint and stop."""
        _write(self.folder / f"{task}.stop", STOP)

    def is_task_stopped(self, task: int) -> bool:
        """Whether one task has to stop."""
        return (self.folder / f"{task}.stop").exists()

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def read_signal(self) -> str:
        """Read the signal; `stop` if the folder was removed, or is another parent's, since the training has ended."""
        try:
            signal = (self.folder / "signal").read_text()
        except OSError:
            return STOP
        return signal if signal.startswith(f"{self.owner} ") else STOP

    def write_progress(self, task: int, progress: Progress) -> None:
        """Write the progress of a task."""
        document = {**asdict(progress), "findings": [finding.as_json for finding in progress.findings]}
        _write(self.folder / f"{task}.json", json.dumps(document))

    def read_progress(self, task: int) -> Progress | None:
        """Read the progress of a task, or None if there is none."""
        try:
            document = json.loads((self.folder / f"{task}.json").read_text())
            return Progress(**{**document, "findings": tuple(map(of_json, document["findings"]))})
        except (OSError, ValueError, TypeError, KeyError):
            return None


def _write(path: Path, text: str) -> None:
    """Write a file atomically. Errors are ignored: a full disk is no reason to end a training."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    with suppress(OSError):
        temporary.write_text(text)
        temporary.replace(path)


class StopCheck:
    """Whether a task has to stop, called after every batch: on a signal, without a heartbeat, or if `leaving`."""

    def __init__(self, control: ControlDirectory, leaving: Callable[[], bool], task: int | None = None) -> None:
        self._control, self._leaving, self._task = control, leaving, task
        self._next, self._signal, self._last_change = 0.0, "", time.monotonic()
        self._stopped = False

    def __call__(self) -> bool:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + POLL_SECONDS
            signal = self._control.read_signal()
            if signal != self._signal:
                self._signal, self._last_change = signal, now
            self._stopped |= signal == STOP or now - self._last_change > MAX_SILENCE
            self._stopped |= self._task is not None and self._control.is_task_stopped(self._task)
        return self._stopped or self._leaving()

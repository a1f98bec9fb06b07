"""The control directory, through which the parent and its training tasks communicate by small files.

    signal     the owner, and a number that grows while the parent waits for the tasks, or `stop`
    1.json …   the progress of a task
    1.csv …    its epochs so far: history.csv, row by row
    1.stop …   written if one task has to stop

A task that is started again, or a training that goes back, writes rows of epochs that are there already: whoever reads
them has to expect it. The files are written without fsync, since they are of use only while the parent runs.
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
from nncli.base.regular_files import open_regular, read_regular
from nncli.fitting.train.events import Event, Progress, Started
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.history_and_metrics import history_csv, parse_history

STOP = "stop"
POLL_SECONDS = 0.4
"""Seconds between two reads of a file, and between two writes."""
MAX_SILENCE = 120.0
"""Seconds without a heartbeat after which a task assumes that its parent has ended."""
LARGEST_NOTE = 1 << 24
"""Bytes of a signal or of a progress at most."""


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

    def epochs_file(self, task: int) -> Path:
        """The file for the epochs of one task."""
        return self.folder / f"{task}.csv"

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def read_signal(self) -> str:
        """Read the signal; `stop` if the folder was removed, or is another parent's, since the training has ended."""
        try:
            signal = read_regular(self.folder / "signal", LARGEST_NOTE).decode()
        except (OSError, UnicodeError):
            return STOP
        return signal if signal.startswith(f"{self.owner} ") else STOP

    def write_progress(self, task: int, progress: Progress) -> None:
        """Write the progress of a task."""
        document = {**asdict(progress), "findings": [finding.as_json for finding in progress.findings]}
        _write(self.folder / f"{task}.json", json.dumps(document))

    def read_progress(self, task: int) -> Progress | None:
        """Read the progress of a task, or None if there is none."""
        try:
            document = json.loads(read_regular(self.folder / f"{task}.json", LARGEST_NOTE))
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
        self._control, self._leaving, self._number = control, leaving, task
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
            self._stopped |= self._number is not None and self._control.is_task_stopped(self._number)
        return self._stopped or self._leaving()


@dataclass
class EpochsWriter:
    """Writes the epochs of a task. Errors are ignored: a full disk is no reason to end a training."""

    control: ControlDirectory
    number: int
    _metric: str | None = None
    _rows: list[EpochReport] = field(default_factory=list)
    _is_new: bool = True

    def add(self, event: Event) -> None:
        """Remember an epoch; the start of the training brings those before."""
        if isinstance(event, Started):
            self._metric, self._rows, self._is_new = event.metric, list(event.reports), True
        elif isinstance(event, EpochReport):
            self._rows.append(event)

    def write(self) -> None:
        """Write what was remembered."""
        path = self.control.epochs_file(self.number)
        text = history_csv(self._rows, self._metric)
        with suppress(OSError):
            if self._is_new:
                temporary = path.with_name(f".{path.name}.{os.getpid()}")
                temporary.write_text(text)
                temporary.replace(path)
            elif self._rows:
                with path.open("a") as file:
                    file.write(text.partition("\n")[2])
        self._rows, self._is_new = [], False


@dataclass
class EpochsReader:
    """Reads the epochs of a task that were written since the last time."""

    control: ControlDirectory
    number: int
    _file: int = -1
    _position: int = 0
    _titles: bytes = b""

    def new(self) -> tuple[str | None, tuple[EpochReport, ...]]:
        """The metric of the reports, and the reports; none if the file is not there."""
        try:
            with open_regular(self.control.epochs_file(self.number)) as file:
                about = os.fstat(file.fileno())
                if about.st_ino != self._file or about.st_size < self._position:
                    self._file, self._position, self._titles = about.st_ino, 0, b""
                file.seek(self._position)
                # The last row may be written just now.
                rows = file.read().rpartition(b"\n")[0]
        except OSError:
            return None, ()
        self._position += len(rows) + 1 if rows else 0
        if not self._titles:
            self._titles, _, rows = rows.partition(b"\n")
        try:
            history = parse_history(self._titles + b"\n" + rows)
        except ValueError:
            return None, ()
        return history.metric, history.reports

"""The epochs of a task while it runs, in a file of the control directory: history.csv, row by row.

A task that is started again, or a training that goes back, writes rows of epochs that are there already. Whoever reads
the file has to expect them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.train.events import Event, Started
from nncli.nn.training.loop import EpochReport
from nncli.runs.history import history_csv, parse_history


@dataclass
class EpochsWriter:
    """Writes the epochs of a task. Errors are ignored: a full disk is no reason to end a training."""

    control: ControlDirectory
    task: int
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
        path = epochs_file(self.control, self.task)
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
    task: int
    _file: int = -1
    _position: int = 0
    _titles: bytes = b""

    def new(self) -> tuple[str | None, tuple[EpochReport, ...]]:
        """The metric of the reports, and the reports; none if the file is not there."""
        try:
            with epochs_file(self.control, self.task).open("rb") as file:
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


def epochs_file(control: ControlDirectory, task: int) -> Path:
    """The file of a task."""
    return control.folder / f"{task}.csv"

"""What becomes of many files that are predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from nncli.api.prediction.summary import PredictionSummary
from nncli.base.errors import NncliError

FileStatus: TypeAlias = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class PredictedFile:
    """One of many files: its name, the file of its answers, and what was done.

    `skipped`: it was predicted before. A `failed` file has an error and no answers. `rows` counts the answers.
    """

    name: str
    answer: Path
    status: FileStatus
    rows: int | None = None
    error: NncliError | None = None


@dataclass(frozen=True)
class FilesProgress:
    """The files that have been predicted so far, of a `total`; `latest` is the one that ended last."""

    total: int
    done: int = 0
    skipped: int = 0
    failed: int = 0
    rows: int = 0
    latest: PredictedFile | None = None

    def with_file(self, file: PredictedFile) -> FilesProgress:
        """The progress after one more file."""
        return replace(
            self,
            done=self.done + (file.status == "done"),
            skipped=self.skipped + (file.status == "skipped"),
            failed=self.failed + (file.status == "failed"),
            rows=self.rows + (file.rows or 0),
            latest=file,
        )


@dataclass(frozen=True)
class FilesPrediction:
    """The files that a command predicted, in the order of the input, with counts of those that it predicted now."""

    files: tuple[PredictedFile, ...]
    summary: PredictionSummary

    @property
    def done(self) -> tuple[PredictedFile, ...]:
        """The files that were predicted now."""
        return self._of_status("done")

    @property
    def skipped(self) -> tuple[PredictedFile, ...]:
        """The files that had been predicted before."""
        return self._of_status("skipped")

    @property
    def failed(self) -> tuple[PredictedFile, ...]:
        """The files that could not be read or predicted, each with its error."""
        return self._of_status("failed")

    def _of_status(self, status: FileStatus) -> tuple[PredictedFile, ...]:
        return tuple(file for file in self.files if file.status == status)

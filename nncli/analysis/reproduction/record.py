"""What a trained run records: its configuration, its tables and its networks, by which it is trained again."""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nncli.base.errors import Advice, DataError, Location, ResumeRun, RunError, UsageError, UseOption
from nncli.base.regular_files import read_regular
from nncli.config.schema import Config, ValidationFile
from nncli.data.dialect import AUTO
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.fitting.train.provenance import with_recorded_features
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import check_is_run, fold_folder
from nncli.run_directory.filenames import LARGEST_FILE
from nncli.run_directory.manifest import MANIFEST, MEMBERS, Manifest, check_not_selected
from nncli.run_directory.run import Run

QUICK, QUICK_1 = UseOption("quick", "quick"), UseOption("quick", "quick", 1)
DATA = UseOption("data", "data", placeholder="TABLE")
VALIDATION = UseOption("validation", "validation", placeholder="TABLE")

SELECTIONS = ("sheet", "range", "table", "query")
"""The keys that select a table in a workbook or a database."""


def file_of(folder: str, name: str) -> str:
    """The path of a file of a network in the run directory; the `folder` of a single network is empty."""
    return str(PurePosixPath(folder, name))


@dataclass(frozen=True)
class RunRecord:
    """A trained run with the manifests of its `networks` by their folders; that of a single network is empty."""

    path: Path
    manifest: Manifest
    networks: dict[str, Manifest]

    @classmethod
    def open(cls, path: Path) -> RunRecord:
        """Open a run that was trained, or stopped.

        Raises:
            RunError: it is missing or damaged, it is being trained, or it is a member of an ensemble.
        """
        fold = shlex.quote(str(path / fold_folder(0)))
        check_is_run(path, ", not a run", f"Reproduce the run of a fold: nncli reproduce {fold}")
        manifest = Run.open(path).load_manifest()
        manifest.check_not_private(path, "its training table")
        check_not_selected(path, manifest.selection, "trained again")
        manifest.check_learns_alone(path, "it is not trained again by itself")
        parent = path.absolute().parent
        if parent.name == MEMBERS and os.path.lexists(parent.parent / MANIFEST):
            raise RunError(
                "this is a network of an ensemble, which chose its epoch",
                location=Location(source=str(path)),
                hint=f"Reproduce the ensemble: nncli reproduce {shlex.quote(str(path.parent.parent))}",
            )
        if manifest.status == "running":
            raise _unfinished(path, "the training of this run was interrupted, or is not finished yet")
        if manifest.members == 1:
            return cls(path, manifest, {"": manifest})
        folders = manifest.member_folders
        if not all(os.path.lexists(path / folder / MANIFEST) for folder in folders):
            raise _unfinished(path, "not all members of this run are trained")
        return cls(path, manifest, {folder: Run(path / folder).load_manifest() for folder in folders})

    def checksum(self, file: str) -> str | None:
        """The SHA-256 of a file of the run directory as it is now; None if it cannot be read."""
        content = content_of(self.path / file)
        return None if content is None else hashlib.sha256(content).hexdigest()

    @property
    def is_ensemble(self) -> bool:
        """Whether the run has several members."""
        return self.manifest.members > 1

    def check_finished(self) -> None:
        """Raise a RunError unless the training ended by itself, so that its end can be compared."""
        first_epochs = Advice("Compare its first epochs: ", QUICK_1)
        if self.manifest.status == "failed":
            raise RunError(
                "the training of this run failed, so there is no result to compare",
                location=Location(source=str(self.path)),
                hint=first_epochs if self.manifest.epochs else "Train a new run.",
            )
        if self.manifest.status != "done":
            raise _unfinished(self.path, "the training of this run was stopped", with_quick=self.manifest.epochs > 0)
        if any(change.status != "done" for change in self.manifest.lengthened):
            raise RunError(
                "`epochs` was changed when this training was resumed before its end, at a step that is not recorded",
                location=Location(source=str(self.path)),
                hint=first_epochs,
            )

    def check_epochs(self, quick: int) -> None:
        """Raise a UsageError unless the run has epochs up to `quick`."""
        if quick < 1:
            hint = Advice("For example ", UseOption("quick", "quick", 3), ".")
            raise UsageError(Advice(QUICK, " needs 1 epoch or more"), hint=hint)
        if quick > self.manifest.epochs:
            raise UsageError(
                f"the run has {self.manifest.epochs:,} epochs, fewer than {quick:,}",
                location=Location(source=str(self.path)),
                hint=Advice("Leave ", QUICK, " out to compare all of them, with the result."),
            )

    def config(self, data: TableLocation | None, validation: TableLocation | None, folder: str = "") -> Config:
        """The configuration of the run, or of a network in `folder`, with the tables where they are now.

        Raises:
            RunError: the file is missing or damaged.
            UsageError: a validation file is given, and the run has none.
            DataError: the table came from a pipe.
        """
        config = with_recorded_features(
            read_config(self.path / folder), time_is_feature=self.manifest.time_is_feature
        ).model_copy(update={"time_limit": None})
        if data is not None:
            config = config.model_copy(update={"data": config.data.model_copy(update=_moved(config.data, data))})
        elif config.data.is_standard_input or self.manifest.data.sha256 is None:
            raise DataError(
                "the table came from a pipe, which cannot be read again",
                location=Location(source=config.data.path),
                hint=Advice("Name a file with the same rows: ", DATA),
            )
        if validation is None:
            return config
        if not isinstance(config.validation, ValidationFile):
            raise UsageError(
                "the run has no validation file", hint=Advice("Leave ", UseOption("validation", "validation"), " out.")
            )
        moved = config.validation.model_copy(update=_moved(config.validation, validation))
        return config.model_copy(update={"validation": moved})

    def config_of_first_epochs(self, config: Config, quick: int) -> Config:
        """The configuration with which the first epochs were trained, before `epochs` was changed.

        Raises:
            UsageError: it was changed before `quick` epochs.
        """
        first = self.manifest.lengthened[0].epochs if self.manifest.lengthened else "auto"
        if first == "auto":
            return config
        if quick > first:
            raise UsageError(
                f"the training was resumed with another number of epochs after {first:,} epochs or fewer",
                location=Location(source=str(self.path)),
                hint=Advice(f"Compare {first:,} epochs at most, or leave ", QUICK, " out."),
            )
        return config.model_copy(update={"epochs": first})


def _moved(recorded: TableSource, location: TableLocation) -> dict[str, Any]:
    """The update of a source that is in another place now.

    The sheet or table in it is kept, unless the new place is of another kind or names one itself.
    """
    source = as_source(location)
    source = source.model_copy(update=source.relative_to(Path.cwd()))
    chosen = {name: getattr(source, name) for name in SELECTIONS}
    quote = {} if source.quote == AUTO else {"quote": source.quote}
    if any(value is not None for value in chosen.values()) or source.scheme != recorded.scheme:
        return {"path": source.path, **quote, **chosen}
    return {"path": source.path, **quote}


def _unfinished(path: Path, message: str, *, with_quick: bool = False) -> RunError:
    more = Advice("\n  To compare its first epochs: ", QUICK_1) if with_quick else ""
    return RunError(
        message,
        location=Location(source=str(path)),
        hint=Advice("To finish it: ", ResumeRun(path), more),
    )


def content_of(path: Path) -> bytes | None:
    """The content of a file of a run; None if it cannot be read."""
    try:
        return read_regular(path, LARGEST_FILE)
    except OSError:
        return None

"""A run that is to be trained again: its manifests, its configuration, and how it was computed."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncli.base.errors import DataError, Location, RunError, UsageError
from nncli.config.schema import Config, ValidationFile
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.fitting.ensemble.member_config import has_joint_epoch, recorded_folds
from nncli.fitting.ensemble.train import RecordedMembers
from nncli.fitting.train.provenance import recorded_execution, with_recorded_features
from nncli.runs.config import read_config
from nncli.runs.cross_validation import check_is_run, fold_folder
from nncli.runs.manifest import MANIFEST, MEMBERS, DataRecord, Manifest, check_not_selected
from nncli.runs.run import Run

SELECTIONS = ("sheet", "range", "table", "query")
"""The keys that select a table in a workbook or a database."""


@dataclass(frozen=True)
class Network:
    """A network of a run: its `folder` in the run directory, empty for a run of one network, and its manifest."""

    folder: str
    manifest: Manifest

    def file(self, name: str) -> str:
        """The path of a file of the network in the run directory."""
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(frozen=True)
class RunRecord:
    """A trained run with the manifests of its networks."""

    path: Path
    manifest: Manifest
    networks: tuple[Network, ...]

    @classmethod
    def open(cls, path: Path) -> RunRecord:
        """Open a run that was trained, or stopped.

        Raises:
            RunError: it is missing or damaged, it is being trained, or it is a member of an ensemble.
        """
        fold = shlex.quote(str(path / fold_folder(0)))
        check_is_run(path, ", not a run", f"Reproduce the run of a fold: nncli reproduce {fold}")
        manifest = Run.open(path).load_manifest()
        check_not_selected(path, manifest.selection, "trained again")
        parent = path.absolute().parent
        if parent.name == MEMBERS and os.path.lexists(parent.parent / MANIFEST):
            raise RunError(
                "this is a member of an ensemble, which chose the epoch of the member",
                location=Location(source=str(path)),
                hint=f"Reproduce the ensemble: nncli reproduce {shlex.quote(str(path.parent.parent))}",
            )
        if manifest.status == "running":
            raise _unfinished(path, "the training of this run was interrupted, or is not finished yet")
        if manifest.members == 1:
            return cls(path, manifest, (Network("", manifest),))
        folders = manifest.member_folders
        if not all(os.path.lexists(path / folder / MANIFEST) for folder in folders):
            raise _unfinished(path, "not all members of this run are trained")
        return cls(path, manifest, tuple(Network(one, Run(path / one).load_manifest()) for one in folders))

    def checksum(self, file: str) -> str | None:
        """The SHA-256 of a file of the run directory as it is now; None if it cannot be read."""
        try:
            return hashlib.sha256((self.path / file).read_bytes()).hexdigest()
        except OSError:
            return None

    @property
    def is_ensemble(self) -> bool:
        """Whether the run has several members."""
        return self.manifest.members > 1

    def check_finished(self) -> None:
        """Raise a RunError unless the training ended by itself, so that its end can be compared."""
        if self.manifest.status == "failed":
            raise RunError(
                "the training of this run failed, so there is no result to compare",
                location=Location(source=str(self.path)),
                hint="Compare its first epochs: --quick 1" if self.manifest.epochs else "Train a new run.",
            )
        if self.manifest.status != "done":
            raise _unfinished(self.path, "the training of this run was stopped", with_quick=self.manifest.epochs > 0)
        if any(one.status != "done" for one in self.manifest.lengthened):
            raise RunError(
                "`epochs` was changed when this training was resumed before its end, at a step that is not recorded",
                location=Location(source=str(self.path)),
                hint="Compare its first epochs: --quick 1",
            )

    def config_of_first_epochs(self, config: Config, quick: int) -> Config:
        """The configuration with which the first epochs were trained, before `epochs` was changed.

        Raises:
            UsageError: it was changed before `quick` epochs.
        """
        if not self.manifest.lengthened:
            return config
        first = self.manifest.lengthened[0].epochs
        if first != "auto" and quick > first:
            raise UsageError(
                f"the training was resumed with another number of epochs after {first:,} epochs or fewer",
                location=Location(source=str(self.path)),
                hint=f"Compare {first:,} epochs at most, or leave --quick out.",
            )
        return config if first == "auto" else config.model_copy(update={"epochs": first})

    def check_epochs(self, quick: int) -> None:
        """Raise a UsageError unless the run has epochs up to `quick`."""
        if quick < 1:
            raise UsageError("--quick needs 1 epoch or more", hint="For example --quick 3.")
        if quick > self.manifest.epochs:
            raise UsageError(
                f"the run has {self.manifest.epochs:,} epochs, fewer than {quick:,}",
                location=Location(source=str(self.path)),
                hint="Leave --quick out to compare all of them, with the result.",
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
                hint="Name a file with the same rows: --data PATH",
            )
        if validation is None:
            return config
        if not isinstance(config.validation, ValidationFile):
            raise UsageError("the run has no validation file", hint="Leave --validation out.")
        moved = config.validation.model_copy(update=_moved(config.validation, validation))
        return config.model_copy(update={"validation": moved})

    def members(self, config: Config) -> RecordedMembers:
        """What the members take over when they are trained again."""
        executions = tuple(recorded_execution(network.manifest) for network in self.networks)
        return RecordedMembers(executions, recorded_folds(self.path, config))

    def keeps_snapshots(self, config: Config) -> bool:
        """Whether the members kept the weights after some epochs."""
        return self.is_ensemble and has_joint_epoch(config)

    @property
    def tables(self) -> Mapping[str, DataRecord]:
        """The records of the tables, by what they are called."""
        validation = self.manifest.validation_data
        return {"table": self.manifest.data, **({} if validation is None else {"validation file": validation})}


def _moved(recorded: TableSource, location: TableLocation) -> dict[str, Any]:
    """The update of a source that is in another place now.

    The sheet or table in it is kept, unless the new place is of another kind or names one itself.
    """
    source = as_source(location)
    source = source.model_copy(update=source.relative_to(Path.cwd()))
    chosen = {name: getattr(source, name) for name in SELECTIONS}
    if any(value is not None for value in chosen.values()) or source.scheme != recorded.scheme:
        return {"path": source.path, **chosen}
    return {"path": source.path}


def _unfinished(path: Path, message: str, *, with_quick: bool = False) -> RunError:
    more = "\n  To compare its first epochs: --quick 1" if with_quick else ""
    return RunError(
        message,
        location=Location(source=str(path)),
        hint=f"To finish it: nncli train --resume {shlex.quote(str(path))}{more}",
    )

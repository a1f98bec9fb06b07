"""The manifest of a run directory, and the files that it lists.

    config.yaml        the configuration, with every default; trains the same model again
    model.safetensors  the weights of the best epoch, by name
    model.json         encoder, target, network and loss
    history.csv        one row per epoch
    health.csv         the layers and their gradients at some epochs; runs of older versions have none
    metrics.json       scores on training and validation rows, and those of the baseline
    training_rows.safetensors  hashes of the training and validation rows; runs of older versions have none
    held_out.safetensors  rows that a network did not train on, with their predictions; runs of older versions have none
    reference.safetensors  the profile of the training rows, for drift; runs of older versions have none
    manifest.json      provenance, and the checksums of the other files
    checkpoints/       training states for `nncli train --resume`
    snapshots/         the weights after some epochs, if the members of an ensemble choose one epoch together
    targets/           of a run of several targets, a run of each
    scored/            of a distillation, the run of the network that predicted the held-out rows
    code/              copies of the files of code that the run needs, which are executed only if a person says so

The directory of an ensemble holds config.yaml, model.json, metrics.json, training_rows.safetensors,
held_out.safetensors, reference.safetensors and manifest.json, and in members/1, members/2 … a complete run directory
for each member.

A run directory needs no file outside it to predict, so it can be moved.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, SerializerFunctionWrapHandler, model_serializer

from nncli.base.errors import Location, RunError, UsageError
from nncli.base.plugins import Plugin
from nncli.base.spec import FiniteFloat, Members, NonNegativeInt, PositiveInt, Spec, StrictStr
from nncli.base.text import join_quoted
from nncli.data.sources.table_source import TableSource
from nncli.models.model import FORMAT, Version
from nncli.nn.arrays import Backend
from nncli.run_directory.filenames import (
    CHECKPOINTS,
    CONFIG,
    HEALTH,
    HELD_OUT,
    HISTORY,
    MANIFEST,
    MEMBERS,
    METRICS,
    MODEL,
    REFERENCE,
    SCORED,
    SNAPSHOTS,
    TRAINING_ROWS,
    VALIDATION,
    WEIGHTS,
    Status,
    checksum,
    target_folders,
    train_command,
)

__all__ = [
    "CHECKPOINTS",
    "CHECKSUMMED",
    "CONFIG",
    "DAMAGED",
    "HEALTH",
    "HELD_OUT",
    "HISTORY",
    "MANIFEST",
    "MEMBERS",
    "METRICS",
    "MODEL",
    "REFERENCE",
    "SCORED",
    "SNAPSHOTS",
    "TRAINING_ROWS",
    "WEIGHTS",
    "DataFile",
    "DataRecord",
    "Lengthening",
    "Machine",
    "Manifest",
    "Status",
    "TeacherRecord",
    "checksum",
    "files_of_member",
    "member_folder",
    "snapshot_file",
]

DAMAGED = "Restore the directory from a copy, or train again."
CHECKSUMMED = (CONFIG, MODEL, WEIGHTS, HISTORY, HEALTH, METRICS, TRAINING_ROWS, HELD_OUT, REFERENCE)


def member_folder(i: int) -> str:
    """The folder of member `i`, from 0, in the directory of an ensemble: members/1 is the first."""
    return f"{MEMBERS}/{i + 1}"


def files_of_member(i: int) -> tuple[str, str]:
    """The model files of member `i`, from 0."""
    return f"{member_folder(i)}/{MODEL}", f"{member_folder(i)}/{WEIGHTS}"


def snapshot_file(epoch: int) -> str:
    """The file of the weights that a training keeps after an epoch."""
    return f"{SNAPSHOTS}/{epoch:06d}.safetensors"


class DataFile(Spec):
    """One of several files of a table: its path and the SHA-256 of its bytes."""

    path: str
    sha256: str


class DataRecord(TableSource):
    """A table that was read: its source, the SHA-256 of its bytes (null for a pipe), and its number of rows.

    For a table of a database, `sha256` is that of the rows. A table in several files lists them all.
    """

    sha256: str | None
    rows: int
    files: tuple[DataFile, ...] = ()


class TeacherRecord(Spec):
    """A run that taught a network: its path, and the SHA-256 of its weights and held-out predictions."""

    path: str
    sha256: str


class Machine(Spec):
    """The machine of a training; `blas` is None in runs of version 0.2.0."""

    system: str
    processor: str
    cores: int
    blas: str | None = None


class Lengthening(Spec):
    """A change of the key `epochs` when a training was resumed: its value before, and the status of the training."""

    epochs: PositiveInt | Literal["auto"]
    status: Status


def _check_name(file: str) -> str:
    if file == ".." or "\0" in file or PureWindowsPath(file).name != file:  # also those of all other systems
        raise ValueError("this is not the name of a file")
    return file


class PluginRecord(Spec):
    """A part of a package or of a file of code, whose copy is in the folder `code` of the run.

    `path` is that of the class in its module.
    """

    kind: StrictStr
    name: StrictStr
    path: StrictStr
    package: StrictStr = ""
    version: StrictStr = ""
    file: Annotated[StrictStr, AfterValidator(_check_name)] = ""
    sha256: StrictStr = ""

    @classmethod
    def of(cls, plugin: Plugin) -> PluginRecord:
        """The record of a plugin; of the path of a file only the name is kept."""
        file = "" if plugin.file is None else plugin.file.name
        return cls(**{**vars(plugin), "file": file})

    @property
    def plugin(self) -> Plugin:
        """The plugin that is recorded."""
        return Plugin(**{**vars(self), "file": Path(self.file) if self.file else None})


class SelectedTrial(Spec):
    """A trial whose networks are members, its path from the folder of the run, and how often it was picked."""

    number: NonNegativeInt
    path: StrictStr
    picks: PositiveInt


class SelectionRecord(Spec):
    """How the members were selected from the `candidates` trials by their out-of-fold predictions.

    `rounds` picks were tried, and the trials have those of the best number of them. `loss` is the mean of the `measure`
    of the rows that selected the trials; `cross_fitted_loss` is that of rows whose predictions other folds selected.
    """

    trials: tuple[SelectedTrial, ...]
    candidates: PositiveInt
    rounds: PositiveInt
    measure: StrictStr
    loss: FiniteFloat
    cross_fitted_loss: FiniteFloat

    @property
    def text(self) -> str:
        """The selection in a line."""
        total = sum(trial.picks for trial in self.trials)
        shares = ", ".join(f"trial {trial.number} ({trial.picks}/{total})" for trial in self.trials)
        return f"{shares} of {self.candidates:,} trials, by the {self.measure} of out-of-fold predictions"


class DecidedScore(Spec):
    """The main score of the held-out rows by the saved decision, null where it is not finite."""

    metric: StrictStr
    value: FiniteFloat | None


def check_not_selected(path: Path, selection: SelectionRecord | None, action: str) -> None:
    """Raise a RunError if the members of a run were selected from trials: it cannot be trained by itself."""
    if selection is None:
        return
    raise RunError(
        f"nncli tune selected the networks of this run from {selection.candidates:,} trials, so it cannot be {action}",
        location=Location(source=str(path)),
        hint=f"Select again with nncli tune, or train the trial of the largest weight: {train_command(path)}",
    )


class Manifest(Spec):
    """The provenance of a run: its data, configuration, command, machine and files.

    Times are ISO 8601 in UTC, durations seconds. `backend`, `n_shards` of a batch and `blas_threads` say how it was
    computed. `fingerprint` is a digest of everything that a resumed training may not change. `time_is_feature` says
    that the column `data.time` is a feature unless it is dropped; to older versions, which do not write it, it was not.
    A `teacher` is the run whose predictions the network learned. `time_limit` says in a line what a time limit changed,
    and is None without one. `lengthened` lists the changes of `epochs`, on which the learning rates of the epochs
    before depend.
    A `private` run has no rows, rare categories and paths, see nncli/api/share.py.
    A `selection` says from which trials of a search the members of an ensemble were selected; other runs have none.
    `decided` is the score of a run with a saved decision, whose recorded scores are of the most probable class.
    `targets` are those of a run of several, each of which has a run in `target_folders`; the network of such a run
    learned the targets `beside` its own, too.
    `plugins` are the classes of packages and files of code that the configuration names.
    `files` holds the SHA-256 of the other files of the directory; those in `code` have theirs in `plugins`. It is empty
    while the run is being written: the manifest is the last file that a finished run writes, so an interrupted run
    never looks damaged. `format` is also that of model.json. `checksum` is the SHA-256 of all other fields.

    For an ensemble, `parameters` is the sum over all `members`, `epochs` and `best_epoch` are the maximum,
    `training_rows` and `validation_rows` count the rows that any member trains or validates on. These are apart where
    the members have their validation rows in common, else a validation row of one is a training row of others.
    `files` includes the model files of each member.
    """

    format: Version = FORMAT
    status: Status
    nncli_version: str
    command: tuple[str, ...]
    started: str
    finished: str | None
    seconds: float | None
    seed: int
    data: DataRecord
    validation_data: DataRecord | None
    training_rows: int
    validation_rows: int
    features: int
    parameters: int
    members: Members = 1
    epochs: int
    best_epoch: int
    fingerprint: str
    time_is_feature: bool = False
    backend: Backend = "numpy"
    n_shards: int = 1
    blas_threads: int
    versions: dict[str, str]
    machine: Machine
    time_limit: str | None = None
    teacher: TeacherRecord | None = None
    lengthened: tuple[Lengthening, ...] = ()
    files: dict[str, str]
    checksum: str = ""
    selection: SelectionRecord | None = None
    has_common_validation: bool = False
    decided: DecidedScore | None = None
    private: bool = False
    targets: tuple[StrictStr, ...] = ()
    beside: tuple[StrictStr, ...] = ()
    plugins: tuple[PluginRecord, ...] = ()

    @model_serializer(mode="wrap")
    def _without_later_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields, without those that older versions do not write unless they have a value."""
        document: dict[str, Any] = handler(self)
        for name in ("selection", "has_common_validation", "decided", "private", "targets", "beside", "plugins"):
            if not getattr(self, name):
                document.pop(name, None)
        return document

    def end_time(self) -> str:
        """Now, but not before the start: the clock may have been set back since."""
        return max(self.started, datetime.now(UTC).isoformat(timespec="seconds"))

    def with_checksum(self) -> Self:
        """A copy with its checksum computed."""
        return self.model_copy(update={"checksum": checksum(self.model_dump(mode="json"))})

    def check_not_private(self, path: Path, lacks: str) -> None:
        """Raise a RunError if the run at `path` is private, and so lacks what is needed."""
        if self.private:
            raise RunError(
                f"this run is private: it lacks {lacks}",
                location=Location(source=str(path)),
                hint="Use the original run, or train again.",
            )

    @property
    def target_folders(self) -> dict[str, str]:
        """The folder of the run of each of several targets."""
        return dict(zip(self.targets, target_folders(self.targets), strict=True))

    def check_learns_alone(self, path: Path, what: str, *, or_all: bool = True) -> None:
        """Raise a UsageError if the network of the run at `path` learned other targets, too; `what` follows from it.

        With `or_all`, the run of all targets may be named instead.
        """
        if self.beside:
            alone = f"rain this target alone: {train_command(path)}"
            raise UsageError(
                f"one network learned this target and {join_quoted(self.beside)}, so {what}",
                location=Location(source=str(path)),
                hint=f"Name the run of all: {path.parents[1]}. Or t{alone}" if or_all else f"T{alone}",
            )

    @property
    def member_folders(self) -> tuple[str, ...]:
        """The folder of each member of an ensemble."""
        return tuple(member_folder(i) for i in range(self.members))

    @property
    def held_out_kind(self) -> Literal["validation", "out-of-fold"]:
        """The kind of the rows that the run is scored on: out-of-fold if each member holds out rows of its own."""
        is_common = self.members == 1 or self.validation_data is not None or self.has_common_validation
        return "validation" if is_common else "out-of-fold"

    @property
    def allowed_files(self) -> set[str]:
        """The files whose checksums the manifest may hold."""
        if self.members == 1:
            return {*CHECKSUMMED, VALIDATION}
        return {
            CONFIG,
            MODEL,
            METRICS,
            TRAINING_ROWS,
            HELD_OUT,
            REFERENCE,
            VALIDATION,
            *(file for i in range(self.members) for file in files_of_member(i)),
        }

    @property
    def checkpoint_owner(self) -> str:
        """An identifier of the training, written in its checkpoints: fingerprint and table."""
        return f"{self.fingerprint} {self.data.sha256}"

"""The files of a run directory, and the manifest, which says where they came from.

    config.yaml        the configuration, every default written out; trains the same model again
    model.safetensors  the weights of the best epoch, by name
    model.json         encoder, target, network and loss; what the weights mean
    history.csv        a row per epoch
    metrics.json       scores on training and validation rows, and the trivial guess's
    manifest.json      where it all came from, and the checksums of the rest
    checkpoints/       what `nncli train --resume` goes on from

That of an ensemble holds config.yaml, model.json, metrics.json and manifest.json, and in members/1, members/2 … the
run directories of its members, each complete by itself.

Paths inside a run directory are its own; moved elsewhere it still predicts.
"""

from __future__ import annotations

from nncli.model import FORMAT, Version
from nncli.nn.arrays import Backend
from nncli.runs.filenames import (
    CHECKPOINTS,
    CONFIG,
    HISTORY,
    MANIFEST,
    MEMBERS,
    METRICS,
    MODEL,
    WEIGHTS,
    Status,
    checksum,
)
from nncli.spec import PositiveInt, Spec

__all__ = [
    "CHECKPOINTS",
    "CHECKSUMMED",
    "CONFIG",
    "DAMAGED",
    "HISTORY",
    "MANIFEST",
    "MEMBERS",
    "METRICS",
    "MODEL",
    "WEIGHTS",
    "DataRecord",
    "Machine",
    "Manifest",
    "Status",
    "checksum",
    "files_of_member",
    "member_folder",
]

DAMAGED = "Restore the directory from a copy, or train again."
CHECKSUMMED = (CONFIG, MODEL, WEIGHTS, HISTORY, METRICS)


def member_folder(i: int) -> str:
    """Where in the directory of an ensemble its member `i`, from 0, is: members/1 is the first."""
    return f"{MEMBERS}/{i + 1}"


def files_of_member(i: int) -> tuple[str, str]:
    """What makes up the predictions of member `i`, from 0."""
    return f"{member_folder(i)}/{MODEL}", f"{member_folder(i)}/{WEIGHTS}"


class DataRecord(Spec):
    """A table that went in: where it was, the SHA-256 of its bytes (null for a pipe, read but once), and its rows."""

    path: str
    sha256: str | None
    rows: int


class Machine(Spec):
    """Where it ran."""

    system: str
    processor: str
    cores: int


class Manifest(Spec):
    """Where a run came from. Times are ISO 8601 in UTC, durations seconds.

    `backend`, `parts` of a batch and `threads` of the BLAS say how it was computed; older runs had no parts.
    `past` is a digest of all that a resumed training may not change. `files` holds the SHA-256 of every other file of
    the directory. It is empty while the run is being written: the manifest is the last file that a finished run
    writes, so that a run which was cut short never looks damaged. `format` is that of model.json too: a run keeps the
    one that it began with, also when it is resumed. `checksum` is the SHA-256 of all the rest; an older nncli wrote
    none.

    Of an ensemble, `parameters` are those of all `members`, `epochs` and `best_epoch` the most of any, `training_rows`
    those that any is trained on and `validation_rows` those that any holds out; `files` names what makes up each
    member's predictions too.
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
    members: PositiveInt = 1
    epochs: int
    best_epoch: int
    fingerprint: str
    backend: Backend = "numpy"
    n_shards: int = 1
    threads: int
    versions: dict[str, str]
    machine: Machine
    files: dict[str, str]
    checksum: str | None = None

    def with_checksum(self) -> Manifest:
        """The same, with its checksum."""
        return self.model_copy(update={"checksum": checksum(self.model_dump(mode="json"))})

    @property
    def allowed_files(self) -> set[str]:
        """The files that a run may have checksums of."""
        if self.members == 1:
            return {*CHECKSUMMED}
        return {CONFIG, MODEL, METRICS, *(file for i in range(self.members) for file in files_of_member(i))}

    @property
    def checkpoint_owner(self) -> str:
        """Whose checkpoints these are: a training with the same ones goes through the same states."""
        return f"{self.fingerprint} {self.data.sha256}"

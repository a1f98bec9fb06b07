"""The record of a cross-validation, in cross-validation.json of its directory."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError, model_validator

from nncli.base.errors import Location, RunError
from nncli.base.spec import PositiveInt, Spec
from nncli.data.splitting.folds import Fold
from nncli.runs.filenames import CROSS_VALIDATION, FOLDS, MANIFEST, MEMBERS, MODEL, WEIGHTS
from nncli.runs.loader import LARGEST_TEXT, read_file, read_manifest
from nncli.runs.manifest import Manifest

MAX_TRAININGS = 10_000
"""Trainings of a cross-validation: folds times repeats."""


class KeptFolds(Spec):
    """The SHA-256 of held_out.safetensors, and digests of the models that predicted its rows."""

    sha256: str
    models: tuple[str, ...]


class CrossValidationRecord(Spec):
    """The folds, repeats and epochs of a cross-validation, and digests of its configuration and table.

    `held_out` is about the predictions that a finished one keeps. `fold_seeds`: each training has a seed of its own, so
    that the scores do not depend on the luck of one; older versions gave all that of the configuration.
    """

    format: Literal[1] = 1
    folds: PositiveInt
    repeats: PositiveInt
    epochs: PositiveInt | Literal["auto"]
    fingerprint: str
    data_sha256: str
    time_is_feature: bool = False
    fold_seeds: bool = False
    held_out: KeptFolds | None = None

    @model_validator(mode="after")
    def _check_trainings(self) -> Self:
        if self.folds * self.repeats > MAX_TRAININGS:
            raise ValueError(f"at most {MAX_TRAININGS} trainings")
        return self

    @property
    def trainings(self) -> int:
        """The number of trainings: one for each fold of each repeat."""
        return self.folds * self.repeats

    def seed_of(self, seed: int, i: int) -> int:
        """The seed of training `i`, from 0, if that of the configuration is `seed`."""
        return seed + i if self.fold_seeds else seed

    def of(self, seed: int) -> list[Fold]:
        """All folds, ordered by repeat; each repeat has its own seed."""
        return [
            Fold(folds=self.folds, fold=fold, seed=seed + repeat)
            for repeat in range(self.repeats)
            for fold in range(self.folds)
        ]


class FoldsManifest(Manifest):
    """The manifest of a finished cross-validation, as of an ensemble whose members are the networks of its folds.

    It is not a file. `networks` is the number of networks of each fold.
    """

    networks: tuple[int, ...]

    @property
    def member_folders(self) -> tuple[str, ...]:
        """The folder of each network."""
        return tuple(
            folder for i, networks in enumerate(self.networks) for folder in _network_folders(fold_folder(i), networks)
        )


def _network_folders(fold: str, networks: int) -> list[str]:
    return [fold] if networks == 1 else [f"{fold}/{MEMBERS}/{j + 1}" for j in range(networks)]


def is_cross_validation(path: Path) -> bool:
    """Whether the folder holds a cross-validation, finished or not."""
    return os.path.lexists(path / CROSS_VALIDATION) and not os.path.lexists(path / MANIFEST)


def resume_command(path: Path) -> str:
    """The command that continues a cross-validation."""
    return f"nncli cross-validate --resume {shlex.quote(str(path))}"


def fold_folder(i: int) -> str:
    """The folder of training `i`, from 0, in the directory of a cross-validation: folds/1 is the first."""
    return f"{FOLDS}/{i + 1}"


def read_record(path: Path) -> CrossValidationRecord:
    """Read the record of the cross-validation at `path`; RunError if it is missing or damaged."""
    try:
        return CrossValidationRecord.model_validate_json(read_file(path, CROSS_VALIDATION, LARGEST_TEXT))
    except (ValidationError, ValueError) as error:
        raise RunError(
            "the file is damaged, or was written by a newer nncli",
            location=Location(source=str(path / CROSS_VALIDATION)),
        ) from error


def digest_of_models(path: Path) -> str:
    """A digest of the model files of the run at `path`.

    Raises:
        RunError: the run is missing or damaged.
    """
    files = read_manifest(path).files
    lines = [f"{sha256}  {name}\n" for name, sha256 in sorted(files.items()) if Path(name).name in (MODEL, WEIGHTS)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_is_run(path: Path, message: str, hint: str) -> None:
    """Raise a RunError with a message that goes on after "this is a cross-validation", if it is one."""
    if is_cross_validation(path):
        raise RunError(f"this is a cross-validation{message}", location=Location(source=str(path)), hint=hint)

"""A cross-validation: its record, and a finished one as an ensemble, the mean of the models of its folds.

The record is cross-validation.json of its directory. The manifest of the ensemble is composed of those of the folds.
The networks of folds that are ensembles are the members; the out-of-fold predictions are its held-out rows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from nncli.base.errors import Advice, Location, ResumeRun, RunError, in_terminal
from nncli.base.spec import PositiveInt, Spec
from nncli.data.splitting.folds import Fold
from nncli.models import held_out_rows
from nncli.models.ensemble import AnyModel, Ensemble, EnsembleSpec
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import Model
from nncli.run_directory.filenames import CONFIG, CROSS_VALIDATION, FOLDS, HELD_OUT, MANIFEST, METRICS, MODEL, WEIGHTS
from nncli.run_directory.loader import (
    LARGEST_TEXT,
    damaged,
    read_any_model,
    read_any_spec,
    read_file,
    read_json,
    read_manifest,
    read_training_rows,
    read_verified,
)
from nncli.run_directory.manifest import Manifest, member_folder
from nncli.run_directory.training_rows import TrainingRows
from nncli.targets.target import Target

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
            fold if networks == 1 else f"{fold}/{member_folder(j)}"
            for fold, networks in zip(self.fold_folders, self.networks, strict=True)
            for j in range(networks)
        )

    @property
    def fold_folders(self) -> list[str]:
        """The folder of each fold."""
        return [fold_folder(i) for i in range(len(self.networks))]


def is_cross_validation(path: Path) -> bool:
    """Whether the folder holds a cross-validation, finished or not."""
    return os.path.lexists(path / CROSS_VALIDATION) and not os.path.lexists(path / MANIFEST)


def resuming(path: Path) -> ResumeRun:
    """The action of continuing a cross-validation."""
    return ResumeRun(path, operation="cross-validate")


def resume_command(path: Path) -> str:
    """The command that continues a cross-validation."""
    return in_terminal(resuming(path))


def fold_folder(i: int) -> str:
    """The folder of training `i`, from 0, in the directory of a cross-validation: folds/1 is the first."""
    return f"{FOLDS}/{i + 1}"


def read_record(path: Path) -> CrossValidationRecord:
    """Read the record of the cross-validation at `path`; RunError if it is missing or damaged."""
    try:
        return CrossValidationRecord.model_validate_json(read_file(path, CROSS_VALIDATION, LARGEST_TEXT))
    except ValueError as error:
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


def read_folds_manifest(folder: Path) -> FoldsManifest:
    """The manifest of the cross-validation in `folder`.

    Raises:
        RunError: it is not finished, it is damaged, or a fold was trained again since it was scored.
    """
    record = read_record(folder)
    if not (os.path.lexists(folder / METRICS) and os.path.lexists(folder / HELD_OUT)):
        raise RunError(
            "this cross-validation is not finished",
            location=Location(source=str(folder)),
            hint=Advice("To resume: ", resuming(folder)),
        )
    folds = [read_manifest(folder / fold_folder(i)) for i in range(record.trainings)]
    _check_models(folder, record)
    contents = {name: read_file(folder, name, held_out_rows.LARGEST_FILE) for name in (CONFIG, METRICS, HELD_OUT)}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    if record.held_out is not None:
        files[HELD_OUT] = record.held_out.sha256
    files |= {
        f"{fold_folder(i)}/{name}": sha256
        for i, fold in enumerate(folds)
        for name, sha256 in sorted(fold.files.items())
        if Path(name).name in (MODEL, WEIGHTS)
    }
    scored = _scored_rows(folder)
    first, finished = folds[0], [fold.finished for fold in folds if fold.finished is not None]
    return FoldsManifest(
        status="done",
        nncli_version=first.nncli_version,
        command=first.command,
        started=min(fold.started for fold in folds),
        finished=max(finished, default=None),
        seconds=sum(fold.seconds or 0.0 for fold in folds),
        seed=first.seed,
        data=first.data.model_copy(update={"sha256": record.data_sha256}),
        validation_data=None,
        training_rows=max(_used_rows(fold) + rows for fold, rows in zip(folds, scored[1:], strict=True)),
        validation_rows=scored[0],
        features=max(fold.features for fold in folds),
        parameters=sum(fold.parameters for fold in folds),
        members=sum(fold.members for fold in folds),
        networks=tuple(fold.members for fold in folds),
        epochs=max(fold.epochs for fold in folds),
        best_epoch=max(fold.best_epoch for fold in folds),
        fingerprint=record.fingerprint,
        time_is_feature=record.time_is_feature,
        blas_threads=1,
        versions=first.versions,
        machine=first.machine,
        targets=first.targets,
        plugins=first.plugins,
        files=files,
    ).with_checksum()


def read_folds(folder: Path, manifest: FoldsManifest) -> Ensemble:
    """The mean of the models of the folds.

    Raises:
        RunError: a file is damaged, or does not fit the others.
    """
    folds = read_fold_models(folder, manifest)
    members = [network for fold in folds for network in networks_of(fold)]
    spec = joint_spec(members, _target(folder, [fold.spec.target for fold in folds]))
    if not all(spec.accepts(member.spec) for member in members):
        raise damaged(folder, MODEL, "the models of the folds predict different things")
    return Ensemble(spec, tuple(members))


def read_fold_models(folder: Path, manifest: FoldsManifest) -> list[AnyModel]:
    """The model of each fold, a network or an ensemble; RunError if one is damaged."""
    paths = [folder / fold for fold in manifest.fold_folders]
    return [read_any_model(path, read_manifest(path)) for path in paths]


def read_folds_held_out(folder: Path, manifest: FoldsManifest) -> HeldOutRows:
    """The out-of-fold rows; each network of a fold has the predictions of the model of the fold.

    Raises:
        RunError: the file is damaged.
    """
    content = read_verified(folder, HELD_OUT, manifest, held_out_rows.LARGEST_FILE)
    paths = [folder / fold for fold in manifest.fold_folders]
    specs = [read_any_spec(path, read_manifest(path)) for path in paths]
    target = _target(folder, [spec.target for spec in specs])
    try:
        rows = HeldOutRows.from_bytes(content, target, len(specs), specs[0].loss.quantile_levels)
    except ValueError as error:
        message = "the file is damaged: it does not hold the out-of-fold rows of this cross-validation"
        raise damaged(folder, HELD_OUT, message) from error
    members = [member for member, n in zip(rows.members, manifest.networks, strict=True) for _ in range(n)]
    return replace(rows, members=tuple(members))


def read_folds_training_rows(folder: Path, manifest: FoldsManifest) -> TrainingRows | None:
    """The rows that any fold was trained or validated on; None if a fold has no such record.

    Raises:
        RunError: a file is damaged.
    """
    paths = [folder / fold for fold in manifest.fold_folders]
    parts = [rows for path in paths if (rows := read_training_rows(path, read_manifest(path))) is not None]
    return TrainingRows.union(parts) if len(parts) == len(paths) else None


def networks_of(model: AnyModel) -> list[Model]:
    """The networks of a model, each with the temperature of the whole, whose predictions have the mean of `model`."""
    if not isinstance(model, Ensemble):
        return [model]
    return [
        replace(
            member, spec=member.spec.model_copy(update={"temperature": member.spec.temperature * T, "decision": None})
        )
        for member in model.members
        for T in [model.spec.temperature]
    ]


def joint_spec(members: Sequence[Model], target: Target) -> EnsembleSpec:
    """The specification of an ensemble of networks that were trained on parts of one table."""
    first = members[0].spec
    return EnsembleSpec(
        members=len(members),
        target=target,
        loss=first.loss,
        missing_values=first.missing_values,
        dialect=first.dialect,
    )


def _target(folder: Path, targets: Sequence[Target]) -> Target:
    """The joint target of the folds; the configuration is needed only if classes differ."""
    from nncli.run_directory.config import read_config  # a slow import that most cross-validations do not need

    differ = any(target.labels != targets[0].labels for target in targets)
    return targets[0].joint(targets, read_config(folder).positive_class if differ else None)


def _check_models(folder: Path, record: CrossValidationRecord) -> None:
    """Raise a RunError if the model of a fold is not the one that predicted its rows."""
    for i, expected in enumerate(() if record.held_out is None else record.held_out.models):
        path = folder / fold_folder(i)
        if digest_of_models(path) != expected:
            raise RunError(
                "this model is not the one that the cross-validation scored: it was trained again",
                location=Location(source=str(path)),
                hint=Advice("To score it again: ", resuming(folder)),
            )


def _scored_rows(folder: Path) -> list[int]:
    """The number of out-of-fold rows, then that of each fold, as metrics.json records them."""
    document = read_json(folder, METRICS)
    try:
        return [int(document["out_of_fold"]["rows"]), *(int(fold["rows"]) for fold in document["folds"])]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder, METRICS, "the file is damaged: it does not hold the scores of folds") from error


def _used_rows(manifest: Manifest) -> int:
    """The rows of the table that a run used: out-of-fold rows are training rows of other members."""
    inside = manifest.held_out_kind == "validation" and manifest.validation_data is None
    return manifest.training_rows + (manifest.validation_rows if inside else 0)

"""Reading a run directory, or a finished cross-validation as if it were the run of an ensemble."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from nncli.base.atomic_files import batched_fsync, write_bytes
from nncli.base.errors import Location, RunError
from nncli.models.ensemble import Ensemble
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import Model
from nncli.runs.cross_validation import FoldsManifest, is_cross_validation
from nncli.runs.loader import read_ensemble, read_held_out, read_manifest, read_model, read_training_rows
from nncli.runs.manifest import CHECKPOINTS, MANIFEST, MODEL, WEIGHTS, Manifest
from nncli.runs.training_rows import TrainingRows


def read_run_manifest(folder: Path) -> Manifest:
    """Read the manifest; that of a finished cross-validation is composed of those of its folds.

    Raises:
        RunError: it is damaged, or the cross-validation is not finished.
    """
    if is_cross_validation(folder):
        from nncli.runs.fold_models import read_folds_manifest  # slow imports that a run does not need

        return read_folds_manifest(folder)
    return read_manifest(folder)


def read_run_model(folder: Path, manifest: Manifest) -> Model | Ensemble:
    """Read the model; see `Run.load_model`."""
    if isinstance(manifest, FoldsManifest):
        from nncli.runs.fold_models import read_folds

        return read_folds(folder, manifest)
    is_ensemble = manifest.members > 1
    last = MODEL if is_ensemble else WEIGHTS
    if last not in manifest.files and (is_ensemble or not os.path.lexists(folder / last)):
        failed = manifest.status == "failed"
        raise RunError(
            "the training of this run has not finished, or failed",
            location=Location(source=str(folder)),
            hint="It diverged or broke off: train a new run, with a lower learning_rate if it diverged."
            if failed
            else f"To resume: nncli train --resume {folder}",
        )
    return read_ensemble(folder, manifest) if is_ensemble else read_model(folder)


def read_run_held_out(folder: Path, manifest: Manifest) -> HeldOutRows | None:
    """Read the held-out rows of the run that the manifest describes; see `Run.load_held_out`."""
    if isinstance(manifest, FoldsManifest):
        from nncli.runs.fold_models import read_folds_held_out

        return read_folds_held_out(folder, manifest)
    return read_held_out(folder, manifest)


def read_run_training_rows(folder: Path, manifest: Manifest) -> TrainingRows | None:
    """Read the hashes of the training and validation rows; see `Run.load_training_rows`."""
    if isinstance(manifest, FoldsManifest):
        from nncli.runs.fold_models import read_folds_training_rows

        return read_folds_training_rows(folder, manifest)
    return read_training_rows(folder, manifest)


def to_bytes(run: Path) -> dict[str, bytes]:
    """The files of a run directory by their relative paths, without checkpoints and hidden files."""
    paths = sorted(path for path in run.rglob("*") if path.is_file())
    named = {path.relative_to(run): path for path in paths}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in named.items()
        if CHECKPOINTS not in name.parts and not any(part.startswith(".") for part in name.parts)
    }


def from_bytes(files: Mapping[str, bytes], run: Path) -> None:
    """Create the run directory from packed files; the manifest is written last.

    Raises:
        FileExistsError: the path exists.
        NncliError: a file cannot be written.
    """
    run.mkdir(parents=True)
    with batched_fsync():
        for name, content in files.items():
            if name != MANIFEST:
                write_bytes(run / name, content)
    write_bytes(run / MANIFEST, files[MANIFEST])

"""A finished trial of a search: its networks, and its predictions of rows that they did not train on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Location, RunError, UsageError
from nncli.config.schema import Config
from nncli.models.ensemble import Ensemble, predicted_by
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import Model, ModelSpec
from nncli.nn.arrays import Floats
from nncli.nn.training.cross_fit import part_numbers
from nncli.runs.config import read_config
from nncli.runs.cross_validation import FoldsManifest, read_record
from nncli.runs.fold_models import networks_of
from nncli.runs.loader import read_manifest, read_spec
from nncli.runs.manifest import Manifest
from nncli.runs.read_run import read_run_held_out
from nncli.runs.run import Run


@dataclass(frozen=True)
class FinishedTrial:
    """A trial with its held-out rows, whose `members` are its networks, and the share in its mean of each network.

    `first` is the specification of the first network.
    """

    number: int
    path: Path
    manifest: Manifest
    first: ModelSpec
    shares: tuple[float, ...]
    held_out: HeldOutRows

    @classmethod
    def read(cls, number: int, path: Path) -> FinishedTrial:
        """Read a finished cross-validation, or a run.

        Raises:
            RunError: it is not finished, damaged, or keeps no held-out rows.
        """
        run = Run.open(path)
        manifest = run.load_manifest()
        is_run, held_out = not isinstance(manifest, FoldsManifest), read_run_held_out(path, manifest)
        model = run.load_model() if is_run else None  # the weights of a cross-validation are read once it is selected
        if held_out is None or not len(held_out):
            raise RunError(
                "this trial keeps no predictions of rows that it did not train on, so that it cannot be selected",
                location=Location(source=str(path)),
                hint="Train it with validation rows, or cross-validate it.",
            )
        return cls(
            number=number,
            path=path,
            manifest=manifest,
            first=_first(path, manifest),
            shares=tuple(_shares(manifest, model if isinstance(model, Ensemble) else None)),
            held_out=held_out,
        )

    def load_networks(self) -> list[Model]:
        """Read the networks; RunError if one is damaged."""
        return networks_of(Run(self.path).load_model())

    def read_config(self) -> Config:
        """Read the configuration; RunError if it is damaged."""
        return read_config(self.path)

    @property
    def folders(self) -> list[Path]:
        """The run directory of each network."""
        folders = ("",) if self.manifest.members == 1 else self.manifest.member_folders
        return [self.path / folder for folder in folders]

    @property
    def parts(self) -> npt.NDArray[np.int64]:
        """The fold of each row (rows,), in the first repeat of a cross-validation; of a run, parts of equal size."""
        if not isinstance(self.manifest, FoldsManifest):
            return part_numbers(len(self.held_out))
        parts, starts = np.zeros(len(self.held_out), np.int64), np.cumsum([0, *self.manifest.networks])
        for fold in range(read_record(self.path).folds):
            parts[self.held_out.members[starts[fold]].rows] = fold
        return parts

    def check_like(self, first: FinishedTrial) -> None:
        """Raise a UsageError unless the trial can be averaged with the first one, row by row."""
        ours, theirs, own, other = self.held_out, first.held_out, self.first, first.first
        reasons = {
            "another table": self.manifest.data.sha256 == first.manifest.data.sha256,
            "another target": ours.predictions.target.is_same(theirs.predictions.target),
            "other predictions, by its loss": predicted_by(own.loss) == predicted_by(other.loss),
            "another precision": own.network.precision == other.network.precision,
            "other missing_values": own.missing_values == other.missing_values,
            "another format of numbers": own.dialect == other.dialect,
            "other held-out rows": np.array_equal(ours.numbers, theirs.numbers) and np.array_equal(ours.y, theirs.y),
            "other sample weights": _equal(ours.weights, theirs.weights),
            "other folds": np.array_equal(_folds(ours), _folds(theirs)),
        }
        for what, is_same in reasons.items():
            if not is_same:
                raise UsageError(
                    f"trial {self.number} has {what} than trial {first.number}, and cannot be averaged with it",
                    location=Location(source=str(self.path)),
                    hint="Select from trials of one search, which have the same table and folds.",
                )


def read_trials(trials: Mapping[int, Path]) -> list[FinishedTrial]:
    """Read trials by their numbers, in ascending order.

    Raises:
        RunError: one is not finished, or damaged.
        UsageError: there is none, or two cannot be averaged.
    """
    if not trials:
        raise UsageError("there is no finished trial to select from", hint="Finish the search first.")
    read = [FinishedTrial.read(number, path) for number, path in sorted(trials.items())]
    for trial in read:
        trial.check_like(read[0])
    return read


def _first(path: Path, manifest: Manifest) -> ModelSpec:
    """The specification of the first network."""
    folder = path if manifest.members == 1 else path / manifest.member_folders[0]
    return read_spec(folder, read_manifest(folder))


def _shares(manifest: Manifest, model: Ensemble | None) -> Sequence[float]:
    """The share of each network in the mean: every fold has the same, and its networks equal parts of it."""
    if isinstance(manifest, FoldsManifest):
        folds = len(manifest.networks)
        return [1.0 / (folds * n) for n in manifest.networks for _ in range(n)]
    if model is None:
        return [1.0]
    total = sum(model.weights)
    return [weight / total for weight in model.weights]


def _folds(rows: HeldOutRows) -> npt.NDArray[np.bool_]:
    """The distinct sets of rows (sets, rows) that networks held out."""
    return np.unique(rows.oof_mask, axis=0)


def _equal(a: Floats | None, b: Floats | None) -> bool:
    return a is b if a is None or b is None else np.array_equal(a, b)

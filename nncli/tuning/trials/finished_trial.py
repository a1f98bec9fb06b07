"""A finished trial of a search: its networks, and its predictions of rows that they did not train on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Location, RunError, UsageError
from nncli.config.schema import Config
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.ensemble import Ensemble, predicted_by
from nncli.models.held_out_rows import LARGEST_FILE, HeldOutRows
from nncli.models.model import Model, ModelSpec
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.nn.training.cross_fit import part_numbers
from nncli.runs.config import read_config
from nncli.runs.cross_validation import FoldsManifest, networks_of, read_record
from nncli.runs.loader import read_file, read_manifest, read_spec
from nncli.runs.manifest import HELD_OUT, Manifest
from nncli.runs.run import Run
from nncli.targets.target import Target
from nncli.tuning.trials.search_data import HeldOut, SearchData
from nncli.tuning.trials.trial_training import TrialTraining
from nncli.tuning.trials.trials import Trial, folder_of


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
        is_run, held_out = not isinstance(manifest, FoldsManifest), run.load_held_out(manifest)
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


Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SearchRows:
    """The rows that trials are scored on: their targets, and the fold (rows,) that each is in, from 0."""

    truth: LabeledRows
    fold_of: npt.NDArray[np.int64]
    target: Target

    def __len__(self) -> int:
        return len(self.fold_of)


@dataclass(frozen=True)
class TrialPredictions:
    """The predictions of a trial for the rows of the search.

    `known` (rows,) is False for the rows of folds that a pruned trial was not trained on; those predictions are NaN.
    """

    predictions: Predictions
    known: Mask

    def filled(self, other: TrialPredictions) -> Predictions:
        """The predictions, with those of another trial for the rows that are not known."""
        if self.known.all():
            return self.predictions
        return other.predictions.with_rows(self.known, self.predictions.take(self.known))


class TrialReader:
    """Reads the predictions of trials in the search directory `path`.

    The rows are those that trial 0 keeps, which are all held-out rows unless there are more than a million.
    """

    def __init__(self, path: Path, data: SearchData, config_of: Callable[[Trial], Config]) -> None:
        self._path, self._data, self._config_of = path, data, config_of

    @cached_property
    def positions(self) -> npt.NDArray[np.int64]:
        """The positions of the rows in the table, or in the validation file, in ascending order."""
        positions = np.unique(np.concatenate(self._data.fold_rows))
        kept = None if self._data.is_holdout else self._kept(Trial(number=0, values={}))
        if kept is None or len(kept) == len(positions):
            return positions
        numbers = positions + 1 if self._row_numbers is None else self._row_numbers[positions]
        return positions[np.searchsorted(numbers, kept.numbers)]

    @cached_property
    def rows(self) -> SearchRows:
        """The rows, in ascending order."""
        fold_of = np.zeros(len(self.positions), np.int64)
        for fold, rows in enumerate(self._data.fold_rows):
            fold_of[np.isin(self.positions, rows)] = fold
        return SearchRows(self._data.truth.take(self.positions), fold_of, self._data.table_data.target)

    def read(self, trial: Trial) -> TrialPredictions:
        """The predictions of a trial that is complete or pruned.

        They are read from its directory, or computed again where it does not keep them.

        Raises:
            RunError: its directory is damaged.
        """
        if trial.state == "complete" and not self._data.is_holdout:
            kept = self._kept(trial)
            if kept is not None and len(kept) == len(self.positions):
                return TrialPredictions(kept.predictions, np.ones(len(kept), np.bool_))
        training = TrialTraining(
            trial.number, self._config_of(trial), folder_of(self._path, trial.number), self._data, 1
        )
        return self._aligned([training.predict(fold) for fold in range(len(trial.folds))])

    def _aligned(self, held_out: list[HeldOut]) -> TrialPredictions:
        first = held_out[0].predictions
        n = len(self.positions)
        quantiles = None if first.quantiles is None else np.full((n, *first.quantiles.shape[1:]), np.nan)
        predictions = replace(first, values=np.full((n, first.values.shape[1]), np.nan), quantiles=quantiles)
        known = np.zeros(n, np.bool_)
        for one in held_out:
            places = np.searchsorted(self.positions, one.rows).clip(max=n - 1)
            kept = self.positions[places] == one.rows
            predictions = predictions.with_rows(places[kept], one.predictions.take(kept))
            known[places[kept]] = True
        return TrialPredictions(predictions, known)

    @property
    def _row_numbers(self) -> npt.NDArray[np.int64] | None:
        return self._data.table_data.table.row_numbers

    def _kept(self, trial: Trial) -> HeldOutRows | None:
        """The rows that a finished cross-validation keeps; None if they are missing, damaged, or of other quantiles."""
        path, data = folder_of(self._path, trial.number), self._data.table_data
        try:
            content = read_file(path, HELD_OUT, LARGEST_FILE)
            recorded = read_record(path).held_out
            if recorded is not None and hashlib.sha256(content).hexdigest() != recorded.sha256:
                return None
            return HeldOutRows.from_bytes(content, data.target, self._data.folds, data.loss.quantile_levels)
        except (RunError, ValueError):
            return None

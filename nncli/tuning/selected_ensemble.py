"""An ensemble of the best trials of a search, selected by their out-of-fold predictions, as a run directory.

Its members are the networks of the selected trials, with the weights of the selection. The predictions that the run is
scored by are cross-fitted: those of each fold are of the trials that the other folds select.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.atomic_files import batched_fsync, write_bytes
from nncli.base.errors import Location, RunError, UsageError
from nncli.base.scratch import Scratch, existing_parent
from nncli.base.text import format_number
from nncli.config.schema import Config
from nncli.fitting.ensemble.build import BuiltEnsemble, training_scores
from nncli.fitting.ensemble.out_of_fold import EnsembleData
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.provenance import check_tables_unchanged, command_line, with_recorded_features
from nncli.models.ensemble import Ensemble, predicted_by
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import Model, ModelSpec
from nncli.models.predictions import Predictions
from nncli.models.scores import validation_card
from nncli.nn.arrays import Floats, Mask
from nncli.nn.training.early_stopping import part_numbers
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import FoldsManifest, joint_spec, networks_of, read_record
from nncli.run_directory.filenames import CONFIG, HEALTH, HISTORY, LARGEST_FILE, METRICS, WEIGHTS
from nncli.run_directory.loader import read_file, read_manifest, read_spec
from nncli.run_directory.manifest import Manifest, SelectedTrial, SelectionRecord, member_folder
from nncli.run_directory.run import Run
from nncli.targets.scoring import SelectionLoss
from nncli.version import __version__

ROUNDS = 10
"""Picks that are tried, unless another number is given."""


@dataclass(frozen=True)
class SelectedEnsemble:
    """An ensemble of the best trials in the run directory `path`.

    `picks` are the numbers of the selected trials, and how often each was picked, the most first. `loss` is the mean of
    the `measure` of the rows that selected them, `cross_fitted_loss` that of rows whose predictions the other folds
    selected, and `best_loss` that of the single best trial, also selected by the other folds. `best_trial` is the best
    one of all rows. The search saw all rows when it proposed trials, so that both are somewhat too good.
    """

    path: Path
    picks: tuple[tuple[int, int], ...]
    measure: str
    loss: float
    cross_fitted_loss: float
    best_trial: int
    best_loss: float

    @property
    def is_better(self) -> bool:
        """Whether the cross-fitted loss is lower than that of the single best trial."""
        return self.cross_fitted_loss < self.best_loss

    @property
    def sentence(self) -> str:
        """The loss beside that of the single best trial, and whether it is lower; of a squared error the root."""
        is_square = self.measure == "squared error"
        ensemble, best = (sqrt(loss) if is_square else loss for loss in (self.cross_fitted_loss, self.best_loss))
        name = "root mean squared error" if is_square else self.measure
        verdict = "" if self.is_better else "; the ensemble is not better than the best trial"
        return (
            f"selected by the {self.measure}; {name} {format_number(ensemble)} with each row by the picks of other "
            f"folds, {format_number(best)} with their best trial alone{verdict}"
        )


def write_selected_ensemble(
    trials: Mapping[int, Path],
    output: Path,
    rounds: int = ROUNDS,
    command: Sequence[str] = (),
    metric: str | None = None,
) -> SelectedEnsemble:
    """Select an ensemble from finished trials, by their numbers, and write it as a run directory.

    The trials are cross-validations with the same table and folds, or runs with the same validation rows. The directory
    is `output` or the first of `output-2` … that is free; an equal ensemble that is there is not written again. If the
    selection is a single network, it is the directory of that trial. They are selected by the `metric` of the search if
    it is the accuracy, or an absolute error; else by the log loss, the pinball loss or the squared error.

    Raises:
        UsageError: there is no trial, or two cannot be averaged.
        RunError: a trial is not finished, or damaged.
        DataError: the table has changed.
    """
    if rounds < 1:
        raise UsageError("an ensemble needs at least 1 pick", hint="For example 10.")
    read = read_trials(trials)
    candidates, everything = candidates_of(read, metric), np.ones(len(read[0].held_out), np.bool_)
    selection = candidates.pick(rounds, everything)
    cross_fitted = candidates.cross_fit(rounds, read[0].parts)
    best, best_cross_fitted = candidates.pick(1, everything), candidates.cross_fit(1, read[0].parts)
    if not isfinite(selection.loss + cross_fitted.loss):
        raise UsageError(
            "the predictions of too many trials are not finite",
            location=Location(source=str(read[0].path)),
            hint="Search with lower learning rates.",
        )
    record = SelectionRecord(
        trials=tuple(
            SelectedTrial(number=read[i].number, path=os.path.relpath(read[i].path, output.parent), picks=count)
            for i, count in selection.counts.items()
        ),
        candidates=len(read),
        rounds=rounds,
        measure=candidates.loss.measure,
        loss=selection.loss,
        cross_fitted_loss=cross_fitted.loss,
    )
    scored = _scored_predictions(read, cross_fitted.selections, read[0].parts)
    chosen = [read[i] for i in selection.counts]
    if len(chosen) == len(chosen[0].shares) == 1:
        path = chosen[0].path
    else:
        path = _existing(output, record) or write_ensemble_run(chosen, record, scored, output, command)
    return SelectedEnsemble(
        path=path,
        picks=tuple((trial.number, trial.picks) for trial in record.trials),
        measure=record.measure,
        loss=record.loss,
        cross_fitted_loss=record.cross_fitted_loss,
        best_trial=read[best.picks[0]].number,
        best_loss=best_cross_fitted.loss,
    )


def candidates_of(trials: Sequence[FinishedTrial], metric: str | None = None) -> CandidatePredictions:
    """The held-out predictions of trials as candidates of a selection."""
    rows, first = trials[0].held_out, trials[0].first
    scoring = rows.predictions.target.head(first.loss).scoring
    points = np.stack([trial.held_out.predictions.points for trial in trials])
    return CandidatePredictions(scoring.selection(points, rows.y, metric), rows.weights)


def _scored_predictions(
    trials: Sequence[FinishedTrial],
    selections: Mapping[int, Selection],
    part: npt.NDArray[np.int64],
) -> Predictions:
    """The predictions of the rows of each part, by the trials that its selection has picked."""
    first = trials[0].held_out.predictions
    target, precision = first.target.joint([first.target], None), trials[0].first.network.precision
    values = np.empty(first.points.shape)
    for k, selection in selections.items():
        in_part, total = part == k, np.zeros(first.points[part == k].shape)
        for pick in selection.picks:
            total += trials[pick].held_out.predictions.points[in_part]
        values[in_part] = total / len(selection.picks)
    if first.levels:
        return Predictions(target, values, precision, levels=first.levels)
    values = values.astype(target.precision_of(precision)).astype(np.float64)  # as the mean of an ensemble
    return Predictions(target, values, precision)


def _existing(output: Path, record: SelectionRecord) -> Path | None:
    """The run directory `output` if it is this ensemble."""
    if not (output / METRICS).is_file():
        return None
    return output if read_manifest(output).selection == record else None


ROUNDING = 1e-12
"""Relative rounding error of a mean of the same values, in another order or repeated."""


@dataclass(frozen=True)
class Selection:
    """The candidates that were picked, in this order, and the loss of the mean after every pick that was tried.

    The picks are those up to the lowest loss, the first of equals.
    """

    picks: tuple[int, ...]
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """The loss of the mean of the picks."""
        return self.losses[len(self.picks) - 1]

    @property
    def counts(self) -> dict[int, int]:
        """How often each candidate was picked, those picked most often first, of equals the lower number."""
        return dict(sorted(Counter(self.picks).items(), key=lambda pair: (-pair[1], pair[0])))


@dataclass(frozen=True)
class CandidatePredictions:
    """What candidates predict, with the loss that they are selected by, and the sample weights (rows,)."""

    loss: SelectionLoss
    weights: Floats | None

    def mean_loss(self, values: Floats, rows: Mask) -> float:
        """The weighted mean loss of values (rows, …) of some rows; infinite if it is not finite."""
        with np.errstate(all="ignore"):
            losses = self.loss.row_losses(values, rows)
            weights = None if self.weights is None or not self.weights[rows].any() else self.weights[rows]
            mean = float(np.average(losses, weights=weights))
        return mean if np.isfinite(mean) else np.inf

    def mean_of(self, picks: tuple[int, ...], rows: Mask) -> Floats:
        """The mean of the values of some candidates (rows, …) of some rows."""
        total = np.zeros(self.loss.values[0][rows].shape)
        for pick in picks:
            total += self.loss.values[pick][rows]
        return total / len(picks)

    def pick(self, rounds: int, rows: Mask) -> Selection:
        """Pick in each round the candidate that lowers the loss of the mean on some rows most.

        A candidate can be picked again, which gives it a larger weight. Of equals, the first is picked.
        """
        values = self.loss.values[:, rows]
        total, picks, losses = np.zeros(values.shape[1:]), list[int](), list[float]()
        for n in range(1, rounds + 1):
            each = [self.mean_loss((total + value) / n, rows) for value in values]
            picks.append(_first_lowest(each))
            losses.append(each[picks[-1]])
            total += values[picks[-1]]
        best = _first_lowest(losses) + 1
        return Selection(tuple(picks[:best]), tuple(losses))

    def cross_fit(self, rounds: int, part: npt.NDArray[np.int64]) -> CrossFittedSelection:
        """Select for the rows of each part (rows,) by the rows of the other parts.

        The loss of all rows is then not lower by the choice, unlike that of rows that choose.
        """
        selections = {int(k): self.pick(rounds, part != k) for k in np.unique(part)}
        values = np.empty(self.loss.values.shape[1:])
        for k, selection in selections.items():
            values[part == k] = self.mean_of(selection.picks, part == k)
        return CrossFittedSelection(selections, self.mean_loss(values, np.ones(len(part), np.bool_)))


@dataclass(frozen=True)
class CrossFittedSelection:
    """The selection for the rows of each part, and the mean loss of all rows."""

    selections: dict[int, Selection]
    loss: float


def _first_lowest(losses: Sequence[float]) -> int:
    """The position of the lowest loss, the first of those that differ from it by rounding alone."""
    lowest = min(losses)
    return next(i for i, loss in enumerate(losses) if loss <= lowest + ROUNDING * abs(lowest))


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
        model = (
            run.load_model(several=True) if is_run else None
        )  # the weights of a cross-validation are read once it is selected
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
        return networks_of(Run(self.path).load_model(several=True))

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
        ours, theirs, first_member, other = self.held_out, first.held_out, self.first, first.first
        reasons = {
            "another table": self.manifest.data.sha256 == first.manifest.data.sha256,
            "another target": ours.predictions.target.is_same(theirs.predictions.target),
            "other predictions, by its loss": predicted_by(first_member.loss) == predicted_by(other.loss),
            "another precision": first_member.network.precision == other.network.precision,
            "other missing_values": first_member.missing_values == other.missing_values,
            "another format of numbers": first_member.dialect == other.dialect,
            "other held-out rows": np.array_equal(ours.row_numbers, theirs.row_numbers)
            and np.array_equal(ours.y, theirs.y, equal_nan=ours.y.dtype.kind == theirs.y.dtype.kind == "f"),
            "other sample weights": _equal(ours.weights, theirs.weights),
            "other folds": np.array_equal(np.unique(ours.oof_mask, axis=0), np.unique(theirs.oof_mask, axis=0)),
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


def _equal(a: Floats | None, b: Floats | None) -> bool:
    return a is b if a is None or b is None else np.array_equal(a, b)


CONFIG_HEADER = """\
# The configuration of trial {number}, which has the largest weight in this ensemble: nncli tune selected the networks
# from {candidates:,} trials. Training this configuration gives another model.
"""


def write_ensemble_run(
    selected: Sequence[FinishedTrial],
    record: SelectionRecord,
    scored: Predictions,
    output: Path,
    command: Sequence[str],
) -> Path:
    """Write the run directory under a temporary name, rename it, and return its path.

    The `selected` trials have the weights of the `record`; `scored` are the predictions that the run is scored by.

    Raises:
        DataError: the table has changed.
        NncliError: the directory cannot be written.
    """
    config, manifest = selected[0].read_config(), selected[0].manifest
    header = CONFIG_HEADER.format(number=selected[0].number, candidates=record.candidates)
    recorded = with_recorded_features(config, time_is_feature=manifest.time_is_feature)
    parent = existing_parent(output)
    with table_copies(recorded, parent), Scratch(parent) as scratch, Run.temporary(output) as run:
        check_tables_unchanged(recorded, manifest)
        data = EnsembleData.of(recorded, scratch, all_columns=True)  # other trials may use columns that it drops
        with batched_fsync():
            ensemble = _write_members(run.path, selected, [trial.picks for trial in record.trials])
            networks = tuple(member for trial in selected for member in trial.held_out.members)
            held_out = replace(selected[0].held_out, predictions=scored, members=networks)
            card = validation_card(held_out.scored(ensemble.spec.loss), data.config.seed, optimistic=False)
            is_common, training_rows = bool(held_out.oof_mask.all()), data.used_rows
            if is_common:
                training_rows = np.setdiff1d(training_rows, data.held_out(data.config))
            training = training_scores(data, ensemble, training_rows)
            BuiltEnsemble(ensemble, (0,), training, card, held_out, out_of_fold=not is_common).save(run, data)
        counts = {"training_rows": len(training_rows), "has_common_validation": is_common}
        finished = _manifest(selected, ensemble, held_out, command).model_copy(update={"selection": record, **counts})

        def finish(path: Path) -> None:
            run.save_config(config.model_copy(update={"output": str(path)}), header)
            run.save_manifest(finished)

        return run.rename_to_free_name(output, finish).path


def _write_members(folder: Path, trials: Sequence[FinishedTrial], counts: Sequence[int]) -> Ensemble:
    """Copy the networks of trials, and return their mean, in which each trial has the weight of its picks."""
    members, weights = list[Model](), list[float]()
    smallest = min(share for trial in trials for share in trial.shares)
    for trial, count in zip(trials, counts, strict=True):
        for network, source, share in zip(trial.load_networks(), trial.folders, trial.shares, strict=True):
            run = Run(folder / member_folder(len(members)))
            run.path.mkdir(parents=True)
            for name in (CONFIG, WEIGHTS, HISTORY, METRICS, *([HEALTH] if (source / HEALTH).exists() else [])):
                write_bytes(run.path / name, read_file(source, name, LARGEST_FILE), in_place=True)
            run.save_spec(network.spec)
            run.save_manifest(read_manifest(source))
            members.append(network)
            weights.append(count * (share / smallest))
    target = trials[0].held_out.predictions.target
    target = target.joint([target], None)
    spec = joint_spec(members, target)
    if len(set(weights)) > 1:
        spec = spec.model_copy(update={"weights": tuple(weights)})
    return Ensemble(spec, tuple(members))


def _manifest(
    trials: Sequence[FinishedTrial],
    ensemble: Ensemble,
    held_out: HeldOutRows,
    command: Sequence[str],
) -> Manifest:
    """The manifest; its times are those of the trials, so that the same trials give the same bytes."""
    manifests = [trial.manifest for trial in trials]
    first, finished = manifests[0], [manifest.finished for manifest in manifests if manifest.finished is not None]
    fields = {name: getattr(first, name) for name in Manifest.model_fields}
    return Manifest(
        **{
            **fields,
            "status": "done",
            "nncli_version": __version__,
            "command": command_line(command) or first.command,
            "started": min(manifest.started for manifest in manifests),
            "finished": max(finished, default=None),
            "seconds": round(sum(manifest.seconds or 0.0 for manifest in manifests), 3),
            "validation_rows": held_out.total,
            "features": len(ensemble.names),
            "parameters": sum(member.spec.network.layout.size for member in ensemble.members),
            "members": len(ensemble.members),
            "epochs": max(manifest.epochs for manifest in manifests),
            "best_epoch": max(manifest.best_epoch for manifest in manifests),
            "time_limit": None,
            "plugins": tuple(dict.fromkeys(record for manifest in manifests for record in manifest.plugins)),
            "lengthened": (),
            "files": {},
            "checksum": "",
        }
    )

"""Building an ensemble of trained members: the epochs, the temperature, and scores of rows that chose neither.

Where the members kept snapshots, the epoch is the one with the best value on the out-of-fold rows of all members. For
scoring, the rows of each fold are predicted at the epoch, and with the temperature, that the other folds choose; of few
rows, parts of a fold are.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from nncli.base.atomic_files import batched_fsync
from nncli.base.findings import Finding, FindingCode, note, warnings_json
from nncli.base.spec import MAX_MEMBERS
from nncli.data.sample_weights import class_weights
from nncli.fitting.checks.scores import check_scores
from nncli.fitting.ensemble.out_of_fold import (
    EnsembleData,
    LabeledRows,
    OutOfFoldPredictions,
    averages_cycles,
    has_joint_epoch,
    predict_table,
)
from nncli.fitting.prepare.validation import calibration_of, monitor_name
from nncli.fitting.train.session import START
from nncli.models.ensemble import Ensemble, EnsembleSpec
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import Model, ModelSpec
from nncli.models.predictions import Predictions
from nncli.models.scores import Averaging, ScoreCard, score, scores_json, training_sample, validation_card
from nncli.nn.parameters import Parameters
from nncli.nn.training.early_stopping import part_numbers
from nncli.run_directory.filenames import CHECKPOINTS, LOCK
from nncli.run_directory.history_and_metrics import read_history
from nncli.run_directory.loader import damaged, parse_weights, read_file, read_model, read_spec, weights_size
from nncli.run_directory.manifest import (
    HELD_OUT,
    HISTORY,
    MANIFEST,
    METRICS,
    SNAPSHOTS,
    WEIGHTS,
    member_folder,
    snapshot_file,
)
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import log_loss
from nncli.targets.metrics.registry import higher_is_better
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS, TemperatureFit, smoothed_log_loss
from nncli.targets.target import Target


@dataclass(frozen=True)
class Candidate:
    """The members after an epoch, 0 for the best epoch of each.

    `predictions` are those of their validation rows, None before they are computed. `recorded` are the predictions of
    these rows that the members kept for scoring; None: the same. By a `shrinkage` above 0 the outputs of the members
    are moved towards the constants from which their trainings started.
    """

    epoch: int
    members: tuple[Model, ...]
    recorded: tuple[Predictions, ...] | None = None
    predictions: tuple[Predictions, ...] | None = None
    shrinkage: float = 0.0


@dataclass(frozen=True)
class BuiltEnsemble:
    """An ensemble with its scores and its calibration.

    `candidates` are the numbers of the candidates whose members are averaged, the best one first, and `held_out` are
    the rows that are scored, with the predictions of each member; `member_scores` are their scores. The rows are
    `out_of_fold` unless all members have the same. The `choice` is that of the candidates; its rows are scored
    `optimistic` if they chose something themselves. By the `shrinkage` the outputs of the members were moved towards
    the constants at the start of their trainings.
    """

    ensemble: Ensemble
    candidates: tuple[int, ...]
    training_scores: ScoreCard
    validation_scores: ScoreCard | None = None
    held_out: HeldOutRows | None = None
    member_scores: tuple[ScoreCard, ...] = ()
    calibration: TemperatureFit | None = None
    out_of_fold: bool = True
    choice: EpochChoice | None = None
    optimistic: bool = False
    shrinkage: float = 0.0

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The warnings about the scores, and a note on the shrinkage."""
        rows: Literal["out-of-fold", "validation"] = "out-of-fold" if self.out_of_fold else "validation"
        scores = self.validation_scores
        if scores is None:
            return check_scores(self.training_scores, "training")
        # The temperature divides the logits, and may undo most of it.
        moved = 1.0 - (1.0 - self.shrinkage) / self.ensemble.spec.temperature
        if not self.shrinkage or moved < LEAST_MOVED:
            return check_scores(scores, rows)
        message = (
            f"the outputs are moved {moved:.0%} of the way to those of the best constant prediction, which "
            f"lowers the loss of the {rows} rows"
        )
        hint = "More rows, or columns that tell more about the target, let the model rely on what it learned."
        return (*check_scores(scores, rows), note(FindingCode.SHRUNKEN_OUTPUTS, message, hint=hint))

    def save(self, run: Run, data: EnsembleData, more: Mapping[str, object] = MappingProxyType({})) -> None:
        """Write all files of a run but the configuration and the manifest, with `more` in its metrics.json."""
        validation = scores_json(self.validation_scores)
        if validation is not None:
            by = "the members that held the row out" if self.out_of_fold else "all members"
            validation = {**validation, "predicted_by": by}
        metrics = {
            "training": scores_json(self.training_scores),
            "validation": validation,
            "findings": warnings_json([*data.findings, *self.warnings]),
            **({"shrinkage": self.shrinkage} if self.shrinkage else {}),
            **more,
            **({"calibration": asdict(self.calibration)} if self.calibration else {}),
        }
        with batched_fsync():
            run.save_metrics(metrics)
            run.save_spec(self.ensemble.spec)
            run.save_training_rows(data.record_rows(self.ensemble))
            run.save_reference(data.reference(self.ensemble, self.held_out))
            if self.held_out is not None:
                run.save_held_out(self.held_out.bounded(data.config.seed))


def build_ensemble(data: EnsembleData, candidates: Sequence[Candidate]) -> BuiltEnsemble:
    """Build the ensemble of trained members, calibrate it if configured, and score it.

    It is scored on the training rows, and on the validation rows, each predicted by the members that did not train on
    it: by all members where these have the same validation rows.
    """
    spec = ensemble_spec(data, len(candidates[0].members))
    choice = EpochChoice.of(data, candidates)
    if choice is None:
        ensemble = Ensemble(spec, candidates[0].members)
        return BuiltEnsemble(ensemble, (0,), training_scores(data, ensemble, data.training_rows))
    return built_by(choice, data, optimistic=choice.is_optimistic(candidates))


def built_by(choice: EpochChoice, data: EnsembleData, *, optimistic: bool) -> BuiltEnsemble:
    """The ensemble of the candidates of a choice, scored on its rows."""
    chosen, temperature, validation, calibration = choice.result()
    predictions = OutOfFoldPredictions.joined([choice.actual[i] for i in chosen])
    uncalibrated = predictions.ensemble
    ensemble = replace(uncalibrated, spec=uncalibrated.spec.model_copy(update={"temperature": temperature}))
    rows, training = predictions.rows, data.truth(data.table.take(data.training_rows))
    scored = data.scored_rows(rows, training, validation)
    averaging = predictions.averaging(temperature, scored)
    scored = replace(scored, averaging=averaging)
    card = validation_card(scored, data.config.seed, optimistic=optimistic)
    if not data.has_common_validation:
        baseline = data.cross_fitted_baseline(rows, choice.parts, scored.baseline)
        card = replace(card, cross_fitted_baseline=score(baseline, rows.y, rows.weights, data.loss))
    return BuiltEnsemble(
        ensemble=ensemble,
        candidates=chosen,
        training_scores=training_scores(data, ensemble, data.training_rows),
        validation_scores=card,
        held_out=predictions.held_out_rows(scored, training.y),
        member_scores=tuple(
            data.scored_rows(rows.take(positions), training, of_member).card()
            for positions, of_member in zip(predictions.positions, predictions.member_predictions, strict=True)
        ),
        calibration=calibration and _averaged(calibration, averaging),
        out_of_fold=not data.has_common_validation,
        choice=choice,
        optimistic=optimistic,
        shrinkage=choice.shrinkages[chosen[0]],
    )


def ensemble_spec(data: EnsembleData, members: int) -> EnsembleSpec:
    """The specification of an ensemble before it is calibrated."""
    return EnsembleSpec(
        members=members,
        target=data.target,
        loss=data.loss,
        missing_values=data.config.data.missing_values,
        dialect=data.table.header.dialect,
    )


SHRINKAGES = (0.25, 0.5, 0.75, 0.9)
"""Shares of the way from the outputs to the constants that they were before the first step.

With a share of 1 all rows would have the same prediction.
"""
LEAST_MOVED = 0.05
"""Share of the way to the constants below which no note is given."""
MAX_STANDARD_ERRORS = 2.0
"""Standard errors of the mean difference of losses by which an averaged candidate may be worse than the best."""


FEWEST_PARTS, MAX_SPLIT_ROWS = 24, 500
"""Parts of few out-of-fold rows. If a whole fold of 45 rows has no say, others are chosen than by all rows."""


def parts_of_folds(folds: npt.NDArray[np.int64], *, splits: bool) -> npt.NDArray[np.int64]:
    """The part of each row (rows,): its fold; those of few rows are split if the rows do not belong together."""
    if not splits or len(folds) > MAX_SPLIT_ROWS:
        return folds
    pieces = -(-FEWEST_PARTS // len(np.unique(folds)))
    within = np.zeros_like(folds)
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        within[rows] = np.arange(len(rows)) % pieces
    return folds * pieces + within


def standard_error(values: npt.NDArray[np.float64]) -> float:
    """The standard error of the mean of values (rows,); 0 for a single one."""
    return float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0


@dataclass(frozen=True)
class EpochChoice:
    """The choice of a candidate and a temperature by out-of-fold rows, for all rows or for those of other folds.

    `actual` are the out-of-fold predictions of each candidate, `scored` the same or those that the members recorded.
    With `averages` all candidates are chosen that are about as good as the best. `class_weight` (classes,) are the
    weights of the training loss, or None. `parts` (rows,) numbers the part of each row, see `parts_of_folds`; where the
    members hold out no folds it is one of five. `shrinkages` are those of the candidates: first all
    without one, then the same with each one.
    """

    monitor: str
    calibrates: bool
    class_weight: npt.NDArray[np.float64] | None
    parts: npt.NDArray[np.int64]
    actual: tuple[OutOfFoldPredictions, ...]
    scored: tuple[OutOfFoldPredictions, ...]
    averages: bool = False
    shrinkages: tuple[float, ...] = ()

    @classmethod
    def of(cls, data: EnsembleData, candidates: Sequence[Candidate]) -> EpochChoice | None:
        """The choice among candidates; None if there are no validation rows."""
        spec = ensemble_spec(data, len(candidates[0].members))
        new = [candidate.members for candidate in candidates if candidate.predictions is None]
        computed = iter(data.predict_validation_rows(new) if new else ())
        actual = [
            data.out_of_fold(Ensemble(spec, candidate.members), candidate.predictions or next(computed))
            for candidate in candidates
        ]
        scored = [
            data.out_of_fold(Ensemble(spec, candidate.members), candidate.recorded) if candidate.recorded else same
            for candidate, same in zip(candidates, actual, strict=True)
        ]
        if actual[0] is None:
            return None
        first = actual[0]
        if data.config.bagging_mode == "folds":
            are_alone = first.rows.groups is None and data.config.data.time is None
            parts = parts_of_folds(first.oof_mask.argmax(axis=0), splits=are_alone)
        else:
            parts = part_numbers(len(first.rows.y))
        return cls(
            monitor=monitor_name(data.config, type(data.target), has_validation=True),
            calibrates=data.target.calibrates(calibration_of(data.config, data.target, has_validation=True)),
            class_weight=_class_weights(data),
            parts=parts,
            actual=tuple(value for value in actual if value is not None),
            scored=tuple(value for value in scored if value is not None),
            averages=averages_cycles(data.config),
            shrinkages=tuple(candidate.shrinkage for candidate in candidates),
        )

    @property
    def n_rows(self) -> int:
        """The number of validation rows."""
        return len(self.parts)

    def is_optimistic(self, candidates: Sequence[Candidate]) -> bool:
        """Whether rows are scored at an epoch or with a temperature that they chose."""
        first = candidates[0]
        chosen_by_members = first.epoch == 0 and first.recorded is None and self.monitor != "loss"
        return chosen_by_members or len(np.unique(self.parts)) < 2

    def result(self) -> tuple[tuple[int, ...], float, Predictions, TemperatureFit | None]:
        """The candidates, the temperature, the predictions for scoring, and the calibration.

        The temperature is 1 unless the temperatures that fit the other parts lower the log loss.
        """
        chosen, temperature = self.choose(self.actual, np.ones(self.n_rows, np.bool_))
        uncalibrated, calibrated = self.cross_fit()
        rows = self.actual[0].rows
        if not self.calibrates:
            return chosen, temperature, uncalibrated, None
        scaling = calibrated.target.calibration
        y, P, weights = scaling.as_classes(rows.y, uncalibrated.values, rows.weights)
        _, at_temperature, _ = scaling.as_classes(rows.y, calibrated.values, rows.weights)
        if log_loss(y, at_temperature, weights) >= log_loss(y, P, weights):
            temperature, calibrated, at_temperature = 1.0, uncalibrated, P
        calibration = TemperatureFit.of(temperature, y, P, at_temperature, weights)
        return chosen, temperature, calibrated, calibration

    def choose(
        self, among: Sequence[OutOfFoldPredictions], rows: npt.NDArray[np.bool_]
    ) -> tuple[tuple[int, ...], float]:
        """The candidate with the best value on some rows, the last of equals, and the temperature that fits them.

        With `averages`, the other candidates follow whose loss is at most MAX_STANDARD_ERRORS above that of the best.
        All of them get the shrinkage with the least loss.
        """
        unshrunk = [i for i, shrinkage in enumerate(self.shrinkages) if not shrinkage]
        values = [self._value(among[i], rows) for i in unshrunk] if len(unshrunk) > 1 else [0.0]
        best = unshrunk[len(values) - 1 - int(np.argmin(values[::-1]))]
        chosen: tuple[int, ...] = (best,)
        if self.averages and len(unshrunk) > 1:
            losses = {i: self._losses(among[i], rows)[rows] for i in unshrunk}
            differences = {i: loss - losses[best] for i, loss in losses.items() if i != best}
            chosen += tuple(
                i
                for i, difference in differences.items()
                if difference.mean() <= MAX_STANDARD_ERRORS * standard_error(difference)
            )
        shrunk = [tuple(i + start for i in chosen) for start in range(0, len(self.shrinkages), len(unshrunk))]
        joined = [OutOfFoldPredictions.joined([among[i] for i in group]) for group in shrunk]
        means = [self._losses(whole, rows)[rows].mean() for whole in joined] if len(shrunk) > 1 else [0.0]
        least = int(np.argmin(means))
        return shrunk[least], joined[least].temperature(rows) if self.calibrates else 1.0

    def row_losses(self) -> list[npt.NDArray[np.float64]]:
        """The training loss of each validation row (rows,) for each candidate, at the temperature that fits all rows.

        Weighted rows count by their weights.
        """
        every = np.ones(self.n_rows, np.bool_)
        return [self._losses(predictions, every) for predictions in self.actual]

    def _losses(self, predictions: OutOfFoldPredictions, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """The training loss of each validation row, at the temperature that fits some `rows`; see `row_losses`."""
        temperature = predictions.temperature(rows) if self.calibrates else 1.0
        losses = _row_losses(predictions, predictions.rows, predictions.predicted(temperature))
        weights = self._weighted(predictions.rows).weights
        return losses if weights is None else losses * weights / weights.mean()

    def cross_fit(self) -> tuple[Predictions, Predictions]:
        """Predict the rows of each part by the candidates that the other parts choose, without and with temperature."""
        uncalibrated = calibrated = self.scored[0].predicted(1.0)
        for part in np.unique(self.parts):
            in_part = self.parts == part
            chosen, temperature = self.choose(self.scored, ~in_part if not in_part.all() else in_part)
            whole = OutOfFoldPredictions.joined([self.scored[i] for i in chosen])
            uncalibrated = uncalibrated.with_rows(in_part, whole.predicted(1.0).take(in_part))
            calibrated = calibrated.with_rows(in_part, whole.predicted(temperature).take(in_part))
        return uncalibrated, calibrated

    def _value(self, predictions: OutOfFoldPredictions, rows: npt.NDArray[np.bool_]) -> float:
        """The monitored value of some rows; lower is better."""
        labeled = predictions.rows.take(np.flatnonzero(rows))
        spec = predictions.ensemble.spec
        if self.monitor == f"val_{CALIBRATED_LOG_LOSS.name}":
            P = predictions.predicted(predictions.temperature(rows)).values[rows]
            return smoothed_log_loss(*spec.target.calibration.as_classes(labeled.y, P, labeled.weights))
        predicted = predictions.predicted(1.0).take(rows)
        if self.monitor == "val_loss":
            labeled = self._weighted(labeled)
            return float(np.average(_row_losses(predictions, labeled, predicted), weights=labeled.weights))
        name = self.monitor.removeprefix("val_")
        value = spec.target.metric(name)(labeled.y, predicted.values, labeled.weights)
        return -value if higher_is_better(name) else value

    def _weighted(self, rows: LabeledRows) -> LabeledRows:
        """Rows with the weights of their classes."""
        if self.class_weight is None:
            return rows
        return replace(rows, weights=self.class_weight[rows.y] * (1.0 if rows.weights is None else rows.weights))


def training_scores(data: EnsembleData, ensemble: Ensemble, positions: npt.NDArray[np.int64]) -> ScoreCard:
    """The scores of an ensemble on a sample of the rows at these positions, those that a member is trained on."""
    used = data.table.take(positions[training_sample(len(positions), data.config.seed)])
    rows = data.truth(used)
    return data.scored_rows(rows, rows, predict_table(ensemble, used, data.target)).card()


def _averaged(calibration: TemperatureFit, averaging: Averaging | None) -> TemperatureFit:
    """The log losses with the expected gain of averaging, as in the scores."""
    if averaging is None:
        return calibration
    factor = averaging.factors[0]
    before, after = calibration.log_loss_before * factor, calibration.log_loss_after * factor
    return replace(calibration, log_loss_before=before, log_loss_after=after)


def _class_weights(data: EnsembleData) -> npt.NDArray[np.float64] | None:
    if data.config.class_weight is None:
        return None
    return class_weights(data.config.class_weight, data.target.labels, data.truth(data.table.take(data.used_rows)).y)


def _row_losses(
    predictions: OutOfFoldPredictions, rows: LabeledRows, predicted: Predictions
) -> npt.NDArray[np.float64]:
    """The training loss of each row (rows,), in the scale of the first member's target."""
    target, loss = predictions.ensemble.members[0].spec.target, predictions.ensemble.spec.loss
    with np.errstate(all="ignore"):
        return np.asarray(loss.per_row(predicted.points, target.loss_targets(rows.y), scale=target.scale))


def read_candidates(
    run: Path, data: EnsembleData, earlier: Mapping[int, Candidate] | None = None, max_epoch: int | None = None
) -> list[Candidate]:
    """The candidates of an ensemble whose members are done, in the order of their epochs, up to `max_epoch`.

    If one epoch is chosen for all members, these are the epochs of which every member kept the weights, read unless
    they are among the `earlier` ones. Otherwise, and where an older version began the training, there is one candidate,
    of the best epoch of each member.

    Raises:
        RunError: a file of a member is missing or damaged.
    """
    folders = [run / member_folder(i) for i in range(data.config.n_members)]
    joint = has_joint_epoch(data.config)
    epochs = set.intersection(*(snapshot_epochs(folder) for folder in folders)) if joint else set()
    if not epochs:
        return [_read_best(folders, data)]
    specs = [read_spec(folder, Run(folder).load_manifest()) for folder in folders]

    def read(epoch: int) -> Candidate:
        models = (Model(spec, read_snapshot(folder, epoch, spec)) for folder, spec in zip(folders, specs, strict=True))
        return Candidate(epoch, tuple(models))

    ends = [epoch for epoch in sorted(epochs) if epoch and (max_epoch is None or epoch <= max_epoch)]
    candidates = [(earlier or {}).get(epoch) or read(epoch) for epoch in ends]
    if START not in epochs or max_epoch is not None:
        return candidates
    starts = read(START).members
    return candidates + [
        Candidate(
            candidate.epoch,
            tuple(_shrunk(model, start, share) for model, start in zip(candidate.members, starts, strict=True)),
            shrinkage=share,
        )
        for share in SHRINKAGES
        for candidate in candidates
    ]


def _shrunk(model: Model, start: Model, share: float) -> Model:
    """The model with each output moved by a share of the way to that at the start of its training, a constant."""
    parameters = model.parameters.layout.empty(model.spec.network.precision)
    parameters.copy_from(model.parameters)
    p, constant = parameters.by_name, start.parameters.by_name["output.bias"]
    p["output.weight"][...] *= 1.0 - share
    p["output.bias"][...] += share * (constant - p["output.bias"])
    return Model(model.spec, parameters)


def _read_best(folders: list[Path], data: EnsembleData) -> Candidate:
    """The members at the best epoch of each."""
    rows = [len(data.held_out(member)) for member in data.members]
    if data.validation_table is not None:
        rows = [len(data.validation_table)] * len(folders)
    recorded = [_recorded(folder, data.target, count) for folder, count in zip(folders, rows, strict=True)]
    all_recorded = tuple(candidate for candidate in recorded if candidate is not None)
    members = tuple(read_model(folder) for folder in folders)
    return Candidate(0, members, all_recorded if len(all_recorded) == len(members) else None)


def _recorded(folder: Path, target: Target, rows: int) -> Predictions | None:
    """The scored predictions that a member kept of all its validation rows, with the classes of `target`."""
    held_out = Run(folder).load_held_out()
    if held_out is None or held_out.is_sample:
        return None
    if held_out.total != rows:
        raise damaged(folder, HELD_OUT, "the file does not hold the validation rows of this member")
    return held_out.predictions.aligned(target)


def save_members(run: Path, built: BuiltEnsemble, epochs: Sequence[int]) -> None:
    """Make the weights at the ends of the chosen cycles those of the members, with scores, history and manifest.

    The members that were trained get the weights after the first of the `epochs`. For each of the others, copies of
    their directories follow. The validation rows of a member are among those that chose the epochs: its own scores are
    optimistic.
    """
    assert built.held_out is not None  # its rows chose the epochs
    members = len(built.ensemble.members) // len(epochs)
    for i, (model, scores) in enumerate(zip(built.ensemble.members, built.member_scores, strict=True)):
        cycle, trained = divmod(i, members)
        source, member, epoch = Run(run / member_folder(trained)), Run(run / member_folder(i)), epochs[cycle]
        manifest, held_out = source.load_manifest(), built.held_out.of_member(i)
        if cycle:
            copy_member(source, member.path)
        else:
            kept = _recorded(member.path, held_out.predictions.target, len(held_out))
            if (
                manifest.best_epoch == epoch
                and kept is not None
                and np.array_equal(kept.points, held_out.predictions.points)
            ):
                continue
            member.save_manifest(manifest.model_copy(update={"status": "running"}))  # killed here, it is resumed
        history = read_history(source.path, manifest)
        reports = [
            replace(report, is_best=report.epoch == epoch or (report.is_best and report.epoch < epoch))
            for report in history.reports
        ]
        with batched_fsync():
            member.save_weights(model.parameters)
            member.save_held_out(held_out.with_target(model.spec.target).bounded(manifest.seed))
            member.save_metrics({"training": None, "validation": scores_json(scores)})
            member.save_history(reports, history.metric)
        member.save_manifest(manifest.model_copy(update={"best_epoch": epoch}))


def copy_member(member: Run, folder: Path) -> None:
    """Copy the run directory of a member that is done, without what differs and the states of its training.

    Without a manifest the copy is not done.
    """
    apart = (MANIFEST, WEIGHTS, HELD_OUT, METRICS, HISTORY, CHECKPOINTS, SNAPSHOTS, LOCK)
    shutil.copytree(member.path, folder, ignore=shutil.ignore_patterns(*apart))


def remove_copied_members(run: Path, trained: int) -> None:
    """Remove the copies of `trained` members, before these are trained further or chosen anew."""
    copies = iter(range(trained, MAX_MEMBERS))
    while (folder := run / member_folder(next(copies))).is_dir():
        shutil.rmtree(folder)


def snapshot_epochs(folder: Path) -> set[int]:
    """The epochs of which the run in `folder` keeps the weights."""
    return {int(file.stem) for file in (folder / SNAPSHOTS).glob("*.safetensors") if file.stem.isdecimal()}


def read_snapshot(folder: Path, epoch: int, spec: ModelSpec) -> Parameters:
    """Read the weights that a training kept after an epoch.

    Raises:
        RunError: the file is missing, damaged, or of another network.
    """
    name = snapshot_file(epoch)
    return parse_weights(folder, name, read_file(folder, name, weights_size(spec)), spec)

"""The end of a training: its model is calibrated and scored, and written to a run directory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from nncli.base.atomic_files import batched_fsync
from nncli.base.findings import Finding, warnings_json
from nncli.base.logs import log_duration
from nncli.data.sample_weights import Weights
from nncli.fitting.checks.scores import check_scores
from nncli.fitting.prepare.encode import PreparedRows
from nncli.fitting.prepare.prepare import PreparedTraining
from nncli.models.held_out_rows import HeldOutRows, MemberPredictions
from nncli.models.model import Model, decode
from nncli.models.predictions import Predictions, stack_predictions
from nncli.models.scores import (
    MAX_TRAINING_ROWS,
    ScoreCard,
    ScoredRows,
    baseline_predictions,
    card_of_targets,
    scores_json,
    training_sample,
    validation_card,
)
from nncli.nn.training.divergence import LOWER_RATE
from nncli.nn.training.early_stopping import CrossFit, number_of_parts, part_numbers
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport
from nncli.nn.training.state import TrainState
from nncli.run_directory.manifest import Manifest, Status
from nncli.run_directory.monitoring.reference import reference_of
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import log_loss
from nncli.targets.metrics.temperature_scaling import TemperatureFit, fit_temperature
from nncli.targets.target_base import Truth


class RunWriter:
    """Calibrates and scores the model of a training, and writes its run directory; the manifest is written last."""

    def __init__(
        self,
        prepared: PreparedTraining,
        run_directory: Run,
        state: TrainState,
        reports: list[EpochReport],
        health: list[Health],
        manifest: Manifest,
    ) -> None:
        self.prepared, self.state, self.reports, self.health = prepared, state, reports, health
        self.directory, self.manifest = run_directory, manifest
        self._model = Model(prepared.spec, state.best)
        self._temperature = 1.0
        self._is_scored_by_another = False
        """Whether another network predicts the rows that are scored."""
        self._held_out: HeldOutRows | None = None
        """The rows that another network has predicted."""
        self.start_time = time.perf_counter()

    def score(self) -> TrainingScores:
        """Calibrate the model of the best epoch if configured, score it, and write metrics.json.

        Raises:
            DivergedError: its output is not finite.
        """
        training, validation = self.prepared.training, self.prepared.validation
        with log_duration("scoring"):
            self._choose_weights()
            sample = self.training_sample()
            predictions = self.predict(sample)
            if not is_finite(predictions):
                raise non_finite_output(self.state.epoch)
            cross_fitted, held_out, card, seed = None, self._held_out, None, self.prepared.config.seed
            if held_out is not None:  # another network predicted these rows, which they were kept from
                distilled, scored = self.prepared.distilled, held_out.scored(self.prepared.spec.loss)
                card = validation_card(scored, seed, optimistic=distilled is not None and distilled.optimistic)
            if validation is not None:
                at_best_epoch = self.predict(validation)
                cross_fitted = cross_fit_predictions(self.prepared, validation, at_best_epoch, self.state.cross_fit)
                self._temperature = cross_fitted.temperature
                predictions = predictions.with_temperature(self._temperature)
                scored = self._scored_rows(validation, cross_fitted.predictions)
                member = MemberPredictions(np.arange(len(validation)), at_best_epoch)
                numbers, categories = validation.row_numbers, self.prepared.categories
                held_out = HeldOutRows.of(scored, numbers, [member], training.y, categories).bounded(seed)
                card = validation_card(scored, seed, optimistic=cross_fitted.optimistic)
            if held_out is not None:
                self.directory.save_held_out(held_out)
            self._save_reference(held_out)
            scores = TrainingScores(self._scored_rows(sample, predictions).card(), card)
        self._save_scores(scores, None if cross_fitted is None else cross_fitted.calibration)
        return scores

    def _save_scores(self, scores: TrainingScores, calibration: TemperatureFit | None = None) -> None:
        """Write metrics.json."""
        warnings = scores.warnings if self._end_status() == "done" else ()
        metrics = {
            "training": scores_json(scores.training),
            "validation": scores_json(scores.validation),
            "findings": warnings_json([*self.prepared.findings, *warnings]),
        }
        self.directory.save_metrics({**metrics, "calibration": asdict(calibration)} if calibration else metrics)

    def _save_reference(self, held_out: HeldOutRows | None) -> None:
        """Write the profile of the training rows, with the model's predictions of the rows held out, if any."""
        bins, rows = self.prepared.column_bins, len(self.prepared.training.dataset)
        if bins is None:
            return
        if held_out is None:
            self.directory.save_reference(reference_of(bins, rows, None))
            return
        predictions, members = held_out.one_member_a_row(self._temperature, self.prepared.config.seed)
        self.directory.save_reference(reference_of(bins, rows, predictions, members))

    def close(self, status: Status, *, keep_weights: bool) -> None:
        """Write the model, the history and the manifest."""
        config = self.prepared.config
        with batched_fsync():
            # Both were written at the start, but may have been deleted since.
            self.directory.save_spec(self.prepared.spec.model_copy(update={"temperature": self._temperature}))
            self.directory.restore_config(config)
            if keep_weights:
                self.directory.save_weights(self._model.parameters)
            else:
                self.directory.drop_weights()
            self.directory.save_history(self.reports, self._metric)
            self.directory.save_health(self.health)
        seconds = (self.manifest.seconds or 0.0) + time.perf_counter() - self.start_time
        update = {
            "status": status,
            "finished": self.manifest.end_time(),
            "seconds": round(seconds, 3),
            "epochs": self.state.epoch,
            "best_epoch": self._best_epoch,
            **({} if self._held_out is None else {"validation_rows": self._held_out.total}),
        }
        self.directory.save_manifest(self.manifest.model_copy(update=update))

    @property
    def _metric(self) -> str | None:
        """The name of the validation metric in the reports of epochs."""
        return self.prepared.validation_set.metric if self.prepared.validation_set else None

    @property
    def _best_epoch(self) -> int:
        """The best epoch so far, from 1; 0 before the first one is complete."""
        return self.state.early_stopping.best_epoch

    @property
    def _has_all_epochs(self) -> bool:
        """Whether all epochs are done, or early stopping has ended them."""
        arguments, state = self.prepared.arguments, self.state
        return state.epoch >= arguments.epochs or state.early_stopping.should_stop(arguments.patience)

    def _end_status(self) -> Literal["done", "stopped"]:
        """Whether the training is complete, or was stopped."""
        is_scored = not self._is_scored_by_another or self._held_out is not None
        return "done" if self._has_all_epochs and is_scored else "stopped"

    def _choose_weights(self) -> None:
        """Before the first complete epoch there is no best one: use the current weights if their output is finite.

        Otherwise the initial ones stay, since the current ones are diverging.
        """
        if self._best_epoch:
            return
        current = Model(self.prepared.spec, self.state.parameters)
        if is_finite(_predict(current, self.training_sample(), self.prepared.arguments.n_shards)):
            self.state.best.copy_from(self.state.parameters)

    def training_sample(self) -> PreparedRows:
        """The training rows that are scored."""
        training = self.prepared.training
        if len(training) <= MAX_TRAINING_ROWS:
            return training
        return training.take(training_sample(len(training), self.prepared.config.seed))

    def predict(self, rows: PreparedRows) -> Predictions:
        return _predict(self._model, rows, self.prepared.arguments.n_shards)

    def _scored_rows(self, rows: PreparedRows, predictions: Predictions) -> ScoredRows:
        training, spec = self.prepared.training, self.prepared.spec
        baseline = baseline_predictions(spec.target, training, rows, spec.loss)
        predictions = replace(predictions, context=rows.context)
        return ScoredRows(predictions, baseline, rows.y, rows.weights, spec.loss, rows.groups)


@dataclass(frozen=True)
class TrainingScores:
    """Scores on the training rows and, if there are any, the validation rows."""

    training: ScoreCard | None
    validation: ScoreCard | None

    @classmethod
    def of_targets(cls, targets: Sequence[TrainingScores]) -> TrainingScores:
        """The scores of several targets together."""
        sides = ([of_target.training for of_target in targets], [of_target.validation for of_target in targets])
        return cls(*(card_of_targets([*filter(None, cards)]) if all(cards) else None for cards in sides))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The warnings about the scores."""
        if self.training is None:
            return ()
        if self.validation is None:
            return check_scores(self.training, "training")
        return check_scores(self.validation, "validation")


def _predict(model: Model, rows: PreparedRows, threads: int) -> Predictions:
    """Predict encoded rows chunk by chunk."""
    dataset, context = rows.dataset, rows.context
    with np.errstate(all="ignore"):  # an overflow is seen in the predictions
        chunks = (
            model.predict_dataset(dataset.part(span), threads, None if context is None else context.take(span))
            for span in dataset.row_chunks()
        )
        predictions = stack_predictions(chunks, len(rows))
    assert predictions is not None  # there is at least one row
    return predictions


def is_finite(predictions: Predictions) -> bool:
    """Whether all predictions are finite numbers."""
    return bool(np.isfinite(predictions.points).all())


def non_finite_output(epoch: int) -> DivergedError:
    """The error of a network whose output is not finite."""
    return DivergedError(
        f"after epoch {epoch} the network's output is no longer a finite number; nothing was kept",
        hint=LOWER_RATE,
    )


@dataclass(frozen=True)
class CrossFittedPredictions:
    """Predictions for scoring, and the `temperature` of the model, fitted to all validation rows at its best epoch.

    `calibration` is None without temperature scaling. The predictions are `optimistic` if the rows themselves chose the
    epoch or the temperature: there is one row, the training began with an older version, or they chose the epoch of a
    teacher.
    """

    predictions: Predictions
    temperature: float
    calibration: TemperatureFit | None
    optimistic: bool


def cross_fit_predictions(
    prepared: PreparedTraining, rows: PreparedRows, at_best_epoch: Predictions, cross_fit: CrossFit | None
) -> CrossFittedPredictions:
    """The predictions of the validation rows, from those of the best epoch if these rows chose nothing.

    The temperature is 1 unless the temperatures that fit the other rows lower the log loss.
    """
    taught = prepared.distilled is not None and prepared.distilled.optimistic
    optimistic, uncalibrated = taught or prepared.arguments.monitor != "loss", at_best_epoch
    if cross_fit is not None and all(cross_fit.epochs):
        optimistic = taught
        with np.errstate(all="ignore"):
            uncalibrated = decode(prepared.spec, cross_fit.Z, rows.context)
    if not prepared.spec.target.calibrates(prepared.config.calibration):
        return CrossFittedPredictions(uncalibrated, 1.0, None, optimistic)
    temperature = _temperature(at_best_epoch, rows.y, rows.weights)
    calibrated, scaling = cross_fit_temperature(uncalibrated, rows), at_best_epoch.target.calibration
    y, P, weights = scaling.as_classes(rows.y, uncalibrated.values, rows.weights)
    _, at_temperature, _ = scaling.as_classes(rows.y, calibrated.values, rows.weights)
    if log_loss(y, at_temperature, weights) >= log_loss(y, P, weights):
        temperature, calibrated, at_temperature = 1.0, uncalibrated, P
    calibration = TemperatureFit.of(temperature, y, P, at_temperature, weights)
    return CrossFittedPredictions(calibrated, temperature, calibration, optimistic or len(rows) == 1)


def _temperature(predictions: Predictions, y: Truth, weights: Weights | None) -> float:
    """The temperature that fits the predictions of rows."""
    codes, P, of_cells = predictions.target.calibration.as_classes(y, predictions.values, weights)
    return fit_temperature(P, codes, of_cells)


def cross_fit_temperature(predictions: Predictions, rows: PreparedRows) -> Predictions:
    """Calibrate the predictions of each part of rows with the temperature that fits the other parts."""
    if number_of_parts(len(rows)) == 1:
        return predictions.with_temperature(_temperature(predictions, rows.y, rows.weights))
    number, points = part_numbers(len(rows)), predictions.points.copy()
    for part in range(number_of_parts(len(rows))):
        others, in_part = np.flatnonzero(number != part), np.flatnonzero(number == part)
        weights = None if rows.weights is None else rows.weights[others]
        T = _temperature(predictions.take(others), rows.y[others], weights)
        points[in_part] = replace(predictions, points=predictions.points[in_part]).with_temperature(T).points
    return replace(predictions, points=points)

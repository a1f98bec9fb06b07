"""Running a training session and writing its results to a run directory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from nncli.base.atomic_files import batched_fsync
from nncli.base.errors import Location, NncliError
from nncli.base.findings import Finding, FindingCode, warnings_json
from nncli.base.logs import log_duration, log_info
from nncli.config.schema import Checkpoint
from nncli.data.sample_weights import Weights
from nncli.fitting.checks.evidence import Evidence
from nncli.fitting.checks.scores import check_scores, of_targets
from nncli.fitting.checks.training_rules import LIVE, before_divergence, training_problems
from nncli.fitting.prepare.encode import PreparedRows
from nncli.fitting.prepare.prepare import PreparedTraining
from nncli.fitting.train.events import Event, Finished, HealthWarning, ScoredTraining, Started
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
from nncli.nn.training.epoch import DivergedError, LoopSignal
from nncli.nn.training.health import Health, HealthMonitor
from nncli.nn.training.loop import CheckpointDue, EpochReport, LearningRateHalved, fit
from nncli.nn.training.state import TrainState
from nncli.run_directory.checkpoints import save_checkpoint
from nncli.run_directory.manifest import MEMBERS, SCORED, Manifest, Status
from nncli.run_directory.monitoring.reference import reference_of
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import log_loss
from nncli.targets.metrics.temperature_scaling import TemperatureFit, fit_temperature
from nncli.targets.target_base import Truth

START, MAX_SHRUNK_ROWS = 0, 500
"""The epoch of the weights at the start of a training, and the most training rows of which these are kept.

An ensemble of few rows may move its outputs towards the constants that they were at the start; more rows carry what a
network learns. See fitting/ensemble/build.py.
"""


class TrainingSession:
    """One training, from its first or its latest checkpoint to its end, in a run directory.

    The manifest is written last; until then the run's status is "running", and it can be resumed from its latest
    checkpoint. `stop` is called after every batch; once it returns True, the training ends and is saved. Of a training
    on all rows, `predict_held_out` trains another network without some of them, and returns these with its predictions,
    or None if that was stopped.
    """

    def __init__(
        self,
        prepared: PreparedTraining,
        run_directory: Run,
        state: TrainState,
        reports: list[EpochReport],
        health: list[Health],
        manifest: Manifest,
        stop: Callable[[], bool],
        estimate: float | None = None,
        predict_held_out: Callable[[], HeldOutRows | None] | None = None,
    ) -> None:
        self._estimate, self._predict_held_out = estimate, predict_held_out
        self._held_out: HeldOutRows | None = None
        self._warned = {FindingCode.STRONG_PENALTY}  # whether it harms, the rows tell after the training
        self.prepared, self.state, self.reports, self.health = prepared, state, reports, health
        self.directory, self.manifest = run_directory, manifest
        self._timer = CheckpointTimer(prepared.config.checkpoint, run_directory.watched(stop))
        self._model = Model(prepared.spec, state.best)
        self._temperature = 1.0
        self.start_time = time.perf_counter()

    def run(self) -> Generator[Event, None, None]:
        """Train, yielding `Started`, an `EpochReport` per epoch, `Health`, and `Finished`; complete the run directory.

        Raises:
            DivergedError: the loss or the network's output is not finite; the best epoch before that is saved.
            NncliError: the run directory cannot be written.
        """
        try:
            self._log_execution()
            yield self._started()
            yield from self._train()
            self.checkpoint()
            if self._predict_held_out is not None and self._has_all_epochs:
                yield ScoredTraining(self.directory.path / SCORED)
                self._held_out = self._predict_held_out()
            status = self._end_status()
            is_scored = self._chooses_epoch and (status == "done" or not self._is_member)
            scores = self.score() if is_scored else self._leave_unscored()
            if targets := self._write_targets(status):
                scores = TrainingScores.of_targets([*targets.values()])
                self._save_scores(scores)
            self.close(status, keep_weights=True)
        except DivergedError as error:
            raise self._close_diverged(error) from None
        except BaseException as error:  # also a second stop signal, or a closed generator
            self._close_aborted(error)
            raise
        yield Finished(
            run=self.directory.path,
            status=status,
            epochs=self.state.epoch,
            best_epoch=self._best_epoch,
            seconds=time.perf_counter() - self.start_time,
            training=scores.training,
            validation=scores.validation,
            findings=(*scores.warnings, *of_targets({name: part.warnings for name, part in targets.items()}))
            if status == "done"
            else (),
            taught=self._taught,
            targets={name: (part.training, part.validation) for name, part in targets.items()},
        )

    def checkpoint(self) -> None:
        """Save the whole training state."""
        self.directory.check_in_place()
        save_checkpoint(
            self.directory.path,
            self.state,
            self.reports,
            owner=self.manifest.checkpoint_owner,
            keep=self.prepared.config.checkpoint.keep,
            health=self.health,
        )
        self._timer.restart()

    @property
    def _is_member(self) -> bool:
        """Whether the network is a member of an ensemble."""
        return self.directory.path.parent.name == MEMBERS

    @property
    def _chooses_epoch(self) -> bool:
        """Whether the training chooses its epoch; with snapshots the ensemble does, which then scores its members."""
        return not self.prepared.arguments.snapshot_epochs

    def _leave_unscored(self) -> TrainingScores:
        """Write a metrics.json without scores."""
        self._choose_weights()
        findings = warnings_json(self.prepared.findings)
        self.directory.save_metrics({"training": None, "validation": None, "findings": findings})
        return TrainingScores(None, None)

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
            if not _is_finite(predictions):
                raise _non_finite_output(self.state.epoch)
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

    def _write_targets(self, status: Status) -> Mapping[str, TrainingScores]:
        """Write the run of each of several targets; a member of an ensemble has none."""
        from nncli.fitting.train.target_runs import write_target_runs  # which continues this class

        return {} if self._is_member else write_target_runs(self, status)

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
    def _taught(self) -> Literal["once", "refit"] | None:
        teacher = self.prepared.config.teacher
        return None if teacher is None else "refit" if teacher.refit else "once"

    @property
    def _metric(self) -> str | None:
        """The name of the validation metric in the reports of epochs."""
        return self.prepared.validation_set.metric if self.prepared.validation_set else None

    @property
    def _best_epoch(self) -> int:
        """The best epoch so far, from 1; 0 before the first one is complete."""
        return self.state.early_stopping.best_epoch

    def _log_execution(self) -> None:
        manifest, arguments = self.manifest, self.prepared.arguments
        log_info(
            f"computing: backend {manifest.backend}, threads {max(manifest.n_shards, manifest.blas_threads)} "
            f"(shards of a batch {manifest.n_shards}, of the BLAS {manifest.blas_threads}), "
            f"batch size {arguments.batch_size:,}"
        )

    def _started(self) -> Started:
        return Started(
            run=self.directory.path,
            training_rows=len(self.prepared.training),
            validation_rows=self.manifest.validation_rows,
            features=self.manifest.features,
            parameters=self.manifest.parameters,
            epochs=self.prepared.arguments.epochs,
            done=self.state.epoch,
            metric=self._metric,
            findings=self.prepared.findings,
            reports=tuple(self.reports),
            health=tuple(self.health),
            monitor=self.prepared.arguments.monitor,
            estimate=self._estimate,
        )

    def _train(self) -> Generator[Event, None, None]:
        """Run the training loop, saving a checkpoint whenever one is due."""
        state, reports = self.state, self.reports
        training = fit(
            self.prepared.arguments,
            state,
            self.prepared.fitted,
            self.prepared.validation_set,
            after_batch=self._timer.after_batch,
            max_batches=self._timer.batches_to_checkpoint,
        )
        with log_duration("training") as stage, closing(training):
            monitor = HealthMonitor(self.prepared.arguments, state, self.prepared.fitted)
            if state.step == 0:
                yield from self._measure(monitor)
                is_small = len(self.prepared.training.dataset) <= MAX_SHRUNK_ROWS
                if is_small and not self._chooses_epoch and self.prepared.spec.network.starts_constant:
                    self.directory.save_snapshot(START, state.parameters)
            for event in training:
                measured: Iterable[Event] = ()
                if isinstance(event, CheckpointDue):
                    self._save()
                    continue
                if isinstance(event, LearningRateHalved):
                    del reports[event.epoch :]
                    self.health[:] = [health for health in self.health if health.epoch <= event.epoch]
                if isinstance(event, EpochReport):
                    reports.append(event)
                    if monitor.is_due(event.epoch):
                        measured = tuple(self._measure(monitor))
                    if event.epoch in self.prepared.arguments.snapshot_epochs:  # before a checkpoint of this epoch
                        self.directory.save_snapshot(event.epoch, state.parameters)
                    if self._timer.after_epoch(event.epoch, state.step):
                        self._save()
                yield event
                yield from measured
            stage.details.append(f"{state.epoch:,} epochs, {state.step:,} steps")

    def _measure(self, monitor: HealthMonitor) -> Iterator[Event]:
        """Measure the health, and say what is clearly wrong for the first time, once the training has begun."""
        self.health.append(monitor.measure())
        yield self.health[-1]
        if not self.state.epoch:
            return
        for problem in training_problems(Evidence(self.prepared.config, self.health, self.reports), LIVE):
            if problem.code not in self._warned:
                self._warned.add(problem.code)
                path = self.directory.path
                run = path.parents[1] if path.parent.name == MEMBERS else path
                run = run.relative_to(Path.cwd()) if run.is_relative_to(Path.cwd()) else run
                yield HealthWarning(problem.finding(run))

    def _save(self) -> None:
        """Save a checkpoint, and the weights of the best epoch, which predict while the training goes on."""
        self.checkpoint()
        if self._best_epoch:
            self.directory.save_weights(self._model.parameters)

    @property
    def _has_all_epochs(self) -> bool:
        """Whether all epochs are done, or early stopping has ended them."""
        arguments, state = self.prepared.arguments, self.state
        return state.epoch >= arguments.epochs or state.early_stopping.should_stop(arguments.patience)

    def _end_status(self) -> Literal["done", "stopped"]:
        """Whether the training is complete, or was stopped."""
        is_scored = self._predict_held_out is None or self._held_out is not None
        return "done" if self._has_all_epochs and is_scored else "stopped"

    def _choose_weights(self) -> None:
        """Before the first complete epoch there is no best one: use the current weights if their output is finite.

        Otherwise the initial ones stay, since the current ones are diverging.
        """
        if self._best_epoch:
            return
        current = Model(self.prepared.spec, self.state.parameters)
        if _is_finite(_predict(current, self.training_sample(), self.prepared.arguments.n_shards)):
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

    def _close_diverged(self, error: DivergedError) -> DivergedError:
        """Close the run directory after divergence, and return the error that says what was kept."""
        keep_weights = self._best_epoch > 0 and _is_finite(self.predict(self.prepared.training))
        self.close("failed", keep_weights=keep_weights)
        if self._best_epoch and not keep_weights:
            error = _non_finite_output(self._best_epoch)
        if before := before_divergence(self.health):
            error.message += f"; {before}"
        error.location = Location(source=str(self.directory.path))
        return error

    def _close_aborted(self, error: BaseException) -> None:
        """Close the run directory after an error or a signal; a further error, such as a full disk, is suppressed."""
        is_signal = not isinstance(error, Exception)
        with suppress(NncliError, OSError, MemoryError):
            # After a signal there is no time to check the weights.
            keep_weights = self._best_epoch > 0 and (is_signal or _is_finite(self.predict(self.prepared.training)))
            self.close("stopped" if is_signal else "failed", keep_weights=keep_weights)


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


def _is_finite(predictions: Predictions) -> bool:
    return bool(np.isfinite(predictions.points).all())


def _non_finite_output(epoch: int) -> DivergedError:
    return DivergedError(
        f"after epoch {epoch} the network's output is no longer a finite number; nothing was kept",
        hint=LOWER_RATE,
    )


@dataclass
class CheckpointTimer:
    """Decides after every batch and every epoch whether a checkpoint is due."""

    checkpoint: Checkpoint
    stop: Callable[[], bool]
    saved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._steps, self._seconds = self.checkpoint.interval("step"), self.checkpoint.interval("s")
        self._epochs = self.checkpoint.interval("epoch")

    def restart(self) -> None:
        """Count the seconds to the next checkpoint from now on."""
        self.saved = time.monotonic()

    def after_batch(self, step: int) -> LoopSignal:
        """STOP when asked to, CHECKPOINT when one is due, else CONTINUE."""
        if self.stop():
            return LoopSignal.STOP
        if self._steps is not None:
            return LoopSignal.CHECKPOINT if step % self._steps == 0 else LoopSignal.CONTINUE
        return LoopSignal.CHECKPOINT if self._overdue() else LoopSignal.CONTINUE

    def batches_to_checkpoint(self, step: int) -> int:
        """The number of batches to the next checkpoint that is due at a step."""
        return sys.maxsize if self._steps is None else int(self._steps - step % self._steps)

    def after_epoch(self, epoch: int, step: int) -> bool:
        """Whether a checkpoint is due at the end of an epoch."""
        if self._epochs is not None:
            return epoch % self._epochs == 0
        return step % self._steps == 0 if self._steps is not None else self._overdue()

    def _overdue(self) -> bool:
        return self._seconds is not None and time.monotonic() - self.saved >= self._seconds


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

"""Running a training session and writing its results to a run directory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nncli.base.errors import Location, NncliError
from nncli.base.findings import FindingCode, warnings_json
from nncli.base.logs import log_duration, log_info
from nncli.config.schema import Checkpoint
from nncli.fitting.checks.evidence import Evidence
from nncli.fitting.checks.scores import of_targets
from nncli.fitting.checks.training_rules import LIVE, before_divergence, training_problems
from nncli.fitting.prepare.prepare import PreparedTraining
from nncli.fitting.train.events import Event, Finished, HealthWarning, ScoredTraining, Started
from nncli.fitting.train.run_writer import RunWriter, TrainingScores, is_finite, non_finite_output
from nncli.fitting.train.target_runs import write_target_runs
from nncli.models.held_out_rows import HeldOutRows
from nncli.nn.training.epoch import DivergedError, LoopSignal
from nncli.nn.training.health import Health, HealthMonitor
from nncli.nn.training.loop import CheckpointDue, EpochReport, LearningRateHalved, fit
from nncli.nn.training.state import TrainState
from nncli.run_directory.checkpoints import save_checkpoint
from nncli.run_directory.manifest import MEMBERS, SCORED, Manifest
from nncli.run_directory.run import Run

START, MAX_SHRUNK_ROWS = 0, 500
"""The epoch of the weights at the start of a training, and the most training rows of which these are kept.

An ensemble of few rows may move its outputs towards the constants that they were at the start; more rows carry what a
network learns. See fitting/ensemble/build.py.
"""


class TrainingSession(RunWriter):
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
        super().__init__(prepared, run_directory, state, reports, health, manifest)
        self._estimate, self._predict_held_out = estimate, predict_held_out
        self._is_scored_by_another = predict_held_out is not None
        self._warned = {FindingCode.STRONG_PENALTY}  # whether it harms, the rows tell after the training
        self._timer = CheckpointTimer(prepared.config.checkpoint, run_directory.watched(stop))

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
            targets = {} if self._is_member else write_target_runs(self, status)
            if targets:
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

    @property
    def _taught(self) -> Literal["once", "refit"] | None:
        teacher = self.prepared.config.teacher
        return None if teacher is None else "refit" if teacher.refit else "once"

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

    def _close_diverged(self, error: DivergedError) -> DivergedError:
        """Close the run directory after divergence, and return the error that says what was kept."""
        keep_weights = self._best_epoch > 0 and is_finite(self.predict(self.prepared.training))
        self.close("failed", keep_weights=keep_weights)
        if self._best_epoch and not keep_weights:
            error = non_finite_output(self._best_epoch)
        if before := before_divergence(self.health):
            error.message += f"; {before}"
        error.location = Location(source=str(self.directory.path))
        return error

    def _close_aborted(self, error: BaseException) -> None:
        """Close the run directory after an error or a signal; a further error, such as a full disk, is suppressed."""
        is_signal = not isinstance(error, Exception)
        with suppress(NncliError, OSError, MemoryError):
            # After a signal there is no time to check the weights.
            keep_weights = self._best_epoch > 0 and (is_signal or is_finite(self.predict(self.prepared.training)))
            self.close("stopped" if is_signal else "failed", keep_weights=keep_weights)


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

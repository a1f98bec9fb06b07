"""A training from wherever it stands to its end, written down in a run directory as it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from nncli.config.schema import Checkpoint
from nncli.errors import Location, NncliError
from nncli.metrics.calibration import calibrate
from nncli.model import Model, Predictions
from nncli.pipeline.prepare.encode import PreparedRows
from nncli.pipeline.prepare.prepare import PreparedTraining
from nncli.pipeline.train.events import Event, Finished, Started
from nncli.runs.checkpoints import save_checkpoint
from nncli.runs.manifest import Manifest, Status
from nncli.runs.run import Run
from nncli.scoring import ScoreCard, baseline_scores, score, scores_json
from nncli.training.epoch import DivergedError, LoopSignal
from nncli.training.loop import CheckpointDue, EpochReport, LearningRateHalved, fit
from nncli.training.state import TrainState
from nncli.utils.atomic_files import batched_fsync
from nncli.utils.logs import log_duration, log_info


@dataclass
class CheckpointTimer:
    """When to save: answers after every batch, and after every epoch."""

    checkpoint: Checkpoint
    stop: Callable[[], bool]
    saved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._steps, self._seconds = self.checkpoint.interval("step"), self.checkpoint.interval("s")
        self._epochs = self.checkpoint.interval("epoch")

    def after_batch(self, step: int) -> LoopSignal:
        """Stop when asked to; pause when a checkpoint is due."""
        if self.stop():
            return LoopSignal.STOP
        if self._steps is not None:
            return LoopSignal.CHECKPOINT if step % self._steps == 0 else LoopSignal.CONTINUE
        return LoopSignal.CHECKPOINT if self._late() else LoopSignal.CONTINUE

    def batches_to_checkpoint(self, step: int) -> int:
        """How many batches there are to the next checkpoint that is due at a step."""
        return sys.maxsize if self._steps is None else int(self._steps - step % self._steps)

    def after_epoch(self, epoch: int, step: int) -> bool:
        """Whether a checkpoint is due at the end of an epoch."""
        if self._epochs is not None:
            return epoch % self._epochs == 0
        return step % self._steps == 0 if self._steps is not None else self._late()

    def _late(self) -> bool:
        return self._seconds is not None and time.monotonic() - self.saved >= self._seconds


def session(
    prepared: PreparedTraining,
    run: Run,
    state: TrainState,
    reports: list[EpochReport],
    manifest: Manifest,
    stop: Callable[[], bool],
) -> Generator[Event, None, None]:
    """Train on, yielding every event, and leave the run directory complete, whatever ends the training.

    The manifest is written last; until then the run counts as running, and is resumed from its latest checkpoint.
    """
    clock = time.perf_counter()
    config, metric = prepared.config, prepared.validation_set.metric if prepared.validation_set else None
    threads = prepared.arguments.n_shards
    log_info(
        f"computing: backend {manifest.backend}, threads {max(manifest.n_shards, manifest.threads)} "
        f"(shards of a batch {manifest.n_shards}, of the BLAS {manifest.threads}), "
        f"batch size {prepared.arguments.batch_size:,}"
    )
    pace = CheckpointTimer(config.checkpoint, stop)
    model, temperature = Model(prepared.spec, state.best), 1.0

    def checkpoint() -> None:
        save_checkpoint(run.path, state, reports, owner=manifest.checkpoint_owner, keep=config.checkpoint.keep)
        pace.saved = time.monotonic()

    def save() -> None:
        checkpoint()
        if state.early_stopping.best_epoch:
            run.save_weights(model)

    def close(status: Status, *, keep: bool) -> None:
        """Write what the run holds now; `keep` says whether the weights are worth it."""
        with batched_fsync():
            if config.calibration != "none":
                run.save_spec(prepared.spec.model_copy(update={"temperature": temperature}))
            if keep:
                run.save_weights(model)
            else:
                run.drop_weights()
            run.save_history(reports, metric)
        ended = {
            "status": status,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round((manifest.seconds or 0.0) + time.perf_counter() - clock, 3),
            "epochs": state.epoch,
            "best_epoch": state.early_stopping.best_epoch,
        }
        run.save_manifest(manifest.model_copy(update=ended))

    try:
        yield Started(
            run=run.path,
            training_rows=len(prepared.training),
            validation_rows=manifest.validation_rows,
            features=manifest.features,
            parameters=manifest.parameters,
            epochs=prepared.arguments.epochs,
            done=state.epoch,
            metric=metric,
            notes=prepared.notes,
            reports=tuple(reports),
        )
        training = fit(
            prepared.arguments,
            state,
            prepared.training.dataset,
            prepared.validation_set,
            after_batch=pace.after_batch,
            max_batches=pace.batches_to_checkpoint,
        )
        with log_duration("training") as trained, closing(training):
            for event in training:
                if isinstance(event, CheckpointDue):
                    save()
                    continue
                if isinstance(event, LearningRateHalved):
                    del reports[event.epoch :]
                if isinstance(event, EpochReport):
                    reports.append(event)
                    if pace.after_epoch(event.epoch, state.step):
                        save()
                yield event
            trained.details.append(f"{state.epoch:,} epochs, {state.step:,} steps")
        checkpoint()
        with log_duration("scoring"):
            seen, held = prepared.training, prepared.validation
            if not state.early_stopping.best_epoch and _finite(
                _predict(Model(prepared.spec, state.parameters), seen, threads)
            ):
                state.best.copy_from(state.parameters)  # else those of the beginning: the present ones are diverging
            predictions = _predict(model, seen, threads)
            if not _finite(predictions):
                raise _non_finite_output(state.epoch)
            on_held = None if held is None else _predict(model, held, threads)
            calibration = None
            if config.calibration != "none" and held is not None and on_held is not None:
                calibration = calibrate(on_held.values, held.y, held.weights)
                temperature = calibration.temperature
                predictions, on_held = (some.with_temperature(temperature) for some in (predictions, on_held))
            on_training = _score_card(prepared, seen, predictions)
            on_validation = None if held is None or on_held is None else _score_card(prepared, held, on_held)
        metrics = {"training": scores_json(on_training), "validation": scores_json(on_validation)}
        run.save_metrics({**metrics, "calibration": asdict(calibration)} if calibration else metrics)
        stopped = state.epoch < prepared.arguments.epochs and not state.early_stopping.should_stop(
            prepared.arguments.patience
        )
        close("stopped" if stopped else "done", keep=True)
    except BaseException as error:  # also a signal that insists, or a reader of these events who leaves
        best, keep = state.early_stopping.best_epoch, False
        # What ended the training is what is told, and not that the full disk is still full. Only a divergence says
        # what was kept, which must then be true.
        lesser = () if isinstance(error, DivergedError) else (NncliError, OSError, MemoryError)
        with suppress(*lesser):
            at_once = not isinstance(error, Exception)  # no time to look at the weights
            keep = best > 0 and (at_once or _finite(_predict(model, prepared.training, threads)))
            close("failed" if isinstance(error, Exception) else "stopped", keep=keep)
        if not isinstance(error, DivergedError):
            raise
        told = _non_finite_output(best) if best and not keep else error
        told.location = Location(source=str(run.path))
        raise told from None

    yield Finished(
        run=run.path,
        status="stopped" if stopped else "done",
        epochs=state.epoch,
        best_epoch=state.early_stopping.best_epoch,
        seconds=time.perf_counter() - clock,
        training=on_training,
        validation=on_validation,
    )


def _predict(model: Model, rows: PreparedRows, threads: int) -> Predictions:
    examples, values = rows.dataset, np.empty((len(rows), 0))
    with np.errstate(all="ignore"):  # what overflows shows in the predictions
        for span in examples.row_chunks():
            some = model.predict_examples(examples.part(span), threads)
            if not span.start:
                values = np.empty((len(rows), some.values.shape[1]))
            values[span] = some.values
    return replace(some, values=values)


def _finite(predictions: Predictions) -> bool:
    return bool(np.isfinite(predictions.values).all())


def _non_finite_output(epoch: int) -> DivergedError:
    return DivergedError(
        f"after epoch {epoch} the network's output is no longer a finite number; nothing was kept",
        hint="Use a lower learning_rate, or clip_norm: 1.",
    )


def _score_card(prepared: PreparedTraining, rows: PreparedRows, predictions: Predictions) -> ScoreCard:
    training, loss = prepared.training, prepared.spec.loss
    guess = baseline_scores(prepared.spec.target, training.y, training.weights, len(rows))
    return ScoreCard(
        rows=len(rows),
        model=score(predictions, rows.y, rows.weights, loss),
        baseline=score(guess, rows.y, rows.weights, loss),
    )

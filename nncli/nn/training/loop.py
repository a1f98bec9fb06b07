"""The training loop: a generator that yields one report per epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nncli.base.threads import available_cpus
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.inference.predictor import InferenceSession, block_rows_for
from nncli.nn.optim.schedules import TrainingLength
from nncli.nn.training.arguments import TrainingArguments, ValidationSet
from nncli.nn.training.early_stopping import CrossFit
from nncli.nn.training.epoch import DivergedError, LoopSignal, bind_epoch, learning_rate_at
from nncli.nn.training.parallel import WorkerThreads
from nncli.nn.training.state import TrainState
from nncli.nn.training.step import L1L2Penalty

SMALLEST_FACTOR = 2.0**-20
"""The smallest factor of the learning rate: a training that still diverges then has another cause."""


@dataclass(frozen=True)
class EpochReport:
    """One epoch, counted from 1.

    `loss` is the mean over the epoch's rows of the loss that each step minimized, measured before that step;
    `penalty` is the l1 and l2 penalty at the end of the epoch. `val_loss` is the same loss on the validation rows, with
    dropout off, and `metric` the score there; both are None without validation rows.
    """

    epoch: int
    loss: float
    penalty: float
    val_loss: float | None
    metric: float | None
    learning_rate: float
    is_best: bool
    seconds: float

    def monitored(self, monitor: str) -> float | None:
        """The value that chooses the best epoch, by the name of `TrainingArguments.monitor`."""
        match monitor:
            case "loss":
                return self.loss
            case "val_loss":
                return self.val_loss
            case _:
                return self.metric


class _Evaluator:
    """The loss and the metric of the validation rows, in buffers allocated once."""

    def __init__(self, arguments: TrainingArguments, state: TrainState, validation_set: ValidationSet) -> None:
        self._validation_set = validation_set
        network, rows = arguments.network, len(validation_set.dataset)
        self._predictor = InferenceSession(
            network, state.parameters, network.precision, block_rows=block_rows_for(rows)
        )
        self._Z = np.empty((rows, network.n_outputs), network.precision)
        self._loss = arguments.loss.bind(self._Z, validation_set.dataset.y, validation_set.dataset.weights)

        self._arguments, self._state = arguments, state

    def __call__(self) -> tuple[float, float]:
        dataset = self._validation_set.dataset
        for span in dataset.row_chunks():
            self._predictor.run(dataset.X[span], dataset.codes[span], out=self._Z[span])
        val_loss, metric = self._loss.forward(), self._validation_set.score(self._Z)
        if self._arguments.cross_fits:
            self._cross_fit()
        return val_loss, metric

    def _cross_fit(self) -> None:
        """Pass the outputs of the epoch that has just ended to the state's `cross_fit`."""
        state, min_delta, last_on_tie = self._state, self._arguments.min_delta, self._arguments.last_on_tie
        if state.cross_fit is None and state.epoch == 0:
            state.cross_fit = CrossFit.of(self._Z)
        if state.cross_fit is not None:
            epoch = state.epoch + 1
            state.cross_fit.observe(epoch, self._Z, self._value, min_delta=min_delta, last_on_tie=last_on_tie)

    def _value(self, rows: npt.NDArray[np.int64]) -> float:
        """The monitored value of some rows in the current epoch; lower is better."""
        Z, validation_set = self._Z[rows], self._validation_set
        if self._arguments.monitor != "val_loss":
            score = validation_set.score(Z, rows)
            return -score if validation_set.higher_is_better else score
        y, w = validation_set.dataset.y[rows], validation_set.dataset.weights
        return self._arguments.loss.bind(Z, y, None if w is None else w[rows]).forward()


def _lower_is_better(arguments: TrainingArguments, validation_set: ValidationSet | None, report: EpochReport) -> float:
    """The monitored value of an epoch, with its sign such that lower is better."""
    value = report.monitored(arguments.monitor)
    if validation_set is None or value is None:
        return report.loss
    is_higher = arguments.monitor not in ("loss", "val_loss") and validation_set.higher_is_better
    return -value if is_higher else value


@dataclass(frozen=True)
class CheckpointDue:
    """The state is consistent within an epoch and can be saved."""

    step: int


@dataclass(frozen=True)
class LearningRateHalved:
    """The training diverged at `step`, and continues from the end of epoch `epoch` with `factor` of its learning rate.

    `epoch` is the last one whose loss was not above the first batch's, or 0 for the start; reports of later epochs are
    void.
    """

    step: int
    epoch: int
    factor: float
    reason: str


def fit(
    arguments: TrainingArguments,
    state: TrainState,
    dataset: Dataset,
    validation_set: ValidationSet | None = None,
    *,
    after_batch: Callable[[int], LoopSignal] = lambda step: LoopSignal.CONTINUE,
    max_batches: Callable[[int], int] = lambda step: 1,
) -> Generator[EpochReport | CheckpointDue | LearningRateHalved, None, None]:
    """Train from `state`, changing it in place, and yield a report after every epoch.

    Ends after `arguments.epochs` epochs, by early stopping, or if `after_batch(step)`, called after every batch,
    returns STOP; compiled loops may run up to `max_batches(step)` batches before the next call. `CheckpointDue` is
    yielded within an epoch if it returns CHECKPOINT or STOP. Whenever something is yielded the state is consistent: a
    training that is restored from it continues with the same bits. `state.best` holds the weights of the best epoch.

    Raises:
        DivergedError: the loss of a batch, its gradient or a weight is not finite, and the arguments allow no rollback,
            or there were too many; `state.best` holds the best epoch so far.
    """
    with (
        WorkerThreads(min(arguments.n_shards, available_cpus())) as workers,
        closing(Batches(dataset, arguments.batch_size, state.streams.shuffle)) as batches,
    ):
        penalty = (
            L1L2Penalty(state.parameters, l1=arguments.l1, l2=arguments.l2) if arguments.l1 or arguments.l2 else None
        )
        length = TrainingLength(arguments.epochs, batches.steps)
        run_batches = bind_epoch(arguments, state, batches, penalty, workers, after_batch, max_batches)
        evaluate = None if validation_set is None else _Evaluator(arguments, state, validation_set)
        if arguments.rollback_on_divergence and state.last_good is None:
            state.last_good = state.snapshot().copy()

        while state.epoch < arguments.epochs and not state.early_stopping.should_stop(arguments.patience):
            start = time.perf_counter()
            try:
                signal = run_batches()
            except DivergedError as error:
                if state.last_good is None or state.learning_rate_factor <= SMALLEST_FACTOR:
                    raise
                step, factor = state.step, state.learning_rate_factor / 2.0
                state.restore(state.last_good)
                state.learning_rate_factor = factor
                state.last_good = state.snapshot().copy()
                yield LearningRateHalved(step, state.epoch, factor, error.message)
                continue
            if state.position < batches.steps:
                yield CheckpointDue(state.step)
                if signal is LoopSignal.STOP:
                    return
                continue
            with np.errstate(all="ignore"):  # overflow shows in the reported numbers
                val_loss, metric = evaluate() if evaluate else (None, None)
            report = EpochReport(
                epoch=state.epoch + 1,
                loss=state.epoch_loss / batches.n_rows,
                penalty=penalty.value() if penalty else 0.0,
                val_loss=val_loss,
                metric=metric,
                learning_rate=learning_rate_at(arguments, state, length, state.step - 1),
                is_best=True,  # most are, while the loss falls
                seconds=time.perf_counter() - start,
            )
            value = _lower_is_better(arguments, validation_set, report)
            state.epoch, state.position, state.epoch_loss = state.epoch + 1, 0, 0.0
            state.early_stopping = state.early_stopping.observe(
                state.epoch, value, min_delta=arguments.min_delta, last_on_tie=arguments.last_on_tie
            )
            state.plateau = arguments.schedule.observe(state.plateau, value)
            is_best = state.early_stopping.best_epoch == state.epoch
            if is_best:
                state.best.copy_from(state.parameters)
            if arguments.rollback_on_divergence and report.loss <= state.first_loss:  # else it may be about to diverge
                state.last_good = state.snapshot().copy()
            yield report if is_best else replace(report, is_best=False)
            if signal is LoopSignal.STOP:
                return

"""The training loop: a generator that yields one report an epoch. Whoever wants to act on epochs reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from nncli.data.batches import Batches
from nncli.data.examples import Examples
from nncli.errors import NncliError
from nncli.nn.arrays import Array
from nncli.nn.inference import Inference
from nncli.nn.losses import LossBase
from nncli.nn.network import Network
from nncli.nn.optimizers import OptimizerBase
from nncli.nn.schedules import Horizon, ScheduleBase
from nncli.training.state import State
from nncli.training.step import Penalty, bind_step


class DivergedError(NncliError):
    """The loss or a weight is no longer a finite number."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, as opposed to how far it has come.

    `watched` names the value whose best epoch counts: `loss`, `val_loss` or `val_` and a metric's name.
    """

    network: Network
    loss: LossBase
    optimizer: OptimizerBase
    schedule: ScheduleBase
    batch_size: int
    epochs: int
    l1: float = 0.0
    l2: float = 0.0
    clip_norm: float | None = None
    watched: str = "loss"
    patience: int | None = None
    min_delta: float = 0.0


@dataclass(frozen=True)
class Holdout:
    """Validation rows, and the metric shown for them: `score(Z)` of the raw outputs (rows, outputs)."""

    examples: Examples
    metric: str
    higher_is_better: bool
    score: Callable[[Array], float]


@dataclass(frozen=True)
class EpochReport:
    """One epoch, counted from 1.

    `loss` is the mean over the epoch's rows of the loss that each step minimised, measured before that step;
    `penalty` is what l1 and l2 add to it at the epoch's end. `val_loss` is the same loss on the validation rows, with
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


class _Evaluator:
    """The loss and the metric of the validation rows, in buffers allocated once."""

    def __init__(self, plan: Plan, state: State, holdout: Holdout) -> None:
        self._holdout = holdout
        self._inference = Inference(plan.network, state.parameters, plan.network.precision)
        self._Z = np.empty((len(holdout.examples), plan.network.outputs), plan.network.precision)
        self._loss = plan.loss.bind(self._Z, holdout.examples.y, holdout.examples.weights)

    def __call__(self) -> tuple[float, float]:
        examples = self._holdout.examples
        self._inference.run(examples.X, examples.codes, out=self._Z)
        return self._loss.forward(), self._holdout.score(self._Z)


def _lower_is_better(plan: Plan, holdout: Holdout | None, report: EpochReport) -> float:
    """The watched value of an epoch, turned so that lower is better."""
    if plan.watched == "loss" or holdout is None or report.val_loss is None or report.metric is None:
        return report.loss
    if plan.watched == "val_loss":
        return report.val_loss
    return -report.metric if holdout.higher_is_better else report.metric


def fit(
    plan: Plan,
    state: State,
    examples: Examples,
    holdout: Holdout | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[EpochReport]:
    """Train from `state` on, changing it in place, and yield a report after every epoch.

    Ends after `plan.epochs` epochs, when patience runs out, or, in the midst of an epoch, after the batch during
    which `stop()` began to answer True. `state.best` then holds the weights of the best epoch.

    Raises:
        DivergedError: the loss of a batch or a weight is not finite; `state.best` holds the best epoch before.
    """
    batches = Batches(examples, plan.batch_size, state.streams.shuffle)
    horizon = Horizon(plan.epochs, batches.steps)
    parameters = state.parameters
    optimize = plan.optimizer.bind(parameters.theta, parameters.grad, state.moments, decayed=parameters.layout.decayed)
    penalty = Penalty(parameters, l1=plan.l1, l2=plan.l2) if plan.l1 or plan.l2 else None
    steps = {
        rows: bind_step(
            plan.network,
            parameters,
            plan.loss,
            batches,
            rows,
            optimize,
            penalty=penalty,
            clip_norm=plan.clip_norm,
            rng=state.streams.dropout,
        )
        for rows in batches.sizes()
    }
    evaluate = None if holdout is None else _Evaluator(plan, state, holdout)

    def run_epoch() -> float | None:
        """The epoch's mean loss, or None when it was stopped."""
        total = 0.0
        batches.shuffle()
        for i in range(batches.steps):
            rows = batches.rows(i)
            rate = plan.schedule.rate(state.step, horizon, state.plateau)
            value = steps[rows](i, rate, state.step + 1)
            state.step += 1
            if not isfinite(value):
                raise _diverged(state, plan, f"the loss became {value}", rate)
            total += value * rows
            if stop():
                return None
        if not (np.isfinite(parameters.theta).all() and np.isfinite(parameters.statistics).all()):
            raise _diverged(state, plan, "a weight is no longer a finite number", rate)  # its loss was, before the step
        return total / len(examples)

    while state.epoch < plan.epochs and not state.watch.out_of_patience(plan.patience):
        start = time.perf_counter()
        with np.errstate(all="ignore"):  # a value that overflows is met as such, in run_epoch
            loss = run_epoch()
            if loss is None:
                return
            val_loss, metric = evaluate() if evaluate else (None, None)
        state.epoch += 1
        report = EpochReport(
            epoch=state.epoch,
            loss=loss,
            penalty=penalty.value() if penalty else 0.0,
            val_loss=val_loss,
            metric=metric,
            learning_rate=plan.schedule.rate(state.step - 1, horizon, state.plateau),
            is_best=False,
            seconds=time.perf_counter() - start,
        )
        value = _lower_is_better(plan, holdout, report)
        state.watch = state.watch.observe(state.epoch, value, min_delta=plan.min_delta)
        state.plateau = plan.schedule.observe(state.plateau, value)
        is_best = state.watch.best_epoch == state.epoch
        if is_best:
            state.best.copy_from(parameters)
        yield replace(report, is_best=is_best)


def _diverged(state: State, plan: Plan, what: str, rate: float) -> DivergedError:
    kept = f"the weights of epoch {state.watch.best_epoch} were kept" if state.watch.best_epoch else "nothing was kept"
    cause = (
        "the input or the target is far from the range of 0 to 1: use encoding: {numeric: standard}"
        if state.step == 1
        else f"the learning rate, {rate:g}, is too high"
    )
    return DivergedError(
        f"{what} at step {state.step} (epoch {state.epoch + 1}); {kept}",
        hint=f"Most likely {cause}. A lower learning_rate, or clip_norm: 1, usually helps.",
    )

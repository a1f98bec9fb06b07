"""The training loop: a generator that yields one report an epoch. Whoever wants to act on epochs reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from nncli.data.batches.batches import Batches
from nncli.data.batches.dataset import Examples
from nncli.nn.predictor import Inference
from nncli.training.arguments import Holdout, Plan
from nncli.training.batch_runner import rate_of
from nncli.training.epoch import DivergedError, Wish, bind_epoch
from nncli.training.state import State
from nncli.training.step import Penalty
from nncli.training.worker_threads import Crew
from nncli.utils.threads import cores

SMALLEST_FACTOR = 2.0**-20
"""The rate is halved no further: what still diverges then has another cause."""


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
        for span in examples.spans():
            self._inference.run(examples.X[span], examples.codes[span], out=self._Z[span])
        return self._loss.forward(), self._holdout.score(self._Z)


def _lower_is_better(plan: Plan, holdout: Holdout | None, report: EpochReport) -> float:
    """The watched value of an epoch, turned so that lower is better."""
    if plan.watched == "loss" or holdout is None or report.val_loss is None or report.metric is None:
        return report.loss
    if plan.watched == "val_loss":
        return report.val_loss
    return -report.metric if holdout.higher_is_better else report.metric


@dataclass(frozen=True)
class Paused:
    """In the midst of an epoch the state is whole: a moment to save it."""

    step: int


@dataclass(frozen=True)
class RateHalved:
    """The training diverged at `step`, went back to the end of epoch `epoch`, and goes on with `factor` of its rate.

    That is the last epoch whose loss was not above the first batch's, or 0, the beginning; what was reported of later
    ones is void.
    """

    step: int
    epoch: int
    factor: float
    why: str


def fit(
    plan: Plan,
    state: State,
    examples: Examples,
    holdout: Holdout | None = None,
    *,
    after_batch: Callable[[int], Wish] = lambda step: Wish.GO_ON,
    ahead: Callable[[int], int] = lambda step: 1,
) -> Generator[EpochReport | Paused | RateHalved, None, None]:
    """Train from `state` on, changing it in place, and yield a report after every epoch.

    Ends after `plan.epochs` epochs, when patience runs out, or when `after_batch(step)`, asked after every batch,
    wishes to stop; compiled loops may take up to `ahead(step)` batches before it is asked again. `Paused` comes, in the
    midst of an epoch, when it wishes to pause or stop. Whenever something is yielded the state is whole: saved then and
    restored later, it goes on to the same bits. `state.best` holds the weights of the best epoch.

    Raises:
        DivergedError: the loss of a batch, its gradient or a weight is not finite, and the plan does not say to go
            back, or went back too often; `state.best` holds the best epoch before.
    """
    with (
        Crew(min(plan.parts, cores())) as crew,
        closing(Batches(examples, plan.batch_size, state.streams.shuffle)) as b,
    ):
        yield from _fit(plan, state, b, holdout, crew, after_batch, ahead)


def _fit(
    plan: Plan,
    state: State,
    batches: Batches,
    holdout: Holdout | None,
    crew: Crew,
    after_batch: Callable[[int], Wish],
    ahead: Callable[[int], int],
) -> Generator[EpochReport | Paused | RateHalved, None, None]:
    penalty = Penalty(state.parameters, l1=plan.l1, l2=plan.l2) if plan.l1 or plan.l2 else None
    run_batches = bind_epoch(plan, state, batches, penalty, crew, after_batch, ahead)
    evaluate = None if holdout is None else _Evaluator(plan, state, holdout)
    if plan.go_back and state.good is None:
        state.good = state.snapshot().copied()

    while state.epoch < plan.epochs and not state.watch.out_of_patience(plan.patience):
        start = time.perf_counter()
        try:
            wish = run_batches()
        except DivergedError as error:
            if state.good is None or state.rate_factor <= SMALLEST_FACTOR:
                raise
            step, factor = state.step, state.rate_factor / 2.0
            state.restore(state.good)
            state.rate_factor = factor
            state.good = state.snapshot().copied()
            yield RateHalved(step, state.epoch, factor, error.message)
            continue
        if state.position < batches.steps:
            yield Paused(state.step)
            if wish is Wish.STOP:
                return
            continue
        with np.errstate(all="ignore"):  # what overflows shows in the figures
            val_loss, metric = evaluate() if evaluate else (None, None)
        report = EpochReport(
            epoch=state.epoch + 1,
            loss=state.epoch_loss / len(batches.examples),
            penalty=penalty.value() if penalty else 0.0,
            val_loss=val_loss,
            metric=metric,
            learning_rate=rate_of(plan, state, batches.steps, state.step - 1),
            is_best=False,
            seconds=time.perf_counter() - start,
        )
        value = _lower_is_better(plan, holdout, report)
        state.epoch, state.position, state.epoch_loss = state.epoch + 1, 0, 0.0
        state.watch = state.watch.observe(state.epoch, value, min_delta=plan.min_delta, keep_last=plan.keep_last)
        state.plateau = plan.schedule.observe(state.plateau, value)
        is_best = state.watch.best_epoch == state.epoch
        if is_best:
            state.best.copy_from(state.parameters)
        if plan.go_back and report.loss <= state.first_loss:  # above it, it may be on its way to diverge
            state.good = state.snapshot().copied()
        yield replace(report, is_best=is_best)
        if wish is Wish.STOP:
            return

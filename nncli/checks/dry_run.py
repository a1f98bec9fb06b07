"""A few steps on real rows: how long one takes, and whether the loss falls. Nothing of them is kept."""

from __future__ import annotations

import sys
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from nncli.checks.findings import Finding
from nncli.data.batches.dataset import Dataset
from nncli.errors import Location
from nncli.nn.layers.base import TrainingContext
from nncli.nn.parameters import Parameters
from nncli.nn.predictor import Predictor
from nncli.optim.schedules import ConstantRate, PlateauState, TrainingLength
from nncli.pipeline.prepare.prepare import PreparedTraining
from nncli.text import json_safe
from nncli.training.arguments import TrainingArguments
from nncli.training.epoch import DivergedError, LoopSignal
from nncli.training.loop import fit
from nncli.training.state import RandomStreams, TrainState

WARMUP_STEPS, TIMED = 3, 10
"""Steps before the clock counts, in which buffers are touched for the first time, and the fewest that it counts."""
MIN_SECONDS, PATIENCE = 0.2, 5.0
"""Seconds that steps are timed for at least, and after which fewer have to do."""
MOST_EPOCHS = 1_000_000
FEWEST, MOST, LOOKS = 10, 50, 3
"""Steps on one and the same batch after which its loss should have fallen, and after which it must have; and steps in a
row after which it has to be lower: one may be luck."""
MOMENTS = 64
"""Places in the training at which the learning rate is looked up for its mean."""
JUDGED = 65_536
"""Validation rows that are timed, and training rows from which batches are drawn, at most if one needs no more."""


@dataclass(frozen=True)
class DryRun:
    """What came of a few steps.

    `seconds_a_step` is the mean of the `timed` ones, `seconds_an_epoch` what validation adds to each epoch.
    On one batch of so many `rows`, the loss was `loss_before` and after `steps` steps at the training's mean `rate`
    `loss_after`, the highest after the last few of them; not finite where it diverged.
    """

    timed: int
    seconds_a_step: float
    seconds_an_epoch: float
    rows: int
    steps: int
    rate: float
    loss_before: float
    loss_after: float

    @property
    def falls(self) -> bool:
        """Whether the loss fell, or was at its least already."""
        return isfinite(self.loss_after) and (self.loss_after < self.loss_before or self.loss_before == 0.0)

    @property
    def as_json(self) -> dict[str, Any]:
        """As a JSON object, null for what is not a finite number."""
        return {**json_safe(asdict(self)), "falls": self.falls}


def dry_run(prepared: PreparedTraining) -> tuple[DryRun, Finding | None]:
    """Try a training that could begin, as it is held to its threads now; a finding if its loss does not fall."""
    examples = _sampled(prepared)
    timed, seconds = _timed(prepared.arguments, prepared.config.seed, examples)
    batch = _drawn(examples, prepared.arguments.batch_size)
    rate = _mean_rate(prepared.arguments, len(prepared.training))
    steps, before, after, why = _on_one_batch(prepared.arguments, prepared.config.seed, examples, batch, rate)
    trial = DryRun(timed, seconds, _seconds_to_validate(prepared), len(batch), steps, rate, before, after)
    return trial, None if trial.falls else _finding(trial, why)


def _finding(trial: DryRun, why: DivergedError | None) -> Finding:
    place = Location(key="learning_rate")
    if why is not None:
        message = f"tried on {trial.rows:,} rows, the training diverged: {why.message.partition(';')[0]}"
        return Finding("warning", "diverges", place, message, why.hint or "Use a lower learning_rate, or clip_norm: 1.")
    message = (
        f"tried on {trial.rows:,} rows again and again, at the rate {trial.rate:.3g}, the loss does not fall: "
        f"{trial.loss_before:.4g} before and {trial.loss_after:.4g} after {trial.steps} steps"
    )
    mend = f"Use a lower learning_rate, such as {trial.rate / 10.0:.1g}, or set clip_norm: 1."
    return Finding("warning", "loss-does-not-fall", place, message, mend)


def _sampled(prepared: PreparedTraining) -> Dataset:
    """As many training rows as the trial needs, in memory, drawn by a fixed seed."""
    count = max(JUDGED, (WARMUP_STEPS + TIMED) * prepared.arguments.batch_size)
    return _drawn(prepared.training.dataset, count)


def _drawn(examples: Dataset, count: int) -> Dataset:
    """So many of the rows, or all where there are no more of them, in their order."""
    if count >= len(examples) and examples.storage is None:
        return examples
    n = min(count, len(examples))
    rows = np.sort(np.random.default_rng(0).choice(len(examples), n, replace=False))
    weights = None if examples.weights is None else examples.weights[rows]
    return Dataset(examples.X[rows], examples.codes[rows], examples.y[rows], weights)


def _fresh(plan: TrainingArguments, seed: int, examples: Dataset) -> TrainState:
    return TrainState.create(plan.network, plan.optimizer, RandomStreams.of(seed), plan.n_shards, examples)


def _timed(plan: TrainingArguments, seed: int, examples: Dataset) -> tuple[int, float]:
    """How many steps were timed, and the seconds of one, what belongs to an epoch's end included."""
    begun, seen = time.perf_counter(), list[tuple[int, float]]()

    def after_batch(step: int) -> LoopSignal:
        seen.append((step, time.perf_counter()))
        (first, start), (last, now) = seen[min(len(seen), WARMUP_STEPS) - 1], seen[-1]
        timed = last - first >= TIMED and now - start >= MIN_SECONDS
        return LoopSignal.STOP if timed or (len(seen) > 1 and now - seen[0][1] > PATIENCE) else LoopSignal.CONTINUE

    plan = replace(plan, epochs=MOST_EPOCHS, patience=None, monitor="loss", rollback_on_divergence=False)
    training = fit(
        plan, _fresh(plan, seed, examples), examples, after_batch=after_batch, max_batches=lambda step: sys.maxsize
    )
    with closing(training), suppress(DivergedError):  # told by what becomes of one batch, at the mean rate
        for _ in training:
            pass
    if len(seen) < 2:
        return len(seen), time.perf_counter() - begun
    (first, start), (last, now) = seen[min(len(seen) - 1, WARMUP_STEPS) - 1], seen[-1]
    return last - first, (now - start) / (last - first)


def _mean_rate(plan: TrainingArguments, rows: int) -> float:
    """The mean learning rate over the whole training."""
    horizon = TrainingLength(plan.epochs, -(-rows // plan.batch_size))
    steps = np.unique(np.linspace(0, horizon.steps - 1, MOMENTS).astype(np.int64))
    return float(np.mean([plan.schedule.rate(int(step), horizon, PlateauState()) for step in steps]))


def _on_one_batch(
    plan: TrainingArguments, seed: int, examples: Dataset, batch: Dataset, rate: float
) -> tuple[int, float, float, DivergedError | None]:
    """Steps taken on a batch, its loss before and after them, and why they came to nothing if they did."""
    plan = replace(
        plan,
        schedule=ConstantRate(initial=rate) if rate > 0.0 else plan.schedule,
        epochs=MOST,
        batch_size=len(batch),
        patience=None,
        monitor="loss",
        rollback_on_divergence=False,
        backend="numpy",
    )
    state = _fresh(plan, seed, examples)
    with np.errstate(all="ignore"):  # what overflows shows in the loss
        before = _loss(plan, state.parameters, batch)
        looks, begun, steps, why = list[float](), time.perf_counter(), 0, None
        try:
            with closing(fit(plan, state, batch)) as training:
                for steps, _ in enumerate(training, start=1):
                    late = time.perf_counter() - begun > PATIENCE
                    if steps > FEWEST - LOOKS or late:
                        looks.append(_loss(plan, state.parameters, batch))
                    if late or (steps >= FEWEST and np.max(looks[-LOOKS:]) < before):
                        break
        except DivergedError as error:
            looks, why = [np.nan], error
    return steps, before, float(np.max(looks[-LOOKS:])), why


def _loss(plan: TrainingArguments, parameters: Parameters, batch: Dataset) -> float:
    """The loss of a batch, as in prediction unless rows depend on each other; penalties apart."""
    # running statistics are far from those of the rows after so few steps
    training = TrainingContext(np.random.default_rng(0)) if plan.network.mixes_rows else None
    kept = parameters.statistics.copy()
    bound = plan.network.bind(parameters, len(batch), training=training)
    bound.X[...], bound.codes[...] = batch.X, batch.codes
    bound.forward()
    parameters.statistics[...] = kept
    return plan.loss.bind(bound.Z, batch.y, batch.weights).forward()


def _seconds_to_validate(prepared: PreparedTraining) -> float:
    """Seconds that a look at all validation rows takes; of very many, from a look at some."""
    holdout, network = prepared.validation_set, prepared.spec.network
    if holdout is None:
        return 0.0
    inference = Predictor(network, network.initialize(np.random.default_rng(0)), network.precision)
    X, codes = holdout.examples.X, holdout.examples.codes
    n = min(JUDGED, len(X))
    inference.run(X[:1], codes[:1])
    start = time.perf_counter()
    with np.errstate(all="ignore"):
        Z = inference.run(X[:n], codes[:n])
        if n == len(X):
            holdout.score(Z)
    return (time.perf_counter() - start) * len(X) / n

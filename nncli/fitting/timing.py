"""How long a training takes, measured by a few steps on this machine, and what fits into a time limit."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from nncli.base.errors import NncliError
from nncli.base.findings import Finding, FindingCode, note
from nncli.base.logs import format_duration
from nncli.base.threads import available_cpus
from nncli.base.time_limit import TimeLimit
from nncli.config.schema import Config
from nncli.data.splitting.folds import Sample
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.auto_values import (
    batch_rows,
    counted_rows,
    epochs_of,
    epochs_of_cycles,
    max_cycles,
    resolve_layers,
    resolve_members,
)
from nncli.fitting.prepare.execution import choose_execution
from nncli.fitting.prepare.fit import infer_loss
from nncli.fitting.prepare.load import select_rows
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.models.scores import MAX_TRAINING_ROWS
from nncli.nn.batches.dataset import Dataset
from nncli.nn.inference.predictor import InferenceSession
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import DivergedError, LoopSignal
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams, TrainState
from nncli.targets.target import kind_of

WARMUP_STEPS, MIN_STEPS = 1, 4
"""Steps before timing starts, and the fewest steps that are timed."""
MAX_SHARE, MAX_SECONDS = 0.01, 0.3
"""Time for timing steps: as a share of the whole training, and at most."""
EPOCHS = 1_000_000
"""More than are trained while steps are timed."""
MAX_ROWS = 1_024
"""Rows whose prediction is timed."""


def time_steps(
    arguments: TrainingArguments,
    state: TrainState,
    dataset: Dataset,
    is_enough: Callable[[int, float, float], bool],
    warmup: int,
) -> tuple[int, float]:
    """The number of steps that were timed, and the seconds of each, with the work at the end of an epoch.

    `is_enough` is asked after every step, with the number of those since the `warmup`, their seconds, and the seconds
    since the start.
    """
    begin, times = time.perf_counter(), list[tuple[int, float]]()

    def after_batch(step: int) -> LoopSignal:
        now = time.perf_counter()
        times.append((step, now))
        first, start = times[min(warmup, len(times)) - 1]
        return LoopSignal.STOP if is_enough(step - first, now - start, now - begin) else LoopSignal.CONTINUE

    arguments = replace(
        arguments, epochs=EPOCHS, patience=None, monitor="loss", rollback_on_divergence=False, snapshot_epochs=()
    )
    training = fit(arguments, state, dataset, after_batch=after_batch, max_batches=lambda step: sys.maxsize)
    with closing(training), suppress(DivergedError), np.errstate(all="ignore"):
        for _ in training:
            pass
    if len(times) < 2:
        return len(times), time.perf_counter() - begin
    (first, start), (last, now) = times[min(warmup, len(times) - 1) - 1], times[-1]
    return last - first, (now - start) / (last - first)


def seconds_per_step(arguments: TrainingArguments, dataset: Dataset, steps: int, min_seconds: float = 0.0) -> float:
    """The seconds of a step on a full batch of the rows, timed for `min_seconds`, where `steps` are to follow."""

    def is_enough(done: int, seconds: float, total: float) -> bool:
        if total > max(MAX_SECONDS, min_seconds) and done:
            return True
        return done >= MIN_STEPS and total > max(MAX_SHARE * seconds / done * steps, min_seconds)

    rows = full_batches(arguments, dataset)
    state = TrainState.create(arguments.network, arguments.optimizer, RandomStreams.of(0), arguments.n_shards, rows)
    return time_steps(arguments, state, rows, is_enough, WARMUP_STEPS)[1]


def full_batches(arguments: TrainingArguments, dataset: Dataset) -> Dataset:
    """The first rows of a dataset, in memory: a few whole batches, or fewer rows than one."""
    n = max(len(dataset) // arguments.batch_size, 1) * arguments.batch_size
    span = slice(0, min(n, 4 * arguments.batch_size, len(dataset)))
    weights = None if dataset.weights is None else np.array(dataset.weights[span])
    return Dataset(np.array(dataset.X[span]), np.array(dataset.codes[span]), np.array(dataset.y[span]), weights)


def seconds_per_prediction(arguments: TrainingArguments, dataset: Dataset) -> float:
    """The seconds in which the network predicts a row."""
    network = arguments.network
    predictor = InferenceSession(network, network.initialize(np.random.default_rng(0)), network.precision)
    span = slice(0, min(MAX_ROWS, len(dataset)))
    X, codes = np.array(dataset.X[span]), np.array(dataset.codes[span])
    with np.errstate(all="ignore"):
        predictor.run(X[:1], codes[:1])
        start = time.perf_counter()
        predictor.run(X, codes)
    return (time.perf_counter() - start) / len(X)


PREPARING = 6.0
"""Fitting, encoding and recording a row of a large table, in times of encoding it."""
VALIDATION = 0.2
"""The fraction of the measured rows that are validation rows."""
BATCHES = 3
"""Whole batches among the measured rows."""
MIN_MEASURED_ROWS = 1_500
"""Rows that are measured at least; of a smaller table all."""


@dataclass(frozen=True)
class Measurement:
    """The seconds of the parts of a training, measured on this machine.

    `reading` is the time for the whole table; fitting and encoding take `preparing`, and `preparing_row` for each row
    more than `rows`. A step of `batch_size` rows takes `step`, a prediction `prediction`.
    """

    reading: float
    preparing: float
    preparing_row: float
    rows: int
    step: float
    batch_size: int
    prediction: float

    def preparation(self, rows: int) -> float:
        """Fitting and encoding a number of rows."""
        return self.preparing + self.preparing_row * max(0, rows - self.rows)

    def epoch(self, training_rows: int, validation_rows: int) -> float:
        """An epoch, with the predictions of the validation rows."""
        return -(-training_rows // self.batch_size) * self.step + validation_rows * self.prediction

    def scoring(self, rows: int) -> float:
        """Encoding the training rows that are scored, and predicting and scoring them, which costs as much again."""
        return min(rows, MAX_TRAINING_ROWS) * (2.0 * self.prediction + self.preparing_row)


def measure(
    config: Config, table: ColumnStore, training_rows: int, reading: float, min_seconds: float = 0.0
) -> Measurement:
    """Measure the training of one network on `training_rows` of a table of rows with targets.

    Steps are timed for `min_seconds` at least.

    Raises:
        NncliError: as for a training.
    """
    batch = batch_rows(config, training_rows)
    n = min(len(table), max(MIN_MEASURED_ROWS, int(BATCHES * batch / (1.0 - VALIDATION)) + 1))
    rows = np.sort(np.random.default_rng(0).choice(len(table), n, replace=False)) if n < len(table) else np.arange(n)
    layers = resolve_layers(config.layers, training_rows, 0)
    data = config.data.model_copy(update={"leave_out": None, "sample": None})
    update = {"data": data, "validation": VALIDATION, "members": 1, "batch_size": batch, "layers": layers}
    smaller, sample = config.model_copy(update=update), table.take(rows)
    try:
        copy = sample.copy()
        start = time.perf_counter()
        prepared = prepare(smaller, table=copy)
    except NncliError:  # the rows of the table itself have the numbers that the error names
        start = time.perf_counter()
        prepared = prepare(smaller, table=sample)
    preparing = time.perf_counter() - start
    encoder, encoded = prepared.spec.encoder, sample.columns(prepared.spec.encoder.names)
    start = time.perf_counter()
    encoder.encode(encoded, prepared.spec.network.precision)
    encoding = time.perf_counter() - start
    epochs = epochs_of(config, counted_rows(training_rows, prepared.spec.target.n_outputs))
    return replace(
        measure_prepared(prepared, epochs * -(-training_rows // batch), min_seconds),
        reading=reading,
        preparing=preparing,
        preparing_row=PREPARING * encoding / n,
        rows=n,
    )


def measure_prepared(prepared: PreparedTraining, steps: int, min_seconds: float) -> Measurement:
    """Measure a prepared training of so many `steps`; its reading and preparing count nothing."""
    arguments, dataset = prepared.arguments, prepared.fitted
    per_epoch = -(-len(dataset) // arguments.batch_size)
    of_all = replace(prepared, arguments=replace(arguments, epochs=max(1, steps // per_epoch)))
    execution, _ = choose_execution(of_all)
    with execution.activate(of_all) as ready:
        step = seconds_per_step(ready.arguments, dataset, steps, min_seconds)
        prediction = seconds_per_prediction(ready.arguments, dataset)
    return Measurement(0.0, 0.0, 0.0, len(dataset), step, arguments.batch_size, prediction)


LONG_TASK, WORTH_A_PROCESS = 1.0, 3.0
"""Seconds after which a member is trained elsewhere, and seconds of all that are left from which workers pay off."""
STARTUP = 1.5
"""Seconds in which worker processes start."""
SIDE_BY_SIDE = 1.15
"""The factor by which trainings side by side, each on a core, are slower."""
HELD_OUT = 0.2
"""The fraction of the rows that a network holds out where the number of folds is not known."""


@dataclass(frozen=True)
class Workload:
    """The size of a training: networks, of which `workers` are trained at a time, epochs, and rows of the table."""

    members: int
    workers: int
    epochs: int
    rows: int
    held_out: float = HELD_OUT

    @property
    def training_rows(self) -> int:
        """The training rows of a network."""
        return max(1, self.rows - self.validation_rows)

    @property
    def validation_rows(self) -> int:
        """The validation rows of a network."""
        return round(self.rows * self.held_out)


def seconds_of(measured: Measurement, work: Workload) -> float:
    """The estimated seconds of a training, from now on; its table is read already."""
    start = measured.preparation(work.rows)
    learning = work.epochs * measured.epoch(work.training_rows, work.validation_rows)
    scoring = measured.scoring(work.rows) * work.members
    if work.members == 1:
        return start + learning + scoring
    member = measured.reading + start + learning
    total = member * work.members
    if work.workers == 1 or total <= WORTH_A_PROCESS:
        return total + scoring
    here = min(member, LONG_TASK)
    rounds = -(-work.members // work.workers) * work.workers / work.members
    again = STARTUP + measured.reading + start
    return here + again + (total - here) * rounds / work.workers * SIDE_BY_SIDE + scoring


MIN_PARAMETER_ROWS = 200_000_000
"""Parameters times rows of all epochs below which a training takes a fraction of a second, and is not timed."""


def estimate_of(prepared: PreparedTraining) -> float | None:
    """The estimated seconds of a training that is about to start, with its execution; None for a very short one."""
    arguments, dataset = prepared.arguments, prepared.fitted
    n, held_out = len(dataset), 0 if prepared.validation is None else len(prepared.validation)
    if arguments.epochs * n * max(1, arguments.network.layout.size) < MIN_PARAMETER_ROWS:
        return None
    steps = arguments.epochs * -(-n // arguments.batch_size)
    rows = full_batches(arguments, dataset)
    step, prediction = seconds_per_step(arguments, rows, steps), seconds_per_prediction(arguments, rows)
    measured = Measurement(0.0, 0.0, 0.0, n, step, arguments.batch_size, prediction)
    return seconds_of(measured, Workload(1, 1, arguments.epochs, n + held_out, held_out / (n + held_out)))


MARGIN, MIN_MARGIN = 0.2, 0.3
"""The share of the time that is left as a margin, and at least so many seconds."""
MIN_EPOCHS, MIN_EPOCHS_OF_ONE = 12, 3
"""Epochs of the default below which members are left out first, and rows after all other members."""
MIN_SHARE = 4
"""A configured number of epochs is divided by at most this before members are left out."""
MIN_ROWS = 5_000
"""The smallest sample of rows, even if it takes longer than the limit: fewer may predict no better than a constant."""
MIN_FOLDS = 4
"""With fewer members each holds out a fifth of the rows: a fold would leave too few for training."""

MEASURED_SHARE = 0.02
"""The share of the time limit for which steps are timed, so that other work of the machine counts."""

StepMeasure = Callable[[Config, ColumnStore, int, float, float], Measurement]


@dataclass(frozen=True)
class TrainingPlan:
    """A training that is about to start: its configuration, its table if it is read, and its estimated seconds.

    `decision` says in a line what the time limit changed, and is None without a limit.
    """

    config: Config
    table: ColumnStore | None = None
    estimate: float | None = None
    decision: str | None = None

    @property
    def findings(self) -> list[Finding]:
        """The note on what the time limit changed."""
        return [] if self.decision is None else [note(FindingCode.TIME_LIMIT, f"time limit {self.decision}")]


def workload_of(config: Config, rows: int, outputs: int) -> Workload:
    """The size of a training of a number of rows and outputs; `members: auto` must be resolved."""
    members = config.n_members
    held_out = config.validation if isinstance(config.validation, float) else 0.0
    if members > 1 and config.bagging_mode == "folds":
        held_out = 1.0 / members
    workers = min(members, available_cpus() if config.workers == "auto" else config.workers)
    work = Workload(members, workers, 1, rows, held_out)
    return replace(work, epochs=epochs_of(config, counted_rows(work.training_rows, outputs)))


def _outputs(config: Config, table: ColumnStore) -> int:
    """The number of classes or labels, or 1 where the target is none or a training would refuse it."""
    target = table.columns(config.data.target)
    try:
        loss, _ = infer_loss(config, target)
        return kind_of(loss).count_outputs(target, config.data.target)
    except NncliError:
        return 1


def estimate(
    config: Config, table: ColumnStore, reading: float, measured: Measurement | None = None
) -> tuple[float, float] | None:
    """The estimated seconds of the training on a table of rows with targets, and those with the most epochs.

    None if it cannot be measured.
    """
    outputs = _outputs(config, table)
    work = workload_of(config, len(table), outputs)
    try:
        measured = measured or measure(config, table, work.training_rows, reading)
    except NncliError:  # the training says what is wrong
        return None
    return seconds_of(measured, work), seconds_of(measured, with_most_epochs(work, config, outputs))


def with_most_epochs(work: Workload, config: Config, outputs: int) -> Workload:
    """The workload with the most epochs that out-of-fold rows may choose."""
    if work.members == 1 or config.epochs != "auto":
        return work
    counted = counted_rows(work.training_rows, outputs)
    return replace(work, epochs=max(work.epochs, epochs_of_cycles(counted, max_cycles(config, counted))))


def plan_within(
    limit: TimeLimit, config: Config, table: ColumnStore, reading: float, measure: StepMeasure = measure
) -> TrainingPlan:
    """The plan of a training on the loaded `table` that fits into the time limit, `reading` seconds for each reading.

    Epochs are reduced first, to a number that is worth training; then members, to one network; then rows.

    Raises:
        NncliError: as for a training.
    """
    rows = select_rows(config, table)
    whole = resolve_members(config, len(rows))
    outputs = _outputs(whole, rows)
    work = with_most_epochs(workload_of(whole, len(rows), outputs), whole, outputs)
    measured = measure(whole, rows, work.training_rows, reading, MEASURED_SHARE * limit.seconds)
    budget = limit.left - max(MARGIN * limit.left, MIN_MARGIN)
    fitting = fit_workload(measured, work, budget, is_auto=config.epochs == "auto")
    seconds = seconds_of(measured, fitting)
    decided = config if fitting == work else _with_workload(whole, fitting, work)
    decision = f"{format_duration(limit.seconds)}: {_describe(fitting, work)}"
    if seconds > limit.left:
        decision += f"; this takes about {format_duration(seconds)}, and nothing shorter is worth training"
    return TrainingPlan(decided, table, seconds, decision)


def fit_workload(measured: Measurement, work: Workload, budget: float, *, is_auto: bool) -> Workload:
    """The largest workload that takes `budget` seconds at most; the smallest one if none does."""
    shortest = min(work.epochs, MIN_EPOCHS) if is_auto else -(-work.epochs // MIN_SHARE)

    def fits(workload: Workload) -> bool:
        return seconds_of(measured, workload) <= budget

    def fits_with(workload: Workload, epochs: int) -> bool:
        return fits(replace(workload, epochs=epochs))

    for members in range(work.members, 0, -1):
        smaller = replace(work, members=members, workers=min(work.workers, members))
        smaller = smaller if members in (work.members, 1) or members >= MIN_FOLDS else replace(smaller, held_out=0.2)
        least = min(shortest, MIN_EPOCHS_OF_ONE) if members == 1 else shortest
        if fits_with(smaller, least):
            epochs = _largest(least, work.epochs, partial(fits_with, smaller))
            return replace(smaller, epochs=epochs)
    smaller = replace(smaller, epochs=least)
    smallest = min(MIN_ROWS, work.rows)
    return replace(smaller, rows=_largest(smallest, work.rows, lambda n: fits(replace(smaller, rows=n))))


def _largest(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """The largest number between both that fits, `low` at least."""
    if fits(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _with_workload(config: Config, fitting: Workload, work: Workload) -> Config:
    """The configuration of a smaller workload, with every choice written out."""
    update: dict[str, object] = {"members": fitting.members, "epochs": fitting.epochs}
    is_folds = config.is_ensemble and config.n_members > 1 and config.bagging_mode == "folds"
    if is_folds and fitting.members < min(MIN_FOLDS, work.members):
        update |= {"bagging": "seeds" if fitting.members > 1 else "auto", "validation": 0.2}
    if fitting.rows < work.rows:
        seed = config.data.sample.seed if config.data.sample else 0
        update["data"] = config.data.model_copy(update={"sample": Sample(rows=fitting.rows, seed=seed)})
    return config.model_copy(update=update)


def _describe(fitting: Workload, work: Workload) -> str:
    """What fits of the workload, in a line."""
    parts = [
        f"{getattr(fitting, name):,} of {getattr(work, name):,} {name}"
        for name in ("members", "epochs", "rows")
        if getattr(fitting, name) < getattr(work, name)
    ]
    return ", ".join(parts) or "the whole training fits"

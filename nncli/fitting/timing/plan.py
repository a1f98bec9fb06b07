"""Choosing the members, the epochs and the rows of a training that fit into a time limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from nncli.base.errors import NncliError
from nncli.base.findings import Finding, FindingCode, note
from nncli.base.logs import format_duration
from nncli.base.threads import available_cpus
from nncli.config.schema import Config
from nncli.data.splitting.folds import Sample
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.auto_values import counted_rows, epochs_of, epochs_of_cycles, max_cycles, resolve_members
from nncli.fitting.prepare.fit import infer_loss
from nncli.fitting.prepare.load import select_rows
from nncli.fitting.timing.clock import TimeLimit
from nncli.fitting.timing.estimate import Workload, seconds_of
from nncli.fitting.timing.steps import Measurement, measure
from nncli.targets.target import kind_of

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

Measure = Callable[[Config, ColumnStore, int, float, float], Measurement]


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
    """The number of classes, or 1 where the target is none or a training would refuse it."""
    target = table.columns(config.data.target)
    try:
        loss, _ = infer_loss(config, target)
    except NncliError:
        return 1
    return target.column(config.data.target[0]).n_unique() if kind_of(loss).has_labels else 1


def estimate(config: Config, table: ColumnStore, reading: float, measured: Measurement | None = None) -> float | None:
    """The estimated seconds of the training on a table of rows with targets; None if it cannot be measured."""
    work = workload_of(config, len(table), _outputs(config, table))
    try:
        return seconds_of(measured or measure(config, table, work.training_rows, reading), work)
    except NncliError:  # the training says what is wrong
        return None


def plan_within(
    limit: TimeLimit, config: Config, table: ColumnStore, reading: float, measure: Measure = measure
) -> TrainingPlan:
    """The plan of a training on the loaded `table` that fits into the time limit, `reading` seconds for each reading.

    Epochs are reduced first, to a number that is worth training; then members, to one network; then rows.

    Raises:
        NncliError: as for a training.
    """
    rows = select_rows(config, table)
    whole = resolve_members(config, len(rows))
    outputs = _outputs(whole, rows)
    work = workload_of(whole, len(rows), outputs)
    if work.members > 1 and config.epochs == "auto":  # out-of-fold rows may choose all cycles
        counted = counted_rows(work.training_rows, outputs)
        longest = epochs_of_cycles(counted, max_cycles(whole, counted))
        work = replace(work, epochs=max(work.epochs, longest))
    measured = measure(whole, rows, work.training_rows, reading, MEASURED_SHARE * limit.seconds)
    budget = limit.left - max(MARGIN * limit.left, MIN_MARGIN)
    fitting = fit_workload(measured, work, budget, is_auto=config.epochs == "auto")
    seconds = seconds_of(measured, fitting)
    decided = config if fitting == work else _with_workload(whole, fitting, work)
    decision = f"{format_duration(limit.seconds)}: {_describe(fitting, work)}"
    return TrainingPlan(decided, table, seconds, decision)


def fit_workload(measured: Measurement, work: Workload, budget: float, *, is_auto: bool) -> Workload:
    """The largest workload that takes `budget` seconds at most; the smallest one if none does."""
    shortest = min(work.epochs, MIN_EPOCHS) if is_auto else -(-work.epochs // MIN_SHARE)

    def fits(one: Workload) -> bool:
        return seconds_of(measured, one) <= budget

    for members in range(work.members, 0, -1):
        one = replace(work, members=members, workers=min(work.workers, members))
        one = one if members in (work.members, 1) or members >= MIN_FOLDS else replace(one, held_out=0.2)
        least = min(shortest, MIN_EPOCHS_OF_ONE) if members == 1 else shortest
        if fits(replace(one, epochs=least)):
            epochs = _largest(least, work.epochs, partial(_fits_epochs, fits, one))
            return replace(one, epochs=epochs)
    one = replace(one, epochs=least)
    smallest = min(MIN_ROWS, work.rows)
    return replace(one, rows=_largest(smallest, work.rows, lambda n: fits(replace(one, rows=n))))


def _fits_epochs(fits: Callable[[Workload], bool], one: Workload, epochs: int) -> bool:
    return fits(replace(one, epochs=epochs))


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

"""Values for `auto`, from the number of rows and columns: units, embedding width, batch size, epochs, peak rate."""

from __future__ import annotations

from math import log2

from nncli.config.schema import Config
from nncli.nn.layers.residual import Layer
from nncli.nn.losses import Loss
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.nn.optim.optimizers import Optimizer
from nncli.nn.optim.schedules import CoslogRate, Schedule, ScheduleBase
from nncli.targets.metrics.temperature_scaling import MANY_CLASSES
from nncli.targets.target import kind_of

BATCHES = ((2_000, 64), (6_000, 128), (20_000, 256), (80_000, 512))
"""(training rows at most, batch size); beyond the last, MAX_BATCH."""
MAX_BATCH = 1_024
MAX_CYCLES, MAX_FIRST_CYCLE = 6, 4
"""The cycles of the default, each twice as long as the last, and the epochs of the first: 4 + 8 + 16 + … = 252."""
MAX_ROW_VISITS = 1_800_000
"""Counted rows times epochs: the number of epochs of a large table is limited to keep the training practical."""
MIN_CYCLES = 2
"""Cycles of a training on however many rows."""
FIRST_DECISION, DEFAULT_CYCLES, LIKELY_CYCLES = 3, 4, 5
"""Cycles after which out-of-fold rows first decide about another one, those of a training without such rows, and those
that a training with them reaches on average."""

UNITS = ((2_000, 128), (6_000, 192))
"""(training rows at most, units of a dense layer): as accurate there, and faster; beyond the last, MAX_UNITS."""
MAX_UNITS = 256
MAX_FEATURES = 2_000
"""Columns that the network uses; of more, the best are selected."""
MAX_EMBEDDED = 500
"""Numeric columns up to which they are embedded; more need long steps, and predict worse."""
WEIGHT_DECAY, WEIGHT_DECAY_OF_WIDE_TABLES = 0.02, 0.2
"""The latter for more than MAX_EMBEDDED inputs that are also more than the training rows."""
TOTAL_EMBEDDING, MIN_EMBEDDING, MAX_EMBEDDING = 256, 4, 16
"""Approximate total width of all numeric embeddings, and the bounds on the width of one."""
MEMBERS = ((20_000, 8), (200_000, 4))
"""(rows at most, members): of the gain of averaging many members, 8 have 7/8 and 4 have 3/4."""
MIN_MEMBERS, HELD_OUT_ROWS = 3, 20_000
"""Members beyond, and the rows that each then holds out; a fold would be more than choosing the epoch needs."""
TAUGHT_ROWS, MAX_SWAPPED_ROWS = 50_000, 40
"""Rows, about, that a network is taught on, and rows at most that are made of each by swapping cells; at least one."""
MAX_TAUGHT_VISITS = 2_500_000
"""Rows that a network is taught on times epochs."""


def resolve_members(config: Config, rows: int) -> Config:
    """The configuration with `members: auto` resolved for a table of a number of rows."""
    if config.members != "auto":
        return config
    members = next((members for max_rows, members in MEMBERS if rows <= max_rows), None)
    if members is not None:
        return config.model_copy(update={"members": members})
    update: dict[str, object] = {"members": MIN_MEMBERS}
    if config.bagging_mode == "folds" and config.bagging == "auto":
        update |= {"bagging": "seeds", "validation": HELD_OUT_ROWS / rows}
    return config.model_copy(update=update)


def batch_rows(config: Config, rows: int) -> int:
    """The batch size for a number of training rows."""
    if config.batch_size == "full":
        return rows
    if config.batch_size != "auto":
        return config.batch_size
    return next((batch for max_rows, batch in BATCHES if rows <= max_rows), MAX_BATCH)


def counted_rows(rows: int, outputs: int) -> int:
    """The training rows that count for the number of epochs: with MANY_CLASSES or more, a row takes as much longer.

    The last layer and the loss are then most of a step.
    """
    return rows * max(outputs, MANY_CLASSES) // MANY_CLASSES


def epochs_of(config: Config, rows: int) -> int:
    """The number of epochs for a number of counted rows, as for the functions below."""
    if config.epochs != "auto":
        return config.epochs
    if config.teacher is not None:
        return _taught_epochs(rows)
    return epochs_of_cycles(rows, min(DEFAULT_CYCLES, max_cycles(config, rows)))


def epochs_of_cycles(rows: int, cycles: int) -> int:
    """The number of epochs of a number of cycles."""
    return int(first_cycle(rows) * (2**cycles - 1))


def _taught_epochs(rows: int) -> int:
    """The number of epochs of as many cycles as are practical: targets without noise are not overfitted."""
    fitting = [n for n in range(MIN_CYCLES, MAX_CYCLES + 1) if epochs_of_cycles(rows, n) * rows <= MAX_TAUGHT_VISITS]
    return epochs_of_cycles(rows, max(fitting, default=MIN_CYCLES))


def likely_epochs(schedule: ScheduleBase, epochs: int) -> int:
    """The epochs that a training of `epochs` epochs is likely to reach: with a first cycle, further ones may follow."""
    if not isinstance(schedule, CoslogRate) or not isinstance(schedule.first_cycle, float):
        return epochs
    return max(epochs, int(schedule.first_cycle * (2**LIKELY_CYCLES - 1)))


def first_cycle(rows: int) -> int:
    """The number of epochs of the first cycle for a number of training rows."""
    return int(max(1, min(MAX_FIRST_CYCLE, MAX_ROW_VISITS // (rows * (2**MAX_CYCLES - 1)))))


def max_cycles(config: Config, rows: int) -> int:
    """The largest number of cycles for a number of training rows: those of the schedule, fewer for a large table.

    Several targets share the steps, and may need a cycle more.
    """
    limit = config.schedule.cycles if isinstance(config.schedule, CoslogRate) else MAX_CYCLES
    limit = min(limit + 1, MAX_CYCLES) if config.loss is not None and config.loss.parts else limit
    fitting = [n for n in range(MIN_CYCLES, limit + 1) if epochs_of_cycles(rows, n) * rows <= MAX_ROW_VISITS]
    return max(fitting, default=min(limit, MIN_CYCLES))


def clip_norm_of(config: Config, loss: Loss) -> float | None:
    """The largest norm of the gradient; None: no clipping."""
    return loss.auto_clip_norm if config.clip_norm == "auto" else config.clip_norm


def schedule_of(config: Config, loss: Loss, rows: int) -> Schedule:
    """The learning rate schedule, with the peak rate of the kind of target and the first cycle for a number of rows.

    A configured number of epochs consists of whole cycles, whatever the number of rows.
    """
    schedule = config.schedule.with_auto_peak(kind_of(loss).peak_learning_rate)
    if config.epochs == "auto" or not isinstance(schedule, CoslogRate):
        return schedule.with_auto_cycle(first_cycle(rows))
    cycles = min(schedule.cycles, int(log2(config.epochs + 1)))
    return schedule.with_auto_cycle(config.epochs / (2**cycles - 1))


def resolve_layers(layers: tuple[Layer, ...], rows: int, width: int) -> tuple[Layer, ...]:
    """The layers, with the units of every dense layer resolved for training rows and for the width of the input."""
    units = next((units for max_rows, units in UNITS if rows <= max_rows), MAX_UNITS)
    if width > MAX_EMBEDDED:
        units = min(units, UNITS[0][1])
    return tuple(layer.with_auto_units(units) for layer in layers)


def resolve_optimizer(optimizer: Optimizer, rows: int, width: int) -> Optimizer:
    """The optimizer, with its weight decay resolved for training rows and for the width of the input."""
    is_wide = width > max(MAX_EMBEDDED, rows)
    return optimizer.with_auto_weight_decay(WEIGHT_DECAY_OF_WIDE_TABLES if is_wide else WEIGHT_DECAY)


def swapped_rows(rows: int) -> int:
    """The rows with swapped cells that are made of each of a number of training rows, for a teacher to predict."""
    return int(max(1, min(MAX_SWAPPED_ROWS, TAUGHT_ROWS // rows)))


def max_features_of(config: Config) -> int | None:
    """The largest number of columns that the network uses; None: all."""
    return MAX_FEATURES if config.encoding.max_features == "auto" else config.encoding.max_features


def resolve_embedding(embedding: NumericEmbedding | None, columns: int) -> NumericEmbedding | None:
    """The numeric embedding, with `width: auto` resolved for a number of numeric columns: no embedding for many."""
    if embedding is None or (embedding.has_auto_width and columns > MAX_EMBEDDED):
        return None
    return embedding.with_auto_width(min(MAX_EMBEDDING, max(MIN_EMBEDDING, TOTAL_EMBEDDING // max(1, columns))))

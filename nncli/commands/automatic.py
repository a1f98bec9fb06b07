"""What `auto` leaves to the table: units of a layer, rows of a batch, epochs, the peak of the learning rate."""

from __future__ import annotations

from nncli.config.schema import Config
from nncli.nn.layers import Dense, Layer, Residual
from nncli.nn.losses import Loss, Task
from nncli.nn.schedules import CoslogRate, Schedule

BATCHES = ((2_000, 64), (6_000, 128), (20_000, 256), (80_000, 512))
"""Training rows up to which a batch has so many; beyond, LARGEST_BATCH."""
LARGEST_BATCH = 1_024
MOST_EPOCHS = 256
MOST_STEPS = 12_000
"""On a large table there are as many epochs as so many steps are, so that the training stays practical."""
FEWEST_EPOCHS = 4

FEW_ROWS, FEW_UNITS, UNITS = 2_000, 128, 256
"""Up to so many training rows a dense layer has the few units: as good there, and several times as fast."""
PEAKS: dict[Task, float] = {"numbers": 0.2, "classes": 0.04}
"""Holzmüller, Grinsztajn and Steinwart, 2024, table A.1."""


def batch_rows(config: Config, rows: int) -> int:
    """Rows of a batch, of so many training rows."""
    if config.batch_size == "full":
        return rows
    if config.batch_size != "auto":
        return config.batch_size
    return next((batch for most, batch in BATCHES if rows <= most), LARGEST_BATCH)


def epochs_of(config: Config, rows: int) -> int:
    """Passes over so many training rows."""
    if config.epochs != "auto":
        return config.epochs
    steps = -(-rows // batch_rows(config, rows))
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, MOST_STEPS // steps))


def schedule_of(config: Config, loss: Loss) -> Schedule:
    """The learning rate, once it is known what is learned."""
    schedule = config.schedule
    if isinstance(schedule, CoslogRate) and schedule.peak == "auto":
        return schedule.model_copy(update={"peak": PEAKS[loss.task]})
    return schedule


def settled_layers(layers: tuple[Layer, ...], rows: int) -> tuple[Layer, ...]:
    """The layers, every dense one with a number of units, for so many training rows."""
    return tuple(_settled(layer, FEW_UNITS if rows <= FEW_ROWS else UNITS) for layer in layers)


def _settled(layer: Layer, units: int) -> Layer:
    if isinstance(layer, Dense) and layer.units == "auto":
        return layer.model_copy(update={"units": units})
    if isinstance(layer, Residual):
        return layer.model_copy(update={"layers": tuple(_settled(inner, units) for inner in layer.layers)})
    return layer

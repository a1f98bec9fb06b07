"""What `auto` leaves to the table: units, the width of embeddings, rows of a batch, epochs, the peak of the rate."""

from __future__ import annotations

from nncli.config.schema import Config
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Layer, Residual
from nncli.nn.losses import Loss
from nncli.nn.numeric_embeddings import NumericEmbedding, PiecewiseLinear
from nncli.optim.schedules import CoslogRate, Schedule
from nncli.spec import Task

BATCHES = ((2_000, 64), (6_000, 128), (20_000, 256), (80_000, 512))
"""Training rows up to which a batch has so many; beyond, LARGEST_BATCH."""
MAX_BATCH = 1_024
MAX_EPOCHS = 256
MAX_ROW_VISITS = 1_800_000
"""On a large table there are as many epochs as it takes to see so many rows, so that the training stays practical."""
MIN_EPOCHS = 4

UNITS = ((2_000, 128), (6_000, 192))
"""Training rows up to which a dense layer has so many units: as good there, and faster; beyond, MOST_UNITS."""
MAX_UNITS = 256
EMBEDDED, NARROW, WIDE = 256, 4, 16
"""Units that all numbers together are embedded to, about, and the narrowest and widest embedding of one."""
PEAKS: dict[Task, float] = {"regression": 0.12, "classification": 0.04}
"""Holzmüller, Grinsztajn and Steinwart, 2024, have 0.2 and 0.04; see docs/accuracy.md."""


def batch_rows(config: Config, rows: int) -> int:
    """Rows of a batch, of so many training rows."""
    if config.batch_size == "full":
        return rows
    if config.batch_size != "auto":
        return config.batch_size
    return next((batch for most, batch in BATCHES if rows <= most), MAX_BATCH)


def epochs_of(config: Config, rows: int) -> int:
    """Passes over so many training rows."""
    if config.epochs != "auto":
        return config.epochs
    return max(MIN_EPOCHS, min(MAX_EPOCHS, MAX_ROW_VISITS // rows))


def schedule_of(config: Config, loss: Loss) -> Schedule:
    """The learning rate, once it is known what is learned."""
    schedule = config.schedule
    if isinstance(schedule, CoslogRate) and schedule.peak == "auto":
        return schedule.model_copy(update={"peak": PEAKS[loss.task]})
    return schedule


def resolve_layers(layers: tuple[Layer, ...], rows: int) -> tuple[Layer, ...]:
    """The layers, every dense one with a number of units, for so many training rows."""
    units = next((units for most, units in UNITS if rows <= most), MAX_UNITS)
    return tuple(_resolve_layer(layer, units) for layer in layers)


def _resolve_layer(layer: Layer, units: int) -> Layer:
    if isinstance(layer, Dense) and layer.units == "auto":
        return layer.model_copy(update={"units": units})
    if isinstance(layer, Residual):
        return layer.model_copy(update={"layers": tuple(_resolve_layer(inner, units) for inner in layer.layers)})
    return layer


def resolve_embedding(embedding: NumericEmbedding | None, columns: int) -> NumericEmbedding | None:
    """The embedding of so many numeric columns, as wide as it is affordable."""
    if isinstance(embedding, PiecewiseLinear) and embedding.width == "auto":
        return embedding.model_copy(update={"width": min(WIDE, max(NARROW, EMBEDDED // max(1, columns)))})
    return embedding

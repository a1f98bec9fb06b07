"""How long a training is where the configuration leaves it to the number of rows: batches and epochs."""

from __future__ import annotations

from nncli.config.schema import Config

BATCHES = ((2_000, 64), (6_000, 128), (20_000, 256), (80_000, 512))
"""Training rows up to which a batch has so many; beyond, LARGEST_BATCH."""
LARGEST_BATCH = 1_024
MOST_EPOCHS = 256
MOST_STEPS = 12_000
"""On a large table there are as many epochs as so many steps are, so that the training stays practical."""
FEWEST_EPOCHS = 4


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

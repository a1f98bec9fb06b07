"""The rows of a training: read, told apart, and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config, ValidationFile
from nncli.data.dialect import CsvDialect
from nncli.data.encoding import Encoder
from nncli.data.examples import Examples
from nncli.data.splits import split_rows
from nncli.data.table import Table
from nncli.data.tables import read_table
from nncli.data.targets import ClassTarget, NumberTarget, Target, rows_with_target
from nncli.data.weights import Weights, class_weights, combine, read_weights
from nncli.errors import DataError, Place, listed
from nncli.nn.network import Network
from nncli.training.state import Streams


@dataclass(frozen=True)
class Rows:
    """Some rows, ready: encoded for the network, and with the truth and the sample weights as the person gave them.

    `y` holds codes (rows,) or numbers in their own units (rows, targets).
    """

    examples: Examples
    y: npt.NDArray[Any]
    weights: Weights | None

    def __len__(self) -> int:
        return len(self.y)


def read(config: Config, path: str, notes: list[str], trained: CsvDialect | None = None) -> Table:
    """The table at `path`, once it has every column that the configuration names; `trained` settles its dialect."""
    data = config.data
    table = read_table(Path(path), missing=data.missing, dialect=data.dialect, trained=trained)
    notes += table.notes
    named = [*data.target, *(data.features or ()), *data.drop, *data.columns]
    table.require([*named, data.weight] if data.weight else named)
    return table


def with_target(table: Table, names: tuple[str, ...], notes: list[str]) -> Table:
    """The rows that have a target; how many had none is noted."""
    rows = rows_with_target(table, names)
    if not len(table):
        raise DataError("the table has no rows", place=Place(source=table.source), hint="Is this the right file?")
    if not len(rows):
        raise DataError(
            "no row has a target", place=table.place(column=names[0]), hint="Name another column as data.target."
        )
    if len(rows) == len(table):
        return table
    dropped = len(table) - len(rows)
    notes.append(f"{table.source}: left out {dropped:,} of {len(table):,} rows, which have no {listed(names)}")
    return table.take(rows)


def split_table(
    config: Config, table: Table, as_classes: bool, streams: Streams, notes: list[str]
) -> tuple[Table, Table | None]:
    """Training and validation rows, before anything is fitted."""
    if isinstance(config.validation, ValidationFile):
        other = read(config, config.validation.path, notes, table.dialect)
        return table, with_target(other, config.data.target, notes)
    if config.validation == 0.0:
        return table, None
    classes = None
    if as_classes:
        labels = table.column(config.data.target[0]).rank("dense")
        classes = labels.to_numpy().astype(np.int64)
    split = split_rows(len(table), config.validation, streams.split, classes)
    if not len(split.training) or not len(split.validation):
        raise DataError(
            f"{len(table):,} rows are too few to hold out a share of {config.validation:g}",
            place=Place(source=table.source),
            hint="Add rows, or set validation: 0.",
        )
    return table.take(split.training), table.take(split.validation)


def encode(
    config: Config, table: Table, encoder: Encoder, target: Target, network: Network, training: Rows | None
) -> Rows:
    """Encode rows; class weights are those of the `training` rows, or of these when they are the training rows."""
    X, codes, _ = encoder.encode(table, network.precision)
    sample = read_weights(table, config.data.weight) if config.data.weight else None
    y: npt.NDArray[Any]
    seen: npt.NDArray[Any]
    per_row = None
    if isinstance(target, ClassTarget):
        y = seen = target.read(table)
        if config.class_weight is not None:
            counted = y if training is None else training.y
            per_row = class_weights(config.class_weight, target.labels, counted)[y]
    else:
        numbers = target.read(table)
        y, seen = numbers, _as_seen(table, target, numbers, network)
    weights = combine(sample, per_row)
    scaled = None if weights is None else weights.astype(network.precision)
    return Rows(Examples(X, codes, seen, scaled), y, sample)


def _as_seen(
    table: Table, target: NumberTarget, y: npt.NDArray[np.float64], network: Network
) -> npt.NDArray[np.floating[Any]]:
    """The numbers y (rows, targets) as the network sees them.

    Raises:
        DataError: one is so far from the training values, or so large, that its precision cannot hold it.
    """
    with np.errstate(over="ignore"):
        seen = target.encode(y).astype(network.precision)
    finite = np.isfinite(seen)
    if not finite.all():
        row, j = np.argwhere(~finite)[0]
        raise DataError(
            f"{y[row, j]:g} is too large a target to be computed with in {network.precision}",
            place=table.place(row=int(row), column=target.names[j]),
            hint="Mend the cell, or write the column in another unit.",
        )
    return seen

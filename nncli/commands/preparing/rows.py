"""The rows of a training: read, told apart, and encoded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config, ValidationFile
from nncli.data.ahead import ahead
from nncli.data.columns import Kind
from nncli.data.dialect import CsvDialect
from nncli.data.encoding import Codes, Encoder, Matrix
from nncli.data.examples import Examples, Storage
from nncli.data.folds import Bootstrap, Fold
from nncli.data.mapped import RowsFile
from nncli.data.scratch import Scratch
from nncli.data.sources import is_stream
from nncli.data.splits import Split, hold_out
from nncli.data.stored import StoredTable
from nncli.data.storing import store
from nncli.data.table import Table
from nncli.data.tables import Format, Reading, format_of, pieces
from nncli.data.targets import ClassTarget, NumberTarget, Target, rows_with_target
from nncli.data.times import read_groups, read_times
from nncli.data.traits import Traits
from nncli.data.weights import Weights, class_weights, combine, read_weights
from nncli.errors import DataError, Place, listed
from nncli.nn.network import Network
from nncli.stages import stage
from nncli.training.state import Streams

PARQUET_ROWS = 1 << 17
"""Rows of a Parquet file that are read at a time."""
FIRST_BYTES = 1 << 18
"""Text of a CSV of which is found out what the columns hold: it has to be parsed as text, which takes long."""

SPELLED = (Kind.CATEGORICAL, Kind.DATE, Kind.TEXT)
"""Kinds of which every cell is kept as it is spelled."""


@dataclass(frozen=True)
class Rows:
    """Some rows, ready: encoded for the network, and with the truth and the sample weights as the person gave them.

    `y` holds codes (rows,) or numbers in their own units (rows, targets), `numbers` (rows,) each row's number in its
    table, from 1; None: they are all there, in order.
    """

    examples: Examples
    y: npt.NDArray[Any]
    weights: Weights | None
    numbers: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.y)


def read(
    config: Config,
    path: str,
    notes: list[str],
    scratch: Scratch,
    trained: CsvDialect | None = None,
    *,
    whole: bool = False,
) -> StoredTable:
    """The table at `path`, once it has every column that the configuration names; `trained` settles its dialect.

    The columns that the training needs are kept, or, of the `whole` table, all of them. What is text in the training
    table may be plain numbers in another one, given its dialect, and a pipe is read but once: of these every cell stays
    as it is spelled.
    """
    data, file = config.data, Path(path)
    named = [*data.target, *(data.features or ()), *data.drop, *data.columns]
    apart = data.apart if trained is None else tuple(filter(None, [data.weight]))  # another table is not split
    named += apart
    by_rows = not is_stream(file) and format_of(file) is Format.PARQUET
    reading = Reading(data.dialect, trained, data.missing, rows=PARQUET_ROWS if by_rows else None)

    def kept(table: Table) -> set[str]:
        table.require(named)
        if whole:
            return set(table.names)
        features = set(data.features or set(table.names) - set(data.apart)) - set(data.drop)
        return {*features, *data.target, *apart}

    # a target that may turn out to be one of classes stays as it is spelled, as it would if that had been said
    undecided = config.loss is None and not whole
    classes = data.target if config.loss is None or config.loss.task == "classes" else ()
    texts = {*(() if undecided else classes), *(name for name, kind in data.columns.items() if kind in SPELLED)}
    codes = frozenset(data.target if undecided else ())
    texts |= set(data.drop) if whole else set()
    once = trained is not None or is_stream(file)
    reading = reading if once else replace(reading, first_bytes=FIRST_BYTES)
    finding = replace(reading, numbers=None, texts=frozenset(texts), codes=codes)
    readings = iter((reading,) if once else (finding, reading))
    with stage(f"reading {path}") as told:
        tables = partial(pieces, file, None)
        table = store(lambda: tables(next(readings)), kept, scratch, texts=None if once else texts, codes=codes)
        told.found.append(f"{len(table):,} rows, {len(table.outline.names):,} columns")
    notes += table.outline.notes
    return table


def with_target(table: StoredTable, names: tuple[str, ...], notes: list[str]) -> StoredTable:
    """The rows that have a target; how many had none is noted."""
    rows = rows_with_target(table.only(names), names)
    source = table.outline.source
    if not len(table):
        raise DataError("the table has no rows", place=Place(source=source), hint="Is this the right file?")
    if not len(rows):
        raise DataError(
            "no row has a target",
            place=table.outline.place(column=names[0]),
            hint="Name another column as data.target.",
        )
    if len(rows) == len(table):
        return table
    dropped = len(table) - len(rows)
    notes.append(f"{source}: left out {dropped:,} of {len(table):,} rows, which have no {listed(names)}")
    return table.take(rows)


def split_table(
    config: Config,
    table: StoredTable,
    as_classes: bool,
    streams: Streams,
    notes: list[str],
    scratch: Scratch,
    *,
    whole: bool = False,
) -> tuple[StoredTable, StoredTable | None]:
    """Training and validation rows, before anything is fitted; those of a file with its `whole` table."""
    split = split_of(config, table, as_classes, streams.split)
    whole = np.array_equal(split.training, np.arange(len(table)))
    training = table if whole else table.take(split.training)
    if isinstance(config.validation, ValidationFile):
        other = read(config, config.validation.path, notes, scratch, table.outline.dialect, whole=whole)
        return training, with_target(other, config.data.target, notes)
    return training, table.take(split.validation) if len(split.validation) else None


def split_of(config: Config, table: StoredTable, as_classes: bool, rng: np.random.Generator) -> Split:
    """Positions of the rows of a table to train on, and of those to validate on, unless these have a file of their own.

    Raises:
        DataError: there are too few rows for what is asked, or a cell names no group or time.
    """
    validation, left_out = config.validation, config.data.leave_out
    rows, held = np.arange(len(table)), np.empty(0, np.int64)
    if left_out is None and (isinstance(validation, ValidationFile) or validation == 0.0):
        return Split(rows, held)
    traits = traits_of(config, table, as_classes)
    if left_out is not None:
        rows = left_out.split(traits).training
        traits = traits.take(rows)
    if isinstance(validation, ValidationFile) or validation == 0.0:
        return Split(rows, held)
    split = validation.split(traits) if isinstance(validation, Fold | Bootstrap) else hold_out(traits, validation, rng)
    return Split(rows[split.training], rows[split.validation])


def traits_of(config: Config, table: StoredTable, as_classes: bool) -> Traits:
    """What a split has to respect of the rows of a table; `as_classes` says whether the target is one of classes.

    Raises:
        DataError: a cell names no group or time.
    """
    data = config.data
    classes = None
    if as_classes:
        name = data.target[0]
        classes = table.only([name]).column(name).rank("dense").to_numpy().astype(np.int64)
    return Traits(
        n=len(table),
        classes=classes,
        groups=None if data.group is None else read_groups(table.only([data.group]), data.group),
        times=None if data.time is None else read_times(table.only([data.time]), data.time),
        place=Place(source=table.outline.source),
    )


def encode(
    config: Config,
    stored: StoredTable,
    encoder: Encoder,
    target: Target,
    network: Network,
    training: Rows | None,
    scratch: Scratch | None,
) -> Rows:
    """Encode rows, in memory, or into scratch files where there is a `scratch`.

    Class weights are those of the `training` rows, or of these when they are the training rows.
    """
    X, codes, storage = _features(stored, encoder, network, scratch)
    weight = config.data.weight
    sample = read_weights(stored.only([weight]), weight) if weight else None
    table = stored.only(target.names)
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
    return Rows(Examples(X, codes, seen, scaled, storage), y, sample, stored.numbers)


def _features(
    stored: StoredTable, encoder: Encoder, network: Network, scratch: Scratch | None
) -> tuple[Matrix, Codes, Storage | None]:
    """X, codes, and where they stand if not in memory."""
    n, width, precision = len(stored), encoder.width, network.precision
    if scratch is None:
        X, codes = encoder.empty(n, precision)
        _fill(stored, encoder, X, codes)
        return X, codes, None
    numbers = RowsFile(scratch, width, np.dtype(precision))
    categories = RowsFile(scratch, len(encoder.embedded), np.dtype(np.int64))
    for some in ahead(encoder.encode(block, precision) for block in stored.blocks(encoder.names)):
        numbers.append(some.X)
        categories.append(some.codes)
    storage = Storage(numbers.mapped(n), categories.mapped(n), scratch)
    return storage.X.values, storage.codes.values, storage


def _fill(stored: StoredTable, encoder: Encoder, X: Matrix, codes: Codes) -> None:
    """Fill X and codes, each half of the table on a thread of its own."""

    def fill(half: StoredTable, X: Matrix, codes: Codes) -> None:
        stop = 0
        for block, plain in half.portions(encoder.names, encoder.together):
            start, stop = stop, stop + max(len(block), plain.values.shape[1])
            encoder.encode_into(block, X[start:stop], codes[start:stop], plain)

    first, second = stored.halves()
    cut = len(first)
    with ThreadPoolExecutor(1, "nncli encode") as thread:
        rest = thread.submit(fill, second, X[cut:], codes[cut:])
        fill(first, X[:cut], codes[:cut])
        rest.result()


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

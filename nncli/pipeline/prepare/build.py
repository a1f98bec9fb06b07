"""What a configuration leaves open and the table decides: the loss, the kinds of column, the target, the network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config
from nncli.data.columns.parsing import MAX_INTEGER_CLASSES, read_numbers, unit_of
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.kinds import Kind, infer_kind
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.target import ClassificationTarget, RegressionTarget, Target
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.errors import DataError, Location, config_error
from nncli.nn.embeddings import Embedding
from nncli.nn.losses import MSE, CrossEntropy, Loss
from nncli.nn.network import Network
from nncli.pipeline.prepare.notes import ambiguous_dates
from nncli.text import join_quoted, quote

MOST_PARAMETERS = 1_000_000_000_000
"""More are a slip of the finger: no machine holds them."""


MIN_ROWS_PER_CLASS = 5
"""Rows that each code has at least, in the mean."""


def are_class_ids(y: npt.NDArray[np.float64]) -> bool:
    """Whether numbers y (rows,) look like the codes of classes: few whole numbers, without a gap, from 0 or 1 on."""
    if len(y) < 2 * MIN_ROWS_PER_CLASS:
        return False
    first, last = float(y.min()), float(y.max())
    if first not in (0.0, 1.0) or not last - first < MAX_INTEGER_CLASSES or not (y == np.floor(y)).all():
        return False
    counts = np.bincount((y - first).astype(np.int64))
    return len(counts) >= 2 and bool(counts.all()) and len(y) >= MIN_ROWS_PER_CLASS * len(counts)


def infer_loss(config: Config, table: Table, notes: list[str]) -> tuple[Loss, bool]:
    """The loss, and whether the target is classes: text, booleans, or whatever a loss for classes is asked of.

    Where the configuration leaves it open, numbers that look like codes are taken for classes, and a note says so.
    """
    names = config.data.target
    if config.loss is not None and config.loss.task == "classification":
        kinds = [Kind.CATEGORICAL]  # whatever is in it
    else:
        kinds = [config.data.columns.get(name) or infer_kind(table, name) for name in names]
    text = [name for name, kind in zip(names, kinds, strict=True) if kind.needs_text]
    left_open = config.loss is None and config.output_activation is None and names[0] not in config.data.columns
    left_open = left_open and len(names) == 1 and not text
    if left_open and unit_of(table, names[0]) is None and are_class_ids(read_numbers(table, names[0])):
        text = list(names)
        notes.append(
            f"{quote(names[0])} is taken for classes, numbered from {read_numbers(table, names[0]).min():g} on; "
            "if it is a quantity, set loss: mse"
        )
    loss = config.loss or (CrossEntropy() if text and len(names) == 1 else MSE())
    if loss.task == "classification":
        if config.output_activation is not None:
            raise config_error(
                "output_activation",
                f"cannot be forced when the target, {quote(names[0])}, is a class: {loss.type} has its own link",
                "Remove the key.",
            )
        return loss, True
    if text:
        cell = table.column(text[0]).drop_nulls()[0]
        raise DataError(
            f"the loss {loss.type} needs numbers, and the target holds {quote(cell)}",
            place=table.place(column=text[0]),
            hint="Leave `loss` out or use cross_entropy for classes."
            if len(names) == 1
            else "Several targets must all be numbers.",
        )
    if config.class_weight is not None:
        raise config_error(
            "class_weight", "the target is a number, not a class", "Remove the key, or use loss: cross_entropy."
        )
    return loss, False


def fit_features(
    config: Config, training: ColumnStore, notes: list[str]
) -> tuple[tuple[tuple[str, Kind], ...], Encoder]:
    """The features with their kinds, columns to ignore left out, and the encoder, fitted on the training rows.

    Each column is taken up once, two at a time, on two threads: a column's kind and fit are its own matter.
    """
    data, encoding = config.data, config.encoding
    never = {*data.target, *data.drop, *data.row_columns}
    names = data.features or [name for name in training.header.names if name not in never]

    def fit(name: str) -> tuple[tuple[str, Kind], Encoder, str | None]:
        asked = data.columns.get(name)
        if asked in (None, Kind.NUMERIC) and (x := training.plain(name)) is not None and len(x):
            column = NumericColumn.fit_values(training.row_ids, name, x, encoding.numeric, encoding.clip)
            return (name, Kind.NUMERIC), Encoder(columns=(column,)), None
        table = training.columns([name])
        kind = asked or infer_kind(table, name)
        doubt = ambiguous_dates(table, name) if kind is Kind.CATEGORICAL and name not in data.columns else None
        encoder = Encoder.fit(table, [(name, kind)], encoding)
        return (name, kind), encoder, doubt

    pool = ThreadPoolExecutor(2, "nncli fit")
    try:
        fitted = list(pool.map(fit, names))
    finally:
        pool.shutdown(cancel_futures=True)
    kinds = tuple(kind for kind, _, _ in fitted)
    notes += filter(None, (doubt for _, _, doubt in fitted))
    empty = [name for name, kind in kinds if kind is Kind.EMPTY and name not in data.columns]
    if empty:
        notes.append(f"ignored {join_quoted(empty)}: no value in any training row")
    kinds = tuple((name, kind) for name, kind in kinds if kind is not Kind.EMPTY)
    if not kinds:
        raise DataError(
            "there is no column to predict from",
            place=Location(source=training.header.source),
            hint="Name some as data.features, or drop fewer.",
        )
    return kinds, Encoder(columns=tuple(column for _, encoder, _ in fitted for column in encoder.columns))


def fit_target(config: Config, training: Table, loss: Loss, as_classes: bool) -> tuple[Target, Any]:
    """The target, and how it is scaled: `standard` or `none`."""
    names = config.data.target
    if as_classes:
        return ClassificationTarget.fit(training, names[0]), "none"
    wanted = config.encoding.target
    raw = loss.needs_unscaled_targets or config.output_activation is not None
    if wanted == "standard" and loss.needs_unscaled_targets:
        raise config_error("encoding.target", f"{loss.type} needs the target as it is", "Use none, or auto.")
    scaling = ("none" if raw else "standard") if wanted == "auto" else wanted
    target = RegressionTarget.fit(training, names, scaling, config.encoding.clip_target)
    if loss.nonnegative_targets:
        y = target.read(training)
        if (y < 0.0).any():
            row, j = np.argwhere(y < 0.0)[0]
            raise DataError(
                f"{loss.type} needs targets of 0 or more, found {y[row, j]:g}",
                place=training.place(row=int(row), column=names[j]),
                hint="Use another loss, such as mse.",
            )
    return target, scaling


def build_network(config: Config, encoder: Encoder, target: Target, loss: Loss) -> Network:
    """The network between the encoder and the loss; ConfigError when its layers do not follow each other."""
    count = len(target.labels) if target.task == "classification" else len(target.names)
    network = Network(
        features=encoder.width,
        embeddings=tuple(
            Embedding(name=c.name, slots=c.slots, width=c.embedding_width or 0, std=config.embedding_init_std)
            for c in encoder.embedded
        ),
        layers=config.hidden_layers,
        outputs=loss.outputs(count),
        output_activation=config.output_activation,
        precision=config.precision,
        numeric=encoder.numeric,
        numeric_embedding=config.numeric_embedding,
        output_init=config.init,
        output_parametrization=config.parametrization,
    )
    try:
        size = network.layout.size
    except ValueError as error:
        layer, _, message = str(error).partition(": ")
        raise config_error(layer, message, "Change the units, or add a dense layer.") from error
    if size > MOST_PARAMETERS:
        raise config_error("layers", f"the network would have {size:.3g} parameters", "Use fewer units.")
    return network


def note_unreachable_targets(config: Config, y: npt.NDArray[Any], notes: list[str]) -> None:
    """Warn of training targets, as the network sees them, that a forced output activation cannot reach."""
    f = config.output_activation
    if f is None:
        return
    low, high = f.output_range
    beyond = int(((y < low) | (y > high)).sum())
    if beyond:
        notes.append(
            f"a {f.type} output lies between {low:g} and {high:g} and cannot reach {beyond:,} of the {y.size:,} "
            f"training targets, which lie between {y.min():.4g} and {y.max():.4g}"
        )


def note_two_values(target: Target, y: npt.NDArray[Any], notes: list[str]) -> None:
    """Note a target of two whole numbers, which is trained as a number and may be meant as classes."""
    if target.task == "classification" or len(target.names) > 1:
        return
    low, high = float(y.min()), float(y.max())
    if low < high and low.is_integer() and high.is_integer() and ((y == low) | (y == high)).all():
        notes.append(
            f"{quote(target.names[0])} holds only {low:g} and {high:g} and is predicted as a number; "
            "if these are classes, set loss: cross_entropy"
        )

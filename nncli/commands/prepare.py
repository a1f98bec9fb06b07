"""From a configuration to everything a training needs: the table read, split, fitted and encoded, the network built.

The order matters and is the promise: rows are split first, and everything that is fitted (kinds of column, medians,
categories, scales) is fitted on the training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.commands.notes import spelled_alike
from nncli.commands.scores import higher_is_better, single_metric
from nncli.config.schema import Config, ValidationFile
from nncli.data.columns import Kind, infer_kind
from nncli.data.dialect import CsvDialect
from nncli.data.encoding import CategoricalColumn, Encoder
from nncli.data.examples import Examples
from nncli.data.splits import split_rows
from nncli.data.table import Table
from nncli.data.tables import read_table
from nncli.data.targets import ClassTarget, NumberTarget, Target, rows_with_target
from nncli.data.weights import Weights, class_weights, combine, read_weights
from nncli.errors import ConfigError, DataError, Mistake, Place, UsageError, listed, quoted
from nncli.model import ModelSpec, decode
from nncli.nn.losses import CrossEntropy, Loss, Mse
from nncli.nn.network import Embedding, Network
from nncli.training.plan import Holdout, Plan
from nncli.training.state import Streams

MOST_PARAMETERS = 1_000_000_000_000
"""More are a slip of the finger: no machine holds them."""


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


@dataclass(frozen=True)
class Prepared:
    """A training that can begin. `config` has every choice written out; `notes` are for the person to read."""

    config: Config
    spec: ModelSpec
    plan: Plan
    streams: Streams
    training: Rows
    validation: Rows | None
    holdout: Holdout | None
    table_rows: int
    notes: tuple[str, ...]


def prepare(config: Config) -> Prepared:
    """Read the tables and build everything up to the first step.

    Raises:
        ConfigError: the configuration does not fit the table.
        DataError: a table cannot be read or does not fit.
    """
    notes: list[str] = []
    streams = Streams.of(config.seed)
    table = _read(config, config.data.path, notes)
    dialect = table.dialect
    table_rows = len(table)
    table = _with_target(table, config.data.target, notes)
    loss, as_classes = _choose_loss(config, table)
    training, validation = _split(config, table, as_classes, streams, notes)

    kinds = _choose_kinds(config, training, notes)
    encoder = Encoder.fit(training, kinds, config.encoding.numeric)
    _note_empty_categories(encoder, notes)
    _note_twins(encoder, notes)
    target, scaling = _fit_target(config, training, loss, as_classes)
    network = _build_network(config, encoder, target, loss)

    train = _encode(config, training, encoder, target, network, None)
    held = None if validation is None else _encode(config, validation, encoder, target, network, train)
    _note_unreachable(config, train, notes)

    resolved = config.model_copy(
        update={
            "data": config.data.model_copy(
                update={
                    "features": tuple(name for name, _ in kinds),
                    "columns": dict(kinds),
                    **({} if isinstance(config.validation, ValidationFile) else dialect.model_dump()),
                }
            ),
            "encoding": config.encoding.model_copy(update={"target": scaling}),
            "layers": config.hidden,
            "loss": loss,
            "learning_rate": config.schedule,
        }
    )
    spec = ModelSpec(
        encoder=encoder, target=target, network=network, loss=loss, missing=config.data.missing, dialect=dialect
    )
    holdout = _holdout(config, spec, held)
    watched = _watched(config, holdout)
    stopping = config.early_stopping
    plan = Plan(
        network=network,
        loss=loss,
        optimizer=config.optimizer,
        schedule=config.schedule,
        batch_size=len(train) if config.batch_size == "full" else config.batch_size,
        epochs=config.epochs,
        l1=config.l1,
        l2=config.l2,
        clip_norm=config.clip_norm,
        watched=watched,
        patience=stopping.patience if stopping else None,
        min_delta=stopping.min_delta if stopping else 0.0,
        go_back=config.on_divergence == "halve_rate",
        features=encoder.features,
    )
    return Prepared(resolved, spec, plan, streams, train, held, holdout, table_rows, tuple(notes))


def _mistake(key: str, message: str, hint: str) -> ConfigError:
    return ConfigError(Mistake(message, Place(key=key), hint))


def _read(config: Config, path: str, notes: list[str], trained: CsvDialect | None = None) -> Table:
    data = config.data
    table = read_table(Path(path), missing=data.missing, dialect=data.dialect, trained=trained)
    notes += table.notes
    named = [*data.target, *(data.features or ()), *data.drop, *data.columns]
    table.require([*named, data.weight] if data.weight else named)
    return table


def _with_target(table: Table, names: tuple[str, ...], notes: list[str]) -> Table:
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


def _choose_loss(config: Config, table: Table) -> tuple[Loss, bool]:
    """The loss, and whether the target is classes: text, booleans, or whatever a loss for classes is asked of."""
    names = config.data.target
    if config.loss is not None and config.loss.task == "classes":
        kinds = [Kind.CATEGORICAL]  # whatever is in it
    else:
        kinds = [config.data.columns.get(name) or infer_kind(table, name) for name in names]
    text = [name for name, kind in zip(names, kinds, strict=True) if kind is Kind.CATEGORICAL]
    loss = config.loss or (CrossEntropy() if text and len(names) == 1 else Mse())
    if loss.task == "classes":
        if config.output_activation is not None:
            raise _mistake(
                "output_activation",
                f"cannot be forced when the target, {quoted(names[0])}, is a class: {loss.type} has its own link",
                "Remove the key.",
            )
        return loss, True
    if text:
        cell = table.column(text[0]).drop_nulls()[0]
        raise DataError(
            f"the loss {loss.type} needs numbers, and the target holds {quoted(cell)}",
            place=table.place(column=text[0]),
            hint="Leave `loss` out or use cross_entropy for classes."
            if len(names) == 1
            else "Several targets must all be numbers.",
        )
    if config.class_weight is not None:
        raise _mistake(
            "class_weight", "the target is a number, not a class", "Remove the key, or use loss: cross_entropy."
        )
    return loss, False


def _split(
    config: Config, table: Table, as_classes: bool, streams: Streams, notes: list[str]
) -> tuple[Table, Table | None]:
    if isinstance(config.validation, ValidationFile):
        other = _read(config, config.validation.path, notes, table.dialect)
        return table, _with_target(other, config.data.target, notes)
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


def _choose_kinds(config: Config, training: Table, notes: list[str]) -> list[tuple[str, Kind]]:
    """The features with their kinds; columns to ignore are left out."""
    data = config.data
    never = {*data.target, *data.drop, data.weight}
    names = data.features or [name for name in training.names if name not in never]
    kinds = [(name, data.columns.get(name) or infer_kind(training, name)) for name in names]
    empty = [n for n, kind in kinds if kind is Kind.IGNORE and n not in data.columns]
    if empty:
        notes.append(f"ignored {listed(empty)}: no value in any training row")
    kinds = [(name, kind) for name, kind in kinds if kind is not Kind.IGNORE]
    if not kinds:
        raise DataError(
            "there is no column to predict from",
            place=Place(source=training.source),
            hint="Name some as data.features, or drop fewer.",
        )
    return kinds


def _note_empty_categories(encoder: Encoder, notes: list[str]) -> None:
    singular = [c.name for c in encoder.columns if isinstance(c, CategoricalColumn) and not c.categories]
    if singular:
        notes.append(f"{listed(singular)} has a different value in every row and carries nothing; consider `drop`")


def _note_twins(encoder: Encoder, notes: list[str]) -> None:
    known = [(c.name, c.categories) for c in encoder.columns if isinstance(c, CategoricalColumn)]
    notes += filter(None, (spelled_alike(name, categories) for name, categories in known))


def _fit_target(config: Config, training: Table, loss: Loss, as_classes: bool) -> tuple[Target, Any]:
    """The target, and how it is scaled: `standard` or `none`."""
    names = config.data.target
    if as_classes:
        return ClassTarget.fit(training, names[0]), "none"
    wanted = config.encoding.target
    raw = loss.raw_targets or config.output_activation is not None
    if wanted == "standard" and loss.raw_targets:
        raise _mistake("encoding.target", f"{loss.type} needs the target as it is", "Use none, or auto.")
    scaling = ("none" if raw else "standard") if wanted == "auto" else wanted
    target = NumberTarget.fit(training, names, scaling)
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


def _build_network(config: Config, encoder: Encoder, target: Target, loss: Loss) -> Network:
    count = len(target.labels) if isinstance(target, ClassTarget) else len(target.names)
    network = Network(
        features=encoder.width,
        embeddings=tuple(Embedding(name=c.name, slots=c.slots, width=c.embedding_width or 0) for c in encoder.embedded),
        layers=config.hidden,
        outputs=loss.outputs(count),
        output_activation=config.output_activation,
        precision=config.precision,
    )
    try:
        size = network.layout.size
    except ValueError as error:
        layer, _, message = str(error).partition(": ")
        raise _mistake(layer, message, "Change the units, or add a dense layer.") from error
    if size > MOST_PARAMETERS:
        raise _mistake("layers", f"the network would have {size:.3g} parameters", "Use fewer units.")
    return network


def _encode(
    config: Config, table: Table, encoder: Encoder, target: Target, network: Network, training: Rows | None
) -> Rows:
    """Encode rows; class weights are those of the `training` rows, or of these when they are the training rows."""
    X, codes = encoder.encode(table, network.precision)
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
        y, seen = numbers, target.encode(numbers).astype(network.precision)
    weights = combine(sample, per_row)
    scaled = None if weights is None else weights.astype(network.precision)
    return Rows(Examples(X, codes, seen, scaled), y, sample)


def _note_unreachable(config: Config, train: Rows, notes: list[str]) -> None:
    """Warn of targets that a forced output activation cannot reach."""
    f = config.output_activation
    if f is None:
        return
    (low, high), y = f.span, train.examples.y
    beyond = int(((y < low) | (y > high)).sum())
    if beyond:
        notes.append(
            f"a {f.type} output lies between {low:g} and {high:g} and cannot reach {beyond:,} of the {y.size:,} "
            f"training targets, which lie between {y.min():.4g} and {y.max():.4g}"
        )


def _metric_name(config: Config, spec: ModelSpec) -> str:
    """The metric shown for every epoch: the one that stopping watches, or the task's usual one."""
    usual = "accuracy" if isinstance(spec.target, ClassTarget) else "rmse"
    watched = config.early_stopping.metric if config.early_stopping else ""
    if watched in ("", "loss", "val_loss"):
        return usual
    if not watched.startswith("val_"):
        raise _mistake(
            "early_stopping.metric",
            f"{quoted(watched)} is not watched",
            f"Use loss, val_loss, or val_ and a metric, such as val_{usual}.",
        )
    return watched.removeprefix("val_")


def _holdout(config: Config, spec: ModelSpec, held: Rows | None) -> Holdout | None:
    name = _metric_name(config, spec)
    try:
        metric = single_metric(spec.target, name)
    except UsageError as error:
        raise _mistake("early_stopping.metric", error.message, error.hint or "") from error
    if held is None:
        return None
    rows = held

    def score(Z: npt.NDArray[np.floating[Any]]) -> float:
        return metric(rows.y, decode(spec, Z).values, rows.weights)

    return Holdout(held.examples, name, higher_is_better(name), score)


def _watched(config: Config, holdout: Holdout | None) -> str:
    stopping = config.early_stopping
    if stopping is None:
        return "loss" if holdout is None else "val_loss"
    if holdout is None and stopping.metric != "loss":
        raise _mistake(
            "early_stopping.metric",
            f"{stopping.metric} needs validation rows, and validation is 0",
            "Set validation: 0.2, or metric: loss, or early_stopping: null.",
        )
    return stopping.metric

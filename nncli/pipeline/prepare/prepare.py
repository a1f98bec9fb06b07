"""From a configuration to everything a training needs: the table read, split, fitted and encoded, the network built.

The order matters and is the promise: rows are split first, and everything that is fitted (kinds of column, medians,
categories, scales) is fitted on the training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.config.schema import Config, ValidationFile
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.target import Target
from nncli.data.store.scratch import Scratch
from nncli.model import ModelSpec
from nncli.nn.network import Network
from nncli.pipeline.prepare.auto_values import batch_rows, epochs_of, resolve_embedding, resolve_layers, schedule_of
from nncli.pipeline.prepare.build import (
    build_network,
    fit_features,
    fit_target,
    infer_loss,
    note_two_values,
    note_unreachable_targets,
)
from nncli.pipeline.prepare.encode import PreparedRows, encode
from nncli.pipeline.prepare.load import drop_missing_targets, load_table
from nncli.pipeline.prepare.memory_limit import memory_limit
from nncli.pipeline.prepare.notes import note_similar_categories, note_uninformative, note_units
from nncli.pipeline.prepare.split import split_table
from nncli.pipeline.prepare.validation import monitored_metric, should_calibrate, validation_set
from nncli.training.arguments import TrainingArguments, ValidationSet
from nncli.training.state import RandomStreams
from nncli.utils.logs import log_duration


@dataclass(frozen=True)
class PreparedTraining:
    """A training that can begin. `config` has every choice written out; `notes` are for the person to read."""

    config: Config
    spec: ModelSpec
    arguments: TrainingArguments
    streams: RandomStreams
    training: PreparedRows
    validation: PreparedRows | None
    validation_set: ValidationSet | None
    table_rows: int
    notes: tuple[str, ...]


def prepare(config: Config, scratch: Scratch | None = None) -> PreparedTraining:
    """Read the tables and build everything up to the first step.

    Encoded rows beyond the memory limit stand in files of the `scratch` for as long as that is open; without one they
    are in memory, whatever their size.

    Raises:
        ConfigError: the configuration does not fit the table.
        DataError: a table cannot be read or does not fit.
        NncliError: there is no room for the table in the scratch's folder.
    """
    with Scratch(scratch.folder if scratch else None) as reading:
        return _prepare(config, reading, scratch)


def _prepare(config: Config, reading: Scratch, scratch: Scratch | None) -> PreparedTraining:
    notes: list[str] = []
    streams = RandomStreams.of(config.seed)
    table = load_table(config, config.data.path, notes, reading)
    dialect = table.header.dialect
    table_rows = len(table)
    with log_duration("splitting") as told:
        table = drop_missing_targets(table, config.data.target, notes)
        loss, as_classes = infer_loss(config, table.columns(config.data.target), notes)
        training, validation = split_table(config, table, as_classes, streams, notes, reading)
        rows = len(training) + (0 if validation is None else len(validation))
        told.details.append(f"{len(training):,} training rows, {rows - len(training):,} validation rows")
    config = config.model_copy(update={"layers": resolve_layers(config.layers, len(training))})

    with log_duration("fitting") as told:
        kinds, encoder = fit_features(config, training, notes)
        embedding = resolve_embedding(config.numeric_embedding, len(encoder.numeric))
        config = config.model_copy(update={"numeric_embedding": embedding})
        note_uninformative(encoder, notes)
        note_similar_categories(encoder, notes)
        target, scaling = fit_target(config, training.columns(config.data.target), loss, as_classes)
        note_units(units_of(encoder, target), notes)
        network = build_network(config, encoder, target, loss)
        told.details.append(f"{len(encoder.columns):,} features, {network.layout.size:,} parameters")

    with log_duration("encoding") as told:
        into = scratch if _too_large(config, rows, encoder, network) else None
        train = encode(config, training, encoder, target, network, None, into)
        held = None if validation is None else encode(config, validation, encoder, target, network, train, into)
        where = "in memory" if into is None else "in a file, being beyond memory_limit"
        told.details.append(f"{encoder.width:,} numbers and {len(encoder.embedded):,} codes a row, {where}")
    note_unreachable_targets(config, train.dataset.y, notes)
    note_two_values(target, train.y, notes)

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
            "layers": config.hidden_layers,
            "loss": loss,
            "learning_rate": schedule_of(config, loss),
            "batch_size": config.batch_size if config.batch_size == "full" else batch_rows(config, len(train)),
            "epochs": epochs_of(config, len(train)),
            "calibration": "temperature" if should_calibrate(config, target, held=held is not None) else "none",
        }
    )
    spec = ModelSpec(
        encoder=encoder,
        target=target,
        network=network,
        loss=loss,
        missing_values=config.data.missing_values,
        dialect=dialect,
    )
    holdout = validation_set(config, spec, held)
    watched = monitored_metric(config, holdout)
    stopping = config.early_stopping
    plan = TrainingArguments(
        network=network,
        loss=loss,
        optimizer=config.optimizer,
        schedule=schedule_of(config, loss),
        batch_size=batch_rows(config, len(train)),
        epochs=epochs_of(config, len(train)),
        l1=config.l1,
        l2=config.l2,
        clip_norm=config.clip_norm,
        monitor=watched,
        last_on_tie=config.best_epoch_tie == "last",
        patience=stopping.patience if stopping else None,
        min_delta=stopping.min_delta if stopping else 0.0,
        rollback_on_divergence=config.on_divergence == "halve_learning_rate",
        features=encoder.features,
        targets=target.names,
        scaled=config.encoding.numeric != "none",
        target_scaled=scaling != "none",
        weight=config.data.sample_weight,
        rows=training.numbers,
    )
    return PreparedTraining(resolved, spec, plan, streams, train, held, holdout, table_rows, tuple(notes))


def units_of(encoder: Encoder, target: Target) -> list[tuple[str, str | None]]:
    """The columns that are numbers, each with the unit that is taken off of its cells, if there is one."""
    columns = [(column.name, column.removed_unit) for column in encoder.columns]
    if target.task == "regression" and target.units is not None:
        columns += zip(target.names, target.units, strict=True)
    return columns


def _too_large(config: Config, rows: int, encoder: Encoder, network: Network) -> bool:
    """Whether so many rows are to be kept in a file; a batch of all of them has to be in memory anyway."""
    bytes_a_row = encoder.width * np.dtype(network.precision).itemsize + 8 * len(encoder.embedded)
    return config.batch_size != "full" and rows * bytes_a_row > memory_limit(config)

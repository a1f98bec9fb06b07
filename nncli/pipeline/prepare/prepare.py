"""Preparing a training: load the table, split it, fit and encode it, and build the network.

Rows are split first, and everything that is fitted (column kinds, medians, categories, scales) is fitted on the
training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncli.checks.notes import (
    check_similar_categories,
    check_uninformative,
    column_units,
    ignored_columns,
    removed_units,
    table_reading,
    two_valued_target,
    unreachable_targets,
)
from nncli.checks.rows import training_warnings
from nncli.checks.time_split import random_split, time_feature
from nncli.config.schema import Config, ValidationFile
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.kinds import Kind
from nncli.data.encoders.target import Target, TargetScaling
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.errors import Location
from nncli.findings import Finding, ordered
from nncli.model import ModelSpec
from nncli.monitoring.bins import Bins
from nncli.monitoring.fit_reference import fit_columns
from nncli.nn.losses import Loss
from nncli.nn.network import Network
from nncli.pipeline.prepare.auto_values import (
    batch_rows,
    epochs_of,
    max_features_of,
    resolve_embedding,
    resolve_layers,
    resolve_optimizer,
    schedule_of,
)
from nncli.pipeline.prepare.build import build_arguments, build_network
from nncli.pipeline.prepare.encode import PreparedRows, encode
from nncli.pipeline.prepare.fit import fit_features, fit_target, infer_loss
from nncli.pipeline.prepare.load import load_table, select_rows
from nncli.pipeline.prepare.memory_limit import memory_limit
from nncli.pipeline.prepare.record_rows import record_rows
from nncli.pipeline.prepare.select import of_selection, select_features
from nncli.pipeline.prepare.split import split_table
from nncli.pipeline.prepare.validation import monitored_metric, should_calibrate, validation_set
from nncli.runs.training_rows import TrainingRows
from nncli.training.arguments import TrainingArguments, ValidationSet
from nncli.training.state import RandomStreams
from nncli.utils.logs import log_duration


@dataclass(frozen=True)
class PreparedTraining:
    """A training that is ready to start; `config` has every choice resolved.

    `column_bins` are those of the training rows; None for a member of an ensemble, which has them itself.
    """

    config: Config
    spec: ModelSpec
    arguments: TrainingArguments
    streams: RandomStreams
    training: PreparedRows
    validation: PreparedRows | None
    validation_set: ValidationSet | None
    recorded_rows: TrainingRows
    table_rows: int
    findings: tuple[Finding, ...]
    column_bins: tuple[Bins, ...] | None = None


def prepare(
    config: Config,
    scratch: Scratch | None = None,
    *,
    table: ColumnStore | None = None,
    with_checks: bool = False,
    snapshots: bool = False,
) -> PreparedTraining:
    """Load the tables and build everything that training needs; `with_checks` adds the warnings about the rows, and
    their bins.

    The training `table` may have been loaded already.

    Encoded rows beyond the memory limit are kept in files of the `scratch`, which must stay open; without a scratch
    they are in memory, whatever their size.

    Raises:
        ConfigError: the configuration does not fit the table.
        DataError: a table cannot be read or does not fit.
        NncliError: there is no room for the table in the scratch's folder.
    """
    streams = RandomStreams.of(config.seed)
    with Scratch(scratch.folder if scratch else None) as table_scratch:
        loaded = load_table(config, config.data, table_scratch) if table is None else table
        rows = _split(config, loaded, streams, table_scratch, with_checks=with_checks)
        fitted = _fit(config, rows)
        training, validation = _encode(fitted, rows, scratch)
        recorded_rows = record_rows([rows.training, rows.validation], fitted.encoder, fitted.target)
        bins = fit_columns(rows.training, fitted.encoder.columns, config.seed) if with_checks else None
    config = _resolve_config(fitted, rows, training, has_validation=validation is not None)
    spec = ModelSpec(
        encoder=fitted.encoder,
        target=fitted.target,
        network=fitted.network,
        loss=rows.loss,
        missing_values=config.data.missing_values,
        dialect=rows.training.header.dialect,
    )
    monitored = validation_set(config, spec, validation)
    monitor = monitored_metric(config, fitted.target.task, has_validation=validation is not None)
    of_target = (unreachable_targets(config, training.dataset.y), two_valued_target(fitted.target, training.y))
    return PreparedTraining(
        config=config,
        spec=spec,
        arguments=build_arguments(config, spec, len(training), monitor, training.row_numbers, snapshots=snapshots),
        streams=streams,
        training=training,
        validation=validation,
        validation_set=monitored,
        recorded_rows=recorded_rows,
        table_rows=rows.table_rows,
        findings=ordered([*rows.findings, *fitted.findings, *filter(None, of_target)]),
        column_bins=bins,
    )


@dataclass(frozen=True)
class _SplitRows:
    """The training and validation rows of a table of `table_rows` rows, and the loss that its target calls for."""

    training: ColumnStore
    validation: ColumnStore | None
    loss: Loss
    table_rows: int
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        return len(self.training) + (0 if self.validation is None else len(self.validation))


def _split(
    config: Config, table: ColumnStore, streams: RandomStreams, scratch: Scratch, *, with_checks: bool
) -> _SplitRows:
    """Infer the loss from the target of a table, split its rows, and check them."""
    with log_duration("splitting") as stage:
        table_rows, table = table.height, select_rows(config, table)
        loss, of_target = infer_loss(config, table.columns(config.data.target))
        split = split_table(config, table, loss.task, streams.split, scratch)
        findings = table_reading(table.header) + ([of_target] if of_target else [])
        if isinstance(config.validation, ValidationFile):
            findings += table_reading(split.validation_table.header)
        rows = _SplitRows(split.training_store, split.validation_store, loss, table_rows, tuple(findings))
        stage.details.append(f"{len(split.training):,} training rows, {len(split.validation):,} validation rows")
    if not with_checks:
        return rows
    with log_duration("checking the rows"):
        return replace(rows, findings=(*findings, *training_warnings(config, split, loss.task)))


@dataclass(frozen=True)
class _Fitted:
    """What is fitted on the training rows, and the network for it; `config` has its layers and embedding resolved."""

    config: Config
    kinds: tuple[tuple[str, Kind], ...]
    encoder: Encoder
    target: Target
    scaling: TargetScaling
    network: Network
    findings: tuple[Finding, ...]


def _fit(config: Config, rows: _SplitRows) -> _Fitted:
    """Fit the encoder and the target on the training rows, and build the network."""
    with log_duration("fitting") as stage:
        features = fit_features(config, rows.training)
        target, scaling = fit_target(config, rows.training.columns(config.data.target), rows.loss)
        encoder = select_features(config, rows.training, features.encoder, target)
        embedding = resolve_embedding(config.numeric_embedding, len(encoder.numeric))
        layers = resolve_layers(config.layers, len(rows.training), encoder.width)
        config = config.model_copy(update={"layers": layers, "numeric_embedding": embedding})
        network = build_network(config, encoder, target, rows.loss)
        stage.details.append(f"{len(encoder.columns):,} features, {network.layout.size:,} parameters")
    time_notes = (time_feature(config, encoder.names), random_split(config, encoder.dates))
    findings = (
        *ignored_columns(features.ignored),
        *of_selection(features.encoder, encoder),
        *filter(None, time_notes),
        *check_uninformative(encoder, Location(source=rows.training.header.source)),
        *check_similar_categories(encoder),
        *removed_units(column_units(encoder, target)),
    )
    used = set(encoder.names)
    kinds = tuple((name, kind) for name, kind in features.kinds if name in used)
    return _Fitted(config, kinds, encoder, target, scaling, network, findings)


def _encode(fitted: _Fitted, rows: _SplitRows, scratch: Scratch | None) -> tuple[PreparedRows, PreparedRows | None]:
    """Encode the training and the validation rows, into files of the scratch where they exceed the memory limit."""
    config, encoder = fitted.config, fitted.encoder
    with log_duration("encoding") as stage:
        files = scratch if _exceeds_memory(config, len(rows), encoder, fitted.network) else None
        training = encode(config, rows.training, encoder, fitted.target, fitted.network, None, files)
        validation = None
        if rows.validation is not None:
            validation = encode(config, rows.validation, encoder, fitted.target, fitted.network, training, files)
        where = "in memory" if files is None else "in a file, beyond memory_limit"
        stage.details.append(f"{encoder.width:,} numbers and {len(encoder.embedded):,} codes a row, {where}")
    return training, validation


def _exceeds_memory(config: Config, rows: int, encoder: Encoder, network: Network) -> bool:
    """Whether the encoded rows belong in a file; a batch of all rows has to be in memory anyway."""
    row_bytes = encoder.width * np.dtype(network.precision).itemsize + 8 * len(encoder.embedded)
    return config.batch_size != "full" and rows * row_bytes > memory_limit(config)


def _resolve_config(fitted: _Fitted, rows: _SplitRows, training: PreparedRows, *, has_validation: bool) -> Config:
    """The configuration with every inferred and `auto` value written out.

    Raises:
        ConfigError: calibration is asked for, and there are no probabilities or no validation rows.
    """
    config = fitted.config
    data: dict[str, Any] = {"features": tuple(name for name, _ in fitted.kinds), "columns": dict(fitted.kinds)}
    if not isinstance(config.validation, ValidationFile):  # else its dialect, which may differ, is sniffed again
        data |= rows.training.header.dialect.model_dump(exclude={"header_cells"})
    calibrates = should_calibrate(config, fitted.target, has_validation=has_validation)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "encoding": config.encoding.model_copy(
                update={"target": fitted.scaling, "max_features": max_features_of(config)}
            ),
            "layers": config.hidden_layers,
            "loss": rows.loss,
            "optimizer": resolve_optimizer(config.optimizer, len(training), fitted.encoder.width),
            "learning_rate": schedule_of(config, rows.loss, len(training)),
            "batch_size": config.batch_size if config.batch_size == "full" else batch_rows(config, len(training)),
            "epochs": epochs_of(config, len(training)),
            "calibration": "temperature" if calibrates else "none",
        }
    )

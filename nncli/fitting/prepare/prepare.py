"""Preparing a training: load the table, split it, fit and encode it, and build the network.

Rows are split first, and everything that is fitted (column kinds, medians, categories, scales) is fitted on the
training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Advice, ConfigError, ConfigIssue, Location, SetKey, config_error
from nncli.base.findings import Finding, ordered
from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch
from nncli.base.text import join_quoted
from nncli.config.schema import Config, ValidationFile
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.encoder import Encoder
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.checks.notes import (
    check_similar_categories,
    check_uninformative,
    class_orders,
    column_units,
    dates_as_categories,
    ignored_columns,
    removed_units,
    short_years,
    table_reading,
    two_valued_target,
    unreachable_targets,
    unused_date_format,
)
from nncli.fitting.checks.rows import groups_in_time, random_split, time_feature, training_warnings
from nncli.fitting.checks.unsupported_kinds import kinds_not_supported
from nncli.fitting.prepare.auto_values import (
    batch_rows,
    clip_norm_of,
    counted_rows,
    epochs_of,
    max_features_of,
    resolve_embedding,
    resolve_layers,
    resolve_optimizer,
    schedule_of,
)
from nncli.fitting.prepare.distillation import DistillationRows, LoadedTeacher, count_copies, distillation_rows
from nncli.fitting.prepare.encode import PreparedRows, encode, memory_limit, record_rows, record_targets
from nncli.fitting.prepare.fit import (
    check_valid,
    fit_features,
    fit_loss,
    fit_target,
    infer_loss,
    of_selection,
    select_features,
    target_columns,
    with_losses,
)
from nncli.fitting.prepare.load import load_table, select_rows
from nncli.fitting.prepare.validation import (
    calibration_of,
    monitored_metric,
    split_indices,
    split_table,
    validation_set,
)
from nncli.models.held_out_rows import RowCategories
from nncli.models.model import ModelSpec
from nncli.nn.arrays import DIRECTIONS, Sign
from nncli.nn.batches.dataset import Dataset
from nncli.nn.embeddings import Embedding
from nncli.nn.losses import Loss, TargetScaling
from nncli.nn.network import Network
from nncli.nn.training.arguments import TrainingArguments, ValidationSet
from nncli.nn.training.state import RandomStreams
from nncli.run_directory.monitoring.reference import Bins, categories_of, fit_columns
from nncli.run_directory.training_rows import TrainingRows
from nncli.targets.target import Target, kind_of


@dataclass(frozen=True)
class PreparedTraining:
    """A training that is ready to start; `config` has every choice resolved.

    `column_bins` are those of the training rows; None for a member of an ensemble, which has them itself, as it has the
    `categories` of the validation rows. `distilled` are the rows with the predictions of a teacher that the network is
    fitted to instead of the training rows. Of several targets, `recorded_targets` are the recorded rows of each.
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
    categories: tuple[RowCategories, ...] = ()
    distilled: DistillationRows | None = None
    recorded_targets: tuple[TrainingRows, ...] = ()

    @property
    def fitted(self) -> Dataset:
        """The rows that the network is fitted to."""
        return self.training.dataset if self.distilled is None else self.distilled.dataset


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
    configured, config = config, _of_refit(config)
    streams = RandomStreams.of(config.seed)
    teacher = None if config.teacher is None else LoadedTeacher.of(config.teacher, config)
    config = config if teacher is None else teacher.restrict(config)
    with Scratch(scratch.folder if scratch else None) as table_scratch:
        loaded = load_table(config, config.data, table_scratch) if table is None else table
        rows = _split(config, loaded, streams, table_scratch, with_checks=with_checks)
        fitted = _fit(config, rows)
        training, validation = _encode(fitted, rows, scratch)
        distilled = None if teacher is None else _teach(teacher, configured, loaded, fitted, rows, training)
        recorded_rows = record_rows([rows.training, rows.validation], fitted.encoder, fitted.target)
        of_targets = (
            () if snapshots else record_targets([rows.training, rows.validation], fitted.encoder, fitted.target)
        )
        bins = fit_columns(rows.training, fitted.encoder.columns, config.seed) if with_checks else None
        categories: tuple[RowCategories, ...] = ()
        if with_checks and rows.validation is not None:
            categories = categories_of(rows.validation, fitted.encoder.columns, fitted.target)
    fitted_rows = len(training) if distilled is None else len(distilled.dataset)
    config = _resolve_config(fitted, rows, fitted_rows, has_validation=validation is not None)
    config = config if teacher is None else teacher.record(config, len(training))
    spec = ModelSpec(
        encoder=fitted.encoder,
        target=fitted.target,
        network=fitted.network,
        loss=fitted.loss,
        missing_values=fitted.config.data.missing_values,
        dialect=rows.training.header.dialect,
    )
    monitored = validation_set(config, spec, validation)
    monitor = monitored_metric(config, type(fitted.target), has_validation=validation is not None)
    of_target = (unreachable_targets(config, training.dataset.y), two_valued_target(fitted.target, training.y))
    numbers = training.row_numbers if distilled is None else distilled.row_numbers
    arguments = build_arguments(config, spec, fitted_rows, monitor, numbers, snapshots=snapshots)
    return PreparedTraining(
        config=_as_configured(config, configured),
        spec=spec,
        arguments=arguments if distilled is None else replace(arguments, loss=distilled.loss),
        streams=streams,
        training=training,
        validation=validation,
        validation_set=monitored,
        recorded_rows=recorded_rows,
        table_rows=rows.table_rows,
        findings=ordered([*rows.findings, *fitted.findings, *filter(None, of_target)]),
        column_bins=bins,
        categories=categories,
        distilled=distilled,
        recorded_targets=of_targets,
    )


def _of_refit(config: Config) -> Config:
    """The configuration of the other network of a `refit`, which all members teach on all rows; else as it is."""
    if config.teacher is None or not config.teacher.refit:
        return config
    teacher = config.teacher.model_copy(update={"members": None, "refit": False})
    return config.model_copy(update={"validation": 0.0, "teacher": teacher})


def _as_configured(resolved: Config, config: Config) -> Config:
    """The resolved configuration of a refit with the validation rows and the members of the scored network."""
    if config.teacher is None or not config.teacher.refit or resolved.teacher is None:
        return resolved
    teacher = resolved.teacher.model_copy(update={"members": config.teacher.members, "refit": True})
    return resolved.model_copy(update={"validation": config.validation, "teacher": teacher})


@dataclass(frozen=True)
class _SplitRows:
    """The training and validation rows of a `table`, and the loss that its target calls for.

    Some of the `table_rows` may be left out of it.
    """

    table: ColumnStore
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
        loss, of_target = infer_loss(config, table.columns(target_columns(config)))
        config = with_losses(config, loss)
        split = split_table(config, table, kind_of(loss), streams.split, scratch)
        findings = [*table_reading(table.header), *of_target]
        if isinstance(config.validation, ValidationFile):
            findings += table_reading(split.validation_table.header)
        rows = _SplitRows(table, split.training_store, split.validation_store, loss, table_rows, tuple(findings))
        stage.details.append(f"{len(split.training):,} training rows, {len(split.validation):,} validation rows")
    if not with_checks:
        return rows
    with log_duration("checking the rows"):
        return replace(rows, findings=(*findings, *training_warnings(config, split, kind_of(loss))))


@dataclass(frozen=True)
class _Fitted:
    """What is fitted on the training rows, and the network for it; `config` has its layers and embedding resolved."""

    config: Config
    kinds: tuple[tuple[str, ColumnType], ...]
    encoder: Encoder
    target: Target
    loss: Loss
    scaling: TargetScaling | Literal["auto"]
    network: Network
    findings: tuple[Finding, ...]


def _fit(config: Config, rows: _SplitRows) -> _Fitted:
    """Fit the encoder and the target on the training rows, and build the network."""
    with log_duration("fitting") as stage:
        features = fit_features(config, rows.training, rows.table)
        names = target_columns(config)
        target, scaling = fit_target(config, rows.training.columns(names), rows.table.columns(names), rows.loss)
        loss = fit_loss(config, rows.training, target, rows.loss)
        encoder = select_features(config, rows.training, features.encoder, target)
        embedding = resolve_embedding(config.numeric_embedding, len(encoder.embeddable_positions))
        layers = resolve_layers(config.layers, len(rows.training), encoder.width)
        config = config.model_copy(update={"layers": layers, "numeric_embedding": embedding})
        network = build_network(config, encoder, target, loss)
        stage.details.append(f"{len(encoder.columns):,} features, {network.layout.size:,} parameters")
    time_notes = (
        time_feature(config, encoder.names, encoder.dates),
        groups_in_time(config),
        random_split(config, encoder.dates),
    )
    used = set(encoder.names)
    kinds = tuple((name, kind) for name, kind in features.kinds if name in used)
    findings = (
        *ignored_columns(features.ignored),
        *(
            dates_as_categories(name, doubt, Location(source=rows.training.header.source))
            for name, doubt in features.date_doubts
        ),
        *of_selection(features.encoder, encoder),
        *filter(None, time_notes),
        *short_years(((column.name, column.short_dates) for column in encoder.columns), config.data.date_format),
        *(
            unused_date_format(
                config.data.date_format,
                (form for column in encoder.columns if isinstance(column, DateColumn) for form in column.formats),
            )
            if config.data.time is None  # a column of dates that may be no feature
            else ()
        ),
        *check_uninformative(encoder, Location(source=rows.training.header.source)),
        *check_similar_categories(encoder, target),
        *removed_units(column_units(encoder, target)),
        *class_orders(target.class_orders),
        *kinds_not_supported(
            rows.training,
            config.data.target,
            dict(kinds),
            loss=loss,
        ),
    )
    return _Fitted(config, kinds, encoder, target, loss, scaling, network, findings)


def _teach(
    teacher: LoadedTeacher,
    configured: Config,
    table: ColumnStore,
    fitted: _Fitted,
    rows: _SplitRows,
    training: PreparedRows,
) -> DistillationRows:
    """The rows with the teacher's predictions.

    Raises:
        ConfigError: a member that teaches the scored network, `configured`, was trained on validation rows.
    """
    if configured.teacher is not None and not isinstance(configured.validation, ValidationFile):
        table, rng = select_rows(configured, table), RandomStreams.of(configured.seed).split
        validation = table.take(split_indices(configured, table, kind_of(rows.loss), rng).validation)
        teacher.check_validation(validation.row_ids.row_numbers, configured.teacher.members)
    parts = (fitted.encoder, fitted.target, fitted.network, rows.loss)
    return distillation_rows(fitted.config, teacher, rows.training, *parts, training)


def _encode(fitted: _Fitted, rows: _SplitRows, scratch: Scratch | None) -> tuple[PreparedRows, PreparedRows | None]:
    """Encode the training and the validation rows, into files of the scratch where they exceed the memory limit."""
    config, encoder = fitted.config, fitted.encoder
    with log_duration("encoding") as stage:
        copies = 0 if config.teacher is None else count_copies(config.teacher, len(rows.training))
        n = len(rows) + copies * len(rows.training)
        row_bytes = encoder.width * np.dtype(fitted.network.precision).itemsize + 8 * len(encoder.embedded)
        # A batch of all rows has to be in memory anyway.
        files = scratch if config.batch_size != "full" and n * row_bytes > memory_limit(config) else None
        training = encode(config, rows.training, encoder, fitted.target, fitted.network, None, files)
        validation = None
        if rows.validation is not None:
            validation = encode(config, rows.validation, encoder, fitted.target, fitted.network, training, files)
            columns, y, names = rows.validation.columns, validation.y, config.data.target
            check_valid(rows.loss, lambda: columns(names), names, lambda: y)
        where = "in memory" if files is None else "in a file, beyond memory_limit"
        stage.details.append(f"{encoder.width:,} numbers and {len(encoder.embedded):,} codes a row, {where}")
    return training, validation


def _resolve_config(fitted: _Fitted, rows: _SplitRows, fitted_rows: int, *, has_validation: bool) -> Config:
    """The configuration with every inferred and `auto` value written out, for a number of rows to fit.

    Raises:
        ConfigError: calibration is asked for, and there are no probabilities or no validation rows.
    """
    config = fitted.config
    data: dict[str, Any] = {"features": tuple(name for name, _ in fitted.kinds), "columns": dict(fitted.kinds)}
    if not isinstance(config.validation, ValidationFile):  # else its dialect, which may differ, is sniffed again
        dialect = rows.training.header.dialect
        data |= dialect.model_dump(exclude={"header_cells"}) | {"decimals": dict(dialect.decimals)}
    counted = counted_rows(fitted_rows, fitted.target.n_outputs)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "encoding": config.encoding.model_copy(
                update={"target": fitted.scaling, "max_features": max_features_of(config)}
            ),
            "layers": config.hidden_layers,
            "loss": rows.loss,
            "optimizer": resolve_optimizer(config.optimizer, fitted_rows, fitted.encoder.width),
            "learning_rate": schedule_of(config, rows.loss, counted),
            "batch_size": config.batch_size if config.batch_size == "full" else batch_rows(config, fitted_rows),
            "epochs": epochs_of(config, counted),
            "clip_norm": clip_norm_of(config, rows.loss),
            "calibration": calibration_of(config, fitted.target, has_validation=has_validation),
        }
    )


MAX_PARAMETERS = 1_000_000_000_000
"""More are a typing error: no machine holds them."""


BOUND_HINT = (
    "Use dense, dropout, scale and residual layers of enough units, with activations such as relu, elu or tanh; or "
    "leave out `layers`."
)
SETS_HINT = "Use any built-in layers but layer_norm, with at least a unit for each set; or leave out `layers`."
BOUND_HINTS = {
    "numeric_embedding": "Use piecewise_linear, or null.",
    "output_activation": "Remove the key; losses of amounts, such as gamma, keep predictions above 0.",
}


def _monotone_signs(
    config: Config, encoder: Encoder, loss: Loss, target: Target
) -> tuple[tuple[Sign, ...], tuple[Sign, ...]]:
    """The direction of each encoded feature, 0 where it is free, and the sign of each output for a rising prediction.

    Both are empty if no column is monotone.

    Raises:
        ConfigError: a column, its scaling or the prediction has no direction; it has an issue for each.
    """
    if not config.monotone:
        return (), ()
    signs: list[Sign] = [0] * encoder.width
    outputs: tuple[Sign, ...] = ()
    issues: list[ConfigIssue] = []
    for place, column in encoder.places:
        if (direction := config.monotone.get(column.name)) is None:
            continue
        signs[place.start : place.start + column.n_numeric] = [DIRECTIONS[direction]] * column.n_numeric
        if not column.has_direction:
            what = f"a {column.type} column has no direction"
            is_binary = isinstance(column, CategoricalColumn) and len(column.categories) == 2
            numbers = "0 and 1 in its cells" if is_binary else "numbers in its cells, such as ranks or days"
            hint = f"Remove it, or write {numbers}."
            issues.append(ConfigIssue(what, Location(key=f"monotone.{column.name}"), hint))
    if config.encoding.numeric == "quantile":
        what = f"quantile can reorder close values by its rounding, and {join_quoted(config.monotone)} must keep theirs"
        issues.append(ConfigIssue(what, Location(key="encoding.numeric"), "Use robust or standard."))
    try:
        outputs = loss.output_signs(loss.outputs(target.n_outputs))
    except ValueError as error:
        hint = Advice("Remove it, or use ", SetKey("loss", "ordinal"), " if the classes have an order.")
        issues.append(ConfigIssue(str(error), Location(key="monotone"), hint))
    if issues:
        raise ConfigError(*issues)
    return (tuple(signs), outputs) if any(signs) else ((), outputs)


def _interactions(config: Config, encoder: Encoder) -> tuple[tuple[int, ...], ...]:
    """The positions of each set of columns in X, and of their codes after these; nothing if there is only one set."""
    positions = encoder.positions
    for column in encoder.context_columns:
        del positions[column.name]
    rest = [name for name in positions if not any(name in names for names in config.interactions)]
    each = (tuple(j for name in names for j in positions.get(name, ())) for names in (*config.interactions, rest))
    sets = tuple(filter(None, each))
    return sets if config.interactions and len(sets) > 1 else ()


def build_network(config: Config, encoder: Encoder, target: Target, loss: Loss) -> Network:
    """Build the network between the encoder and the loss.

    Raises:
        ConfigError: a layer does not fit the one before it, or the network is too large.
    """
    monotone, output_signs = _monotone_signs(config, encoder, loss, target)
    network = Network(
        n_features=encoder.width,
        embeddings=tuple(
            Embedding(
                name=c.name, n_embeddings=c.n_codes, width=c.embedding_width or 0, init_std=config.embedding_init_std
            )
            for c in encoder.embedded
        ),
        layers=config.hidden_layers,
        n_outputs=loss.outputs(target.n_outputs),
        output_activation=config.output_activation,
        precision=config.precision,
        numeric_features=encoder.embeddable_positions,
        numeric_embedding=config.numeric_embedding,
        output_init=config.init,
        output_parametrization=config.parametrization,
        offset=encoder.offset,
        monotone=monotone,
        output_signs=output_signs,
        constant_outputs=loss.constant_outputs(loss.outputs(target.n_outputs)),
        interactions=_interactions(config, encoder),
    )
    try:
        size = network.layout.size
    except ValueError as error:
        layer, _, message = str(error).partition(": ")
        raise config_error(layer, message, "Change the units, or add a dense layer.") from error
    if size > MAX_PARAMETERS:
        raise config_error("layers", f"the network would have {size:.3g} parameters", "Use fewer units.")
    try:
        _ = network.bounds
    except ValueError as error:
        key, _, message = str(error).partition(": ")
        hint = BOUND_HINT if "`monotone`" in message else SETS_HINT
        raise config_error(key, message, BOUND_HINTS.get(key, hint)) from error
    return network


def build_arguments(
    config: Config,
    spec: ModelSpec,
    n_rows: int,
    monitor: str,
    row_numbers: npt.NDArray[np.int64] | None,
    *,
    snapshots: bool = False,
) -> TrainingArguments:
    """The arguments of a training on `n_rows` rows, whose numbers in their table are `row_numbers` (None: all rows).

    With `snapshots` the weights after some epochs are kept.
    """
    stopping, target = config.early_stopping, spec.target
    schedule, epochs = schedule_of(config, spec.loss, n_rows), epochs_of(config, n_rows)
    return TrainingArguments(
        network=spec.network,
        loss=spec.loss,
        optimizer=config.optimizer,
        schedule=schedule,
        batch_size=batch_rows(config, n_rows),
        epochs=epochs,
        snapshot_epochs=schedule.snapshot_epochs(epochs) if snapshots else (),
        l1=config.l1,
        l2=config.l2,
        clip_norm=clip_norm_of(config, spec.loss),
        monitor=monitor,
        last_on_tie=config.best_epoch_tie == "last",
        patience=stopping.patience if stopping else None,
        min_delta=stopping.min_delta if stopping else 0.0,
        rollback_on_divergence=config.on_divergence == "halve_learning_rate",
        features=spec.encoder.features,
        targets=target.names,
        scaled=config.encoding.numeric != "none",
        target_scaled=config.encoding.target != "none",
        weight=config.data.sample_weight,
        rows=row_numbers,
    )

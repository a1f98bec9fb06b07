"""Fitting the encoder and the target on the training rows, and inferring the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import Advice, DataError, Location, RunCommand, SetKey, config_error
from nncli.base.findings import Finding, FindingCode, note
from nncli.base.logs import log_duration
from nncli.base.text import join_quoted, quote
from nncli.config.schema import Config
from nncli.config.yaml.writer import one_line
from nncli.data.columns.datetimes import DateDoubt, date_doubt
from nncli.data.columns.parsing import MAX_INTEGER_CLASSES, read_numbers, unit_of
from nncli.data.columns.raw_column import RawColumn, date_formats_of
from nncli.data.columns.spellings import is_word
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import Column, ColumnType, infer_kind
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.numeric import (
    ContextColumn,
    ExposureColumn,
    MultiplierColumn,
    NumericColumn,
    OffsetColumn,
    columns_at_once,
    fit_dense,
)
from nncli.data.encoders.row_context import RowContext
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.prepare.auto_values import max_features_of
from nncli.nn.arrays import Floats
from nncli.nn.losses import (
    CrossEntropyLoss,
    Loss,
    LossBase,
    MSELoss,
    MultiTargetLoss,
    OrdinalLoss,
    TargetLoss,
    TargetScaling,
)
from nncli.nn.losses.proposals import default_amount_loss
from nncli.nn.losses.regression import AMOUNT_LOSSES
from nncli.targets.kind import check_weighted
from nncli.targets.target import Target, kind_of
from nncli.targets.target_base import FitOptions, TargetBase, Truth, rows_with_target

MAX_LABELS = 8
"""Classes that a message lists."""
MIN_ROWS_PER_CLASS = 5
"""Rows per class id, on average, below which whole numbers are read as a quantity."""


def are_class_ids(y: npt.NDArray[np.float64]) -> bool:
    """Whether numbers y (rows,) look like class ids: few whole numbers from 0 or 1 on, without a gap."""
    if len(y) < 2 * MIN_ROWS_PER_CLASS:
        return False
    min_y, max_y = float(y.min()), float(y.max())
    if min_y not in (0.0, 1.0) or not max_y - min_y < MAX_INTEGER_CLASSES or not (y == np.floor(y)).all():
        return False
    counts = np.bincount((y - min_y).astype(np.int64))
    return len(counts) >= 2 and bool(counts.all()) and len(y) >= MIN_ROWS_PER_CLASS * len(counts)


def may_be_classes(y: npt.NDArray[np.float64]) -> bool:
    """Whether numbers y (rows,) read as a quantity are few whole numbers of 0 or more, of several rows each.

    Two numbers have a note of their own.
    """
    if not len(y) or y.min() < 0.0 or y.max() > MAX_INTEGER_CLASSES or not (y == np.floor(y)).all():
        return False
    distinct = len(np.unique(y))
    return 2 < distinct <= MAX_INTEGER_CLASSES and len(y) >= MIN_ROWS_PER_CLASS * distinct


def target_columns(config: Config) -> list[str]:
    """The columns by which a target is fitted: its own, the sample weights and its context."""
    further = (config.data.sample_weight, *config.data.context_columns)
    return [*dict.fromkeys((*config.data.target, *filter(None, further)))]


def infer_loss(config: Config, table: Table) -> tuple[Loss, tuple[Finding, ...]]:
    """The configured loss, or the usual one of the target's type, and a note if numbers are read as class ids.

    The loss says whether the target is a class: text, booleans, class ids, or anything with a classification loss.

    Raises:
        ConfigError, DataError: the loss or another key does not fit the target.
    """
    names = config.data.target
    kind = TargetBase if config.loss is None else kind_of(config.loss)
    if len(kind.split_names(names)) > 1:
        return infer_losses(config, table)
    if config.data.order is not None and config.loss is None:
        config = config.model_copy(update={"loss": OrdinalLoss()})
    weights = _row_weights(config, table)
    loss, finding = (config.loss, None) if config.loss is not None else _usual_loss(config, table)
    _check_loss(config, table, loss)
    if (text := kind_of(loss).note(table, names)) is not None:
        finding = note(FindingCode.TARGET_AS_LABELS, text)

    def read_targets() -> Floats:
        return np.column_stack([read_numbers(table, name, unit_of(table, name)) for name in names])

    return loss.with_auto_values(read_targets, weights), () if finding is None else (finding,)


def _usual_loss(config: Config, table: Table) -> tuple[Loss, Finding | None]:
    """The usual loss of a target by its cells, and what a training says of it."""
    (name,), finding = config.data.target, None
    is_open = name not in config.data.columns
    kind = config.data.columns.get(name) or infer_kind(table, name)
    if kind.needs_text:
        return CrossEntropyLoss(), _date_target(table, name) if is_open and kind is ColumnType.DATE else None
    if config.output_activation is not None or config.data.offset is not None or not is_open:
        return MSELoss(), None
    unit = unit_of(table, name)
    if config.data.exposure is not None:
        loss = default_amount_loss(read_numbers(table, name, unit))
        return loss, _amount_note((name,), loss)
    if unit is None or is_word(unit):
        y = read_numbers(table, name, unit)
        if are_class_ids(y):
            return CrossEntropyLoss(), _class_note((name,), y.min(), y.max())
        if may_be_classes(y):
            finding = _number_note(name, y.min(), y.max())
    return MSELoss(), finding


def _class_note(names: Sequence[str], low: float, high: float, *, several: bool = False) -> Finding:
    """The note on targets of numbers that are treated as classes; `several` targets have a mapping of losses."""
    are = "is treated as a class label" if len(names) == 1 else "are treated as class labels"
    number, counts, order = (_loss_key(names, loss, several=several) for loss in ("mse", "poisson", "ordinal"))
    of_counts = ("; for counts: ", counts) if low == 0 and high > 1 else ()
    of_order = ("; for ordered classes: ", order) if high - low > 1 else ()
    hint = Advice("For regression: ", number, *of_counts, *of_order, ".")
    message = f"{join_quoted(names)} {are} (values {low:g} to {high:g})"
    return note(FindingCode.TARGET_AS_CLASS, message, column=names[0] if len(names) == 1 else None, hint=hint)


def _number_note(name: str, low: float, high: float) -> Finding:
    """The note on a target of few whole numbers that is treated as a number."""
    message = f"{quote(name)} is treated as a number (whole numbers from {low:g} to {high:g})"
    classes, counts = (SetKey("loss", loss) for loss in ("cross_entropy", "poisson"))
    hint = Advice("For classes: ", classes, "; for counts: ", counts)
    return note(FindingCode.TARGET_AS_NUMBER, message, column=name, hint=hint)


def _amount_note(names: Sequence[str], loss: LossBase, *, several: bool = False) -> Finding:
    """The note on the loss of targets that have an exposure."""
    name, has = loss.model_dump()["type"], "has" if len(names) == 1 else "have"
    message = f"the loss is {name}, as {join_quoted(names)} {has} an exposure"
    hint = "To choose another, set the key loss."
    return note(FindingCode.TARGET_AS_AMOUNT, message, column=names[0] if len(names) == 1 else None, hint=hint)


def _loss_key(names: Sequence[str], loss: str, *, several: bool) -> SetKey:
    return SetKey("loss", one_line(dict.fromkeys(names, loss)) if several else loss)


OF_ONE_TARGET = ("class_weight", "positive_class")
"""Keys that are about one target; an `output_activation` may be that of several numbers with one loss, too."""


def infer_losses(config: Config, table: Table) -> tuple[Loss, tuple[Finding, ...]]:
    """The loss of several targets, each inferred as that of one, with the notes of each.

    Numbers of one loss that no row misses are one kind of target; all others are learned side by side.

    Raises:
        ConfigError, DataError: a loss or another key does not fit the targets.
    """
    losses: dict[str, TargetLoss] = {}
    findings: list[Finding] = []
    as_classes: dict[tuple[float, float], list[str]] = {}
    amounts: dict[TargetLoss, list[str]] = {}
    complete = True
    of_one = "it is about one target, and there are several", "Remove it, or name one target."
    for key in OF_ONE_TARGET:
        if getattr(config, key) is not None:
            raise config_error(key, *of_one)
    for name in config.data.target:
        loss = config.loss_of_target(name)
        if loss is None and config.data.order is not None:
            classes = table.column(name).drop_nulls().cast(pl.String).unique().to_list()
            loss = OrdinalLoss() if {*classes} <= {*config.data.order} else None
        of_target = config.of_target(name, loss)
        rows = rows_with_target(table, (name,))
        if not len(rows):
            raise DataError("no row has this target", location=table.location(column=name), hint="Do not name it.")
        weights = _row_weights(config, table)
        check_weighted(table, name, None if weights is None else weights[rows])
        complete &= len(rows) == len(table)
        inferred, of_loss = infer_loss(of_target, table.take(rows))
        losses[name] = cast("TargetLoss", inferred)
        for finding in of_loss:  # the same notes are given once
            if finding.code is FindingCode.TARGET_AS_CLASS:
                y = read_numbers(table, name, unit_of(table, name))
                as_classes.setdefault((np.nanmin(y), np.nanmax(y)), []).append(name)
            elif finding.code is FindingCode.TARGET_AS_AMOUNT:
                amounts.setdefault(losses[name], []).append(name)
            else:
                findings.append(finding)
    findings += [_class_note(names, *ends, several=True) for ends, names in as_classes.items()]
    findings += [_amount_note(names, loss, several=True) for loss, names in amounts.items()]
    first = next(iter(losses.values()))
    names_targets = config.target_weights or (config.loss is not None and config.loss.named_targets)
    if complete and not names_targets and (loss := kind_of(first).joint_loss([*losses.values()])) is not None:
        return loss, tuple(findings)
    if config.data.order is not None and not any("data.order" in loss.keys for loss in losses.values()):
        raise config_error("data.order", "it is the order of no target", "Write every class of a target, or remove it.")
    if config.output_activation is not None:
        raise config_error("output_activation", *of_one)
    if config.private:
        raise config_error(
            "private",
            "a run of several targets cannot be made private as a whole",
            Advice(
                "Remove it, and share the run of a target, which is private: ",
                *(RunCommand("share", ("RUN/targets/NAME", "FILE.zip")), "."),
            ),
        )
    if config.teacher is not None:
        raise config_error("teacher", "a student learns one target, and there are several", "Name one target.")
    return MultiTargetLoss(losses=dict(losses)), tuple(findings)


def with_losses(config: Config, loss: Loss) -> Config:
    """The configuration with the losses of several targets that are learned side by side, so that rooms know each."""
    return config.model_copy(update={"loss": loss.before_fit(config.loss)})


OF_FEW_LOSSES = {
    "data.exposure": (
        "has no log link, so it takes no exposure",
        f"Use one of the losses {join_quoted(AMOUNT_LOSSES)}.",
    ),
    "data.offset": (
        "is no loss of numbers without a link, so it takes no offset",
        Advice("Remove the key; for counts and amounts that are proportional to a column use data.exposure."),
    ),
    "data.order": (
        "has no use for the order of classes",
        Advice("Use ", SetKey("loss", "ordinal"), ", or remove the key."),
    ),
}
"""The keys of a configuration that few losses take, by their `keys`, and why others do not."""


def _check_loss(config: Config, table: Table, loss: Loss) -> None:
    """Raise an error when the loss does not fit the target or another key."""
    kind, names, data = kind_of(loss), config.data.target, config.data
    keys = {"data.exposure": data.exposure, "data.offset": data.offset, "data.order": data.order}
    for key, given in keys.items():
        if given is not None and key not in loss.keys:
            why, hint = OF_FEW_LOSSES[key]
            raise config_error(key, f"the loss {loss.type} {why}", hint)
    loss.check_complete()
    _refuse(config, loss, ("target_weights", "output_activation"))
    kind.check_columns(table, names, data.columns, loss.type)
    _refuse(config, loss, OF_ONE_TARGET)


def _refuse(config: Config, loss: Loss, keys: Sequence[str]) -> None:
    """Raise a ConfigError if one of some keys is set that the kind of target does not take."""
    for key in keys:
        is_set = getattr(config, key) not in (None, {})
        if is_set and (refusal := kind_of(loss).refusal(key, loss.type, config.data.target)) is not None:
            raise config_error(key, *refusal)


def _date_target(table: Table, name: str) -> Finding:
    """The warning of a target of dates, of which each is a class."""
    n = table.column(name).drop_nulls().n_unique()
    message = f"{quote(name)} holds dates, and each of the {n:,} is treated as a class"
    hint = "To predict when something happens, make a number of the dates, such as the days from another date."
    return Finding("warning", FindingCode.TARGET_OF_DATES, table.location(column=name), message, hint)


EXPOSURE_COLUMNS: dict[str, type[ExposureColumn | MultiplierColumn]] = {
    "link": ExposureColumn,
    "targets": MultiplierColumn,
}
"""The column of an exposure by where it goes in a loss."""


def context_columns(config: Config) -> Iterator[tuple[type[ExposureColumn | MultiplierColumn | OffsetColumn], str]]:
    """The columns that answers are relative to, with their kinds."""
    if config.data.exposure is not None:
        where = "link" if config.loss is None else config.loss.exposure_in
        yield EXPOSURE_COLUMNS[where], config.data.exposure
    if config.data.offset is not None:
        yield OffsetColumn, config.data.offset


def read_context(config: Config, table: Table) -> RowContext | None:
    """What the answers of the rows of a table are relative to; None if there are no such columns."""
    return Encoder(columns=tuple(kind.of(table, name) for kind, name in context_columns(config))).context(table)


@dataclass(frozen=True)
class FittedFeatures:
    """The feature columns with their kinds and the encoder fitted on the training rows; `ignored` ones are empty.

    Most cells of those with `date_doubts` look like dates, and they are categories.
    """

    kinds: tuple[tuple[str, ColumnType], ...]
    encoder: Encoder
    ignored: tuple[str, ...]
    date_doubts: tuple[tuple[str, DateDoubt], ...] = ()


def fit_features(config: Config, training: ColumnStore, table: ColumnStore) -> FittedFeatures:
    """Infer the kind of each feature column and fit its encoder on the training rows, on two threads.

    Kinds, units and date formats are those of the whole `table`, so that every member and command has the same.

    Raises:
        ConfigError, DataError: a column does not fit its kind, or none is left.
    """
    data = config.data
    names = list(data.features or (name for name in training.header.names if name not in data.excluded))
    n_columns = columns_at_once(len(training))
    parts = [names[start : start + n_columns] for start in range(0, len(names), n_columns)]
    pool = ThreadPoolExecutor(2, "nncli fit")
    try:
        fitted = [
            column
            for part in pool.map(lambda part: _fit_columns(config, training, table, part), parts)
            for column in part
        ]
    finally:
        pool.shutdown(cancel_futures=True)
    empty = tuple(
        column.name for column in fitted if column.kind is ColumnType.EMPTY and column.name not in data.columns
    )
    kinds = tuple((column.name, column.kind) for column in fitted if column.kind is not ColumnType.EMPTY)
    if not kinds:
        raise DataError(
            "there is no feature column",
            location=Location(source=training.header.source),
            hint="Name some as data.features, or drop fewer.",
        )
    columns = [column.encoder for column in fitted if column.encoder is not None]
    weights = None if data.sample_weight is None else _row_weights(config, training.columns([data.sample_weight]))
    for kind, name in context_columns(config):
        columns.append(kind.fit(training.columns([name]), name, weights=weights))
    doubts = tuple((column.name, column.date_doubt) for column in fitted if column.date_doubt is not None)
    return FittedFeatures(kinds, Encoder(columns=tuple(columns)), empty, doubts)


@dataclass(frozen=True)
class _FittedColumn:
    """The kind of a column and its encoder; None if it is empty."""

    name: str
    kind: ColumnType
    encoder: Column | None
    date_doubt: DateDoubt | None = None


def _fit_columns(
    config: Config, training: ColumnStore, whole: ColumnStore, names: Sequence[str]
) -> list[_FittedColumn]:
    """Infer the kinds of columns and fit their encoders, those of numbers without missing cells at once."""
    encoding, columns = config.encoding, config.data.columns
    numbers: dict[str, NumericColumn] = {}
    if len(training):
        dense = training.dense([name for name in names if columns.get(name) in (None, ColumnType.NUMERIC)])
        fitted = fit_dense(training.row_ids, dense, encoding.numeric, encoding.clip)
        numbers = {column.name: column for column in fitted}

    def fit(name: str) -> _FittedColumn:
        if name in numbers:
            return _FittedColumn(name, ColumnType.NUMERIC, _configured(config, numbers[name]))
        table, every = training.columns([name]), whole.columns([name]).with_cache()
        kind = columns.get(name) or _inferred_kind(table, every, name)
        table = _read_as(every, table, name, kind)
        column = None if kind is ColumnType.EMPTY else kind.encoder.fit(table, name, encoding)
        doubt = None
        if (
            name not in columns
            and kind in (ColumnType.CATEGORICAL, ColumnType.TEXT)
            and table.column(name).dtype == pl.String
        ):
            doubt = date_doubt(every.column(name), every.dialect.date_format)
        return _FittedColumn(name, kind, column and _configured(config, column), doubt)

    return [fit(name) for name in names]


def _inferred_kind(training: Table, whole: Table, name: str) -> ColumnType:
    """The kind of a column by the whole table, as `head` and `init` see it; EMPTY if no training row has a value.

    Words that are frequent enough for categories in the table may be a little too rare in the rows of a member.
    """
    return ColumnType.EMPTY if RawColumn(training, name).is_empty else infer_kind(whole, name)


def _read_as(whole: Table, training: Table, name: str, kind: ColumnType) -> Table:
    """The training rows of a column of text, which is read with the unit, or the date formats, of the whole table.

    The one cell that tells day and month apart may be a validation row, or in the rows of another member.
    """
    if training.column(name).dtype != pl.String:
        return training
    training = training.with_cache()
    if kind.is_numeric:
        training.once(("unit", name), lambda: unit_of(whole, name))
    else:
        training.once(("date formats", name), lambda: date_formats_of(whole, name))
    return training


def _configured(config: Config, column: Column) -> Column:
    """The encoder of a column, which keeps the order of cells to the last bit if it is monotone.

    With `nearest_year`, numbers in the time column are clipped to the training range.
    """
    if column.name in config.monotone:
        column = column.in_order()
    clips = column.name == config.data.time and config.encoding.out_of_range_dates != "extrapolate"
    return column.model_copy(update={"clip_range": True}) if clips and isinstance(column, NumericColumn) else column


def _row_weights(config: Config, table: Table) -> Weights | None:
    """The sample weights of a table; None without any, or if it has no column of them."""
    column = config.data.sample_weight
    return read_weights(table, column) if column is not None and column in table.names else None


def fit_kind(
    config: Config,
    table: Table,
    loss: Loss,
    scaling: TargetScaling = "none",
    *,
    clip: bool = False,
    every: Table | None = None,
) -> Target:
    """Fit the target of the kind that the loss is for; of two classes the `positive_class` is the second.

    Its classes are those of `table`; `every` row tells their order.

    Raises:
        ConfigError: there are more than two classes, or none has that name.
        DataError: the target cannot be of that kind.
    """

    def fit_part(name: str, part: LossBase) -> Target:
        of_part, rows = _rows_of_part(config, table, table, name, part)
        return fit_kind(of_part, rows, cast("Loss", part))

    if (several := kind_of(loss).fit_parts(loss, fit_part)) is not None:
        return cast("Target", several)
    data, weights, context = config.data, _row_weights(config, table), read_context(config, table)
    options = FitOptions(
        scaling, clip, config.positive_class, data.order or (), loss.time_bins, weights, context, every
    )
    target = kind_of(loss).fit(table, data.target, options)
    if config.positive_class is not None and (len(target.labels) != 2 or config.positive_class not in target.labels):
        labels = join_quoted(target.labels[:MAX_LABELS])
        raise config_error(
            "positive_class",
            f"{quote(config.positive_class)} is none of two classes; the target has {len(target.labels):,}: {labels}",
            "Name one of two classes, or remove the key.",
        )
    return target


def _rows_of_part(config: Config, training: Table, every: Table, name: str, loss: LossBase) -> tuple[Config, Table]:
    """The configuration of one of several targets, and the rows that have it by which it is fitted."""
    table = kind_of(loss).rows_to_fit(training, every, of_several=True)
    rows = rows_with_target(table, (name,))
    if not len(rows) or not len(rows_with_target(training, (name,))):
        message = f"no training row has the target {quote(name)}"
        raise DataError(message, location=table.location(column=name), hint="Do not name it, or add rows.")
    weights = _row_weights(config, table)
    check_weighted(table, name, None if weights is None else weights[rows])
    return config.of_target(name, cast("Loss", loss)), table.take(rows)


def fit_loss(config: Config, training: ColumnStore, target: Target, loss: Loss) -> Loss:
    """The loss, of several targets with their baselines and shares in the training rows."""
    return target.fit_loss(loss, training.columns, config.data.sample_weight, config.target_weights or {})


def fit_target(
    config: Config, training: Table, every: Table, loss: Loss
) -> tuple[Target, TargetScaling | Literal["auto"]]:
    """Fit the target on the training rows, or on `every` row if its kind needs them, and resolve how it is scaled.

    Of several targets each has its scaling.

    Raises:
        ConfigError, DataError: the target or its scaling does not fit the loss.
    """

    def fit_part(name: str, part: LossBase) -> Target:
        of_part, rows = _rows_of_part(config, training, every, name, part)
        return fit_target(of_part, rows, rows, cast("Loss", part))[0]

    kind, configured = kind_of(loss), config.encoding.target
    if (several := kind.fit_parts(loss, fit_part)) is not None:
        return cast("Target", several), configured
    scaling = loss.scaling.resolved(loss.type, configured, has_activation=config.output_activation is not None)
    clip = loss.scaling.clips(config.encoding.clip_target)
    target = fit_kind(config, kind.rows_to_fit(training, every), loss, scaling, clip=clip, every=every)
    check_valid(loss, lambda: training, config.data.target, lambda: target.read(training))
    return target, scaling


def check_valid(loss: LossBase, table: Callable[[], Table], names: tuple[str, ...], read: Callable[[], Truth]) -> None:
    """Raise a DataError unless the loss is for the targets (rows, targets) that `read` returns of a table."""
    invalid = loss.invalid_target(read)
    if invalid is not None:
        location = table().location(row=invalid.row, column=names[invalid.column])
        raise DataError(invalid.message, location=location, hint=invalid.hint)


def select_features(config: Config, training: ColumnStore, encoder: Encoder, target: Target) -> Encoder:
    """The encoder of at most `encoding.max_features` columns, in their order; of equal ones the first are kept.

    Columns of many categories, which become codes, are kept before all others.

    Raises:
        DataError: a cell cannot be encoded.
    """
    limit = max_features_of(config)
    if limit is None or len(encoder.columns) <= limit:
        return encoder
    with log_duration("selecting features") as stage:
        scores = _scores(training, encoder, target)
        best = np.sort(np.argsort(-scores, kind="stable")[:limit])
        stage.details.append(f"{limit:,} of {len(scores):,}")
    return Encoder(columns=tuple(encoder.columns[j] for j in best))


def of_selection(candidates: Encoder, selected: Encoder) -> list[Finding]:
    """A note on the columns that were left out."""
    n, n_selected = len(candidates.columns), len(selected.columns)
    message = f"the network uses {n_selected:,} of {n:,} features, those that tell most about the target by themselves"
    hint = "To choose how many, set encoding.max_features; null uses all."
    return [note(FindingCode.SELECTED_FEATURES, message, hint=hint)] if n_selected < n else []


def _scores(training: ColumnStore, encoder: Encoder, target: Target) -> Floats:
    """The score of each column of the encoder: the best of the features that it becomes."""
    if target.parts:
        targets = [part.target for part in target.parts]
        stores = (training.take(rows_with_target(training.columns(each.names), each.names)) for each in targets)
        of_parts = [_scores(store, encoder, each) for store, each in zip(stores, targets, strict=True)]
        best: Floats = np.max(of_parts, axis=0)
        return best
    y: Truth = target.read(training.columns(target.names))
    context = encoder.context(training.columns([column.name for column in encoder.context_columns]))
    scores = target.feature_scores(y if context is None else context.learned(y), encoder.width)
    stop = 0
    for block, dense in training.iter_dense(encoder.names, encoder.jointly_encoded):
        start, stop = stop, stop + max(len(block), dense.x.shape[1])
        X, codes = encoder.empty(stop - start, "float32")
        encoder.encode_into(block, X, codes, dense)
        scores.add(X)
    values = scores.values()
    edges = list(accumulate((column.width for column in encoder.columns), initial=0))
    return np.array(
        [
            inf
            if isinstance(column, ContextColumn) or (isinstance(column, CategoricalColumn) and column.embedding_width)
            else values[start:stop].max(initial=0.0)
            for column, (start, stop) in zip(encoder.columns, pairwise(edges), strict=True)
        ]
    )

"""Fitting the encoder and the target on the training rows, and inferring the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf
from typing import Any, Literal, cast

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
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.kinds import Column, Kind, infer_kind
from nncli.data.encoders.numeric import ExposureColumn, NumericColumn, columns_at_once, fit_dense
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.checks.target import default_amount_loss
from nncli.fitting.prepare.auto_values import max_features_of
from nncli.nn.arrays import Floats, Matrix
from nncli.nn.losses import (
    AMOUNT_LOSSES,
    MSE,
    CrossEntropy,
    Loss,
    LossBase,
    Ordinal,
    SeveralLosses,
    TargetLoss,
    TargetScaling,
    fit_losses,
)
from nncli.targets.base import FitOptions, Truth, rows_with_target
from nncli.targets.several import SeveralTargets
from nncli.targets.target import Target, kind_of

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
    """The columns by which a target is fitted: its own, the sample weights and the exposure."""
    further = (config.data.sample_weight, config.data.exposure)
    return [*dict.fromkeys((*config.data.target, *filter(None, further)))]


def infer_loss(config: Config, table: Table) -> tuple[Loss, tuple[Finding, ...]]:
    """The configured loss, or the usual one of the target's type, and a note if numbers are read as class ids.

    The loss says whether the target is a class: text, booleans, class ids, or anything with a classification loss.

    Raises:
        ConfigError, DataError: the loss or another key does not fit the target.
    """
    names, finding = config.data.target, None
    kind = None if config.loss is None else kind_of(config.loss)
    if len(names) > 1 and (kind is None or not kind.joins_columns):
        return infer_losses(config, table)
    if config.data.order is not None and config.loss is None and len(names) == 1:
        config = config.model_copy(update={"loss": Ordinal()})

    weights = _row_weights(config, table)

    def read_targets() -> Floats:
        return np.column_stack([read_numbers(table, name, unit_of(table, name)) for name in names])

    if config.loss is not None and kind_of(config.loss).reads_text:
        kinds = [Kind.CATEGORICAL] * len(names)  # any column can be a class
    else:
        kinds = [config.data.columns.get(name) or infer_kind(table, name) for name in names]
    if config.loss is None and kinds[0] is Kind.DATE and names[0] not in config.data.columns:
        finding = _date_target(table, names[0])
    class_like = [name for name, kind in zip(names, kinds, strict=True) if kind.needs_text]
    is_open = config.loss is None and config.output_activation is None and names[0] not in config.data.columns
    if is_open and config.data.exposure is not None and not class_like:
        loss = default_amount_loss(read_numbers(table, names[0], unit_of(table, names[0])))
        return loss.with_auto_values(read_targets, weights), (_amount_note(names, loss),)
    if is_open and not class_like and ((unit := unit_of(table, names[0])) is None or is_word(unit)):
        y = read_numbers(table, names[0], unit)
        if are_class_ids(y):
            class_like = list(names)
            finding = _class_note(names, y.min(), y.max())
        elif may_be_classes(y):
            finding = _number_note(names[0], y.min(), y.max())
    loss = config.loss or (CrossEntropy() if class_like else MSE())
    _check_loss(config, table, loss, class_like)
    if (text := kind_of(loss).note(table, names)) is not None:
        finding = note(FindingCode.TARGET_AS_LABELS, text)
    return loss.with_auto_values(read_targets, weights), () if finding is None else (finding,)


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
    configured, complete = config.loss, True
    of_one = "it is about one target, and there are several", "Remove it, or name one target."
    for key in OF_ONE_TARGET:
        if getattr(config, key) is not None:
            raise config_error(key, *of_one)
    for name in config.data.target:
        loss = config.loss_of_target(name)
        if loss is None and config.data.order is not None:
            classes = table.column(name).drop_nulls().cast(pl.String).unique().to_list()
            loss = Ordinal() if {*classes} <= {*config.data.order} else None
        of_target = config.of_target(name, loss)
        rows = rows_with_target(table, (name,))
        if not len(rows):
            raise DataError("no row has this target", location=table.location(column=name), hint="Do not name it.")
        weights = _row_weights(config, table)
        check_weighted(table, name, None if weights is None else weights[rows])
        complete &= len(rows) == len(table)
        inferred, of_loss = infer_loss(of_target, table.take(rows))
        is_of_one = not inferred.parts and not kind_of(inferred).joins_columns
        assert is_of_one, f"the loss {inferred.type} is that of all targets"
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
    first, *others = losses.values()
    is_mapping = isinstance(configured, SeveralLosses) or config.target_weights
    if complete and not is_mapping and not kind_of(first).has_labels and all(loss == first for loss in others):
        return first, tuple(findings)
    if config.data.order is not None and not any(isinstance(loss, Ordinal) for loss in losses.values()):
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
    return SeveralLosses(losses=dict(losses)), tuple(findings)


def with_losses(config: Config, loss: Loss) -> Config:
    """The configuration with the losses of several targets that are learned side by side, so that rooms know each."""
    if not isinstance(loss, SeveralLosses):
        return config
    return config.model_copy(update={"loss": SeveralLosses(losses=loss.losses)})


def _check_loss(config: Config, table: Table, loss: Loss, class_like: list[str]) -> None:
    """Raise an error when the loss does not fit the target or another key; `class_like` targets are not numbers."""
    names = config.data.target
    if config.data.exposure is not None and loss.deviance_power is None:
        message = f"the loss {loss.type} has no log link, so it takes no exposure"
        raise config_error("data.exposure", message, f"Use one of the losses {join_quoted(AMOUNT_LOSSES)}.")
    if config.data.order is not None and not isinstance(loss, Ordinal):
        message = f"the loss {loss.type} has no use for the order of classes"
        raise config_error("data.order", message, Advice("Use ", SetKey("loss", "ordinal"), ", or remove the key."))
    kind = kind_of(loss)
    if loss.missing_key is not None:
        raise config_error("loss", *loss.missing_key)
    if config.target_weights:
        raise config_error("target_weights", kind.no_target_weights, "Remove it.")
    if kind.has_labels:
        if config.output_activation is not None:
            raise config_error(
                "output_activation",
                f"cannot be set when the target, {quote(names[0])}, is a class: {loss.type} has its own link function",
                "Remove the key.",
            )
        return
    if class_like and not kind.reads_text:
        cell = table.column(names[0]).drop_nulls()[0]
        message = f"the loss {loss.type} needs numbers, and the target holds {quote(cell)}"
        hint = "Leave loss out or use cross_entropy for classes."
        raise DataError(message, location=table.location(column=names[0]), hint=hint)
    for key in ("class_weight", "positive_class"):
        if getattr(config, key) is not None:
            message = f"the target is a {kind.noun}, not a class"
            raise config_error(key, message, Advice("Remove the key, or use ", SetKey("loss", "cross_entropy"), "."))


def _date_target(table: Table, name: str) -> Finding:
    """The warning of a target of dates, of which each is a class."""
    n = table.column(name).drop_nulls().n_unique()
    message = f"{quote(name)} holds dates, and each of the {n:,} is treated as a class"
    hint = "To predict when something happens, make a number of the dates, such as the days from another date."
    return Finding("warning", FindingCode.TARGET_OF_DATES, table.location(column=name), message, hint)


@dataclass(frozen=True)
class FittedFeatures:
    """The feature columns with their kinds and the encoder fitted on the training rows; `ignored` ones are empty.

    Most cells of those with `date_doubts` look like dates, and they are categories.
    """

    kinds: tuple[tuple[str, Kind], ...]
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
    empty = tuple(column.name for column in fitted if column.kind is Kind.EMPTY and column.name not in data.columns)
    kinds = tuple((column.name, column.kind) for column in fitted if column.kind is not Kind.EMPTY)
    if not kinds:
        raise DataError(
            "there is no feature column",
            location=Location(source=training.header.source),
            hint="Name some as data.features, or drop fewer.",
        )
    columns = [column.encoder for column in fitted if column.encoder is not None]
    if data.exposure is not None:
        weights = None if data.sample_weight is None else _row_weights(config, training.columns([data.sample_weight]))
        columns.append(ExposureColumn.fit(training.columns([data.exposure]), data.exposure, weights=weights))
    doubts = tuple((column.name, column.date_doubt) for column in fitted if column.date_doubt is not None)
    return FittedFeatures(kinds, Encoder(columns=tuple(columns)), empty, doubts)


@dataclass(frozen=True)
class _FittedColumn:
    """The kind of a column and its encoder; None if it is empty."""

    name: str
    kind: Kind
    encoder: Column | None
    date_doubt: DateDoubt | None = None


def _fit_columns(
    config: Config, training: ColumnStore, whole: ColumnStore, names: Sequence[str]
) -> list[_FittedColumn]:
    """Infer the kinds of columns and fit their encoders, those of numbers without missing cells at once."""
    encoding, columns = config.encoding, config.data.columns
    numbers: dict[str, NumericColumn] = {}
    if len(training):
        dense = training.dense([name for name in names if columns.get(name) in (None, Kind.NUMERIC)])
        fitted = fit_dense(training.row_ids, dense, encoding.numeric, encoding.clip)
        numbers = {column.name: column for column in fitted}

    def fit(name: str) -> _FittedColumn:
        if name in numbers:
            return _FittedColumn(name, Kind.NUMERIC, _configured(config, numbers[name]))
        table, every = training.columns([name]), whole.columns([name]).with_cache()
        kind = columns.get(name) or _inferred_kind(table, every, name)
        table = _read_as(every, table, name, kind)
        column = None if kind is Kind.EMPTY else kind.encoder.fit(table, name, encoding)
        doubt = None
        if name not in columns and kind in (Kind.CATEGORICAL, Kind.TEXT) and table.column(name).dtype == pl.String:
            doubt = date_doubt(every.column(name), every.dialect.date_format)
        return _FittedColumn(name, kind, column and _configured(config, column), doubt)

    return [fit(name) for name in names]


def _inferred_kind(training: Table, whole: Table, name: str) -> Kind:
    """The kind of a column by the whole table, as `head` and `init` see it; EMPTY if no training row has a value.

    Words that are frequent enough for categories in the table may be a little too rare in the rows of a member.
    """
    return Kind.EMPTY if RawColumn(training, name).is_empty else infer_kind(whole, name)


def _read_as(whole: Table, training: Table, name: str, kind: Kind) -> Table:
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
    if isinstance(loss, SeveralLosses):
        return _side_by_side(config, table, table, loss, fit_kind)
    data, weights = config.data, _row_weights(config, table)
    options = FitOptions(
        scaling, clip, config.positive_class, data.order or (), loss.time_bins, weights, data.exposure, every
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


def _side_by_side(
    config: Config, training: Table, every: Table, losses: SeveralLosses, fit: Callable[[Config, Table, Loss], Target]
) -> SeveralTargets:
    """Several targets, each fitted by `fit` on the training rows that have it, and classes on `every` such row.

    A split is stratified by one target, so that rare classes of another may be in no training row.
    """
    parts = []
    for name, loss in zip(losses.losses, losses.parts, strict=True):
        table = every if kind_of(loss).has_labels else training
        rows = rows_with_target(table, (name,))
        if not len(rows) or not len(rows_with_target(training, (name,))):
            message = f"no training row has the target {quote(name)}"
            raise DataError(message, location=table.location(column=name), hint="Do not name it, or add rows.")
        weights = _row_weights(config, table)
        check_weighted(table, name, None if weights is None else weights[rows])
        part = fit(config.of_target(name, loss), table.take(rows), loss)
        parts.append(part)
    return SeveralTargets(targets=tuple(parts), levels=tuple(loss.quantile_levels for loss in losses.parts))


def check_weighted(table: Table, name: str, weights: Weights | None) -> None:
    """Raise a DataError if each training row that has the target `name` has the weight 0."""
    if weights is not None and not weights.any():
        message = f"no training row with a weight above 0 has the target {quote(name)}"
        raise DataError(message, location=table.location(column=name), hint="Do not name it, or add rows.")


def fit_loss(config: Config, training: ColumnStore, target: Target, loss: Loss) -> Loss:
    """The loss, of several targets with their baselines and shares in the training rows."""
    if not isinstance(loss, SeveralLosses):
        return loss
    table, column = training.columns(target.names), config.data.sample_weight
    y = np.asarray(target.read(table), np.float64)
    weights = read_weights(training.columns([column]), column) if column else None
    for j, name in enumerate(target.names):
        check_weighted(table, name, None if weights is None else weights[~np.isnan(y[:, j])])
    encoded, scales = np.asarray(target.encode(y), np.float64), np.ravel(target.scale).tolist()
    importance = [(config.target_weights or {}).get(name, 1.0) for name in target.names]
    targets = [
        (of_part.outputs(part.n_outputs), len(of_part.quantile_levels) or part.n_outputs, encoded[:, j], y[:, j])
        for j, (part, of_part) in enumerate(zip(target.parts, loss.parts, strict=True))
    ]
    return fit_losses(loss, targets, weights, importance, scales)


def fit_target(
    config: Config, training: Table, every: Table, loss: Loss
) -> tuple[Target, TargetScaling | Literal["auto"]]:
    """Fit the target on the training rows, or on `every` row if its kind needs them, and resolve how it is scaled.

    Of several targets each has its scaling.

    Raises:
        ConfigError, DataError: the target or its scaling does not fit the loss.
    """
    names, kind = config.data.target, kind_of(loss)
    if isinstance(loss, SeveralLosses):

        def fit(config: Config, table: Table, loss: Loss) -> Target:
            return fit_target(config, table, table, loss)[0]

        return _side_by_side(config, training, every, loss, fit), config.encoding.target
    if kind.reads_text:
        return fit_kind(config, every if kind.fits_all_rows else training, loss, every=every), "none"
    has_activation = config.output_activation is not None
    scaling = loss.scaling.resolved(loss.type, config.encoding.target, has_activation=has_activation)
    clip = loss.scaling.clips(config.encoding.clip_target)
    target = fit_kind(config, training, loss, scaling, clip=clip)
    check_valid(loss, lambda: training, names, lambda: target.read(training))
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
        stores = (training.take(rows_with_target(training.columns(part.names), part.names)) for part in target.parts)
        of_parts = [_scores(store, encoder, part) for store, part in zip(stores, target.parts, strict=True)]
        best: Floats = np.max(of_parts, axis=0)
        return best
    y = target.read(training.columns(target.names))
    if target.has_labels:
        scores = FeatureScores(encoder.width, classes=len(target.labels))
    else:
        if (missing := np.isnan(y)).any():  # labels that some rows lack
            y = np.where(missing, target.baseline(y, None), y)
        scores = FeatureScores(encoder.width, center=y.mean(axis=0))
    stop = 0
    for block, dense in training.iter_dense(encoder.names, encoder.jointly_encoded):
        start, stop = stop, stop + max(len(block), dense.values.shape[1])
        X, codes = encoder.empty(stop - start, "float32")
        encoder.encode_into(block, X, codes, dense)
        scores.add(X, y[start:stop])
    values = scores.values()
    edges = list(accumulate((column.width for column in encoder.columns), initial=0))
    return np.array(
        [
            inf
            if isinstance(column, ExposureColumn) or (isinstance(column, CategoricalColumn) and column.embedding_width)
            else values[start:stop].max(initial=0.0)
            for column, (start, stop) in zip(encoder.columns, pairwise(edges), strict=True)
        ]
    )


class FeatureScores:
    """Scores of `width` encoded features, from rows that are added in blocks.

    With `classes`, targets are class codes (rows,); else numbers (rows, targets), whose `center` (targets,) should be
    near their mean.
    """

    def __init__(self, width: int, *, classes: int = 0, center: Floats | None = None) -> None:
        self._classes = classes
        self._center = np.zeros(classes) if center is None else center
        n_outputs = len(self._center)
        self._rows = 0
        self._x, self._xx = np.zeros(width), np.zeros(width)
        self._y, self._yy, self._xy = np.zeros(n_outputs), np.zeros(n_outputs), np.zeros((width, n_outputs))

    def add(self, X: Matrix, y: npt.NDArray[Any]) -> None:
        """Add the encoded features X (rows, width) of some rows, and their targets."""
        X = X.astype(np.float64)
        Y = np.eye(self._classes)[y] if self._classes else y - self._center
        self._rows += len(X)
        self._x += X.sum(axis=0)
        self._xx += np.einsum("ij,ij->j", X, X)
        self._y += Y.sum(axis=0)
        self._yy += np.einsum("ij,ij->j", Y, Y)
        self._xy += X.T @ Y

    def values(self) -> Floats:
        """The share of the variance that each feature explains (width,), of the best target; 0 for a constant one."""
        n = max(self._rows, 1)
        spread = self._xx - self._x**2 / n
        if self._classes:
            counts = np.maximum(self._y, 1.0)
            between = (self._xy**2 / counts).sum(axis=1) - self._x**2 / n
            return _ratio(between, spread, self._xx)
        covariance = self._xy - np.outer(self._x, self._y) / n
        target_spread = self._yy - self._y**2 / n
        shares = [
            _ratio(covariance[:, j] ** 2, spread * target_spread[j], self._xx * self._yy[j])
            for j in range(len(target_spread))
        ]
        best: Floats = np.max(shares, axis=0)
        return best


def _ratio(part: Floats, whole: Floats, size: Floats) -> Floats:
    """part / whole, 0 where `whole` is 0 up to rounding of sums of this `size`."""
    is_constant = ~(whole > size * 1e-12)
    values: Floats = np.where(is_constant, 0.0, part / np.where(is_constant, 1.0, whole))
    return values

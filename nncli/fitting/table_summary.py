"""What is known of a table before a training: its columns, its target, and what its reading tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from nncli.base.errors import Advice, DataError, Location, UsageError, UseOption
from nncli.base.findings import Finding, FindingCode, of_error, warning
from nncli.base.scratch import Scratch
from nncli.base.spec import Task, non_defaults
from nncli.base.text import join_quoted, quote
from nncli.config.errors.messages import validate
from nncli.config.loading import with_preset
from nncli.config.schema import Config, DataSection
from nncli.config.yaml.document import Document
from nncli.data.columns.parsing import read_numbers, read_text, unit_of
from nncli.data.columns.spellings import yes_of
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.profile import ColumnProfile, Label, is_named_like_a_key, profile
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_chunks
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.data.table import Table
from nncli.fitting.checks.column_values import group_like
from nncli.fitting.checks.notes import class_orders, dates_as_categories, removed_units, short_years, table_reading
from nncli.fitting.checks.rows import groups_in_time, random_split, time_feature
from nncli.fitting.checks.target import positive_class, positive_class_note
from nncli.fitting.checks.unsupported_kinds import MAX_LEVELS, are_labels, kinds_not_supported, ordered_levels
from nncli.fitting.prepare.fit import MIN_ROWS_PER_CLASS, are_class_ids, infer_loss
from nncli.fitting.prepare.load import drop_missing_targets, load_table, table_copies
from nncli.nn.losses import BinaryCrossEntropyLoss, Loss, MSELoss
from nncli.targets.orders import in_order
from nncli.targets.target import TargetKind, kind_of
from nncli.targets.target_base import FitOptions, rows_with_target

USUAL_TARGETS = ("target", "label", "labels", "class", "y", "outcome", "response")
TARGET_WORD = re.compile(
    "target|labels?|class|outcome|response|price|value|churn(ed)?|survived|species|diagnosis|quality|rating|score|default"
    "|fraud|income|salary|sales|claims"
)
"""A word in names of columns that are often predicted."""
OTHER_WORD = re.compile(
    "longitude|latitude|lon|lat|lng|long|x|id|index|key|uuid|name|date|time|timestamp|year|month|day|zip|zipcode"
    "|postcode|postal|address|url|email|phone|comments?|notes?|description|unnamed|created|updated"
)
"""A word in names of columns that are hardly ever predicted: places, keys, dates and remarks."""
NO_TARGET = "?"
"""The target of a configuration that has none yet."""
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
"""A word in a name such as `SalePrice`, `sale_price` or `PRICE`."""
HEADER_BYTES = 1 << 16
"""Bytes of a table that are parsed for the names of its columns."""


@dataclass(frozen=True)
class TableSummary:
    """The summary of a table: the profiles of its targets and of the other columns.

    `data` is the data section of the configuration, with the `na_spellings` that were found and, if `has_thousands`,
    the thousands separator that was found. `rows` of the `table_rows` have a target; `n_columns` counts all columns.
    `integer_classes` is whether a numeric target is treated as class labels. `positive_class` is the one of two classes
    that means yes, if it is not the second in order. `label_note` is about several labels, or about a time
    to an event, None for another target.
    """

    data: DataSection
    kind: TargetKind
    integer_classes: bool
    targets: tuple[ColumnProfile, ...]
    columns: tuple[ColumnProfile, ...]
    rows: int
    table_rows: int
    n_columns: int
    findings: tuple[Finding, ...]
    na_spellings: tuple[str, ...] = ()
    has_thousands: bool = False
    positive_class: str | None = None
    proposed_loss: tuple[str, str] | None = None
    label_note: str | None = None
    kinds: tuple[TargetKind, ...] = ()

    @cached_property
    def _features(self) -> frozenset[str]:
        return frozenset(self.data.features or ())

    @property
    def task(self) -> Task:
        """The task of the loss."""
        return self.kind.task_name()

    @property
    def location(self) -> Location:
        """The source of the table."""
        return Location(source=self.data.path)

    @cached_property
    def kept(self) -> tuple[ColumnProfile, ...]:
        """The feature columns: the recommended ones and those requested by name."""
        kinds = self.data.columns
        return tuple(
            replace(column, kind=kinds[column.name]) if column.name in kinds else column
            for column in self.columns
            if kinds.get(column.name) is not ColumnType.EMPTY and (column.recommended or self._is_requested(column))
        )

    @cached_property
    def dropped(self) -> tuple[ColumnProfile, ...]:
        """The columns that are recommended to be dropped."""
        return tuple(column for column in self.columns if not (column.recommended or self._is_requested(column)))

    @cached_property
    def ambiguous(self) -> tuple[ColumnProfile, ...]:
        """The kept columns that training refuses unless their kind is set."""
        return tuple(column for column in self.kept if column.error is not None and self._has_inferred_kind(column))

    def _has_inferred_kind(self, column: ColumnProfile) -> bool:
        return column.name not in self.data.columns

    def _is_requested(self, column: ColumnProfile) -> bool:
        return not self._has_inferred_kind(column) or column.name in self._features


def summarize_table(
    location: TableLocation, targets: Sequence[str], assignments: Sequence[str] = (), scratch: Path | None = None
) -> TableSummary:
    """Read a table and summarize it; it is read again if it has other missing values or a thousands separator.

    `assignments` are those of a training, such as `data.separator=;`; `scratch` is the folder of temporary files.

    Raises:
        UsageError: there is no target.
        ConfigError: an assignment is wrong.
        DataError: the table cannot be read, has no such target, or has no feature column.
    """
    source = as_source(location)
    section: dict[str, object] = {**non_defaults(source), "target": list(targets) or NO_TARGET}
    config = validate(Config, with_preset(Document({"data": section}, {}, "nncli init", ()), assignments))
    if not targets and config.data.target == (NO_TARGET,):  # an assignment may name one
        raise _no_target_error(source, config.data.dialect)
    with table_copies(config, scratch):
        return _summarize_until_read(config, scratch)


def _summarize_until_read(config: Config, scratch: Path | None) -> TableSummary:
    """The summary of a table once no other missing values and no thousands separator are found."""
    na_spellings, configured_thousands = list[str](), config.data.thousands
    while True:
        with Scratch(scratch) as open_scratch:
            summary = _summarize(config, open_scratch)
        columns, data = (*summary.targets, *summary.columns), config.data
        new_spellings = sorted({word for column in columns for word in column.na_spellings} - {*data.missing_values})
        thousands = next((column.thousands for column in columns if column.thousands), None)
        if not new_spellings and thousands is None:
            refused = [c.error for c in columns if c.error is not None and c.name not in data.columns]
            if data.on_error == "fail" and refused:
                raise refused[0]
            return _with_features(
                replace(summary, na_spellings=tuple(na_spellings), has_thousands=data.thousands != configured_thousands)
            )
        na_spellings += new_spellings
        update = {"missing_values": (*data.missing_values, *new_spellings), "thousands": data.thousands or thousands}
        config = config.model_copy(update={"data": data.model_copy(update=update)})


def _summarize(config: Config, scratch: Scratch) -> TableSummary:
    data = config.data
    table = load_table(config, data, scratch)
    names = data.features or [name for name in table.header.names if name not in data.excluded]
    targets = profile(table, data.target)
    if any(target.na_spellings or target.thousands for target in targets):  # the table is read again
        return TableSummary(data, kind_of(MSELoss()), False, targets, (), 0, len(table), 0, ())
    if config.loss is None and config.output_activation is None and are_labels(table, data.target):
        config = config.model_copy(update={"loss": BinaryCrossEntropyLoss()})
    rows = drop_missing_targets(table, config, every=False)
    seen = rows.columns(data.target)
    loss, of_targets = infer_loss(config, seen)
    columns = profile(rows, names)
    classes = kind_of(loss).classes_among([value for value, _ in targets[0].top_values])
    of_classes, positive = positive_class(config, classes), None
    if of_classes is not None and (positive := yes_of(classes)) is not None:
        of_classes = positive_class_note(positive, classes, "as it means yes")
    units = ((column.name, column.unit) for column in (*columns, *targets) if column.recommended)
    return TableSummary(
        data=data,
        kind=kind_of(loss),
        kinds=tuple(kind_of(part) for part in loss.parts),
        integer_classes=config.loss is None and bool(classes) and _are_integer_classes(seen, data.target[0]),
        targets=targets if len(rows) == len(table) else profile(rows, data.target),
        columns=columns,
        rows=len(rows),
        table_rows=len(table),
        n_columns=len(table.header.names),
        findings=(
            *table_reading(rows.header),
            *removed_units(units),
            *short_years(
                ((column.name, column.short_dates) for column in columns if column.recommended), data.date_format
            ),
            *_dates(config.data, columns),
            *(finding for finding in of_targets if finding.level == "warning"),
            *([of_classes] if of_classes is not None else []),
            *_class_orders(config, seen, loss),
            *_note_time(config, columns),
            *_groups(data, columns),
            *kinds_not_supported(
                rows,
                data.target,
                {column.name: column.kind for column in columns if column.recommended},
                loss=loss,
            ),
        ),
        positive_class=positive,
        proposed_loss=_proposed_loss(config, seen, loss),
        label_note=kind_of(loss).note(seen, data.target),
    )


def _proposed_loss(config: Config, targets: Table, loss: Loss) -> tuple[str, str] | None:
    """The name of a loss for a target that looks like counts, amounts or ordered classes, and why."""
    name = config.data.target[0]
    if config.loss is not None or len(config.data.target) > 1:
        return None
    is_number = infer_kind(targets, name) is ColumnType.NUMERIC
    y = read_numbers(targets, name, unit_of(targets, name)) if is_number else np.empty(0)
    if (proposed := loss.alternative(y)) is not None:
        return proposed
    levels, text = list[str](), ""
    if is_number and (y == np.floor(y)).all():
        levels = [f"{value:.0f}" for value in np.unique(y)]
        text = f"{' < '.join(levels)}, if that is an order"
    else:
        for column in kind_of(loss).text_columns((name,)):
            levels = ordered_levels(read_text(targets, column)) or []
            text = in_order(levels)
    if not 3 <= len(levels) <= MAX_LEVELS or len(targets) < MIN_ROWS_PER_CLASS * len(levels):
        return None
    return "ordinal", text


def _class_orders(config: Config, targets: Table, loss: Loss) -> list[Finding]:
    """The order of the classes of each target, or a warning that it is not understood."""
    findings = list[Finding]()
    for name, of_target in zip(config.data.target, loss.of_each(len(config.data.target)), strict=False):
        rows, part = targets.take(rows_with_target(targets, (name,))), config.of_target(name, cast("Loss", of_target))
        options = FitOptions(positive=part.positive_class, order=part.data.order or ())
        try:
            labels = kind_of(of_target).class_order(rows, (name,), options)
        except DataError as error:
            findings += [replace(finding, level="warning") for finding in of_error(error)]
        else:
            findings += class_orders([(name, labels)] if labels else [])
    return findings


def _dates(data: DataSection, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """The columns that look like dates and are read as categories."""
    location = Location(source=data.path)
    return [
        dates_as_categories(column.name, column.date_doubt, location)
        for column in columns
        if column.date_doubt is not None and column.recommended and column.name not in data.columns
    ]


def _groups(data: DataSection, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """The features whose values may say which rows belong together."""
    location = Location(source=data.path)
    notes = (group_like(column, data.row_columns, location) for column in columns if column.recommended)
    return [finding for finding in notes if finding]


def _note_time(config: Config, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """Notes on the split in time, or on a random split of rows with dates."""
    features = [column for column in columns if column.recommended]
    dates = [column.name for column in features if column.kind is ColumnType.DATE]
    names = [column.name for column in features]
    notes = (time_feature(config, names, dates), groups_in_time(config), random_split(config, dates))
    return [finding for finding in notes if finding]


def _are_integer_classes(table: Table, name: str) -> bool:
    return infer_kind(table, name) is ColumnType.NUMERIC and are_class_ids(
        read_numbers(table, name, unit_of(table, name))
    )


def _with_features(summary: TableSummary) -> TableSummary:
    """The summary, with row numbers as features if there is no other column.

    Raises:
        DataError: there is no feature column.
    """
    if summary.kept:
        return summary
    columns = tuple(
        replace(column, label=ColumnType.NUMERIC, recommended=True, reason="") if _is_row_number(column) else column
        for column in summary.columns
    )
    if any(column.recommended for column in columns):
        return replace(summary, columns=columns)
    reasons = [f"{quote(column.name)}: {column.reason}" for column in summary.dropped[:4]]
    raise DataError(
        "there is no feature column",
        location=Location(source=summary.data.path),
        hint=f"Dropped columns: {'; '.join(reasons)}." if reasons else "The table has only the target.",
    )


def _is_row_number(column: ColumnProfile) -> bool:
    """Whether a column holds different numbers in all rows without being named like a key."""
    return column.label is Label.ID and column.kind is ColumnType.NUMERIC and not is_named_like_a_key(column.name)


def _no_target_error(source: TableSource, dialect: CsvDialect) -> UsageError:
    """The error of a missing target, with the most likely column."""
    rows = 1 if open_reader(source).is_columnar else 1_000
    names = next(read_chunks(source, rows=rows, block_bytes=HEADER_BYTES, dialect=dialect)).names
    guess = UseOption("target", "target", likely_target(names))
    return UsageError(
        "no target is given",
        location=Location(source=source.path),
        hint=Advice("Try ", guess, f". The columns are {join_quoted(names)}."),
    )


def likely_target(names: Sequence[str]) -> str:
    """The column that is most likely predicted: one of a usual name, or else the last that is no place, key or date."""
    usual = [name for word in USUAL_TARGETS for name in names if name.strip().lower() == word]
    words = {name: [word.lower() for word in WORD.findall(name)] for name in names if name.strip()}
    others = [name for name in words if not any(map(OTHER_WORD.fullmatch, words[name]))]
    named = [name for name in others if any(map(TARGET_WORD.fullmatch, words[name]))]
    return (usual or named[-1:] or others[-1:] or [*words][-1:] or ["COLUMN"])[0]


def unreadable_column(column: ColumnProfile, error: DataError) -> Finding:
    """The warning of a column with an error that a drafted configuration drops, or reads as categories."""
    use = "read as categorical" if column.recommended else "dropped"
    message = f"{quote(column.name)} is {use}: {error.message}"
    return warning(FindingCode.AMBIGUOUS_NUMBERS, message, column=column.name, hint=error.hint or "")

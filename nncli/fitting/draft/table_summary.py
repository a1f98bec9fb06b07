"""A summary of a table for training: its targets, its columns and the task."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.findings import Finding
from nncli.base.scratch import Scratch
from nncli.base.spec import Task, non_defaults
from nncli.base.text import join_quoted, quote
from nncli.config.errors.messages import validate
from nncli.config.loading import with_preset
from nncli.config.schema import Config, DataSection
from nncli.config.yaml.document import Document
from nncli.data.columns.parsing import read_numbers
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.kinds import Kind, infer_kind
from nncli.data.profile import ColumnProfile, Label, is_named_like_a_key, profile
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_chunks
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.data.table import Table
from nncli.fitting.checks.notes import ambiguous_dates, removed_units, table_reading
from nncli.fitting.checks.rows import random_split, time_feature
from nncli.fitting.prepare.fit import are_class_ids, infer_loss
from nncli.fitting.prepare.load import drop_missing_targets, load_table, table_copies
from nncli.nn.losses import MSE
from nncli.targets.target import TargetKind, kind_of

USUAL_TARGETS = ("target", "label", "labels", "class", "y", "outcome", "response")
NO_TARGET = "?"
"""The target of a configuration that has none yet."""
HEADER_BYTES = 1 << 16
"""Bytes of a table that are parsed for the names of its columns."""


@dataclass(frozen=True)
class TableSummary:
    """The summary of a table: the profiles of its targets and of the other columns.

    `data` is the data section of the configuration, with the `na_spellings` that were found and, if `has_thousands`,
    the thousands separator that was found. `rows` of the `table_rows` have a target; `n_columns` counts all columns.
    `integer_classes` is whether a numeric target is treated as class labels.
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
            if kinds.get(column.name) is not Kind.EMPTY and (column.recommended or self._is_requested(column))
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
        UsageError: there is no target, or the table is a pipe, which cannot be read again.
        ConfigError: an assignment is wrong.
        DataError: the table cannot be read, has no such target, or has no feature column.
    """
    source = as_source(location)
    if open_reader(source).is_read_once:
        raise UsageError(
            "a table from a pipe cannot be read a second time",
            location=Location(source=source.path),
            hint="Write it to a file first.",
        )
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
        return TableSummary(data, kind_of(MSE()), False, targets, (), 0, len(table), 0, ())
    rows = drop_missing_targets(table, data.target)
    seen = rows.columns(data.target)
    loss, of_target = infer_loss(config, seen)
    columns = profile(rows, names)
    units = ((column.name, column.unit) for column in (*columns, *targets) if column.recommended)
    return TableSummary(
        data=data,
        kind=kind_of(loss),
        integer_classes=config.loss is None and kind_of(loss).has_labels and _are_integer_classes(seen, data.target[0]),
        targets=targets if len(rows) == len(table) else profile(rows, data.target),
        columns=columns,
        rows=len(rows),
        table_rows=len(table),
        n_columns=len(table.header.names),
        findings=(
            *table_reading(rows.header),
            *removed_units(units),
            *_dates(config.data, columns),
            *([of_target] if of_target is not None and of_target.level == "warning" else []),
            *_note_time(config, columns),
        ),
    )


def _dates(data: DataSection, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """The columns of ambiguous dates that are read as categories."""
    location = Location(source=data.path)
    return [
        ambiguous_dates(column.name, location)
        for column in columns
        if column.has_ambiguous_dates and column.recommended and column.name not in data.columns
    ]


def _note_time(config: Config, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """Notes on the split in time, or on a random split of rows with dates."""
    features = [column for column in columns if column.recommended]
    dates = [column.name for column in features if column.kind is Kind.DATE]
    found = (time_feature(config, [column.name for column in features]), random_split(config, dates))
    return [finding for finding in found if finding]


def _are_integer_classes(table: Table, name: str) -> bool:
    return infer_kind(table, name) is Kind.NUMERIC and are_class_ids(read_numbers(table, name))


def _with_features(summary: TableSummary) -> TableSummary:
    """The summary, with row numbers as features if there is no other column.

    Raises:
        DataError: there is no feature column.
    """
    if summary.kept:
        return summary
    columns = tuple(
        replace(column, label=Kind.NUMERIC, recommended=True, reason="") if _is_row_number(column) else column
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
    return column.label is Label.ID and column.kind is Kind.NUMERIC and not is_named_like_a_key(column.name)


def _no_target_error(source: TableSource, dialect: CsvDialect) -> UsageError:
    """The error of a missing target, with the most likely column."""
    rows = 1 if open_reader(source).is_columnar else 1_000
    names = next(read_chunks(source, rows=rows, block_bytes=HEADER_BYTES, dialect=dialect)).names
    usual = [name for word in USUAL_TARGETS for name in names if name.strip().lower() == word]
    guess = (usual or names[-1:] or ["COLUMN"])[0]
    return UsageError(
        "no target is given",
        location=Location(source=source.path),
        hint=f"Try --target {shlex.quote(guess)}. The columns are {join_quoted(names)}.",
    )

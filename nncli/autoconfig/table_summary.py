"""A table as somebody sees it who is about to train on it: what its columns are, and what its target is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nncli.config.errors.validate import validate
from nncli.config.presets.apply import with_preset
from nncli.config.schema import Config, DataSection
from nncli.config.yaml.document import Document
from nncli.data.columns.parsing import read_numbers
from nncli.data.encoders.kinds import Kind, infer_kind
from nncli.data.io.formats import format_of
from nncli.data.io.readers import read_chunks
from nncli.data.io.streams import is_stream
from nncli.data.profile import ColumnProfile, Label, is_named_like_a_key, profile
from nncli.data.store.scratch import Scratch
from nncli.data.table import Table
from nncli.errors import DataError, Location, UsageError
from nncli.pipeline.prepare.fit import are_class_ids, infer_loss
from nncli.pipeline.prepare.load import drop_missing_targets, load_table
from nncli.pipeline.prepare.notes import note_units
from nncli.spec import Task
from nncli.text import join_quoted, quote

USUAL_TARGETS = ("target", "label", "labels", "class", "y", "outcome", "response")
HEADER = 1 << 16
"""Bytes of a table that are parsed to learn the names of its columns."""


@dataclass(frozen=True)
class TableSummary:
    """A table, seen from its targets. `columns` are all others that may be trained on.

    `data` is the section of the configuration so far: as it was asked for, with the `words` that were found to stand
    for a missing value, and, if `grouped`, with what was found to group the digits of numbers. Of `table_rows` only
    `rows` have a target; `width` counts all columns of the table. `codes` says that the target's numbers look like
    those of classes. `notes` are for the person to read.
    """

    data: DataSection
    task: Task
    codes: bool
    targets: tuple[ColumnProfile, ...]
    columns: tuple[ColumnProfile, ...]
    rows: int
    table_rows: int
    width: int
    notes: tuple[str, ...]
    words: tuple[str, ...] = ()
    grouped: bool = False

    @property
    def kept(self) -> tuple[ColumnProfile, ...]:
        """What is advised to be trained on, and what was asked for by name."""
        ignored = {name for name, kind in self.data.columns.items() if kind is Kind.EMPTY}
        return tuple(
            replace(column, kind=self.data.columns.get(column.name, column.kind))
            for column in self.columns
            if column.name not in ignored and (column.recommended or self._is_asked_for(column))
        )

    @property
    def dropped(self) -> tuple[ColumnProfile, ...]:
        """What is advised to be left out."""
        return tuple(column for column in self.columns if not (column.recommended or self._is_asked_for(column)))

    @property
    def ambiguous(self) -> tuple[ColumnProfile, ...]:
        """What is kept and would be refused unless its kind is said."""
        return tuple(column for column in self.kept if column.error is not None and self._is_open(column))

    def _is_open(self, column: ColumnProfile) -> bool:
        return column.name not in self.data.columns

    def _is_asked_for(self, column: ColumnProfile) -> bool:
        return not self._is_open(column) or column.name in (self.data.features or ())


def summarize_table(
    path: Path, targets: Sequence[str], assignments: Sequence[str] = (), scratch: Path | None = None
) -> TableSummary:
    """Read the table at `path`, as often as it takes to know how it spells missing values and numbers: once or twice.

    `assignments` are those of a training, such as `data.separator=;`; `scratch` is the folder of temporary files.

    Raises:
        UsageError: there is no target, or the table is not a file, which alone can be read again.
        ConfigError: an assignment is wrong.
        DataError: the table cannot be read, or has no such target, or the target cannot be learned.
    """
    if str(path) == "-" or is_stream(path):
        raise UsageError(
            "a table from a pipe can be read only once, and is needed again to train on",
            place=Location(source=str(path)),
            hint="Write it to a file first, and name that.",
        )
    if not targets:
        raise _no_target(path)
    section: dict[str, object] = {"path": str(path), "target": list(targets)}
    config = validate(Config, with_preset(Document({"data": section}, {}, "nncli init", ()), assignments))
    words, asked = list[str](), config.data.thousands
    while True:
        with Scratch(scratch) as open_scratch:
            found = _look(config, open_scratch)
        columns, data = (*found.targets, *found.columns), config.data
        more = sorted({word for column in columns for word in column.na_spellings} - {*data.missing_values})
        mark = next((column.thousands for column in columns if column.thousands), None)
        if not more and mark is None:
            return _with_a_way(replace(found, words=tuple(words), grouped=data.thousands != asked))
        words += more
        update = {"missing_values": (*data.missing_values, *more), "thousands": data.thousands or mark}
        config = config.model_copy(update={"data": data.model_copy(update=update)})


def _look(config: Config, scratch: Scratch) -> TableSummary:
    data = config.data
    table = load_table(config, data.path, scratch)
    never = {*data.target, *data.drop, *data.row_columns}
    names = data.features or [name for name in table.header.names if name not in never]
    targets = profile(table, data.target)
    if any(target.na_spellings or target.thousands for target in targets):  # to be read once more
        return TableSummary(data, "regression", False, targets, (), 0, len(table), 0, ())
    rows = drop_missing_targets(table, data.target)
    seen = rows.columns(data.target)
    loss, _ = infer_loss(config, seen)
    columns = profile(rows, names)
    units = ((column.name, column.unit) for column in (*columns, *targets) if column.recommended)
    return TableSummary(
        data=data,
        task=loss.task,
        codes=config.loss is None and loss.task == "classification" and _are_numbered(seen, data.target[0]),
        targets=targets if len(rows) == len(table) else profile(rows, data.target),
        columns=columns,
        rows=len(rows),
        table_rows=len(table),
        width=len(table.header.names),
        notes=(*rows.header.notes, *note_units(units)),
    )


def _are_numbered(table: Table, name: str) -> bool:
    return infer_kind(table, name) is Kind.NUMERIC and are_class_ids(read_numbers(table, name))


def _with_a_way(found: TableSummary) -> TableSummary:
    """What was found, if there is a column to predict from: where all else fails, numbers that count the rows."""
    if found.kept:
        return found
    columns = tuple(
        replace(column, label=Kind.NUMERIC, recommended=True, reason="") if _counts(column) else column
        for column in found.columns
    )
    if any(column.recommended for column in columns):
        return replace(found, columns=columns)
    reasons = [f"{quote(column.name)}: {column.reason}" for column in found.dropped[:4]]
    raise DataError(
        "there is no column to predict from",
        place=Location(source=found.data.path),
        hint=f"Left out would be {'; '.join(reasons)}." if reasons else "The table holds the target alone.",
    )


def _counts(column: ColumnProfile) -> bool:
    """Whether a column only happens to hold the numbers of the rows."""
    return column.label is Label.ID and column.kind is Kind.NUMERIC and not is_named_like_a_key(column.name)


def _no_target(path: Path) -> UsageError:
    """The error of a table without a target, with the column that is most likely meant."""
    rows = 1 if format_of(path).is_columnar else 1_000
    names = next(read_chunks(path, rows=rows, block_bytes=HEADER)).names
    usual = [name for word in USUAL_TARGETS for name in names if name.strip().lower() == word]
    guess = (usual or names[-1:] or ["COLUMN"])[0]
    return UsageError(
        "say which column is to be predicted",
        place=Location(source=str(path)),
        hint=f"Perhaps --target {shlex.quote(guess)}. The columns are {join_quoted(names)}.",
    )

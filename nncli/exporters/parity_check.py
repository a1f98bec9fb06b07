"""The check of an exported file: it is run in its runtime for rows of a table, beside the predictions of its model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from nncli.base.errors import NncliError
from nncli.data.table import RowOrigins, Table
from nncli.exporters.formats import ExportFormat
from nncli.exporters.lowering import exported_cells
from nncli.exporters.parity import ParityReport, compare
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.provenance import check_config_unchanged, check_tables_unchanged
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel
from nncli.models.predictions import Predictions
from nncli.models.read_table import read_to_predict
from nncli.nn.program.program import Program, groups_of
from nncli.run_directory.run import Run

ROWS_AT_A_TIME = 100_000
"""Rows that are compared at a time: a runtime starts, or a compiler runs, once for them."""


@dataclass(frozen=True)
class ParityCheck:
    """What an exported file has to compute: the outputs of a program, as its model predicts them."""

    model: AnyModel
    conformal: ConformalPredictor | None
    program: Program
    target: ExportFormat

    def run(self, file: Path, tables: Iterable[Table]) -> ParityReport:
        """Compare the file's outputs with predictions, for all rows of some tables.

        Raises:
            ExportedFileError: the runtime refused the file or a row, or the columns of its outputs differ.
            DataError: a column is missing.
            CellError: a cell cannot be read.
        """
        comparison = ParityReport(self.target.max_ulp, 0)
        for table in _batches(table_of_features(self.model, table) for table in tables):
            comparison += self._compare(file, table)
        return comparison

    def _compare(self, file: Path, table: Table) -> ParityReport:
        with np.errstate(all="ignore"):
            predictions, frame = self._predict(table)
        exported = self.target.load_runner().run(file, exported_cells(self.model, table).frame)

        def row_name(row: int) -> str:
            number = int(table.row_numbers[row])
            return UNUSUAL_ROW if number < 1 else f"row {table.row_name(number)}"

        classes = [column.title for column in groups_of(self.program.outputs).classes]
        return compare(predictions, frame, exported, self.target.max_ulp, row_name, classes)

    def _predict(self, table: Table) -> tuple[Predictions, pl.DataFrame]:
        """The predictions for a table, and the columns of them that the program computes."""
        conformal = None if self.conformal is None else self.conformal.predict(table)
        predictions = self.model.predict(table) if conformal is None else conformal.predictions
        columns = {
            **predictions.target.program_columns(predictions),
            **({} if conformal is None else conformal.region_columns),
        }
        return predictions, pl.DataFrame(columns)[[column.title for column in self.program.outputs]]


def table_of_features(model: AnyModel, table: Table) -> Table:
    """The feature columns of a table alone.

    Raises:
        DataError: a column is missing.
    """
    table.require_features(model.names)
    return replace(table, frame=table.frame[model.names])


def _batches(tables: Iterable[Table]) -> Iterator[Table]:
    """The rows of tables whose columns have the same types, together, some at a time."""
    waiting: list[Table] = []
    for table in tables:
        if waiting and (table.frame.schema != waiting[0].frame.schema or sum(map(len, waiting)) >= ROWS_AT_A_TIME):
            yield _joined(waiting)
            waiting = []
        if len(table):
            waiting.append(table)
    if waiting:
        yield _joined(waiting)


def _joined(tables: Sequence[Table]) -> Table:
    return replace(
        tables[0],
        frame=pl.concat([table.frame for table in tables]),
        selected_rows=np.concatenate([table.row_numbers for table in tables]),
        origins=RowOrigins.joined(table.origins for table in tables),
    )


ROWS = 1_000
"""Rows of the training table."""
SPELLED_ROWS = 20
"""Rows whose numbers are spelled as text."""
MAX_COLUMNS = 100
"""Columns of which rows with unusual cells are made."""
UNUSUAL_ROW = "a row with an unusual cell"
UNSEEN = "a category that is not in the training table \N{SNOWMAN}"


def training_sample(run: Run, model: AnyModel) -> list[Table]:
    """A random sample of the rows of the table that a run was trained on, without those that predict refuses.

    Raises:
        NncliError: the table or the configuration has changed, or the table cannot be read.
    """
    manifest = run.load_manifest()
    config = check_config_unchanged(run, manifest, ())
    random = np.random.default_rng(manifest.seed)
    numbers = 1 + np.sort(random.choice(manifest.data.rows, min(ROWS, manifest.data.rows), replace=False))
    with table_copies(config, again=True):
        check_tables_unchanged(config, manifest)
        tables = []
        for table in read_to_predict(model, config.data.source):
            table.require_features(model.names)
            rows = np.flatnonzero(np.isin(table.row_numbers, numbers))
            sampled = table.take(rows)
            tables.append(sampled.take(model.invalid_cells(sampled).valid_rows(len(sampled))))
    return [table for table in tables if len(table)]


def with_unusual_rows(model: AnyModel, program: Program, tables: list[Table]) -> list[Table]:
    """The tables, and rows that equal one of them but for a cell: missing, unseen, or far from the training values.

    Then a row for each of the first rows, with its numbers as text: so what reads text in the file is checked, too.
    """
    if not tables:
        return []
    first = tables[0]
    frames = list(_unusual_frames(program, replace(first, frame=first.frame[model.names])))[: 3 * MAX_COLUMNS]
    if not frames:
        return tables
    inputs = [replace(table, frame=table.frame[model.names]) for table in tables]
    spelled = _numbers_as_text(program, first.frame[model.names][:SPELLED_ROWS])
    return [*inputs, _valid(model, first, pl.concat(frames)), _valid(model, first, spelled)]


def _valid(model: AnyModel, like: Table, frame: pl.DataFrame) -> Table:
    """The rows of a frame that predict does not refuse, read like a table; their numbers are below 0."""
    table = replace(like, frame=frame, selected_rows=-np.arange(1, frame.height + 1), origins=None)
    return table.take(model.invalid_cells(table).valid_rows(len(table)))


def _numbers_as_text(program: Program, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a frame with the numbers of its columns as text, with the decimal mark of the training table."""
    numbers = [c for c in program.inputs if c.kind == "number" and frame[c.name].dtype == pl.Float64]
    texts = [frame[c.name].cast(pl.String).str.replace(".", program.marks_of(c)[0], literal=True) for c in numbers]
    return frame.with_columns(texts)


def _unusual_frames(program: Program, table: Table) -> Iterator[pl.DataFrame]:
    """A frame of one row for each unusual cell."""
    for i, column in enumerate(program.inputs[:MAX_COLUMNS]):
        row = table.frame[i % len(table)]
        cells = row.get_column(column.name)
        values: list[str | float | None] = [None]
        if column.kind == "category" and cells.dtype == pl.String:
            values += [UNSEEN, *([] if "" in program.missing_values else [""])]
        if column.kind == "number" and cells.dtype == pl.Float64 and column.lowest is not None:
            width = (column.highest or 0.0) - column.lowest
            values += [-0.0, column.lowest - 3.0 * width, column.lowest + 7.0 * width]
        for value in values:
            yield row.with_columns(pl.Series(column.name, [value], dtype=cells.dtype))


def reason_of(error: NncliError) -> str:
    """Why rows of the training table could not be read, in one line."""
    return f"the training table is not at hand: {error.location}: {error.message}" if error.location else error.message

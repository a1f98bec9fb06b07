"""Rows for the check of an exported file: some of the training table, and some with unusual cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from nncli.base.errors import NncliError
from nncli.data.table import Table
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.provenance import check_config_unchanged, check_tables_unchanged
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import read_to_predict
from nncli.nn.program.inputs import CategoryInput, NumberInput
from nncli.nn.program.program import Program
from nncli.runs.run import Run

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
    with table_copies(config):
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
    own = [replace(table, frame=table.frame[model.names]) for table in tables]
    spelled = _numbers_as_text(program, first.frame[model.names][:SPELLED_ROWS])
    return [*own, _valid(model, first, pl.concat(frames)), _valid(model, first, spelled)]


def _valid(model: AnyModel, like: Table, frame: pl.DataFrame) -> Table:
    """The rows of a frame that predict does not refuse, read like a table; their numbers are below 0."""
    made = replace(like, frame=frame, numbers=-np.arange(1, frame.height + 1), origins=None)
    return made.take(model.invalid_cells(made).valid_rows(len(made)))


def _numbers_as_text(program: Program, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a frame with the numbers of its columns as text, with the decimal mark of the training table."""
    names = [c.name for c in program.inputs if isinstance(c, NumberInput) and frame[c.name].dtype == pl.Float64]
    texts = [frame[name].cast(pl.String).str.replace(".", program.decimal, literal=True) for name in names]
    return frame.with_columns(texts)


def _unusual_frames(program: Program, table: Table) -> Iterator[pl.DataFrame]:
    """A frame of one row for each unusual cell."""
    for i, column in enumerate(program.inputs[:MAX_COLUMNS]):
        row = table.frame[i % len(table)]
        cells = row.get_column(column.name)
        values: list[str | float | None] = [None]
        if isinstance(column, CategoryInput) and cells.dtype == pl.String:
            values += [UNSEEN, *([] if "" in program.missing_values else [""])]
        if isinstance(column, NumberInput) and cells.dtype == pl.Float64 and column.lowest is not None:
            width = (column.highest or 0.0) - column.lowest
            values += [-0.0, column.lowest - 3.0 * width, column.lowest + 7.0 * width]
        for value in values:
            yield row.with_columns(pl.Series(column.name, [value], dtype=cells.dtype))


def reason_of(error: NncliError) -> str:
    """Why rows of the training table could not be read, in one line."""
    return f"the training table is not at hand: {error.location}: {error.message}" if error.location else error.message

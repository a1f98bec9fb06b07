"""The values of a program's inputs for the rows of a table, read as `predict` reads them."""

from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.columns.parsing import numbers_and_errors, raise_first, read_text
from nncli.data.columns.spellings import category_keys
from nncli.data.encoders.date import read_days
from nncli.data.encoders.text import count_terms
from nncli.data.table import Table
from nncli.nn.arrays import Floats
from nncli.nn.program.inputs import (
    MISSING_CODE,
    OTHER_CODE,
    CategoryInput,
    DateInput,
    NumberInput,
    ProgramInput,
    TextInput,
)
from nncli.nn.program.program import Program


def read_inputs(program: Program, table: Table) -> list[Floats]:
    """The value (rows, width) of each input. Missing values of the table are null already.

    Raises:
        CellError: a cell cannot be read.
        DataError: a column is missing.
    """
    table.require_features([column.name for column in program.inputs])
    return [read_input(column, table) for column in program.inputs]


def read_input(column: ProgramInput, table: Table) -> Floats:
    """The value (rows, width) of an input; raises what `read_inputs` does."""
    match column:
        case NumberInput():
            x, errors = numbers_and_errors(
                table, column.name, column.unit, alternatives=True, booleans=column.reads_booleans
            )
            raise_first(table, column.name, errors)
            return x[:, None]
        case DateInput():
            return read_days(table, column.name, column.formats)[:, None]
        case CategoryInput():
            return _codes(column, read_text(table, column.name))[:, None]
        case TextInput():
            cells = read_text(table, column.name)
            return np.column_stack([count_terms(cells, column.terms), cells.is_null().to_numpy()])


def _codes(column: CategoryInput, cells: pl.Series) -> Floats:
    codes = pl.Series("codes", [None] * len(cells), dtype=pl.Int64)
    steps = (
        (cells, column.texts),
        (category_keys(cells, folds_case=False), column.keys),
        (category_keys(cells, folds_case=True), column.folded_keys),
    )
    for words, codes_of in steps:
        if codes_of:
            mapped = words.replace_strict(
                [word for word, _ in codes_of], [code for _, code in codes_of], default=None, return_dtype=pl.Int64
            )
            codes = codes.zip_with(codes.is_not_null(), mapped)
    codes = codes.fill_null(OTHER_CODE).set(cells.is_null(), MISSING_CODE)
    return codes.cast(pl.Float64).to_numpy()

"""The check of an exported file: it is run in its runtime for rows of a table, beside the predictions of its model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from nncli.data.row_origins import RowOrigins
from nncli.data.table import Table
from nncli.export.check_rows import UNUSUAL_ROW
from nncli.export.comparison import Comparison, compare
from nncli.export.targets import Target
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel
from nncli.models.predictions import Predictions
from nncli.nn.program.program import ClassOutputs, Program

ROWS_AT_A_TIME = 100_000
"""Rows that are compared at a time: a runtime starts, or a compiler runs, once for them."""


@dataclass(frozen=True)
class Check:
    """What an exported file has to compute: the outputs of a program, as its model predicts them."""

    model: AnyModel
    conformal: ConformalPredictor | None
    program: Program
    target: Target

    def run(self, file: Path, tables: Iterable[Table]) -> Comparison:
        """Compare the file's outputs with predictions, for all rows of some tables.

        Raises:
            ExportedFileError: the runtime refused the file or a row, or the columns of its outputs differ.
            DataError: a column is missing.
            CellError: a cell cannot be read.
        """
        found = Comparison(self.target.max_ulp, 0)
        for table in _batches(table_of_features(self.model, table) for table in tables):
            found += self._compare(file, table)
        return found

    def _compare(self, file: Path, table: Table) -> Comparison:
        with np.errstate(all="ignore"):
            predictions, frame = self._predict(table)
        exported = self.target.load_runner().run(file, table.frame)
        return compare(predictions, frame, exported, self.target.max_ulp, RowNames(table))

    def _predict(self, table: Table) -> tuple[Predictions, pl.DataFrame]:
        """The predictions for a table, and the columns of them that the program computes."""
        if self.conformal is not None:
            conformal = self.conformal.predict(table)
            return conformal.predictions, conformal.frame()
        predictions = self.model.predict(table)
        frame = predictions.frame(proba=True)
        outputs = self.program.outputs
        if isinstance(outputs, ClassOutputs):
            first, last = outputs.codes is None, outputs.probabilities is not None
            return predictions, frame[frame.columns[first : None if last else 1]]
        return predictions, frame


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
        numbers=np.concatenate([table.row_numbers for table in tables]),
        origins=RowOrigins.joined(table.origins for table in tables),
    )


@dataclass(frozen=True)
class RowNames:
    """The names of the rows of a table."""

    table: Table

    def __call__(self, row: int) -> str:
        number = int(self.table.row_numbers[row])
        return UNUSUAL_ROW if number < 1 else f"row {self.table.row_name(number)}"

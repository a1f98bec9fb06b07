"""The target: what is predicted, as the network sees it and as the person spells it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from nncli.data.arrays import Codes, Floats, RowIndices
from nncli.data.columns.parsing import (
    check_finite_scale,
    parse_numbers,
    read_numbers,
    read_text,
    safe_scale,
    unit_of,
)
from nncli.data.table import Table
from nncli.errors import DataError
from nncli.spec import FiniteFloat, PositiveFloat, Spec, StrictStr
from nncli.text import join_quoted, quote

LabelType = Literal["text", "integer", "float", "boolean"]
"""The type of a column of labels; their text alone would not say whether 1 was a number."""
INTEGER_TYPES = (pl.Int64, pl.UInt64, pl.Int128)
TargetScaling = Literal["standard", "none"]


class RegressionTarget(Spec):
    """One or several numbers. The network learns (y - center) / scale; predictions come back in y's own units.

    With `lowest` and `highest`, the ends of the training target, predictions go no further. `units` are what is taken
    off of cells of text, None for a target without; see units.py. Predictions come without them.
    """

    task: Literal["regression"] = "regression"
    names: tuple[StrictStr, ...]
    centers: tuple[FiniteFloat, ...]
    scales: tuple[PositiveFloat, ...]
    lowest: tuple[FiniteFloat, ...] | None = None
    highest: tuple[FiniteFloat, ...] | None = None
    units: tuple[StrictStr | None, ...] | None = None

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], scaling: TargetScaling, clip: bool = False) -> RegressionTarget:
        """Mean and standard deviation of each column, or 0 and 1 with `none`. A constant column has scale 1.

        `clip` keeps predictions to the range of `table`, the training rows.

        Raises:
            DataError: a target is missing or not a number, or so large that the spread is not a finite number.
        """
        found = tuple(unit_of(table, name) for name in names)
        units = found if any(found) else None
        Y = cls._read(table, names, units) if clip or scaling != "none" else np.empty((0, len(names)))
        ends = {"lowest": tuple(Y.min(0).tolist()), "highest": tuple(Y.max(0).tolist())} if clip and len(Y) else {}
        if scaling == "none":
            return cls(names=names, centers=(0.0,) * len(names), scales=(1.0,) * len(names), units=units, **ends)
        centers, scales = [], []
        for name, y in zip(names, Y.T, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                center, scale = float(y.mean()), float(y.std())
            check_finite_scale(table, name, y, center, scale)
            centers.append(center)
            scales.append(safe_scale(center, scale))
        return cls(names=names, centers=tuple(centers), scales=tuple(scales), units=units, **ends)

    @staticmethod
    def _read(table: Table, names: tuple[str, ...], units: tuple[str | None, ...] | None) -> Floats:
        y = np.empty((len(table), len(names)))
        for j, name in enumerate(names):
            y[:, j] = read_numbers(table, name, None if units is None else units[j])
            missing = np.isnan(y[:, j])
            if missing.any():
                raise missing_target_error(table, name, int(missing.argmax()))
        return y

    def read(self, table: Table) -> Floats:
        """The targets in their own units, (rows, targets)."""
        return self._read(table, self.names, self.units)

    def encode(self, y: Floats) -> Floats:
        """Own units to the network's."""
        return np.asarray((y - np.array(self.centers)) / np.array(self.scales))

    def decode(self, y: Floats) -> Floats:
        """The network's units to their own, within the training range where that is kept."""
        own = np.asarray(y * np.array(self.scales) + np.array(self.centers))
        return own if self.lowest is None or self.highest is None else own.clip(self.lowest, self.highest)


class ClassificationTarget(Spec):
    """One of several classes, spelled as in the table. Two classes or more; the second of two is the positive one."""

    task: Literal["classification"] = "classification"
    name: StrictStr
    labels: Annotated[tuple[StrictStr, ...], Field(min_length=2)]
    label_type: LabelType = "text"

    @property
    def names(self) -> tuple[str, ...]:
        """The one column's name, in a tuple as for numbers."""
        return (self.name,)

    @classmethod
    def fit(cls, table: Table, name: str) -> ClassificationTarget:
        """The classes in order: by number when all are whole numbers, else by their spelling.

        Raises:
            DataError: there are fewer than two classes, or the target is a number with fractions; or all are numbers
                and one cell is the word nan.
        """
        kind, cells = table.column(name).dtype, read_text(table, name)
        labels = cells.drop_nulls().unique()
        numbers = parse_numbers(labels, table.dialect)
        whole = not numbers.has_nulls()
        if whole and numbers.is_nan().any():
            raise missing_target_error(
                table, name, cells.is_in(labels.filter(numbers.is_nan()).to_list()).arg_max() or 0
            )
        if whole and (numbers != numbers.floor()).any():
            fraction = labels.filter(numbers != numbers.floor()).sort()[0]
            raise DataError(
                f"the target holds {quote(fraction)}: numbers with fractions are no classes",
                place=table.place(column=name),
                hint="Use a loss for numbers, such as loss: mse, or name another target.",
            )
        if len(labels) < 2:
            raise DataError(
                f"the target has {'only the class ' + quote(labels[0]) if len(labels) else 'no values'} in the "
                "training rows; there is nothing to tell apart",
                place=table.place(column=name),
                hint="Name another target, or add rows of another class.",
            )
        ordered = [label for _, label in sorted(zip(numbers if whole else [0.0] * len(labels), labels, strict=True))]
        spelling: LabelType = "text"
        if kind.is_integer():
            spelling = "integer"
        elif kind.is_float():
            spelling = "float"
        elif kind == pl.Boolean:
            spelling = "boolean"
        return cls(name=name, labels=tuple(ordered), label_type=spelling)

    def read(self, table: Table) -> Codes:
        """Each row's class as a code (rows,).

        Raises:
            DataError: a label is missing, or was not among the training rows; names its row.
        """
        cells = read_text(table, self.name)
        codes = cells.replace_strict(list(self.labels), range(len(self.labels)), default=-1, return_dtype=pl.Int64)
        values: Codes = codes.to_numpy()
        if len(values) and values.min() < 0:
            row = int((values < 0).argmax())
            if cells[row] is None:
                raise missing_target_error(table, self.name, row)
            raise DataError(
                f"the class {quote(cells[row])} was not among the training rows",
                place=table.place(row=row, column=self.name),
                hint=f"The model knows {join_quoted(self.labels)}.",
            )
        return values

    def decode(self, codes: Codes, name: str) -> pl.Series:
        """Codes back to labels, in the type that the training table had (the first of INTEGERS that holds them)."""
        labels = pl.Series(name, list(self.labels), dtype=pl.String)
        if self.label_type == "integer":
            fitting = (kind for kind in INTEGER_TYPES if not labels.cast(kind, strict=False).has_nulls())
            labels = labels.cast(next(fitting, pl.String))
        elif self.label_type == "float":
            labels = labels.cast(pl.Float64)
        elif self.label_type == "boolean":
            labels = labels == "true"
        return labels.gather(pl.Series(codes))


Target = Annotated[RegressionTarget | ClassificationTarget, Field(discriminator="task")]


def missing_target_error(table: Table, name: str, row: int) -> DataError:
    """The error for a row without a target."""
    cell, hint = table.frame[name][row], "Fill it in, or remove the row."
    if isinstance(cell, str):
        hint = f"Fill it in, or list {quote(cell)} under data.missing_values, and such rows are left out."
    return DataError("the target is missing", place=table.place(row=row, column=name), hint=hint)


def rows_with_target(table: Table, names: tuple[str, ...]) -> RowIndices:
    """Positions of the rows in which no target cell is missing."""
    table.require(names)
    present = np.ones(len(table), bool)
    for name in names:
        cells: Any = table.frame[name]
        present &= cells.is_not_null().to_numpy()
        if cells.dtype.is_float():
            present &= ~cells.is_nan().fill_null(False).to_numpy()
    return np.flatnonzero(present)

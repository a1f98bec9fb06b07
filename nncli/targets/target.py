"""The target: encoded for the network, and decoded to numbers or labels."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from nncli.base.errors import DataError
from nncli.base.spec import FiniteFloat, PositiveFloat, Spec, StrictStr
from nncli.base.text import join_quoted, quote
from nncli.data.columns.cell_errors import CellErrors, raise_first
from nncli.data.columns.hashing import Hashes, hash_numbers, hash_texts
from nncli.data.columns.parsing import (
    check_finite_scale,
    numbers_and_errors,
    parse_numbers,
    read_text,
    readable,
    safe_scale,
    unit_of,
)
from nncli.data.columns.spellings import alternative_categories
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, RowIndices
from nncli.nn.program.values import Value, maximum, minimum

LabelType = Literal["text", "integer", "float", "boolean"]
"""The type of the column of labels in the training table, in which predictions are returned."""
INTEGER_TYPES = (pl.Int64, pl.UInt64, pl.Int128)
TargetScaling = Literal["standard", "none"]


class RegressionTarget(Spec):
    """One or several numeric targets. The network learns (y - center) / scale; predictions are in the units of y.

    With `lowest` and `highest`, the training range, predictions are clipped to it. `units` are removed from cells of
    text, None for a target without; see units.py. Predictions have no unit.
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
        """Fit center and scale: mean and standard deviation, or 0 and 1 with `none`. A constant column has scale 1.

        `clip` limits predictions to the range of `table`, the training rows.

        Raises:
            DataError: a target is missing or not a number, or so large that the spread is not a finite number.
        """
        inferred = tuple(unit_of(table, name) for name in names)
        units = inferred if any(inferred) else None
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
            y[:, j], errors = numbers_and_errors(table, name, None if units is None else units[j], alternatives=True)
            raise_first(table, name, errors)
            missing = np.isnan(y[:, j])
            if missing.any():
                raise missing_target_error(table, name, int(missing.argmax()))
        return y

    def read(self, table: Table) -> Floats:
        """The targets in their original units (rows, targets)."""
        return self._read(table, self.names, self.units)

    def hash_cells(self, table: Table) -> list[Hashes]:
        """A hash of each number (rows,), for each target."""
        return [hash_numbers(y) for y in self.read(table).T]

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        """The cells of each target that are not numbers."""
        units = self.units or (None,) * len(self.names)
        columns = zip(self.names, units, strict=True)
        return [(name, numbers_and_errors(table, name, unit, alternatives=True)[1]) for name, unit in columns]

    def encode(self, y: Floats) -> Floats:
        """Scale targets for the network."""
        return np.asarray((y - np.array(self.centers)) / np.array(self.scales))

    def decode(self, y: Floats) -> Floats:
        """Scale the network's output back to the original units, and clip it to the training range if that is kept."""
        own = np.asarray(y * np.array(self.scales) + np.array(self.centers))
        return own if self.lowest is None or self.highest is None else own.clip(self.lowest, self.highest)

    def lower_decode(self, y: Value, repeats: int = 1) -> Value:
        """The operations of `decode` for y (rows, targets · repeats), with adjacent columns of each target."""
        own = y * np.repeat(self.scales, repeats) + np.repeat(self.centers, repeats)
        if self.lowest is None or self.highest is None:
            return own
        return minimum(maximum(own, np.repeat(self.lowest, repeats)), np.repeat(self.highest, repeats))


class ClassificationTarget(Spec):
    """A target of two or more classes, named as in the table. Of two classes the second is the positive one."""

    task: Literal["classification"] = "classification"
    name: StrictStr
    labels: Annotated[tuple[StrictStr, ...], Field(min_length=2)]
    label_type: LabelType = "text"

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the target column, in a tuple as of RegressionTarget."""
        return (self.name,)

    @classmethod
    def fit(cls, table: Table, name: str, positive: str | None = None) -> ClassificationTarget:
        """Fit the classes: sorted by number if all are whole numbers, else alphabetically.

        Of two classes the `positive` one comes last.

        Raises:
            DataError: there are fewer than two classes; or all are numbers, and one has a fraction or is nan.
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
                f"the target has the value {quote(fraction)}: numbers with fractions cannot be classes",
                location=table.location(column=name),
                hint="For regression set loss: mse, or choose another target.",
            )
        if len(labels) < 2:
            raise DataError(
                f"the target has {'only the class ' + quote(labels[0]) if len(labels) else 'no value'} in the "
                "training rows; classification needs two classes or more",
                location=table.location(column=name),
                hint="Choose another target, or add rows of another class.",
            )
        ordered = [label for _, label in sorted(zip(numbers if whole else [0.0] * len(labels), labels, strict=True))]
        spelling: LabelType = "text"
        if kind.is_integer():
            spelling = "integer"
        elif kind.is_float():
            spelling = "float"
        elif kind == pl.Boolean:
            spelling = "boolean"
        if positive in ordered and len(ordered) == 2:
            ordered.sort(key=lambda label: label == positive)
        return cls(name=name, labels=tuple(ordered), label_type=spelling)

    def read(self, table: Table) -> Codes:
        """The class of each row as a code (rows,).

        Raises:
            DataError: a label is missing, or did not occur in the training rows; names its row.
        """
        cells, values = read_text(table, self.name), self.codes(table)
        if len(values) and values.min() < 0:
            row = int((values < 0).argmax())
            if cells[row] is None:
                raise missing_target_error(table, self.name, row)
            raise DataError(
                f"the class {quote(cells[row])} did not occur in the training rows",
                location=table.location(row=row, column=self.name),
                hint=f"The classes of the model are {join_quoted(self.labels)}.",
            )
        return values

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        """The cells whose class is unknown, in a list as of RegressionTarget."""
        unknown = (self.codes(table) < 0) & read_text(table, self.name).is_not_null().to_numpy()
        return [(self.name, CellErrors.of(unknown, "is a class that did not occur in the training rows", ""))]

    def codes(self, table: Table) -> Codes:
        """The class of each row as a code (rows,), -1 where a label is missing or unknown."""
        cells = read_text(table, self.name)

        def codes_of(labels: pl.Series) -> pl.Series:
            return labels.replace_strict(list(self.labels), range(len(self.labels)), default=-1, return_dtype=pl.Int64)

        codes = codes_of(cells)
        unknown = (codes < 0) & cells.is_not_null()
        if unknown.any():
            found = alternative_categories(cells.filter(unknown), self.labels)
            codes = codes.scatter(unknown.arg_true(), codes_of(found))
        values: Codes = codes.to_numpy()
        return values

    def hash_cells(self, table: Table) -> list[Hashes]:
        """A hash of each label (rows,), in a list as of RegressionTarget."""
        return [hash_texts(read_text(table, self.name))]

    def decode(self, codes: Codes, name: str) -> pl.Series:
        """The labels of codes, in the type of the training table; integers in the first of INTEGER_TYPES that fits."""
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
    cell, hint = table.column(name)[row], "Fill in the cell, or remove the row."
    if isinstance(cell, str):
        hint = f"Fill in the cell, or add {quote(cell)} to data.missing_values to leave such rows out."
    return DataError("the target is missing", location=table.location(row=row, column=name), hint=hint)


def rows_with_target(table: Table, names: tuple[str, ...]) -> RowIndices:
    """Positions of the rows that have a value for every target.

    Raises:
        DataError: there is no such column, or its type cannot be a target.
    """
    table.require(names)
    present = np.ones(len(table), bool)
    for name in names:
        cells = table.column(name)
        _check_type(table, name)
        present &= cells.is_not_null().to_numpy()
        if cells.dtype.is_float():
            present &= ~cells.is_nan().fill_null(False).to_numpy()
    return np.flatnonzero(present)


def _check_type(table: Table, name: str) -> None:
    """Raise a DataError if a target has a type of dates or times, lists, objects or bytes."""
    try:
        readable(table, name)
    except DataError as error:
        kind = table.column(name).dtype
        hint = "Convert it to numbers, such as the days until a date, or to text for classes."
        raise DataError(
            error.message.replace("the column", "the target"),
            location=error.location,
            hint=hint if kind.is_temporal() else "Name another column as data.target.",
        ) from None

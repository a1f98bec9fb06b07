"""Predictions of a program for rows, columns and data frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.extend import CategoryInput, DateInput, NumberInput, OutputColumn, Precision, Program, ProgramInput
from nncli.extend.programs import FIRST_DAY, ISO, LAST_DAY, PARENTHESES, LabelType, run_nodes
from nncli.integrations.python.standalone.cells import (
    NumberFormat,
    code_reader,
    days_of,
    is_missing,
    read_date,
    term_counter,
    text_of,
)

CellReader: TypeAlias = Callable[[object], "float | list[float]"]
"""Returns the numbers of a cell; raises a ValueError that says why it cannot be read, and what was expected."""
MAX_SHOWN = 80
"""Characters of a cell that an error shows."""
NO_VALUE = "is neither a number nor text"


def read_column(
    read: CellReader, name: str, width: int, cells: Sequence[object], first_row: int
) -> npt.NDArray[np.float64]:
    """The value (rows, width) of an input; `first_row` is the number of the first cell in messages.

    Raises:
        ValueError: a cell cannot be read; names its row, the column, the cell and what was expected.
    """
    numbers = []
    for row, cell in enumerate(cells, first_row):
        try:
            numbers.append(read(cell))
        except ValueError as error:
            raise cell_error(row, name, cell, str(error)) from None
    return np.array(numbers, np.float64).reshape(len(cells), width)


def cell_error(row: int, name: str, cell: object, reason: str) -> ValueError:
    """The error of a cell."""
    shown = repr(cell)
    shown = shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"
    return ValueError(f"row {row:,}, column {name!r}: {shown} {reason}")


def cell_reader(column: ProgramInput, program: Program) -> CellReader:
    """What reads the cells of an input."""
    missing = frozenset(program.missing_values_of(column))
    match column:
        case NumberInput():
            return _number_reader(column, program, missing)
        case DateInput():
            return _date_reader(column, missing)
        case CategoryInput():
            code = code_reader(column)
            return lambda cell: code(_text(cell, missing))
    count, absent = term_counter(column.terms), [*[0.0] * len(column.terms), 1.0]

    def read(cell: object) -> list[float]:
        text = _text(cell, missing)
        return absent if text is None else [*count(text), 0.0]

    return read


def _text(cell: object, missing: frozenset[str]) -> str | None:
    """A cell as text, None if it is missing."""
    if is_missing(cell) or (isinstance(cell, str) and cell in missing):
        return None
    text = text_of(cell)
    if text is None:
        raise ValueError(f"{NO_VALUE}; expected a text, a number, True or False, or None for a missing cell")
    return text


def _number_reader(column: NumberInput, program: Program, missing: frozenset[str]) -> CellReader:
    decimal, thousands = program.marks_of(column)
    number_format = NumberFormat(decimal, thousands, column.unit, column.reads_booleans)
    example = f"1234{decimal}5"
    unit = f" with {column.unit!r}" if column.unit not in (None, PARENTHESES) else ""
    expected = f"expected a number such as {example}{unit}, or None or an empty cell for a missing one"

    def read(cell: object) -> float:
        if isinstance(cell, str):
            if cell in missing:
                return np.nan
            number = number_format.read(cell)
            if number is None:
                raise ValueError(f"is not a number{unit}; {expected}")
        elif is_missing(cell):
            return np.nan
        elif isinstance(cell, int | float | Decimal | np.number | np.bool_):
            try:
                number = float(cell)
            except OverflowError:
                number = np.inf
        else:
            raise ValueError(f"{NO_VALUE}; {expected}")
        if np.isinf(number):
            raise ValueError(f"is not a finite number; {expected}")
        return number

    return read


def _date_reader(column: DateInput, missing: frozenset[str]) -> CellReader:
    first = column.formats[0]
    form = "such as 2024-05-31 or 2024-05-31 14:30" if first == ISO else f"in the format {first}, or such as 2024-05-31"
    expected = f"expected a date {form}, or None or an empty cell for a missing one"

    def read(cell: object) -> float:
        if is_missing(cell) or (isinstance(cell, str) and cell in missing):
            return np.nan
        if isinstance(cell, np.datetime64):
            cell = cell.astype("datetime64[us]").item()
        text = text_of(cell)
        if isinstance(cell, date):
            days: float | None = days_of(cell)
        else:
            days = None if text is None else read_date(text, column.formats)
        if days is None or not FIRST_DAY <= days < LAST_DAY + 1:
            raise ValueError(f"is not a date of the years 1 to 9999; {expected}")
        return days

    return read


def output_columns(
    outputs: Sequence[OutputColumn], precision: Precision, values: Mapping[int, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[Any]]:
    """The columns of the outputs by name, from the values of their nodes.

    Predicted classes are text, whole numbers, numbers or truth values, as in the training table.
    """
    columns: dict[str, npt.NDArray[Any]] = {}
    for column in outputs:
        numbers = values[column.node][:, column.place]
        if column.role == "class":
            columns[column.title] = _labels_of(numbers.astype(np.int64), column)
        else:
            columns[column.title] = numbers.astype(precision if column.is_rounded else np.float64)
    return columns


def _labels_of(codes: npt.NDArray[np.int64], column: OutputColumn) -> npt.NDArray[Any]:
    """The labels (rows,) of codes, None for -1. Text is in an array of objects, which keeps it as it is."""
    labels: list[Any] = [_label(text, column.label_type) for text in column.labels]
    if column.label_type == "text" or (codes < 0).any():
        return np.array([*labels, None], object)[codes]
    return np.array(labels)[codes]


def _label(text: str, label_type: LabelType) -> str | int | float:
    """A label in the type of the training table."""
    if label_type == "boolean":
        return text == "true"
    return int(text) if label_type == "integer" else float(text) if label_type == "float" else text


BLOCK_ROWS = 256
"""Rows that are predicted at a time, so that memory does not grow with the table."""
TOO_FAR = "is too far from the training values: its scaled value overflows"


@dataclass(frozen=True, eq=False)
class Predictor:
    """Predicts with a program."""

    program: Program

    def predict(self, rows: Any) -> Any:
        """The predictions of rows: see `predict` of an exported file."""
        if isinstance(rows, Mapping):
            is_column = [_is_column(cells) for cells in rows.values()]
            if any(is_column) and not all(is_column):
                raise ValueError(
                    "some values are cells and some are columns; expected a row, or columns of equal length"
                )
            self._check_names(rows, "")
            if not any(is_column):
                return _rows(self.predict_columns({name: [rows[name]] for name in self.names}))[0]
            return self.predict_columns({name: _cells(rows[name]) for name in self.names})
        if hasattr(rows, "columns"):
            self._check_names([str(name) for name in rows.columns], "")
            return self.predict_columns({name: _cells(rows[name]) for name in self.names})
        rows = list(rows)
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                raise ValueError(f"row {number:,}: expected a dict such as {self._example}, found {row!r:.80}")
            self._check_names(row, f"row {number:,}: ")
        return _rows(self.predict_columns({name: [row[name] for row in rows] for name in self.names}))

    def predict_columns(
        self, columns: Mapping[str, Sequence[object]], first_row: int = 1
    ) -> dict[str, npt.NDArray[Any]]:
        """The predictions of columns of cells; `first_row` is the number of the first row in messages."""
        lengths = {name: len(columns[name]) for name in self.names}
        rows = next(iter(lengths.values()), 0)
        for name, length in lengths.items():
            if length != rows:
                raise ValueError(f"column {name!r} has {length:,} cells; expected {rows:,}, as in {self.names[0]!r}")
        blocks = [
            self._predict_block(
                {name: columns[name][start : start + BLOCK_ROWS] for name in self.names}, first_row + start
            )
            for start in range(0, max(1, rows), BLOCK_ROWS)
        ]
        return {title: np.concatenate([block[title] for block in blocks]) for title in blocks[0]}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns that the program reads."""
        return tuple(column.name for column in self.program.inputs)

    @cached_property
    def _readers(self) -> list[CellReader]:
        return [cell_reader(column, self.program) for column in self.program.inputs]

    @property
    def _example(self) -> str:
        return repr(dict.fromkeys(self.names[:3], "…"))

    def _predict_block(self, columns: Mapping[str, Sequence[object]], first_row: int) -> dict[str, npt.NDArray[Any]]:
        values = [
            read_column(read, column.name, column.width, columns[column.name], first_row)
            for read, column in zip(self._readers, self.program.inputs, strict=True)
        ]
        computed = run_nodes(self.program, values)
        self._check_finite(columns, values, computed, first_row)
        return output_columns(self.program.outputs, self.program.precision, computed)

    def _check_finite(
        self,
        columns: Mapping[str, Sequence[object]],
        values: Sequence[npt.NDArray[np.float64]],
        computed: Mapping[int, npt.NDArray[np.float64]],
        first_row: int,
    ) -> None:
        """Raise a ValueError that names a number so large that the prediction of its row is not a number."""
        for row in np.flatnonzero(_without_answer(self.program, computed)).tolist():
            for j, column in enumerate(self.program.inputs):
                if column.kind == "number" and self._overflows([value[[row]] for value in values], j):
                    ends = "" if column.lowest is None else f"; they are from {column.lowest:g} to {column.highest:g}"
                    raise cell_error(first_row + row, column.name, columns[column.name][row], f"{TOO_FAR}{ends}")

    def _overflows(self, values: Sequence[npt.NDArray[np.float64]], position: int) -> bool:
        """Whether one row has no answer with the number at `position`, and one if this is missing, too."""
        numbers = [j for j, column in enumerate(self.program.inputs) if column.kind == "number"]
        without = [np.full((1, 1), np.nan) if j in numbers else value for j, value in enumerate(values)]
        alone = [*without[:position], values[position], *without[position + 1 :]]
        has_answer = [not _without_answer(self.program, run_nodes(self.program, row)).any() for row in (without, alone)]
        return has_answer == [True, False]

    def _check_names(self, names: Collection[object], where: str) -> None:
        """Raise a ValueError if a column is missing."""
        for name in self.names:
            if name not in names:
                listed = ", ".join(map(repr, names)) or "none"
                raise ValueError(f"{where}column {name!r} is missing; found {listed}. A missing cell is None")


def _without_answer(program: Program, computed: Mapping[int, npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    """Where an output of a row is NaN, or its code is -1 (rows,)."""
    is_nan: npt.NDArray[np.bool_] = np.any([np.isnan(value).any(axis=1) for value in computed.values()], axis=0)
    for column in program.outputs:
        if column.role == "class":
            is_nan |= computed[column.node][:, column.place] < 0.0
    return is_nan


def _is_column(cells: object) -> bool:
    return hasattr(cells, "__len__") and not isinstance(cells, str | bytes)


def _cells(column: Any) -> list[object]:
    """The cells of a list, an array, or a column of a data frame."""
    dtype = str(getattr(column, "dtype", ""))
    if dtype.startswith("datetime64") and isinstance(column, np.ndarray):
        return list(column)
    to_list = getattr(column, "tolist", None) or getattr(column, "to_list", None)
    cells = to_list() if to_list else list(column)
    if "float32" in dtype.lower():  # its text is shorter than that of the same number in float64
        return [None if cell is None else np.float32(cell) for cell in cells]
    return cells


def _rows(columns: Mapping[str, npt.NDArray[Any]]) -> list[dict[str, Any]]:
    """The rows of columns."""
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]

"""Columns of cells as the values of a program's inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.grammar import FIRST_DAY, ISO, LAST_DAY, PARENTHESES
from nncli.export.python.standalone.categories import code_reader
from nncli.export.python.standalone.dates import days_of, read_date
from nncli.export.python.standalone.numbers import NumberFormat
from nncli.export.python.standalone.texts import is_missing, text_of
from nncli.export.python.standalone.words import term_counter
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import Program

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
    missing = frozenset(program.missing_values)
    if isinstance(column, NumberInput):
        return _number_reader(column, program, missing)
    if isinstance(column, DateInput):
        return _date_reader(column, missing)
    if isinstance(column, CategoryInput):
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
    number_format = NumberFormat(program.decimal, program.thousands, column.unit, column.reads_booleans)
    example = f"1234{program.decimal}5"
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

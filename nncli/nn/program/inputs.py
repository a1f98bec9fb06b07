"""The inputs of a program: the columns of a table, and how their cells become numbers.

Every input has a value (rows, width) for its node: see the classes. A cell that is missing, or one of the program's
`missing_values`, is NaN, or has a code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

MISSING_CODE, OTHER_CODE = 0, 1
"""The codes of a missing cell, and of a cell that is no known category."""


@dataclass(frozen=True)
class NumberInput:
    """A column of numbers: x (rows, 1), NaN where a cell is missing.

    The `unit` is removed from cells of text (data/columns/spellings.py). With `reads_booleans`, true is 1 and false
    is 0. `lowest` and `highest` are the training range and `typical` is the median, None if most cells are missing.
    """

    name: str
    unit: str | None = None
    reads_booleans: bool = False
    lowest: float | None = None
    highest: float | None = None
    typical: float | None = None

    @property
    def width(self) -> int:
        """The number of columns of the value."""
        return 1


@dataclass(frozen=True)
class CategoryInput:
    """A column of categories: a code (rows, 1).

    A cell has the code of its text in `texts`; else that of its key in `keys`; else that of its key in lower case in
    `folded_keys`; else OTHER_CODE. The key is the text without white space around it, and without the zeros of a whole
    number (3 for 3.0): see nncli/data/columns/spellings.py. A number is the text that predict makes of it (3 for 3.0).
    `categories` are those of the training rows; `typical` is the most frequent one, None if more rows are missing.
    """

    name: str
    categories: tuple[str, ...]
    texts: tuple[tuple[str, int], ...]
    keys: tuple[tuple[str, int], ...]
    folded_keys: tuple[tuple[str, int], ...]
    n_codes: int
    representatives: tuple[str | None, ...]
    """A cell of each code, by which an encoder finds its own code."""
    typical: str | None = None

    @property
    def width(self) -> int:
        """The number of columns of the value."""
        return 1


@dataclass(frozen=True)
class DateInput:
    """A column of dates: days since 1970-01-01 (rows, 1), with the time of day as a fraction; NaN where one is missing.

    A cell is read in the first of the `formats` that fits, or in another one without ambiguity: see
    nncli/data/columns/datetimes.py. `lowest` and `highest` are the days of the training range, `typical` is a day near
    the median.
    """

    name: str
    formats: tuple[str, ...]
    lowest: float | None = None
    highest: float | None = None
    typical: float | None = None

    @property
    def width(self) -> int:
        """The number of columns of the value."""
        return 1


@dataclass(frozen=True)
class TextInput:
    """A column of text: how often each of the `terms` occurs (rows, terms), then 1 where the cell is missing, else 0.

    Terms are words in lower case, and pairs of adjacent words: see nncli/data/encoders/text.py.
    """

    name: str
    terms: tuple[str, ...]

    @property
    def width(self) -> int:
        """The number of columns of the value."""
        return len(self.terms) + 1


ProgramInput: TypeAlias = NumberInput | CategoryInput | DateInput | TextInput

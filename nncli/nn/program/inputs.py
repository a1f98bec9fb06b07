"""The columns that a model reads: what their cells are, how they become numbers, and what the training rows had.

This is the one description of a column, from which the inputs of programs, forms, and the schemas of a server are made.
With `is_optional`, training rows had missing cells. Every input has a value (rows, width) for its node: see the
classes. A cell that is missing, or one of the program's `missing_values`, is NaN, or has a code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

MISSING_CODE, OTHER_CODE = 0, 1
"""The codes of a missing cell, and of a cell that is no known category."""


@dataclass(frozen=True)
class NumberInput:
    """A column of numbers: x (rows, 1), NaN where a cell is missing.

    The `unit` is removed from cells of text (data/columns/spellings.py). With `reads_booleans`, true is 1 and false
    is 0. `lowest` and `highest` are the training range and `typical` is the median, None if most cells are missing.
    `decimal` is the decimal mark of its texts if it is another one than that of the program. With `is_binary`, the
    training rows have two values, `lowest` and `highest`. `missing_words` are further spellings of a missing cell.
    """

    kind: ClassVar[Literal["number"]] = "number"
    width: ClassVar[int] = 1
    name: str
    unit: str | None = None
    reads_booleans: bool = False
    lowest: float | None = None
    highest: float | None = None
    typical: float | None = None
    is_optional: bool = False
    decimal: str | None = None
    is_binary: bool = False
    missing_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class CategoryInput:
    """A column of categories: a code (rows, 1).

    A cell has the code of its text in `texts`; else that of its key in `keys`; else that of its key in lower case in
    `folded_keys`; else OTHER_CODE. The key is the text without white space around it, and without the zeros of a whole
    number (3 for 3.0): see nncli/data/columns/spellings.py. A number is the text that predict makes of it (3 for 3.0).
    `categories` are those of the training rows; `typical` is the most frequent one, None if more rows are missing.
    """

    kind: ClassVar[Literal["category"]] = "category"
    missing_words: ClassVar[tuple[str, ...]] = ()
    width: ClassVar[int] = 1
    name: str
    categories: tuple[str, ...]
    texts: tuple[tuple[str, int], ...]
    keys: tuple[tuple[str, int], ...]
    folded_keys: tuple[tuple[str, int], ...]
    n_codes: int
    representatives: tuple[str | None, ...]
    """A cell of each code, by which an encoder finds its own code."""
    typical: str | None = None
    is_optional: bool = False


@dataclass(frozen=True)
class DateInput:
    """A column of dates: days since 1970-01-01 (rows, 1), with the time of day as a fraction; NaN where one is missing.

    A cell is read in the first of the `formats` that fits, or in another one without ambiguity: see
    nncli/data/columns/datetimes.py. `lowest` and `highest` are the days of the training range, `typical` is a day near
    the median. With `varies_by_hour`, the training rows have several times of day. `missing_words` are further
    spellings of a missing cell.
    """

    kind: ClassVar[Literal["date"]] = "date"
    width: ClassVar[int] = 1
    name: str
    formats: tuple[str, ...]
    lowest: float | None = None
    highest: float | None = None
    typical: float | None = None
    is_optional: bool = False
    varies_by_hour: bool = False
    missing_words: tuple[str, ...] = ()

    @property
    def has_times(self) -> bool:
        """Whether its dates have a time of day, by the training range, the formats or the training rows."""
        days = [x for x in (self.lowest, self.highest) if x is not None]
        has_hours = any("%H" in form or "%I" in form for form in self.formats)
        return self.varies_by_hour or has_hours or any(x % 1.0 for x in days)


@dataclass(frozen=True)
class TextInput:
    """A column of text: how often each of the `terms` occurs (rows, terms), then 1 where the cell is missing, else 0.

    Terms are words in lower case, and pairs of adjacent words: see nncli/data/encoders/text.py.
    """

    kind: ClassVar[Literal["text"]] = "text"
    missing_words: ClassVar[tuple[str, ...]] = ()
    name: str
    terms: tuple[str, ...]
    is_optional: bool = False

    @property
    def width(self) -> int:
        """The number of columns of the value."""
        return len(self.terms) + 1


ProgramInput: TypeAlias = NumberInput | CategoryInput | DateInput | TextInput

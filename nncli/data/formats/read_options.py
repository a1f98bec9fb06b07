"""Options of reading a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nncli.data.dialect import AUTO, CsvDialect

ANY_DIALECT = CsvDialect()
BLOCK_BYTES = 8 << 20
"""Bytes of text that are parsed at a time."""


@dataclass(frozen=True)
class NumericColumns:
    """Columns of a CSV that may be parsed as Float64 instead of text: those named, or all but those named."""

    names: frozenset[str] = frozenset()
    inverted: bool = False

    @classmethod
    def only(cls, names: Iterable[str]) -> NumericColumns:
        """The columns `names`, of which only the numbers are of use, however they are spelled."""
        return cls(frozenset(names))

    @classmethod
    def any_except(cls, names: Iterable[str]) -> NumericColumns:
        """Every column but `names`, if its cells are numbers whose spelling cannot matter."""
        return cls(frozenset(names), inverted=True)


@dataclass(frozen=True)
class FirstFile:
    """What the first file of a table says about the others.

    `dialect` decides what they leave open. `numeric_names` are the columns of a CSV that were numbers in it; of those
    that may be numbers (`ReadOptions.numeric_columns`), the others are text.
    """

    dialect: CsvDialect
    numeric_names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ReadOptions:
    """How to read a table.

    `dialect` is what the user configured; `training_dialect` is that of the table a model was trained on, and decides
    what `dialect` leaves open. `class_ids` are columns that stay text as long as they may hold ids of classes.
    A table has at most `rows` rows; None: as many as the format yields at a time. Text is parsed in blocks of
    `block_bytes`, the first of `first_bytes`. With a `limit`, only so many first rows are of use; a source may yield
    more. `first_file` is known where the file is one of several, and not the first.
    `keys` are columns that a model needs: folders of a single file are columns only if they are among these.
    """

    dialect: CsvDialect = ANY_DIALECT
    training_dialect: CsvDialect | None = None
    missing_values: tuple[str, ...] = ()
    numeric_columns: NumericColumns = NumericColumns()
    class_ids: frozenset[str] = frozenset()
    rows: int | None = None
    block_bytes: int = BLOCK_BYTES
    first_bytes: int | None = None
    first_file: FirstFile | None = None
    limit: int | None = None
    keys: frozenset[str] = frozenset()

    @property
    def fallback_encoding(self) -> str:
        """The encoding of text that has no byte-order mark and is not UTF-8."""
        return AUTO if self.training_dialect is None else self.training_dialect.encoding

    @property
    def dialect_with_quote(self) -> CsvDialect:
        """What the user configured, with the meaning of quotes in the training table unless that is configured too."""
        trained = self.training_dialect
        return self.dialect if trained is None or self.dialect.quote != AUTO else self.dialect.with_quote(trained.quote)

    @property
    def known_dialect(self) -> CsvDialect | None:
        """The dialect that decides what the dialect of a file leaves open."""
        if self.training_dialect is not None or self.first_file is None:
            return self.training_dialect
        return self.first_file.dialect

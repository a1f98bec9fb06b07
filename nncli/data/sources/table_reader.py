"""The interface of a table that can be read, wherever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import polars

from nncli.data.columns.decimal_marks import with_column_decimals
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.table import Table


class FileChecksum(NamedTuple):
    """The SHA-256 of the bytes of a file, with the name of the file."""

    name: str
    sha256: str


class Checksum(NamedTuple):
    """The SHA-256 of the bytes of a table (of its rows, for a query), and of each file if there are several.

    `sha256` is None for a pipe, which cannot be read again.
    """

    sha256: str | None
    files: tuple[FileChecksum, ...] = ()


class TableChoice(NamedTuple):
    """The sheets of a workbook or tables of a database, where the source does not say which of them is meant."""

    kind: Literal["sheet", "table"]
    names: tuple[str, ...]


class TableReader(ABC):
    """Reads a table. A subclass for each kind of source is named in open.py."""

    needs_copy: ClassVar[bool] = False
    """Whether a table that is read more than once is copied first: it is far away, or may change."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call the table."""

    @property
    def is_columnar(self) -> bool:
        """Whether columns have types, and few rows can be read without reading the others."""
        return False

    @property
    def is_read_once(self) -> bool:
        """Whether the table can be read only once, such as a pipe."""
        return False

    def choice(self) -> TableChoice | None:
        """The tables of which the source says none, so that `read` refuses; None if it says which table is meant.

        Raises:
            DataError: the source cannot be opened.
        """
        return None

    @property
    def has_several_files(self) -> bool:
        """Whether rows are numbered within each of several files."""
        return False

    def schema(self) -> polars.Schema | None:
        """The types of the columns, if they are known without reading rows.

        Raises:
            DataError: the table cannot be read.
        """
        return None

    def count_rows(self) -> int | None:
        """The number of rows, if it is known without reading them.

        Raises:
            DataError: the table cannot be read.
        """
        return None

    @abstractmethod
    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the tables of the source, one after the other; at least one, if of no rows.

        Raises:
            DataError: the table cannot be read.
            UsageError: the source does not say which table is meant, or how to read it.
        """

    @abstractmethod
    def checksum(self) -> Checksum:
        """The checksum of the table.

        Raises:
            DataError: the table cannot be read.
        """

    def copy_to(self, folder: Path) -> TableReader:
        """Copy the table into files in an empty folder, and return a reader of them that can be pickled.

        Only for readers that need it, and of pipes; the reader of the copy has the same name and checksum.

        Raises:
            DataError: the table cannot be read.
        """
        raise NotImplementedError(f"{type(self).__name__} needs no copy")


def with_format(format: Format, tables: Iterator[Table], options: ReadOptions) -> Generator[Table]:  # noqa: A002
    """The tables, with the decimal marks of columns, and the format among the details of the first one."""
    for i, table in enumerate(with_column_decimals(tables, options.dialect, options.known_dialect)):
        yield table if i else replace(table, details=(("format", format.value), *table.details))

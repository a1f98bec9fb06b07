"""A table in one file, or from a pipe."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from nncli.data.io.formats import Format, detect_format, format_of
from nncli.data.io.input_file import InputFile
from nncli.data.io.read_options import ReadOptions
from nncli.data.io.streams import digest, open_input
from nncli.data.sources.reader import Checksum, TableReader
from nncli.data.table import Table


@dataclass(frozen=True)
class FileReader(TableReader):
    """Reads a file in the format of its name, or `given`; a pipe in the format of its first bytes."""

    file: InputFile
    given: Format | None = None

    @property
    def name(self) -> str:
        """The path as the user gave it."""
        return self.file.name

    @property
    def is_read_once(self) -> bool:
        """Whether this is standard input, a named pipe or a device."""
        return self.file.is_stream

    @property
    def is_columnar(self) -> bool:
        """Whether the format is one of columns, such as Parquet."""
        return not self.is_read_once and self.format.is_columnar

    @property
    def format(self) -> Format:
        """The format of a regular file.

        Raises:
            UsageError: the name does not tell the format.
        """
        path = self.file.pure_path
        assert path is not None, "standard input has no name"
        return self.given or format_of(path)

    def count_rows(self) -> int | None:
        """The number of rows, if the format stores it."""
        return None if self.is_read_once else self.format.load().count_rows(self.file)

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the tables that the reader of the format yields."""
        if not self.is_read_once:
            yield from _with_format(self.format, self.format.load().read_file(self.file, options))
            return
        with open_input(self.file.path) as (head, stream):
            found = self.given or detect_format(head)
            yield from _with_format(found, found.load().read_stream(stream, self.file, options))

    def checksum(self) -> Checksum:
        """The checksum of the bytes of the file, as they are stored."""
        path = self.file.path
        return Checksum(None if path is None or self.is_read_once else digest(path))


def _with_format(found: Format, tables: Iterator[Table]) -> Generator[Table]:
    """The tables, with the format among the details of the first one."""
    for i, table in enumerate(tables):
        yield table if i else replace(table, details=(("format", found.value), *table.details))

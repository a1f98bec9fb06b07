"""A table in one file, or from a pipe."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import polars

from nncli.base.errors import Location, UsageError
from nncli.data.formats.compression import CompressionError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import SPREADSHEETS, ZIP, Format, database_hint, detect_format, format_of
from nncli.data.formats.streams import InputFile, digest, open_input, path_of, to_temporary_file, translate_os_errors
from nncli.data.sources.files.zip_file import ZIP_MAGIC, ZipReader
from nncli.data.sources.table_reader import Checksum, TableReader, with_format
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
            DataError: there is no such file.
            UsageError: the name does not tell the format.
        """
        path = self.file.pure_path
        assert path is not None, "standard input has no name"
        if self.given is not None:
            return self.given
        try:
            return format_of(path)
        except UsageError as error:
            if self.file.path is not None and self.name == str(self.file.path):  # a copy may not be there yet
                with translate_os_errors(self.file.path):
                    self.file.path.stat()  # if the file is missing, that is said first
            raise UsageError(error.message, location=Location(source=self.name), hint=error.hint) from None

    def count_rows(self) -> int | None:
        """The number of rows, if the format stores it."""
        return None if self.is_read_once else self.format.load().count_rows(self.file)

    def schema(self) -> polars.Schema | None:
        """The types of the columns, if the format stores them."""
        return None if self.is_read_once else self.format.load().read_schema(self.file)

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the tables that the reader of the format yields."""
        if not self.is_read_once:
            yield from with_format(self.format, self.format.load().read_file(self.file, options))
            return
        with open_input(self.file.path, self.name) as (head, stream):
            if head.startswith(ZIP_MAGIC):
                with to_temporary_file(stream) as copy:
                    yield from ZipReader(InputFile(copy, self.name), self.given).read(options)
                return
            if head and any(magic.startswith(head) for magic in ZIP_MAGIC):
                raise CompressionError(f"it begins as a .zip file and is cut off after {len(head)} bytes")
            found = self.given or detect_format(head)
            yield from with_format(found, found.load().read_stream(stream, self.file, options))

    def checksum(self) -> Checksum:
        """The checksum of the bytes of the file, as they are stored."""
        path = self.file.path
        return Checksum(None if path is None or self.is_read_once else digest(path))


def open_file(
    file: InputFile,
    given: Format | None = None,
    sheet: str | int | None = None,
    cells: str | None = None,
) -> TableReader:
    """The reader of a file, which its name tells; `sheet` and `cells` say which table of a workbook is meant.

    Raises:
        UsageError: they are given, and the file is no workbook.
    """
    suffix = "" if file.pure_path is None else file.pure_path.suffix.lower()
    if given is None and suffix in SPREADSHEETS:
        from nncli.data.sources.workbook.reader import WorkbookReader

        return WorkbookReader(file, sheet, cells)
    for key, value in (("sheet", sheet), ("range", cells)):
        if value is not None:
            raise selection_error(key, file.name)
    return ZipReader(file, given) if suffix == ZIP and not file.is_stream else FileReader(file, given)


def selection_error(key: str, source: str) -> UsageError:
    """The error of a key that selects a table of a source of another kind."""
    kind = "workbooks" if key in ("sheet", "range") else "databases"
    hint = database_hint(path_of(source)) if kind == "databases" else None
    return UsageError(f"{key} is for {kind}", location=Location(source=source), hint=hint or f"Leave out {key}.")

"""A table in several files of one kind: those of a folder, or those that a pattern matches.

The files are read one after the other, in the order of their names. While one is used, the next is opened.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import TypeAlias

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import quote
from nncli.data.formats.input_file import InputFile
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.sources.files.column_alignment import FileColumns
from nncli.data.sources.files.files_pass import FilesPass
from nncli.data.sources.files.partition import Part, parts_of
from nncli.data.sources.files.paths import find_files, names_several
from nncli.data.sources.files.single_file import FileReader, open_file
from nncli.data.sources.files.zip_file import ZipReader
from nncli.data.sources.table_reader import Checksum, FileChecksum, TableChoice, TableReader
from nncli.data.table import Table

BegunTables: TypeAlias = tuple[tuple[Table, ...], Generator[Table]]
"""The tables of a file that are read already, and those that are not."""


@dataclass(frozen=True)
class FilesReader(TableReader):
    """Reads several files as one table. `sheet` and `cells` say which table, if the files are workbooks.

    `is_named`: the path is that of a single file, of which folders are columns only if a model needs them.
    """

    path: str
    parts: tuple[Part, ...]
    given: Format | None = None
    sheet: str | int | None = None
    cells: str | None = None
    is_named: bool = False

    @classmethod
    def of(
        cls, path: str, given: Format | None = None, sheet: str | int | None = None, cells: str | None = None
    ) -> FilesReader:
        """The reader of a folder or a pattern.

        Raises:
            DataError: there is no file, or the keys of the folders differ.
            UsageError: the files are of several kinds.
        """
        found = find_files(path)
        files = (InputFile(file, str(file)) for file in found.files)
        parts = parts_of(files, PurePosixPath(found.folder.as_posix()))
        reader = cls(path, parts, given, sheet, cells, is_named=not names_several(path))
        reader.check_formats()
        return reader

    @property
    def name(self) -> str:
        """The folder or the pattern, as the user gave it; the file, if it is only one."""
        return self.path if self.has_several_files else self.parts[0].file.name

    @property
    def is_columnar(self) -> bool:
        """Whether the format of the files is one of columns."""
        return self._open(self.parts[0]).is_columnar

    @property
    def has_several_files(self) -> bool:
        """Whether there are several, so that rows are numbered within each file."""
        return len(self.parts) > 1

    def choice(self) -> TableChoice | None:
        """The sheets of the first file, if it is a workbook with several tables and none is named."""
        return self._open(self.parts[0]).choice()

    def check_formats(self) -> None:
        """Raise a UsageError if a file is no table, or the files are of several formats."""
        kinds: dict[str, Part] = {}
        for part in self.parts:
            kinds.setdefault(_kind(self._open(part)), part)
        if len(kinds) > 1:
            said = [f"{quote(part.label)} is {kind}" for kind, part in kinds.items()]
            suffixes = {f"*{PurePosixPath(part.label).suffix}": None for part in kinds.values()}
            raise UsageError(
                f"the files are not of one format: {', '.join(said[:-1])} and {said[-1]}",
                location=Location(source=self.path),
                hint=f"Name those of one format by a pattern that ends in {' or '.join(suffixes)}.",
            )

    def count_rows(self) -> int | None:
        """The number of rows, if all files store theirs."""
        counts = [self._open(part).count_rows() for part in self.parts]
        return sum(filter(None, counts)) if None not in counts else None

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the tables of the files, with the columns of the first one and those of the folders.

        Raises:
            DataError: the columns of a file differ from those of the first one; or as the reader of the format.
        """
        parts = self.parts
        if self.is_named:
            wanted = {key: value for key, value in parts[0].keys.items() if key in options.keys}
            parts = (replace(parts[0], keys=wanted),)
        reading = FilesPass(self.name, FileColumns.of(parts, options.missing_values), options)
        reading.is_one_file = not self.has_several_files
        reading.are_typed = self._add_schemas(reading.columns, parts)
        for part, (begun, tables) in self._open_each(reading, parts):
            # Also after an error: threads of a generator that the garbage collector closes may wait forever.
            with closing(tables):
                yield from reading.tables_of(part, chain(begun, tables))
        yield from reading.rest()

    def _add_schemas(self, columns: FileColumns, parts: Sequence[Part]) -> bool:
        """Whether all files store the types of their columns, which are then those of the table."""
        for part in parts:
            schema = self._open(part).schema()
            if schema is None:
                return False
            columns.add_file(part, schema)
        return True

    def _open_each(self, reading: FilesPass, parts: Sequence[Part]) -> Iterator[tuple[Part, BegunTables]]:
        """Yield each file with its tables. The first is opened alone: how the others are read depends on it."""
        first, *others = parts
        yield first, ((), self._open(first).read(reading.options))
        yield from prefetch_map(iter(others), partial(self._begin, reading), 1)

    def _begin(self, reading: FilesPass, part: Part) -> BegunTables:
        """The tables of a file, of which the first one is read already."""
        tables = self._open(part).read(reading.options_of_next())
        return (next(tables),), tables

    def _open(self, part: Part) -> TableReader:
        return open_file(part.file, self.given, self.sheet, self.cells)

    def checksum(self) -> Checksum:
        """The checksum of each file, and of their names and checksums."""
        files = []
        for part in self.parts:
            sha256 = self._open(part).checksum().sha256
            if sha256 is None:
                raise DataError("a pipe cannot be one of several files", location=Location(source=part.file.name))
            files.append(FileChecksum(part.label, sha256))
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in files)
        return Checksum(hashlib.sha256(os.fsencode(lines)).hexdigest(), tuple(files))


def _kind(reader: TableReader) -> str:
    """What the format of a file is called."""
    if not isinstance(reader, FileReader):
        return "a .zip file" if isinstance(reader, ZipReader) else "a workbook"
    try:
        return reader.format.value
    except UsageError:
        return "no table"

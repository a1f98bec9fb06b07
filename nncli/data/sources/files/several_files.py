"""A table in several files of one kind: those of a folder, or those that a pattern matches.

The files are read one after the other, in the order of their names. While one is used, the next is opened.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeAlias

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import closest_match, quote
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import InputFile, missing_file_hint
from nncli.data.sources.files.column_alignment import FileColumns, FilesPass
from nncli.data.sources.files.partition import PartitionFile, parts_of
from nncli.data.sources.files.single_file import FileReader, ZipReader, open_file
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
    parts: tuple[PartitionFile, ...]
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
        input_files = find_files(path)
        files = (InputFile(file, str(file)) for file in input_files.files)
        parts = parts_of(files, PurePosixPath(input_files.folder.as_posix()))
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
        kinds: dict[str, PartitionFile] = {}
        for part in self.parts:
            kinds.setdefault(_kind(self._open(part)), part)
        if len(kinds) > 1:
            said = [f"{quote(part.label)} is {kind}" for kind, part in kinds.items()]
            tables = [part for kind, part in kinds.items() if kind != NO_TABLE] or kinds.values()
            suffixes = {f"*{PurePosixPath(part.label).suffix}": None for part in tables}
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

    def _add_schemas(self, columns: FileColumns, parts: Sequence[PartitionFile]) -> bool:
        """Whether all files store the types of their columns, which are then those of the table."""
        for part in parts:
            schema = self._open(part).schema()
            if schema is None:
                return False
            columns.add_file(part, schema)
        return True

    def _open_each(
        self, reading: FilesPass, parts: Sequence[PartitionFile]
    ) -> Iterator[tuple[PartitionFile, BegunTables]]:
        """Yield each file with its tables. The first is opened alone: how the others are read depends on it."""
        first, *others = parts
        yield first, ((), self._open(first).read(reading.options))
        yield from prefetch_map(iter(others), partial(self._begin, reading), 1)

    def _begin(self, reading: FilesPass, part: PartitionFile) -> BegunTables:
        """The tables of a file, of which the first one is read already."""
        tables = self._open(part).read(reading.options_of_next())
        return (next(tables),), tables

    def _open(self, part: PartitionFile) -> TableReader:
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
        return NO_TABLE


NO_TABLE = "no table"
HIDDEN = (".", "_")
"""First characters of files and folders in a folder that are no part of a table, such as _SUCCESS and .DS_Store."""


SYSTEM_FOLDERS = ("/proc/", "/sys/")
"""Folders of the kernel: their files are no tables, and reading some of them waits forever."""
MAX_NAMES = 300_000
"""The most names of files and folders in a folder and its folders: they take a minute to list and check."""
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class FoundFiles:
    """The files that a path names, in the order of their names; `folder` is the part of the path without wildcards."""

    folder: Path
    files: tuple[Path, ...]


def names_several(path: str) -> bool:
    """Whether a path is that of a folder, or a pattern that is not the name of a file."""
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises when the name is too long
        return False
    return glob.has_magic(path) or os.path.isdir(path)  # noqa: PTH112


def find_files(path: str) -> FoundFiles:
    """The files that a folder, a pattern or the path of one file names.

    A folder names all files in it and in its folders, without hidden ones; so does a folder that a pattern matches.
    In a pattern ** stands for any number of folders.

    Raises:
        DataError: the path names no file, or something that is none; or as `_files_in`.
        UsageError: the pattern matches both files and folders.
    """
    if not names_several(path):
        return FoundFiles(Path(path).parent, (Path(path),))
    if not glob.has_magic(path) or os.path.isdir(path):  # noqa: PTH112
        folder, files = Path(path), _files_in(Path(path))
        if not files:
            hint = "Name another folder, or a file. Names that begin with . or _ do not count."
            raise DataError("there is no file in the folder", location=Location(source=path), hint=hint)
    else:
        folder, files = fixed_folder(path), [*_matches(path)]
    return FoundFiles(folder, tuple(sorted(files, key=lambda file: file.parts)))


def pattern_of(path: str) -> str:
    """A pattern that names one file, so that its folders such as year=2025 become columns, as for several files."""
    return f"{glob.escape(path[:-1])}[{path[-1]}]"


def _files_in(folder: Path) -> list[Path]:
    """The files in a folder and its folders; a symbolic link to a folder that it is in is not followed.

    Raises:
        DataError: the folder is that of a system, a folder cannot be read, it holds something that is no file, or too
            many names.
    """
    files, n_names = list[Path](), 0
    waiting = [(str(folder), frozenset[str]())]
    while waiting:
        path, parents = waiting.pop()
        real = os.path.realpath(path)
        if real in (os.path.dirname(real), "/dev") or f"{real}/".startswith(SYSTEM_FOLDERS):  # noqa: PTH120
            hint = "Name the folder that holds the files of the table."
            raise DataError("this is a folder of the system, not of a table", location=Location(source=path), hint=hint)
        parents |= {real}
        try:
            with os.scandir(path) as scanned:
                entries = [entry for entry in scanned if not entry.name.startswith(HIDDEN)]
        except OSError as error:
            raise DataError(
                f"the folder cannot be read: {error.strerror or error}",
                location=Location(source=path),
                hint="Change its permissions, or name the files by a pattern such as 2025/*.csv.",
            ) from error
        n_names += len(entries)
        if n_names > MAX_NAMES:
            raise DataError(
                f"there are more than {MAX_NAMES:,} names in the folder and its folders",
                location=Location(source=str(folder)),
                hint="Name a part of them by a pattern such as 2025/*.csv, or join the files.",
            )
        for entry in entries:
            # Of a link the path is asked: the entry raises an error where links go around in a circle.
            asked = Path(entry.path) if entry.is_symlink() else entry
            if not asked.is_dir():
                check_readable(Path(entry.path), is_file=asked.is_file())
                files.append(Path(entry.path))
            elif os.path.realpath(entry) not in parents:
                waiting.append((entry.path, parents))
    return files


def check_readable(path: Path, *, is_file: bool) -> None:
    """Raise a DataError if one of several files is none: a pipe or a device would be waited for, perhaps forever."""
    if is_file:
        return
    try:
        kind = KINDS.get(stat.S_IFMT(path.stat().st_mode), "no file")
    except OSError as error:
        kind = "a link that leads nowhere" if path.is_symlink() else f"no file: {error.strerror or error}"
    raise DataError(
        f"one of several files is {kind}",
        location=Location(source=str(path)),
        hint="Move it out of the folder, or name the files by a pattern such as *.csv.",
    )


def fixed_folder(pattern: str) -> Path:
    """The folder in which a pattern begins to match; the path itself if it has no wildcards."""
    parts = PurePath(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:fixed])


def _matches(pattern: str) -> Iterator[Path]:
    """The files that match a pattern, or those in the folders that match it."""
    fixed = len(fixed_folder(pattern).parts)
    wanted = {part[0] for part in PurePath(pattern).parts[fixed:]}
    hidden = tuple(first for first in HIDDEN if first not in wanted)  # unless a part of the pattern begins so
    found_by_name = (Path(match) for match in glob.iglob(pattern, recursive=True))  # noqa: PTH207 - not into .folders
    matches = [match for match in found_by_name if not any(part.startswith(hidden) for part in match.parts[fixed:])]
    folders = [match for match in matches if match.is_dir()]
    files = [match for match in matches if not match.is_dir()]
    if files and "**" in PurePath(pattern).parts:
        folders = []  # ** matches each folder on the way to the files
    if files and folders:
        raise UsageError(
            f"the pattern matches files, such as {quote(files[0])}, and folders, such as {quote(folders[0])}",
            location=Location(source=pattern),
            hint="Name one kind: *.csv matches files that end in .csv, */ matches folders.",
        )
    for file in files if len(files) > 1 else ():
        check_readable(file, is_file=file.is_file())
    matched = files or [file for folder in folders for file in _files_in(folder)]
    if not matched:
        raise DataError("no file matches the pattern", location=Location(source=pattern), hint=_near(pattern))
    yield from dict.fromkeys(matched)


def _near(pattern: str) -> str:
    """The hint for a pattern that matches nothing: a similar ending of files in the folder, or a similar folder."""
    folder = fixed_folder(pattern)
    if not folder.is_dir():
        return missing_file_hint(folder) if folder.parent.is_dir() else f"There is no folder {quote(folder)}."
    try:
        endings = Counter("".join(file.suffixes) for file in _files_in(folder) if file.suffix)
    except DataError:
        return "Check the pattern."
    if not endings:
        return f"There are no files in {quote(folder)}."
    ending = "".join(PurePath(pattern).suffixes)
    near = closest_match(ending, endings) if ending and not glob.has_magic(ending) else None
    if near is not None and near != ending:
        return f"Did you mean {quote(PurePath(pattern).name.removesuffix(ending) + near)}?"
    common, count = endings.most_common(1)[0]
    return f"{quote(folder)} has {count:,} file{'s' * (count > 1)} that end{'s' * (count == 1)} in {common}."

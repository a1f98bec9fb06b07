"""A table in one file, in a .zip file, which must hold exactly one, or from a pipe."""

from __future__ import annotations

import io
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import polars

from nncli.base.errors import DataError, Location, NncliError, UsageError
from nncli.base.text import join_quoted, quote
from nncli.data.formats.compression import PIECE, ByteStream, CompressionError, SizeLimit
from nncli.data.formats.file_format import detect_format, load_format
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import (
    SPREADSHEETS,
    ZIP,
    Format,
    database_hint,
    format_of,
    suffix_of,
    table_suffixes,
)
from nncli.data.formats.streams import (
    InputFile,
    decompress,
    digest,
    open_input,
    path_of,
    to_temporary_file,
    translate_damage,
    translate_os_errors,
)
from nncli.data.sources.table_reader import Checksum, TableReader, with_format
from nncli.data.table import Table

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""The first bytes of a .zip file, the latter of an empty one."""
MEMBER_PIECE = 4 << 10
"""Bytes that are read at a time where they may become much more."""
ENCRYPTED = 0x1
"""The flag of a member that needs a password."""
ERRORS = (zipfile.BadZipFile, NotImplementedError, zlib.error, lzma.LZMAError)
"""What the standard library raises for damaged files, and for compressions that it does not know."""


@dataclass(frozen=True)
class ZipReader(TableReader):
    """Reads the one table in a .zip file, in the format of its name, or `given`."""

    file: InputFile
    given: Format | None = None

    @property
    def name(self) -> str:
        """The path of the .zip file."""
        return self.file.name

    @property
    def is_columnar(self) -> bool:
        """Whether the format of the member is one of columns."""
        try:
            with translate_os_errors(self.file.path), self._translate_damage(), zipfile.ZipFile(self._path) as archive:
                return self._format(self._member(archive)).is_columnar
        except NncliError:
            return False  # `read` says what is wrong

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the tables of the member, whose name in messages is that of a file in a folder called x.zip."""
        with translate_os_errors(self.file.path, self.name), ExitStack() as stack:
            with self._translate_damage():
                archive = stack.enter_context(zipfile.ZipFile(self._path))
                member = self._member(archive)
                file_format = self._format(member)
                content = stack.enter_context(archive.open(member))
            name = f"{self.name}/{member.filename}"
            table = decompress(
                io.BufferedReader(MemberStream(content, member, self._translate_damage)), member.filename
            )[1]
            yield from with_format(
                file_format, load_format(file_format).read_stream(table, InputFile(self._path, name), options), options
            )

    def checksum(self) -> Checksum:
        """The checksum of the bytes of the .zip file."""
        return Checksum(digest(self._path))

    @property
    def _path(self) -> Path:
        assert self.file.path is not None, "standard input is copied to a file"
        return self.file.path

    def _format(self, member: zipfile.ZipInfo) -> Format:
        return self.given or format_of(PurePosixPath(member.filename))

    def _member(self, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
        """The one member that is a table.

        Raises:
            DataError: there is none, or it is encrypted.
            UsageError: there are several.
        """
        place = Location(source=self.name)
        members = [
            member
            for member in archive.infolist()
            if member.filename  # one without a name is no file, and `is_dir` fails
            and not member.is_dir()
            and not {"__MACOSX", ".DS_Store"} & {*PurePosixPath(member.filename).parts}
        ]
        suffixes = table_suffixes()
        tables = [member for member in members if suffix_of(PurePosixPath(member.filename)) in suffixes]
        # Beside a table, README.txt is rather a note.
        tables = [member for member in tables if not member.filename.lower().endswith(".txt")] or tables
        if self.given is not None and len(members) == 1:
            tables = members
        if not tables and any(member.filename in ("[Content_Types].xml", "mimetype") for member in members):
            hint = "Name the file of the workbook: it is not read from a pipe, nor under the name of a .zip file."
            raise DataError("this is a workbook, not a .zip file with a table", location=place, hint=hint)
        if not tables:
            names = join_quoted(member.filename for member in members)
            message = f"there is no table in the .zip file, but {names}" if members else "the .zip file is empty"
            raise DataError(message, location=place, hint=f"Tables are files that end in {', '.join(suffixes)}.")
        if len(tables) > 1:
            names = join_quoted(member.filename for member in tables)
            hint = "Extract the one that is meant, or all of them into a folder, and name that."
            raise UsageError(f"there are {len(tables)} tables in the .zip file: {names}", location=place, hint=hint)
        if tables[0].flag_bits & ENCRYPTED:
            message = f"{quote(tables[0].filename)} in the .zip file is encrypted"
            raise DataError(message, location=place, hint="Extract it with its password, and name the extracted file.")
        return tables[0]

    def _translate_damage(self) -> AbstractContextManager[None]:
        hint = "Copy or download it again, or extract the table."
        return translate_damage("the .zip file", self.name, *ERRORS, hint=hint)


class MemberStream(ByteStream):
    """The bytes of a member, refused if they grow absurdly; `translate` is for errors of reading them.

    The standard library decompresses as much as it is asked to read, without a limit to what becomes of that.
    """

    def __init__(
        self, content: IO[bytes], member: zipfile.ZipInfo, translate: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._content, self._translate = content, translate
        self._limit = SizeLimit(source=member.compress_size)
        self._piece = MEMBER_PIECE if member.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA) else PIECE

    def next_bytes(self, size: int) -> bytes:
        with self._translate():
            data = self._content.read(min(size, self._piece))
            self._limit.size += len(data)
            self._limit.check()
        return data


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
        return None if self.is_read_once else load_format(self.format).count_rows(self.file)

    def schema(self) -> polars.Schema | None:
        """The types of the columns, if the format stores them."""
        return None if self.is_read_once else load_format(self.format).read_schema(self.file)

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the tables that the reader of the format yields."""
        if not self.is_read_once:
            yield from with_format(self.format, load_format(self.format).read_file(self.file, options), options)
            return
        with open_input(self.file.path, self.name) as (head, stream):
            if head.startswith(ZIP_MAGIC):
                with to_temporary_file(stream) as copy:
                    yield from ZipReader(InputFile(copy, self.name), self.given).read(options)
                return
            if head and any(magic.startswith(head) for magic in ZIP_MAGIC):
                raise CompressionError(f"it begins as a .zip file and is cut off after {len(head)} bytes")
            file_format = self.given or detect_format(head)
            tables = load_format(file_format).read_stream(stream, self.file, options)
            yield from with_format(file_format, tables, options)

    def checksum(self) -> Checksum:
        """The checksum of the bytes of the file, as they are stored."""
        path = self.file.path
        return Checksum(None if path is None or self.is_read_once else digest(path))

    def copy_to(self, folder: Path) -> TableReader:
        """Write the bytes of a pipe, decompressed, into a file."""
        copy = InputFile(folder / "table", self.name)
        with open_input(self.file.path, self.name) as (head, stream), (folder / "table").open("wb") as file:
            shutil.copyfileobj(stream, file)
        return (
            ZipReader(copy, self.given)
            if head.startswith(ZIP_MAGIC)
            else FileReader(copy, self.given or detect_format(head))
        )


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

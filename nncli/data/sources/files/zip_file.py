"""A table in a .zip file, which must hold exactly one."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from nncli.base.errors import DataError, Location, NncliError, UsageError
from nncli.base.text import join_quoted, quote
from nncli.data.formats.compression import PIECE, SizeLimit
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import SUFFIXES, Format, format_of, suffix_of
from nncli.data.formats.streams import InputFile, decompress, digest, translate_damage, translate_os_errors
from nncli.data.sources.table_reader import Checksum, TableReader, with_format
from nncli.data.table import Table

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

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
                found = self._format(member)
                content = stack.enter_context(archive.open(member))
            name = f"{self.name}/{member.filename}"
            table = decompress(
                io.BufferedReader(MemberStream(content, member, self._translate_damage)), member.filename
            )[1]
            yield from with_format(found, found.load().read_stream(table, InputFile(self._path, name), options))

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
        tables = [member for member in members if suffix_of(PurePosixPath(member.filename)) in SUFFIXES]
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
            raise DataError(message, location=place, hint=f"Tables are files that end in {', '.join(SUFFIXES)}.")
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


class MemberStream(io.RawIOBase):
    """The bytes of a member, refused if they grow absurdly; `translate` is for errors of reading them.

    The standard library decompresses as much as it is asked to read, without a limit to what becomes of that.
    """

    def __init__(
        self, content: IO[bytes], member: zipfile.ZipInfo, translate: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._content, self._translate = content, translate
        self._limit = SizeLimit(source=member.compress_size)
        self._piece = MEMBER_PIECE if member.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA) else PIECE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        with self._translate():
            data = self._content.read(min(len(view), self._piece))
            self._limit.size += len(data)
            self._limit.check()
        view[: len(data)] = data
        return len(data)

"""A table in a file on a server: a web server, the Hugging Face Hub, or an object store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from nncli.base.logs import log_duration
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.single_file import FileReader
from nncli.data.sources.remote.download import download
from nncli.data.sources.remote.http_file import HttpFile
from nncli.data.sources.remote.listing import names_several_objects
from nncli.data.sources.remote.remote_file import RemoteFile
from nncli.data.sources.remote.stored_object import ObjectsReader, StoredObject
from nncli.data.sources.remote.stores import SCHEMES as STORE_SCHEMES
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_reader import Checksum, TableChoice, TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table

OpenLocal: TypeAlias = Callable[[InputFile], TableReader]


def remote_reader(source: TableSource, given: Format | None, open_local: OpenLocal) -> TableReader:
    """The reader of a URL of one of the schemes in open.py; `open_local` gives that of a downloaded file.

    Raises:
        UsageError: the URL is not that of a file, nor of several in an object store.
    """
    if source.scheme not in STORE_SCHEMES:
        return RemoteReader(HttpFile.parse(source.path), open_local)
    url = ObjectUrl.parse(source.path)
    if names_several_objects(url):
        return ObjectsReader(url, given, source.sheet, source.range)
    return RemoteReader(StoredObject(url), open_local)


@dataclass(frozen=True)
class RemoteReader(TableReader):
    """Downloads a file whole, and reads the copy by the reader that `open_local` gives."""

    file: RemoteFile
    open_local: OpenLocal

    @property
    def name(self) -> str:
        """The URL without credentials."""
        return self.file.name

    @property
    def is_columnar(self) -> bool:
        """Whether the format is one of columns, such as Parquet.

        Raises:
            UsageError: the name does not tell the format.
        """
        reader = self._not_downloaded
        # What is inside an archive or a workbook is known after the download.
        return isinstance(reader, FileReader) and reader.is_columnar

    @property
    def _not_downloaded(self) -> TableReader:
        """The reader that the name tells."""
        return self.open_local(InputFile(Path(), self.name))

    @property
    def needs_copy(self) -> bool:
        """Always: the file may change between two downloads."""
        return True

    def choice(self) -> TableChoice | None:
        """The sheets of a workbook, if the source names none."""
        if isinstance(self._not_downloaded, FileReader):
            return None
        with self._downloaded() as reader:
            return reader.choice()

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Download the file, and yield its tables."""
        with self._downloaded() as reader:
            yield from reader.read(options)

    def checksum(self) -> Checksum:
        """The checksum of the bytes of the file."""
        with self._downloaded() as reader:
            return reader.checksum()

    def copy_to(self, folder: Path) -> TableReader:
        """Download the file into a folder."""
        _ = self.is_columnar  # an unknown format is refused before the download
        copy = folder / "table"
        download(self.file, copy)
        return self.open_local(InputFile(copy, self.name))

    @contextmanager
    def _downloaded(self) -> Iterator[TableReader]:
        with tempfile.TemporaryDirectory(prefix="nncli-") as folder:
            with log_duration(f"downloading {self.name}"):
                reader = self.copy_to(Path(folder))
            yield reader

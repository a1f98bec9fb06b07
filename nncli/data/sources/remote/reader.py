"""A table in a file on a server, or in several objects of an object store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar, TypeAlias

from nncli.base.logs import log_duration
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.partition import parts_of
from nncli.data.sources.files.several_files import FilesReader
from nncli.data.sources.files.single_file import FileReader
from nncli.data.sources.remote.http_file import HttpFile
from nncli.data.sources.remote.remote_file import RemoteFile, download
from nncli.data.sources.remote.stored_object import StoredObject, find_objects, names_several_objects
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_reader import Checksum, TableChoice, TableReader
from nncli.data.sources.table_source import STORE_SCHEMES, TableSource
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


class _DownloadedReader(TableReader):
    """Downloads what it reads by `copy_to`, as often as it is read unless a copy is kept."""

    needs_copy: ClassVar[bool] = True  # what is on the server may change between two downloads

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Download the table, and yield its tables."""
        with self._downloaded() as reader:
            yield from reader.read(options)

    def checksum(self) -> Checksum:
        """The checksum of the files."""
        with self._downloaded() as reader:
            return reader.checksum()

    @contextmanager
    def _downloaded(self) -> Iterator[TableReader]:
        with tempfile.TemporaryDirectory(prefix="nncli-") as folder:
            yield self.copy_to(Path(folder))


@dataclass(frozen=True)
class RemoteReader(_DownloadedReader):
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

    def choice(self) -> TableChoice | None:
        """The sheets of a workbook, if the source names none."""
        if isinstance(self._not_downloaded, FileReader):
            return None
        with self._downloaded() as reader:
            return reader.choice()

    def copy_to(self, folder: Path) -> TableReader:
        """Download the file into a folder."""
        _ = self.is_columnar  # an unknown format is refused before the download
        copy = folder / "table"
        with log_duration(f"downloading {self.name}"):
            download(self.file, copy)
        return self.open_local(InputFile(copy, self.name))


DOWNLOADS = 8
"""Objects that are downloaded at a time: small ones take as long as their requests."""


@dataclass(frozen=True)
class ObjectsReader(_DownloadedReader):
    """Downloads the objects of a folder or a pattern, and reads them as one table."""

    url: ObjectUrl
    given: Format | None = None
    sheet: str | int | None = None
    cells: str | None = None

    @property
    def name(self) -> str:
        """The URL as the user gave it."""
        return self.url.url

    @property
    def has_several_files(self) -> bool:
        """True: rows are numbered within each file."""
        return True

    def copy_to(self, folder: Path) -> TableReader:
        """Download the objects into a folder."""
        stored = find_objects(self.url)
        objects = [replace(self.url, url=self.url.with_key(key), key=key) for key in stored.keys]
        copies = [folder / str(number) for number in range(len(objects))]
        files = (InputFile(copy, url.url) for copy, url in zip(copies, objects, strict=True))
        parts = parts_of(files, PurePosixPath(self.url.with_key(stored.folder)))
        reader = FilesReader(self.name, parts, self.given, self.sheet, self.cells)
        reader.check_formats()  # before anything is downloaded
        with log_duration(f"downloading {self.name}") as stage:
            stage.details.append(f"{len(objects):,} objects")
            _download_all(objects, copies)
        return reader


def _download_all(objects: Sequence[ObjectUrl], copies: Sequence[Path]) -> None:
    """Download objects into files; after an error no further one is begun."""
    pool = ThreadPoolExecutor(DOWNLOADS)
    try:
        downloads = [pool.submit(download, StoredObject(url), copy) for url, copy in zip(objects, copies, strict=True)]
        for done in downloads:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)

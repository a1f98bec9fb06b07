"""A table in several objects of an object store."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nncli.base.logs import log_duration
from nncli.data.formats.input_file import InputFile
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.sources.files.partition import parts_of
from nncli.data.sources.files.several_files import FilesReader
from nncli.data.sources.remote.download import download
from nncli.data.sources.remote.listing import find_objects
from nncli.data.sources.remote.stored_object import StoredObject
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_reader import Checksum, TableReader
from nncli.data.table import Table

DOWNLOADS = 8
"""Objects that are downloaded at a time: small ones take as long as their requests."""


@dataclass(frozen=True)
class ObjectsReader(TableReader):
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
    def needs_copy(self) -> bool:
        """Always: the objects may change between two downloads."""
        return True

    @property
    def has_several_files(self) -> bool:
        """True: rows are numbered within each file."""
        return True

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Download the objects, and yield their tables."""
        with self._downloaded() as reader:
            yield from reader.read(options)

    def checksum(self) -> Checksum:
        """The checksum of each object, and of their names and checksums."""
        with self._downloaded() as reader:
            return reader.checksum()

    def copy_to(self, folder: Path) -> TableReader:
        """Download the objects into a folder."""
        found = find_objects(self.url)
        objects = [replace(self.url, url=self.url.with_key(key), key=key) for key in found.keys]
        copies = [folder / str(number) for number in range(len(objects))]
        files = (InputFile(copy, url.url) for copy, url in zip(copies, objects, strict=True))
        parts = parts_of(files, PurePosixPath(self.url.with_key(found.folder)))
        reader = FilesReader(self.name, parts, self.given, self.sheet, self.cells)
        reader.check_formats()  # before anything is downloaded
        with log_duration(f"downloading {self.name}") as stage:
            stage.details.append(f"{len(objects):,} objects")
            _download_all(objects, copies)
        return reader

    @contextmanager
    def _downloaded(self) -> Iterator[TableReader]:
        with tempfile.TemporaryDirectory(prefix="nncli-") as folder:
            yield self.copy_to(Path(folder))


def _download_all(objects: Sequence[ObjectUrl], copies: Sequence[Path]) -> None:
    """Download objects into files; after an error no further one is begun."""
    pool = ThreadPoolExecutor(DOWNLOADS)
    try:
        downloads = [pool.submit(download, StoredObject(url), copy) for url, copy in zip(objects, copies, strict=True)]
        for done in downloads:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)

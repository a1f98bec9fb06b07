"""An object of an object store."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nncli.base.errors import DataError, Location
from nncli.base.logs import log_duration
from nncli.base.text import closest_file, quote
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.partition import parts_of
from nncli.data.sources.files.several_files import FilesReader
from nncli.data.sources.remote.download import download
from nncli.data.sources.remote.http_errors import retried
from nncli.data.sources.remote.listing import ObjectVersion, find_objects
from nncli.data.sources.remote.remote_file import RangeError, RemoteFile, Response, TransientError
from nncli.data.sources.remote.stores import ObjectUrl, translated_errors
from nncli.data.sources.table_reader import Checksum, TableReader
from nncli.data.table import Table

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

CHUNK = 1 << 20
NAMES = 1000
"""Most names among which one close to a missing one is searched."""


@dataclass(frozen=True)
class StoredObject(RemoteFile):
    """The object at a URL."""

    url: ObjectUrl

    @property
    def name(self) -> str:
        """The URL as the user gave it."""
        return self.url.url

    @contextmanager
    def open(self, start: int, version: str | None) -> Iterator[Response]:
        """Request the object from `start` on if it is still of this version, or else all of it."""
        store = self.url.open_store()
        from obstore.exceptions import PreconditionError

        options: GetOptions = {"range": {"offset": start}, "if_match": version} if start and version else {}
        try:
            response = self._response(store, options)
        except (PreconditionError, RangeError):
            response = self._response(store, {})
        yield response

    def version(self) -> ObjectVersion:
        """The present version of the object.

        Raises:
            DataError: there is no such object, or the store cannot be reached.
        """
        import obstore

        store = self.url.open_store()

        def head() -> ObjectMeta:
            try:
                with translated_errors(self.url):
                    return obstore.head(store, self.url.key)
            except FileNotFoundError:
                raise self._not_found(store) from None

        return ObjectVersion.of(retried(self.name, head))

    def _response(self, store: ObjectStore, options: GetOptions) -> Response:
        import obstore

        try:
            with translated_errors(self.url):
                result = obstore.get(store, self.url.key, options=options)
                meta, start = result.meta, result.range[0]
                stream = result.stream(min_chunk_size=CHUNK)
        except FileNotFoundError:
            raise self._not_found(store) from None
        etag = meta["e_tag"]
        version = etag if etag and not etag.startswith("W/") else None
        return Response(start, meta["size"], version, self._chunks(stream))

    def _chunks(self, stream: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            with translated_errors(self.url):
                chunk = next(stream, b"")
            if not chunk:
                return
            yield chunk

    def _not_found(self, store: ObjectStore) -> DataError:
        return DataError("there is no such object", location=Location(source=self.name), hint=self._near_name(store))

    def _near_name(self, store: ObjectStore) -> str:
        """The hint for a missing object: that it is a folder, or the closest name beside it, if that may be listed."""
        folder, _, name = self.url.key.rpartition("/")
        try:
            if next(self._keys(store, self.url.key), None) is not None:
                return f"It is a folder. To read the objects in it as one table, add a slash: {self.name}/"
            keys = islice(self._keys(store, folder), NAMES)
            close = closest_file(name, [key.rpartition("/")[2] for key in keys if key.rpartition("/")[0] == folder])
        except (DataError, TransientError):
            close = None
        return f"Did you mean {quote(close)}?" if close else "Check the key."

    def _keys(self, store: ObjectStore, folder: str) -> Iterator[str]:
        """Yield the keys of all objects in a folder, and in those below it."""
        import obstore

        with translated_errors(self.url):
            for page in obstore.list(store, folder or None, chunk_size=NAMES):
                for found in page:
                    yield found["path"]


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

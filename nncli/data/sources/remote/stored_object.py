"""The objects of an object store: one, and those that a folder or a pattern such as s3://bucket/2025-*.parquet names.

The rules are those of local folders and patterns, see nncli/data/sources/files/several_files.py.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from nncli.base.dataclass import dataclass
from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import closest_file, closest_match, quote
from nncli.data.sources.files.several_files import HIDDEN
from nncli.data.sources.remote.remote_file import RangeError, RemoteFile, Response, TransientError, retried
from nncli.data.sources.remote.stores import ObjectUrl, translated_errors

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

CHUNK = 1 << 20
NAMES = 1000
"""Names that are listed at a time, and most of those among which one close to a missing one is searched."""


class ObjectVersion(NamedTuple):
    """The size and the ETag of an object; the time of its last change if the store has no ETags."""

    size: int
    tag: str

    @classmethod
    def of(cls, found: ObjectMeta) -> ObjectVersion:
        """The version of an object that was listed."""
        return cls(found["size"], found["e_tag"] or found["last_modified"].isoformat())


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
            if next(_objects(self.url, store, self.url.key), None) is not None:
                return f"It is a folder. To read the objects in it as one table, add a slash: {self.name}/"
            paths = (found["path"].rpartition("/") for found in islice(_objects(self.url, store, folder), NAMES))
            close = closest_file(name, [name for parent, _, name in paths if parent == folder])
        except (DataError, TransientError):
            close = None
        return f"Did you mean {quote(close)}?" if close else "Check the key."


def _objects(url: ObjectUrl, store: ObjectStore, folder: str) -> Iterator[ObjectMeta]:
    """Yield all objects in a folder, and in those below it."""
    import obstore

    with translated_errors(url):
        for page in obstore.list(store, folder or None, chunk_size=NAMES):
            yield from page


def names_several_objects(url: ObjectUrl) -> bool:
    """Whether a URL is that of a folder, which ends in /, or a pattern, or a bucket."""
    return not url.key or url.key.endswith("/") or glob.has_magic(url.key)


@dataclass(frozen=True)
class FoundObjects:
    """The keys of objects, in order; `folder` is the part of them without wildcards.

    `versions` are the sizes and ETags of the objects.
    """

    folder: str
    keys: tuple[str, ...]
    versions: tuple[ObjectVersion, ...]


def find_objects(url: ObjectUrl) -> FoundObjects:
    """The objects that a folder or a pattern names, without hidden ones.

    Raises:
        DataError: it names none, or the bucket cannot be listed.
        UsageError: the pattern matches both objects and folders.
    """
    pattern = url.key.rstrip("/").split("/") if url.key else []
    fixed = next((i for i, part in enumerate(pattern) if glob.has_magic(part)), len(pattern))
    folder = "/".join(pattern[:fixed])
    store = url.open_store()
    listed = retried(url.url, lambda: [*_objects(url, store, folder)])
    keys = sorted(_files(listed, folder), key=lambda key: key.split("/"))
    chosen = _chosen(url, keys, pattern, fixed)
    versions = {found["path"]: ObjectVersion.of(found) for found in listed}
    return FoundObjects(folder, tuple(chosen), tuple(versions[key] for key in chosen))


def _chosen(url: ObjectUrl, keys: Sequence[str], pattern: Sequence[str], fixed: int) -> list[str]:
    """The keys in a folder, if no part of the pattern has wildcards, or those that match."""
    if fixed == len(pattern):
        chosen = [key for key in keys if _is_visible(key, [], fixed)]
        if not chosen:
            hint = "Name another folder. Names that begin with . or _ do not count."
            raise DataError("there is no object in the folder", location=Location(source=url.url), hint=hint)
        return chosen
    if url.key in keys:  # the name of an object, with characters of a pattern
        return [url.key]
    return _matching(url, keys, pattern, fixed)


def _files(objects: Sequence[ObjectMeta], folder: str) -> Iterator[str]:
    """The keys of the objects that are files: empty objects may stand for folders."""
    parents = {str(parent) for found in objects for parent in PurePosixPath(found["path"]).parents} | {folder}
    for found in objects:
        is_marker = not found["size"] and (found["path"] in parents or not PurePosixPath(found["path"]).suffix)
        if not is_marker:
            yield found["path"]


def _is_visible(key: str, pattern: Sequence[str], fixed: int) -> bool:
    """Whether no part of the key is hidden, unless a part of the pattern begins in the same way."""
    wanted = {part[:1] for part in pattern[fixed:]}
    hidden = tuple(first for first in HIDDEN if first not in wanted)
    return not any(part.startswith(hidden) for part in key.split("/")[fixed:])


def _matching(url: ObjectUrl, keys: Sequence[str], pattern: Sequence[str], fixed: int) -> list[str]:
    """The keys that match the pattern, or those in the folders that do."""
    visible = [key for key in keys if _is_visible(key, pattern, fixed)]
    is_folder = url.key.endswith("/")
    files = [] if is_folder else [key for key in visible if _matches(key.split("/"), pattern)]
    within = [
        key
        for key in visible
        if any(_matches(key.split("/")[:length], pattern) for length in range(fixed + 1, key.count("/") + 1))
    ]
    if files and within and "**" not in pattern:
        raise UsageError(
            f"the pattern matches objects, such as {quote(files[0])}, and folders, such as that of {quote(within[0])}",
            location=Location(source=url.url),
            hint="Name one kind: *.csv matches objects that end in .csv, */ matches folders.",
        )
    if not files and not within:
        raise DataError(
            "no object matches the pattern", location=Location(source=url.url), hint=_near(url, visible, pattern)
        )
    return files or within


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a key match those of a pattern; ** stands for any number of parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _near(url: ObjectUrl, keys: Sequence[str], pattern: Sequence[str]) -> str:
    """The hint for a pattern that matches nothing: a similar ending of the objects there."""
    endings = {"".join(PurePosixPath(key).suffixes) for key in keys} - {""}
    if not endings:
        return "There is no object in the folder. Check the name."
    ending = "".join(PurePosixPath(pattern[-1]).suffixes)
    near = closest_match(ending, endings) if ending and not glob.has_magic(ending) else None
    if near is not None and near != ending:
        return f"Did you mean {quote(url.url.removesuffix(ending) + near)}?"
    return f"There are objects such as {quote(keys[0])}."

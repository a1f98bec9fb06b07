"""The objects that a folder or a pattern of an object store names, as s3://bucket/2025-*.parquet does.

The rules are those of local folders and patterns, see nncli/data/sources/files/several_files.py.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import closest_match, quote
from nncli.data.sources.files.several_files import HIDDEN
from nncli.data.sources.remote.http_errors import retried
from nncli.data.sources.remote.stores import ObjectUrl, translated_errors

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

PAGE = 1000


def names_several_objects(url: ObjectUrl) -> bool:
    """Whether a URL is that of a folder, which ends in /, or a pattern, or a bucket."""
    return not url.key or url.key.endswith("/") or glob.has_magic(url.key)


class ObjectVersion(NamedTuple):
    """The size and the ETag of an object; the time of its last change if the store has no ETags."""

    size: int
    tag: str

    @classmethod
    def of(cls, found: ObjectMeta) -> ObjectVersion:
        """The version of an object that was listed."""
        return cls(found["size"], found["e_tag"] or found["last_modified"].isoformat())


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


def _objects(url: ObjectUrl, store: ObjectStore, folder: str) -> Iterator[ObjectMeta]:
    """Yield all objects in a folder, and in those below it."""
    import obstore

    with translated_errors(url):
        for page in obstore.list(store, folder or None, chunk_size=PAGE):
            yield from page


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

"""Write a table to an object of an object store: to a temporary file first, which is uploaded whole."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nncli.base.errors import Advice, DataError, Location, NncliError, UsageError, UseOption
from nncli.base.logs import log_duration
from nncli.data.formats.registry import FileOptions, writable_format
from nncli.data.formats.sinks import Sink
from nncli.data.formats.writers import open_sink
from nncli.data.sources.remote import remote_file
from nncli.data.sources.remote.remote_file import TransientError, retried
from nncli.data.sources.remote.stores import ObjectUrl, translated_errors

if TYPE_CHECKING:
    from obstore.store import ObjectStore

UPLOADS = 5
"""How often an upload is tried."""
PART = 8 << 20
PARTS_AT_A_TIME = 4


def check_object(path: str, options: FileOptions) -> None:
    """Raise an error if the object cannot be written, or exists without `force`.

    Raises:
        UsageError: it exists, or its name is not that of a table.
        DataError: the store cannot be reached.
    """
    url = ObjectUrl.parse(path)
    if not url.key or url.key.endswith("/"):
        raise UsageError("this is a folder, not a file", location=Location(source=path), hint="Name a file inside it.")
    if options.format is None:
        writable_format(PurePosixPath(path))
    if not options.force:
        _check_missing(url, url.open_store())


def _check_missing(url: ObjectUrl, store: ObjectStore) -> None:
    import obstore

    def get() -> None:
        # Not by a HEAD request, whose answer does not tell a missing object from a missing bucket.
        with translated_errors(url):
            obstore.get(store, url.key)

    try:
        retried(url.url, get)
    except FileNotFoundError:
        return
    raise UsageError(
        "the object exists already",
        location=Location(source=url.url),
        hint=Advice("Pass ", UseOption("force", "force", True), " to replace it, or name another one."),
    )


@contextmanager
def open_object(path: str, options: FileOptions) -> Iterator[Sink]:
    """Yield a sink for an object, which is uploaded when the block ends without an error.

    Raises:
        UsageError, DataError: as `check_object`.
        NncliError: as `open_sink`.
    """
    url = ObjectUrl.parse(path)
    with tempfile.TemporaryDirectory(prefix="nncli-") as folder:
        file = Path(folder, PurePosixPath(url.key).name)
        with _relabeled(file, path), open_sink(file, options) as sink:
            yield sink
        _upload(url, file, force=options.force)


@contextmanager
def _relabeled(file: Path, path: str) -> Iterator[None]:
    """Name the object instead of the temporary file in errors."""
    try:
        yield
    except NncliError as error:
        if error.location and error.location.source == str(file):
            error.location = replace(error.location, source=path)
        raise


def _upload(url: ObjectUrl, file: Path, *, force: bool) -> None:
    store = url.open_store()
    import obstore

    if not force:  # once more: the object may have been written meanwhile
        _check_missing(url, store)
    with log_duration(f"uploading {url.url}"):
        for attempt in range(UPLOADS):
            try:
                with translated_errors(url):
                    obstore.put(store, url.key, file, chunk_size=PART, max_concurrency=PARTS_AT_A_TIME)
                return
            except FileNotFoundError:
                raise DataError("the object cannot be written", location=Location(source=url.url)) from None
            except TransientError as error:
                if attempt + 1 == UPLOADS:
                    raise DataError(
                        f"{error}, in {UPLOADS} attempts",
                        location=Location(source=url.url),
                        hint="Nothing was written. Try again later.",
                    ) from None
                time.sleep(remote_file.FIRST_DELAY * 2.0**attempt)

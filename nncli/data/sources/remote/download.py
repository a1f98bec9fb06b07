"""Download a file of a server whole, in chunks, over connections that may break."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO

from nncli.base.errors import DataError, Location, NncliError
from nncli.base.logs import log_info
from nncli.base.memory import format_bytes
from nncli.data.sources.remote.http_errors import Retries
from nncli.data.sources.remote.remote_file import RemoteFile, Response, TransientError

SECONDS_BETWEEN_LINES = 5.0
"""Seconds between two lines of the log about a download."""
MAX_CHANGES = 1
"""How often a file may change while it is downloaded."""


def download(file: RemoteFile, target: Path) -> None:
    """Download a file to `target`, a new local file.

    A broken connection is continued where the server allows it, and where the file is the same; else the download
    starts again.

    Raises:
        DataError: the file cannot be downloaded.
    """
    progress = _Progress(file.name)
    try:
        with target.open("xb") as output:
            _Download(file, output, progress).run()
    except OSError as error:
        raise NncliError(
            f"cannot keep the table in a temporary file: {error.strerror or error}",
            location=Location(source=str(target.parent)),
            hint="Check that the folder is writable and the disk is not full.",
        ) from error


class _Download:
    """A download, with what has been received of the `version` of the file."""

    def __init__(self, file: RemoteFile, output: IO[bytes], progress: _Progress) -> None:
        self.file, self.output, self.progress = file, output, progress
        self.received = self.furthest = self.changes = 0
        self.version: str | None = None

    def run(self) -> None:
        """Receive the whole file."""
        retries = Retries(self.file.name)
        while True:
            try:
                # Without a version, what is left could be that of another file.
                with self.file.open(self.received if self.version else 0, self.version) as response:
                    self._begin(response)
                    for chunk in response.chunks:
                        self._write(chunk, response, retries)
                    if response.size is None or self.received == response.size:
                        return
                    raise TransientError(f"the connection ended after {self.received:,} of {response.size:,} bytes")
            except TransientError as error:
                retries.wait(error)

    def _begin(self, response: Response) -> None:
        """Compare the response with what was received before, and drop that unless the response continues it."""
        changed = self.version is not None and response.version is not None and response.version != self.version
        self.changes += changed
        if self.changes > MAX_CHANGES:
            raise DataError(
                "the file changes while it is downloaded",
                location=Location(source=self.file.name),
                hint="Try again when it is complete.",
            )
        if response.start and (response.start != self.received or response.version != self.version):
            self.version = None
            raise TransientError("the server sent other bytes than those that were left")
        self.version, self.received = response.version, response.start
        self.output.seek(response.start)
        self.output.truncate()

    def _write(self, chunk: bytes, response: Response, retries: Retries) -> None:
        self.output.write(chunk)
        self.received += len(chunk)
        if self.received > self.furthest:
            self.furthest = self.received
            retries.progress()
        self.progress.show(self.received, response.size)


class _Progress:
    """Logs from time to time how far a download is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.start = self.last = time.monotonic()

    def show(self, received: int, size: int | None) -> None:
        now = time.monotonic()
        if now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        of_all = f" of {format_bytes(size)}" if size else ""
        rate = format_bytes(round(received / (now - self.start)))
        log_info(f"downloading {self.name}: {format_bytes(received)}{of_all}, {rate}/s")

"""A file on a server, and its download: whole, in chunks, over connections that may break."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import field
from pathlib import Path
from typing import IO, TypeVar

from nncli.base.dataclass import dataclass
from nncli.base.errors import DataError, Location, NncliError
from nncli.base.logs import log_info
from nncli.base.memory import format_bytes

T = TypeVar("T")

SECONDS = 30.0
"""Longest time without a new byte."""
SECONDS_TO_CONNECT = 5.0
"""Longest time without a connection, which a wrong address has as well."""
FIRST_DELAY = 0.5
"""Seconds before the second attempt; doubled before each further one."""
SECONDS_OF_SILENCE = 20.0
"""Time after which a connection without a byte counts as lost."""


class TransientError(Exception):
    """A server cannot be reached, or fails, at present: worth another try. The message is for the user.

    `is_refused` where no connection was made, which another try seldom changes.
    """

    def __init__(self, message: str, *, is_refused: bool = False) -> None:
        super().__init__(message)
        self.is_refused = is_refused


class RangeError(TransientError):
    """A file is shorter than the bytes of it that were received already."""


@dataclass(frozen=True)
class Response:
    """The bytes of a file from `start` on, in `chunks`.

    `size` is that of the whole file, `version` identifies its content (a strong ETag); None if the server does not say.
    """

    start: int
    size: int | None
    version: str | None
    chunks: Iterator[bytes]


class RemoteFile(ABC):
    """A file on a server, that can be read from any byte on if the server allows it."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The URL without credentials."""

    @abstractmethod
    def open(self, start: int, version: str | None) -> AbstractContextManager[Response]:
        """Request the bytes from `start` on; all of them if the file is not of this version any more.

        Raises:
            TransientError: the server cannot be reached, or fails; also while the chunks are read.
            DataError: there is no such file, or it may not be read.
        """


@dataclass
class Retries:
    """Waits after each failed attempt, longer each time, until the time is over. `name` is that of messages."""

    name: str
    _start: float = field(default_factory=time.monotonic)
    _attempts: int = 0

    def progress(self) -> None:
        """Begin anew, after bytes have arrived that are further than any before."""
        self._start, self._attempts = time.monotonic(), 0

    def wait(self, error: TransientError) -> None:
        """Wait before the next attempt.

        Raises:
            DataError: the time is over.
        """
        delay = FIRST_DELAY * 2.0**self._attempts
        self._attempts += 1
        limit = SECONDS_TO_CONNECT if error.is_refused else SECONDS
        if time.monotonic() - self._start + delay > limit:
            raise DataError(
                f"{error}, in {self._attempts:,} attempts" if self._attempts > 1 else str(error),
                location=Location(source=self.name),
                hint="Check the address and the connection, or try again later.",
            ) from None
        log_info(f"{self.name}: {error}; attempt {self._attempts + 1} in {delay:g} s")
        time.sleep(delay)


def retried(name: str, request: Callable[[], T]) -> T:
    """The answer to a request, which is repeated while the server cannot be reached.

    Raises:
        DataError: the time is over.
    """
    waiting = Retries(name)
    while True:
        try:
            return request()
        except TransientError as error:
            waiting.wait(error)


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

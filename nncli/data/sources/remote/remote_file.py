"""The interface of a file on a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass


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

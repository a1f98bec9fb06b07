"""The body of a web server's answer that is compressed with gzip for the transfer (Content-Encoding)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from nncli.base.errors import DataError, Location
from nncli.data.formats.compression import CompressionError, DecompressedStream, GrowthError, Gzip
from nncli.data.sources.remote.http_errors import translated_errors
from nncli.data.sources.remote.remote_file import TransientError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 20


def decompressed(body: IO[bytes], size: int | None, url: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of a body of `size` compressed bytes, as far as that is known.

    Raises:
        TransientError: the body is damaged or truncated, which another try may correct.
        DataError: it grows absurdly.
    """
    received = _Body(body, url)
    stream = io.BufferedReader(DecompressedStream(io.BufferedReader(received), Gzip()), CHUNK)
    try:
        while chunk := stream.read(CHUNK):
            yield chunk
    except GrowthError as error:
        raise DataError(
            f"the answer of the server, which is compressed with gzip, is refused: {error}",
            location=Location(source=url),
            hint="Such a table repeats itself from end to end. If it is what you want, download it with a browser.",
        ) from None
    except CompressionError:
        raise TransientError("the server sent bytes that cannot be decompressed") from None
    # A body of several streams may have lost the last ones.
    if size not in (None, received.size):
        raise TransientError("the connection ended before the end of the file")


class _Body(io.RawIOBase):
    """The compressed bytes of a body; `size` is the number of those that were received."""

    def __init__(self, body: IO[bytes], url: str) -> None:
        self._body, self._url = body, url
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        with translated_errors(self._url):
            piece = self._body.read(len(view))
        view[: len(piece)] = piece
        self.size += len(piece)
        return len(piece)

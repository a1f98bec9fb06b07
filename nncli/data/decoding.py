"""The text of a file as a stream of UTF-8 with \\n at the ends of lines, whatever it is written in.

A mark at the beginning says UTF-8, UTF-16 or UTF-32; without one the text is UTF-8 unless the person says otherwise.
Where all lines end in a lone \\r, as on old Macs, they are given a \\n. Memory does not grow with the file.
"""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import IO, Protocol

from nncli.data.dialect import AUTO
from nncli.errors import DataError, Place

SAMPLE_BYTES = 1 << 20
"""So much of a file is looked at to find out how it is written."""
MARKS = {
    codecs.BOM_UTF8: ("utf-8", "utf-8"),
    codecs.BOM_UTF32_LE: ("utf-32", "utf-32-le"),
    codecs.BOM_UTF32_BE: ("utf-32", "utf-32-be"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}
"""What stands at the beginning of a file, the encoding people know it by, and the codec for what follows."""
UTF8 = "utf-8"


class Readable(Protocol):
    """What blocks of text are read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Text:
    """`file`, decoded. `sample` is how it begins, and `whole` whether that is all of it.

    `encoding` is what the person says, or auto; `fallback` is what a file of unmarked text is in when it is not UTF-8.

    Raises:
        DataError: at any time: the bytes are not text in the encoding.
    """

    def __init__(self, file: IO[bytes], source: str, encoding: str = AUTO, fallback: str = UTF8) -> None:
        self._file, self._source = file, source
        self._line = 1
        self._decoder: codecs.IncrementalDecoder | None = None
        self._fallback: str | None = None
        self._returns = False
        head = file.read(max(map(len, MARKS)))
        mark = next((mark for mark in MARKS if head.startswith(mark)), b"")
        self.encoding = encoding if encoding != AUTO else MARKS.get(mark, (UTF8,))[0]
        self._begin(mark, encoding, fallback)
        self._ahead = self._decoded(head[len(mark) :], final=False)
        self._ahead += self._next(SAMPLE_BYTES)
        self.whole = len(self._ahead) < SAMPLE_BYTES // 4 and not (more := self._next(SAMPLE_BYTES))
        if not self.whole:
            self._ahead += more
        self.sample = self._ahead

    @property
    def old_mac(self) -> bool:
        """Whether the lines end in a lone carriage return."""
        return self._returns

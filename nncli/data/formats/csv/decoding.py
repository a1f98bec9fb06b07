"""Decode a file to a stream of UTF-8 with \\n at the ends of lines.

A byte-order mark tells UTF-8, UTF-16 and UTF-32 apart; the encoding of text without one is configured, or inferred as
below. If all lines end in a lone \\r, as on old Macs, it is replaced by \\n. Memory does not grow with the
file.
"""

from __future__ import annotations

import codecs
import io
import re
import string
from contextlib import suppress
from typing import IO, Protocol

from nncli.base.errors import Advice, DataError, Location, SetKey
from nncli.data.dialect import AUTO
from nncli.data.formats.streams import ENCODING, UTF8_HINT

SAMPLE_BYTES = 1 << 20
"""Bytes of a file that are read to infer its dialect."""
MAX_LOOKAHEAD = 1 << 16
"""Bytes of a line that are looked ahead for its end."""
BOMS = {
    codecs.BOM_UTF8: ("utf-8", "utf-8"),
    codecs.BOM_UTF32_LE: ("utf-32", "utf-32-le"),
    codecs.BOM_UTF32_BE: ("utf-32", "utf-32-be"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}
"""Byte-order marks, each with the name of the encoding and the codec of the text that follows."""
HEAD_BYTES = 4096
"""Bytes from which UTF-16 and UTF-32 without a byte-order mark are inferred."""


class Readable(Protocol):
    """What blocks of text are read from."""

    def read(self, size: int, /) -> bytes: ...


class DecodedStream:
    """A decoded file. `sample` is its beginning, and `is_complete` whether that is all of it.

    `encoding` is the configured one, or auto. `fallback` is the encoding of text that has no byte-order mark and is not
    UTF-8, where auto is Windows-1252 if the bytes agree. It is chosen at the first bytes that are not ASCII, however
    far into the file they are; until then the attribute `encoding` is auto.

    Raises:
        DataError: at any time: the bytes cannot be decoded.
    """

    def __init__(self, file: IO[bytes], source: str, encoding: str = AUTO, fallback: str = AUTO) -> None:
        self._file, self._source, self._line = file, source, 1
        self._decoder: codecs.IncrementalDecoder | None = None
        self._fallback: str | None = None
        self._is_inferred, self._partial_line = False, b""
        self._uncounted = 0  # bytes at the beginning of a plain file whose lines are counted only for an error
        self._looks_ahead = isinstance(getattr(file, "raw", None), io.FileIO) and file.seekable()
        self.old_mac = False
        raw = file.read(max(map(len, BOMS)))
        while (more := file.read(self._to_line_end(SAMPLE_BYTES))) and len(raw := raw + more) < SAMPLE_BYTES:
            pass
        self.is_complete = not more
        mark = next((mark for mark in BOMS if raw.startswith(mark)), b"")
        self.encoding = self._choose_encoding(mark, encoding, fallback, raw[:HEAD_BYTES])
        sample = self._decode(raw[len(mark) :], final=self.is_complete)
        # Half of a \r\n may be all that the sample has of a line end.
        self.old_mac = b"\r" in (sample if self.is_complete else sample[:-1]) and b"\n" not in sample
        self.sample = self._ahead = self._convert_line_ends(sample)

    def extend_sample(self) -> None:
        """Double the sample, of which nothing has been read yet."""
        more = self._read_decoded(len(self.sample) or SAMPLE_BYTES)
        self.is_complete = not more
        self.sample = self._ahead = self.sample + more

    def read(self, size: int, /) -> bytes:
        """The next bytes, about `size` of them; none at the end. If it costs little, they end where a line does."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data + self._read_decoded(size - len(data)) if len(data) < size else data

    def _choose_encoding(self, mark: bytes, encoding: str, fallback: str, head: bytes) -> str:
        """Prepare the decoder of what follows the mark; returns the name of the encoding, as far as it is known."""
        called, codec = BOMS.get(mark, (UTF8, UTF8))
        if encoding == AUTO:
            if mark:
                self._set_decoder(codec)
                return called
            wide = infer_wide_encoding(head) if fallback == AUTO or is_ascii_compatible(fallback) else fallback
            if wide is not None:
                self._set_decoder(wide)
                return wide
            if fallback != AUTO and codecs.lookup(fallback).name == UTF8:
                return UTF8
            self._fallback = fallback
            return AUTO
        if mark and not bom_matches(mark, encoding):
            raise DataError(
                f"the text is {called.upper()}, not {encoding}: it begins with the byte-order mark of {called.upper()}",
                location=Location(source=self._source, line=1),
                hint=Advice("Leave out ", SetKey("data.encoding"), ": the encoding is inferred from the mark."),
            )
        self._set_decoder(codec if mark else self._order_of_bytes(encoding, head))
        return encoding

    def _order_of_bytes(self, encoding: str, head: bytes) -> str:
        """The encoding, of UTF-16 and UTF-32 without a mark with the order of the bytes, which the text shows."""
        name = codecs.lookup(encoding).name
        if name not in ("utf-16", "utf-32") or not head:
            return encoding
        inferred = infer_wide_encoding(head)
        if inferred is None or not inferred.startswith(name):
            raise DataError(
                f"the text is not {encoding}, or does not show in which order its bytes are: it has no byte-order mark",
                location=Location(source=self._source, line=1),
                hint=Advice(
                    "Save it as UTF-8, or set the encoding with the order, such as ",
                    SetKey("data.encoding", f"{name}-le"),
                    ".",
                ),
            )
        return inferred

    def _set_decoder(self, codec: str) -> None:
        if codecs.lookup(codec).name not in (UTF8, "utf-8-sig"):
            self._decoder = codecs.getincrementaldecoder(codec)()

    def _read_decoded(self, size: int) -> bytes:
        while raw := self._file.read(self._to_line_end(size)):
            if text := self._convert_line_ends(self._decode(raw, final=False)):
                return text
        return self._convert_line_ends(self._decode(b"", final=True))

    def _to_line_end(self, size: int) -> int:
        """`size`, and in a plain file the bytes that make the line whole: then nothing has to be put together."""
        if not self._looks_ahead or self._decoder:
            return size
        start = self._file.tell()
        self._file.seek(start + size)
        more = len(self._file.readline(MAX_LOOKAHEAD))
        self._file.seek(start)
        return size + more

    def _convert_line_ends(self, text: bytes) -> bytes:
        if not self.old_mac:
            return text
        if b"\n" in text:
            raise DataError(
                "lines end in a carriage return at first, and in a line feed later",
                location=Location(source=self._source),
                hint="Save the file with line ends of Unix (\\n) or Windows (\\r\\n).",
            )
        return text.replace(b"\r", b"\n")

    def _decode(self, raw: bytes, *, final: bool) -> bytes:
        if self._fallback is not None:
            if raw.isascii():
                if self._looks_ahead:
                    self._uncounted += len(raw)
                else:
                    self._line += raw.count(b"\n")
            else:
                raw = self._choose_fallback(raw, self._fallback)
        if self._decoder is None:
            return raw
        if self._is_inferred:
            self._check_not_utf8(raw, final=final)
        try:
            text = self._decoder.decode(raw, final)
        except UnicodeDecodeError as error:
            raise self._decoding_error(error) from error
        except UnicodeError as error:  # other codecs say it without a place
            message = f"the text is not {self.encoding}: {error}"
            raise DataError(message, location=Location(source=self._source, line=self._line_of(b"", 0))) from error
        self._line += text.count("\n")
        return text.encode("utf-8", "surrogatepass")

    def _choose_fallback(self, raw: bytes, fallback: str) -> bytes:
        """Choose UTF-8 or the fallback by the first bytes that are not ASCII; returns these, up to a line end."""
        self._fallback = None
        more = self._file.readline(MAX_LOOKAHEAD)
        raw += more
        error = utf8_error(raw, is_end=not more)
        if error is None:
            self.encoding = UTF8
            return raw
        if fallback == AUTO:
            self._is_inferred = True
            fallback = WINDOWS_1252
            if (contradiction := windows_1252_error(raw)) is not None:
                raise self._unknown_encoding(raw, contradiction)
        self.encoding = fallback
        self._set_decoder(fallback)
        return raw

    def _check_not_utf8(self, raw: bytes, *, final: bool) -> None:
        """Raise a DataError if a whole line of text that was inferred to be Windows-1252 is UTF-8."""
        text = self._partial_line + raw
        end = len(text) if final else text.rfind(b"\n") + 1
        if (start := utf8_line(text[:end])) is not None:
            raise self._unknown_encoding(text, start)
        self._partial_line = text[end:][:MAX_LOOKAHEAD]

    def _line_of(self, raw: bytes, position: int) -> int:
        """The line of the byte at `position` of `raw`, the bytes that were read last."""
        line, self._uncounted, rest = self._line, 0, self._uncounted
        if rest:
            self._file.seek(0)
        while rest and (text := self._file.read(min(rest, SAMPLE_BYTES))):
            line, rest = line + text.count(b"\n"), rest - len(text)
        return line + raw.count(b"\n", 0, position)

    def _unknown_encoding(self, raw: bytes, position: int) -> DataError:
        return DataError(
            f"the text is neither UTF-8 nor Windows-1252 from the byte 0x{raw[position]:02x} on",
            location=Location(source=self._source, line=self._line_of(raw, position)),
            hint=BINARY_HINT if BINARY.search(raw) else UTF8_HINT,
        )

    def _decoding_error(self, error: UnicodeDecodeError) -> DataError:
        before = error.object[: error.start]
        with suppress(UnicodeDecodeError):
            self._line += before.decode(error.encoding).count("\n")
        return DataError(
            f"the bytes 0x{error.object[error.start : error.end].hex()[:8]} are not {self.encoding} text",
            location=Location(source=self._source, line=self._line_of(b"", 0)),
            hint=Advice("Use its encoding, such as ", ENCODING, ", or save the file as UTF-8."),
        )


def is_ascii_compatible(encoding: str) -> bool:
    """Whether ASCII bytes mean in `encoding` what they mean in UTF-8, always and by themselves."""
    ascii_bytes = bytes(range(128))
    try:
        if ascii_bytes.decode(encoding) != ascii_bytes.decode("ascii"):
            return False
        foreign = "éЖ日한".encode(encoding, "ignore")
    except UnicodeError:
        return False
    return not foreign or not foreign.isascii()


def bom_matches(mark: bytes, encoding: str) -> bool:
    """Whether `mark` is one of text in `encoding`."""
    try:
        return mark.decode(encoding) in ("", "\ufeff")
    except UnicodeError:
        return False


ASCII_LETTERS = string.ascii_letters.encode()
UTF8 = "utf-8"
WINDOWS_1252 = "cp1252"
WIDE = {"utf-32-le": (4, (1, 2, 3)), "utf-32-be": (4, (0, 1, 2)), "utf-16-le": (2, (1,)), "utf-16-be": (2, (0,))}
"""Encodings of several bytes a character: the number of bytes, and which of them are NUL in ASCII characters."""
MIN_ASCII = 0.05
"""Smallest share of ASCII characters, such as separators, digits and line ends, in a table."""
ASCII_PAIR = re.compile("[" + "".join(f"\\u{high:02x}20-\\u{high:02x}7e" for high in range(0x20, 0x7F)) + "]")
"""Characters that are made of two bytes of ASCII: many of them are rather text of one byte a character."""
CONTROL = re.compile("[\0-\x08\x0b\x0e-\x1f\ufffe\uffff]")
BINARY = re.compile(rb"[\0-\x08\x0e-\x19\x1c-\x1f]")
"""Bytes that do not occur in text of any ASCII, Latin or UTF-8 encoding."""
BINARY_HINT = "The file holds bytes that do not occur in text: most likely it is not a text table."
UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
"""Bytes that are no character in Windows-1252."""
MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
CUT_SEQUENCE = re.compile(rb"(?:[\xc2\xc3]|\xe2[\x80-\x84]?)(?![\x80-\xffA-Za-z ])")
"""The beginning of a UTF-8 sequence at the end of a word: all that is left of a character that was cut in two."""
NOT_WESTERN = re.compile(
    rb"[\xa1-\xfe]{5}"  # words of Cyrillic, Greek, Arabic, Hebrew, Thai or Chinese
    rb"|[A-Za-z][\x82-\x84\x86-\x89\x8b\x94\x95\x9b][a-z\xe0-\xff]"  # letters of DOS
    rb"|[A-Za-z][\x8a\x8e\x9f][a-z\xe0-\xff]"  # letters of the Macintosh
    rb"|[A-Za-z][\xa1-\xa9\xab\xac\xae\xaf\xb1-\xb3\xb5\xb6\xb8\xb9\xbb-\xbf][a-z\xe0-\xff]"  # Polish, Czech
)
"""Sequences that are words in other encodings of one byte, and punctuation or digits within a word in Windows-1252."""


def infer_wide_encoding(head: bytes) -> str | None:
    """The encoding of text that begins with `head`, if it is UTF-16 or UTF-32; None for other encodings."""
    if b"\0" not in head:
        return None
    for encoding, (size, nul_places) in WIDE.items():
        units = [head[place::size] for place in range(size)]
        n_ascii = min(units[place].count(0) for place in nul_places)
        if n_ascii < MIN_ASCII * len(units[-1]) or any(
            0 in units[place] for place in range(size) if place not in nul_places
        ):
            continue
        with suppress(UnicodeDecodeError):
            text = codecs.getincrementaldecoder(encoding)().decode(head)
            if not CONTROL.search(text) and "\n" in text and 2 * len(ASCII_PAIR.findall(text)) < len(text):
                return encoding
    return None


def utf8_error(text: bytes, *, is_end: bool) -> int | None:
    """The position of the first byte of `text` that is not UTF-8; `is_end`: no character is continued after it."""
    try:
        codecs.getincrementaldecoder(UTF8)().decode(text, is_end)
    except UnicodeDecodeError as error:
        return error.start
    return None


def windows_1252_error(text: bytes) -> int | None:
    """The position of the first evidence in `text`, which is not UTF-8, that it is not Windows-1252; None if none."""
    for pattern in (BINARY, UNDEFINED, NOT_WESTERN):
        if match := pattern.search(text):
            return match.start() + (text[match.start()] in ASCII_LETTERS)
    if (line := utf8_line(text)) is not None:
        return max(line, utf8_error(text, is_end=True) or 0)  # the second of the two
    cut = {match.start() for match in CUT_SEQUENCE.finditer(text)}
    rest = CUT_SEQUENCE.sub(b"", text)
    return min(cut) if cut and rest.isascii() else None


def utf8_line(text: bytes) -> int | None:
    """The position of the first line of `text` that is UTF-8 and not ASCII; the last line may be cut."""
    start = 0
    while match := MULTIBYTE.search(text, start):
        begin = text.rfind(b"\n", 0, match.start()) + 1
        end = text.find(b"\n", match.end())
        end = len(text) if end < 0 else end
        if utf8_error(text[begin:end], is_end=True) is None:
            return begin
        start = end
    return None

"""Infer the encoding of text without a byte-order mark from its bytes.

Text in UTF-16 or UTF-32 has NUL bytes at every second, or at three of four, positions. Other text is UTF-8 if it can be
decoded so. Text that cannot is Windows-1252, the encoding in which spreadsheet programs of Western Europe and America
save a CSV, unless it has bytes or sequences that do not occur there.
"""

from __future__ import annotations

import codecs
import re
import string
from contextlib import suppress

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
        if found := pattern.search(text):
            return found.start() + (text[found.start()] in ASCII_LETTERS)
    if (line := utf8_line(text)) is not None:
        return max(line, utf8_error(text, is_end=True) or 0)  # the second of the two
    cut = {found.start() for found in CUT_SEQUENCE.finditer(text)}
    rest = CUT_SEQUENCE.sub(b"", text)
    return min(cut) if cut and rest.isascii() else None


def utf8_line(text: bytes) -> int | None:
    """The position of the first line of `text` that is UTF-8 and not ASCII; the last line may be cut."""
    start = 0
    while found := MULTIBYTE.search(text, start):
        begin = text.rfind(b"\n", 0, found.start()) + 1
        end = text.find(b"\n", found.end())
        end = len(text) if end < 0 else end
        if utf8_error(text[begin:end], is_end=True) is None:
            return begin
        start = end
    return None

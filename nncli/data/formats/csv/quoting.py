"""Rewrite records with misplaced quotes, if they can be read in one way only, so that their quotes follow RFC 4180.

A quote within a cell that does not begin with one is a character of the cell: `24" screen`. A cell that begins with a
quote ends at a quote before a separator or a line end; if there are several of these, the number of cells decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncli.nn.arrays import BytePositions

LINE_END = re.compile(rb"\r*\n|\r|\Z")
"""The end of a record; a repaired one ends with a newline."""
OPENED = re.compile(rb'[ \t]*"(?:[^"]++|"")*+')
MAX_QUOTES = 40
"""Largest number of quotes in a line that is rewritten."""
MAX_LOOKS = 4
"""So many times the bytes of a text are looked at for records that are then left out, as each may be long. From there
on nothing is changed."""


class Repaired(NamedTuple):
    """The records of a text, and the number of its bytes that they are.

    `unclear` are the positions in `data` of lines that were left out, because they can be read in several ways or in
    none. Each has become a blank line.
    """

    data: bytes
    consumed: int
    unclear: tuple[int, ...] = ()


@dataclass(frozen=True)
class QuoteRepair:
    """Rewrites records of a file with this separator and `width` cells in a record (None: not known yet).

    `omits_unclear`: a line that can be read in several ways, or in none, becomes a blank line. Else nothing is changed
    from it on, so that it is refused later.
    """

    separator: str
    width: int | None = None
    omits_unclear: bool = False

    def is_needed(self, data: bytes, quotes: BytePositions) -> bool:
        """Whether a quote opens within a cell, or closes and is not followed by the end of the cell."""
        if not quotes.size:
            return False
        text = np.frombuffer(data, np.uint8)
        before, after = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
        before[list(f'{self.separator}\n"'.encode())] = True
        after[list(f'{self.separator}\r\n"'.encode())] = True
        opening, closing = quotes[::2], quotes[1::2]
        opens_well = before[text[np.maximum(opening - 1, 0)]] | (opening == 0)
        closes_well = after[text[np.minimum(closing + 1, text.size - 1)]] | (closing == text.size - 1)
        return not (opens_well.all() and closes_well.all())

    def repair(self, data: bytes, *, is_end: bool) -> Repaired:
        """The records of `data`, which begins with one. A record that does not end is left out unless `is_end`."""
        pieces: list[bytes] = []
        unclear: list[int] = []
        position, size, left = 0, 0, MAX_LOOKS * len(data)
        while (found := data.find(b'"', position)) >= 0:
            start = data.rfind(b"\n", position, found) + 1 or position
            pieces.append(data[position:start])
            size += start - position
            text, position = self._record(data, start, is_end=is_end)
            if text is None and self.omits_unclear and (left := left - (position - start)) > 0:
                unclear.append(size)
                end = LINE_END.search(data, start)
                assert end is not None
                text, position = b"\n", end.end()
            if text is None:
                rest = data[start:] if is_end else data[start : data.rfind(b"\n", start) + 1]
                return Repaired(b"".join([*pieces, rest]), start + len(rest), tuple(unclear))
            if not position:
                return Repaired(b"".join(pieces), start, tuple(unclear))
            pieces.append(text)
            size += len(text)
        stop = len(data) if is_end else max(data.rfind(b"\n") + 1, position)
        return Repaired(b"".join([*pieces, data[position:stop]]), stop, tuple(unclear))

    def _record(self, data: bytes, start: int, *, is_end: bool) -> tuple[bytes | None, int]:
        """The record at `start` and the position of the next one, 0 if it does not end.

        If it is unclear, None and the position up to which it was looked at.
        """
        cells: list[bytes] = []
        position = start
        mark = self.separator.encode()
        while True:
            if found := self._plain_cells.match(data, position):
                cells += found[0].replace(b'"', b'""').split(mark)[:-1]
                position = found.end()
            if found := self._quoted.match(data, position):
                cells.append(found[1])
            elif opened := OPENED.match(data, position):
                if not is_end and opened.end() == len(data):
                    return b"", 0
                return self._line(data, start, is_end=is_end) or (None, opened.end())
            else:
                found = self._plain.match(data, position)
                assert found is not None
                cells.append(found[0].replace(b'"', b'""'))
            position = found.end()
            if data[position : position + 1] != mark:
                break
            position += 1
        line_end = LINE_END.match(data, position)
        if line_end is None:
            return None, position
        if line_end.end() == len(data) and not line_end[0].endswith(b"\n") and not is_end:
            return b"", 0
        text = self._written(cells) if position > start else b""
        return text + (b"\n" if line_end[0] else b""), line_end.end()

    def _line(self, data: bytes, start: int, *, is_end: bool) -> tuple[bytes, int] | None:
        """The record that is the line at `start`, if its cells can be told in one way only."""
        found = re.compile(rb"[^\r\n]*").match(data, start)
        assert found is not None
        line_end = LINE_END.match(data, found.end())
        assert line_end is not None
        if line_end.end() == len(data) and not line_end[0].endswith(b"\n") and not is_end:
            return b"", 0
        line = found[0]
        if self.width is None or line.count(b'"') > MAX_QUOTES:
            return None
        ways = self._ways(line, 0, self.width)
        if len(ways) != 1:
            return None
        return self._written(ways[0]) + (b"\n" if line_end[0] else b""), line_end.end()

    def _ways(self, line: bytes, start: int, width: int) -> list[list[bytes]]:
        """At most two ways to split the line from `start` on into `width` cells."""
        if width == 0:
            return []
        ends: list[tuple[bytes, int]] = []
        mark = re.escape(self.separator.encode())
        if line[start : start + 1] == b'"':
            for found in re.finditer(rb'"(?=%s|$)' % mark, line[start + 1 :]):
                cell = line[start + 1 : start + 1 + found.start()]
                ends.append((cell if b'""' in cell else cell.replace(b'"', b'""'), start + 1 + found.end()))
        else:
            end = line.find(self.separator.encode(), start)
            end = len(line) if end < 0 else end
            ends.append((line[start:end].replace(b'"', b'""'), end))
        ways: list[list[bytes]] = []
        for cell, end in ends:
            if b'"' in cell.replace(b'""', b""):
                continue
            if end == len(line):
                ways += [[cell]] if width == 1 else []
            else:
                ways += [[cell, *rest] for rest in self._ways(line, end + 1, width - 1)]
            if len(ways) > 1:
                break
        return ways

    def _written(self, cells: list[bytes]) -> bytes:
        """The record with every cell in quotes that has to be."""
        if cells == [b""]:
            return b'""'  # without the quotes the line would be blank
        special = (b'"', b"\n", b"\r", self.separator.encode())
        quoted = (b'"' + cell + b'"' if any(mark in cell for mark in special) else cell for cell in cells)
        return self.separator.encode().join(quoted)

    @property
    def _quoted(self) -> re.Pattern[bytes]:
        """A cell in quotes, with blanks around them, and the end of the cell ahead."""
        blank = rb" *" if self.separator == "\t" else rb"[ \t]*"
        mark = re.escape(self.separator.encode())
        return re.compile(rb'%s"((?:[^"]++|"")*+)"%s(?=%s|[\r\n]|\Z)' % (blank, blank, mark))

    @property
    def _plain_cells(self) -> re.Pattern[bytes]:
        """Cells that do not begin with a quote, each with the separator behind it."""
        mark = re.escape(self.separator.encode())
        return re.compile(rb'(?:(?![ \t]*+")[^\r\n%s]*+%s)++' % (mark, mark))

    @property
    def _plain(self) -> re.Pattern[bytes]:
        return re.compile(rb"[^\r\n%s]*" % re.escape(self.separator.encode()))

"""Write small .xlsb workbooks, which no free program writes."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET_TYPE = f"{RELATIONSHIPS}/worksheet"


def record(kind: int, data: bytes = b"") -> bytes:
    """A record: kind and size, seven bits in each byte, and the data."""
    size, n = b"", len(data)
    while True:
        size += bytes([n & 0x7F | (0x80 if n > 0x7F else 0)])
        n >>= 7
        if not n:
            break
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + size + data


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode("utf-16-le")


def cell(column: int, value: object) -> bytes:
    """The record of a cell: text, a number, or an error as a tuple with its code."""
    place = struct.pack("<II", column, 0)
    if isinstance(value, tuple):
        return record(3, place + bytes(value))
    if isinstance(value, str):
        return record(6, place + text(value))
    assert isinstance(value, float | int)
    return record(5, place + struct.pack("<d", value))


def write_xlsb(path: Path, rows: list[list[object]], merged: tuple[tuple[int, int, int, int], ...] = ()) -> Path:
    """A workbook of one sheet called Data; `merged` are first row, last row, first column and last column."""
    sheet = record(129) + record(148, struct.pack("<4I", 0, len(rows) - 1, 0, len(rows[0]) - 1)) + record(145)
    for i, row in enumerate(rows):
        sheet += record(0, struct.pack("<II", i, 0) + bytes(17))
        sheet += b"".join(cell(j, value) for j, value in enumerate(row) if value is not None)
    sheet += record(146)
    if merged:
        sheet += record(177, struct.pack("<I", len(merged)))
        sheet += b"".join(record(176, struct.pack("<4I", *cells)) for cells in merged) + record(178)
    workbook = record(131) + record(143)
    workbook += record(156, struct.pack("<II", 0, 1) + text("rId1") + text("Data")) + record(144) + record(132)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.bin", workbook)
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{SHEET_TYPE}" Target="worksheets/sheet1.bin"/></Relationships>',
        )
        archive.writestr("xl/worksheets/sheet1.bin", sheet + record(130))
    return path

"""Tables as files that are damaged, that lie about themselves, or that are far larger than they look."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import polars as pl
from mutate_inputs import bytes_mutated
from naughty_strings import naughty_strings

Row = dict[str, Any]
TYPES = {
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
    "file": "application/vnd.apache.arrow.file",
    "parquet": "application/vnd.apache.parquet",
}
BOMB_ROWS = 20_000_000


def hostile_table(rng: Random, row: Row) -> tuple[str, bytes]:
    """The media type and the body of a table."""
    kind = rng.choice(list(TYPES))
    match rng.randrange(8):
        case 0:
            data = rng.choice(bombs())[1]
            return TYPES[rng.choice(bombs())[0]], data
        case 1:
            kind, data = rng.choice(bombs())
        case 2 | 3:
            data = _written(kind, [_naughty(rng, row) for _ in range(rng.choice((1, 3)))])
        case 4:
            data = _written(kind, [row])
            data = data[: rng.randrange(len(data) + 1)]
        case 5:
            data = rng.choice(_odd_texts(rng, row))
        case _:
            data = bytes_mutated(_written(kind, [row] * rng.choice((1, 2, 30))), rng)
    return TYPES[kind], data


def _written(kind: str, rows: list[Row]) -> bytes:
    """Rows in a format; lone surrogates stay where the format lets them."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "surrogatepass")
    if kind == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode("utf-8", "surrogatepass")
    names = {name: name.encode("utf-8", "replace").decode() for name in rows[0]}
    columns = {
        new: [None if row.get(old) is None else str(row[old]).encode("utf-8", "replace").decode() for row in rows]
        for old, new in names.items()
    }
    return _binary(kind, pl.DataFrame(columns))


def _binary(kind: str, frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    writers: dict[str, Callable[[], Any]] = {
        "arrow": lambda: frame.write_ipc_stream(buffer, compression="zstd"),
        "file": lambda: frame.write_ipc(buffer, compression="lz4"),
        "parquet": lambda: frame.write_parquet(buffer),
    }
    writers[kind]()
    return buffer.getvalue()


def _naughty(rng: Random, row: Row) -> Row:
    """A row with strings for values and for names."""
    strings = naughty_strings()
    changed = dict(row)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(row))
        match rng.randrange(4):
            case 0:
                changed[rng.choice(strings)] = changed.pop(name, None)
            case 1:
                changed[rng.choice(strings)] = rng.choice(strings)
            case _:
                changed[name] = rng.choice(strings)
    return changed


def _odd_texts(rng: Random, row: Row) -> list[bytes]:
    """CSV and JSON lines that are no table, or a strange one."""
    header, cells = ",".join(row)[:300], ",".join(str(value) for value in row.values())[:300]
    number = rng.choice((2, 300, 20_000))
    texts = [
        *(
            "",
            "\n",
            "\n" * number,
            ",",
            "," * number,
            '"',
            '"' * number,
            header,
            header + "\n",
            f"{header}\n{cells},extra\n",
        ),
        *(
            f"{header}\n" + cells[: len(cells) // 2],
            f'{header}\n"{cells}\n' * 2,
            f"{header},{header}\n{cells},{cells}\n",
        ),
        *(
            f"{header}\r{cells}\r",
            f"{header}\n\r\n\r{cells}\n\n",
            f"\ufeff\ufeff{header}\n{cells}\n",
            f"# title\n\n{header}\n{cells}",
        ),
        *(
            header.replace(",", ";") + "\n" + cells.replace(",", ";"),
            header.replace(",", "\t") + "\n" + cells.replace(",", "\t"),
        ),
        *(",".join(f"c{k}" for k in range(number)) + "\n" + ",".join("1" for _ in range(number)) + "\n", "\0" * number),
        *(
            f"{header}\n" + (cells + "\n") * number,
            f"{header}\n{cells[:3]}" + "9" * number + f"{cells}\n",
            "{}\n" * number,
        ),
        *(
            "[]\n1\nnull\n",
            json.dumps(row) + "\n" + "[1]\n",
            json.dumps(row) * 2,
            json.dumps([row]),
            "{\n}\n",
            "PAR1",
            "ARROW1\0\0",
        ),
    ]
    return [
        *(text.encode("utf-8", "surrogatepass") for text in texts),
        f"{header}\n{cells}\n".encode("utf-16", "surrogatepass"),
        header.encode("utf-32", "surrogatepass"),
        b"\xff\xfe",
    ]


@cache
def bombs() -> list[tuple[str, bytes]]:
    """Small files of many rows or columns, or with lengths that are not true."""
    constant = pl.DataFrame({"x": pl.repeat(1.0, BOMB_ROWS, eager=True)})
    nulls = pl.DataFrame({"x": pl.repeat(None, BOMB_ROWS, dtype=pl.Null, eager=True)})
    deep: pl.DataType = pl.Int8()
    for _ in range(60):
        deep = pl.List(deep)
    found = [(kind, _binary(kind, frame)) for kind in ("parquet", "arrow") for frame in (nulls, constant[:900_000])]
    found.append(("parquet", _binary("parquet", constant)))
    found.append(("arrow", _binary("arrow", pl.DataFrame({"x": pl.Series([None], dtype=deep)}))))
    wide = pl.DataFrame({f"c{k}": [1] for k in range(3000)})
    found += [(kind, _binary(kind, wide)) for kind in ("parquet", "arrow", "file")]
    text = pl.DataFrame({"x": ["a" * 30_000_000]})
    found += [(kind, _binary(kind, text)) for kind in ("parquet", "arrow")]
    for length in (0x7FFFFFFF, 0xFFFFFFFF, 0x10000000):
        found += [("arrow", b"\xff\xff\xff\xff" + struct.pack("<I", length) + bytes(64))]
        found += [("parquet", b"PAR1" + bytes(64) + struct.pack("<I", length) + b"PAR1")]
        found += [("file", b"ARROW1\0\0" + bytes(64) + struct.pack("<I", length) + b"ARROW1")]
    return [one for one in found if len(one[1]) < 1_000_000]

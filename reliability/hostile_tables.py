"""Tables as files that are damaged, that lie about themselves, or that are far larger than they look."""

from __future__ import annotations

import csv
import gzip
import io
import json
from functools import cache
from random import Random
from typing import Any

from mutate_inputs import bytes_mutated
from naughty_strings import naughty_strings

Row = dict[str, Any]
TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
BOMB_BYTES = 30_000_000


def hostile_table(rng: Random, row: Row) -> tuple[str, bytes]:
    """The media type and the body of a table."""
    kind = rng.choice(list(TYPES))
    match rng.randrange(6):
        case 0 | 1:
            data = _written(kind, [_naughty(rng, row) for _ in range(rng.choice((1, 3)))])
        case 2:
            data = _written(kind, [row])
            data = data[: rng.randrange(len(data) + 1)]
        case 3:
            data = rng.choice(_odd_texts(rng, row))
        case _:
            data = bytes_mutated(_written(kind, [row] * rng.choice((1, 2, 30))), rng)
    return TYPES[kind], data


def _written(kind: str, rows: list[Row]) -> bytes:
    """Rows in a format; lone surrogates stay where the format lets them."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "surrogatepass")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


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
def bombs() -> list[bytes]:
    """Small bodies compressed with gzip that become large, or that are damaged."""
    lines, cells = b"x\n" + b"1\n" * (BOMB_BYTES // 2), b"x\n" + b"a" * BOMB_BYTES
    whole = [gzip.compress(data) for data in (bytes(BOMB_BYTES), lines, cells, b"{}\n" * (BOMB_BYTES // 3))]
    return [*whole, whole[0][:-8], whole[0] * 20, gzip.compress(b"") * 10_000, b"\x1f\x8b\x08" + bytes(20)]

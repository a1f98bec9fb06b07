"""How CSV files that people have are read: real tables with titles, notes, missing names and other pollutions.

    python benchmarks/pollution.py
    python benchmarks/pollution.py --random 2000 --seed 7
    python benchmarks/pollution.py --tables FOLDER              # also the first rows of FOLDER/*/train.csv

Every table is written with one pollution or with several, read by nncli without any option, and compared with the clean
table cell by cell. It is read right, refused, or wrong: rows, names or cells differ and nothing was refused. There are
fixed tables, each pollution alone and typical combinations, and random ones by seed. Exits with 1 if a table is wrong.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_ROWS = 200
TITLES = [
    "Statistics of the year 2024",
    "Ministry of Health, Department of Statistics, 3rd edition",
    "Table 7: results by region",
    "All figures are provisional.",
    "Created on 2024-05-01 12:30",
    "Stand: 31.12.2023",
]
NOTES = [
    "Source: own survey",
    "Source: Ministry of Health, on request, 2024",
    "Note: figures are rounded",
    "* estimated",
    "(1) without the islands",
    "Last updated 2024-05-01",
    "The figures of the last two years are provisional and will be corrected",
]


@dataclass(frozen=True)
class Pollution:
    """A table and how it is written: `names` and `rows` are what should be read."""

    names: list[str]
    rows: list[list[str]]
    header: list[str]
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    separator: str = ","
    trailing_header: int = 0
    trailing_rows: tuple[int, ...] = (0,)
    line_ends: tuple[str, ...] = ("\n",)
    stray: bool = False
    encoding: str = "utf-8"

    @classmethod
    def of(cls, names: list[str], rows: list[list[str]]) -> Pollution:
        return cls(names, rows, names)

    @property
    def width(self) -> int:
        return len(self.names)

    def data(self, rng: random.Random) -> bytes:
        """The file."""
        header = self._line(self.header, False) + self.separator * self.trailing_header
        rows = [self._line(row, self.stray) + self.separator * rng.choice(self.trailing_rows) for row in self.rows]
        lines = [*self.above, header, *rows, *self.below]
        return "".join(line + rng.choice(self.line_ends) for line in lines).encode(self.encoding)

    def _line(self, cells: list[str], stray: bool) -> str:
        return self.separator.join(self._cell(cell, stray) for cell in cells)

    def _cell(self, cell: str, stray: bool) -> str:
        special = self.separator in cell or "\n" in cell or "\r" in cell
        if '"' in cell and stray:  # as programs write it that do not know of quotes
            return f'"{cell}"' if special else cell
        return '"' + cell.replace('"', '""') + '"' if special or '"' in cell else cell


Change = Callable[[Pollution, random.Random], Pollution]


def _framed(lines: list[str], table: Pollution, rng: random.Random, *, above: bool) -> list[str]:
    """Lines of text as programs write them: bare, quoted where needed, or padded to the width of the table."""
    style = rng.choice(["bare", "quoted", "padded"])
    empty = {"bare": "", "quoted": "", "padded": table.separator * (table.width - 1)}[style]
    frames = []
    for line in lines:
        quoted = f'"{line}"' if style != "bare" and table.separator in line else line
        frames.append(quoted + empty)
    gap = [empty] * rng.choice([0, 1, 1, 2])
    return [*frames, *gap] if above else [*gap, *frames]


def titles(table: Pollution, rng: random.Random) -> Pollution:
    lines = rng.sample(TITLES, rng.randint(1, 4))
    return replace(table, above=_framed(lines, table, rng, above=True))


def notes(table: Pollution, rng: random.Random) -> Pollution:
    lines = rng.sample(NOTES, rng.randint(1, 3))
    return replace(table, below=_framed(lines, table, rng, above=False))


def empty_names(table: Pollution, rng: random.Random) -> Pollution:
    header, names = [*table.header], [*table.names]
    for j in rng.sample(range(table.width), rng.randint(1, 2)):
        header[j], names[j] = "", f"column_{j + 1}"
    return replace(table, header=header, names=names)


def repeated_names(table: Pollution, rng: random.Random) -> Pollution:
    first, second = sorted(rng.sample(range(table.width), 2))
    if not table.header[first]:
        return table
    header, names = [*table.header], [*table.names]
    header[second], names[second] = header[first], f"{names[first]}_2"
    return replace(table, header=header, names=names)


def trailing_separators(table: Pollution, rng: random.Random) -> Pollution:
    header, rows = rng.choice([(1, (1,)), (0, (1,)), (1, (0,)), (0, (0, 1)), (3, (3,)), (0, (0, 0, 0, 2))])
    return replace(table, trailing_header=header, trailing_rows=rows)


def mixed_line_ends(table: Pollution, rng: random.Random) -> Pollution:
    return replace(table, line_ends=rng.choice([("\n", "\r\n"), ("\r\n", "\r\n", "\r"), ("\n", "\r"), ("\r\r\n",)]))


def stray_quotes(table: Pollution, rng: random.Random) -> Pollution:
    """Inch marks and quoted words that are not doubled, in a few rows."""
    column = _text_column(table)
    if column is None:
        return table
    rows = [[*row] for row in table.rows]
    filled = [i for i, row in enumerate(rows) if row[column]]
    for i in rng.sample(filled, min(5, len(filled))):
        cell = rows[i][column]
        rows[i][column] = rng.choice(
            [f'{cell} 24"', f'{cell} 3" x 4"', f'big "{cell}" one', f'the "{cell}"{table.separator} or so']
        )
    return replace(table, rows=rows, stray=True)


def _text_column(table: Pollution) -> int | None:
    columns = [j for j in range(table.width) if all(row[j][:1].isalpha() for row in table.rows if row[j])]
    return columns[0] if columns else None


def encodings(table: Pollution, rng: random.Random) -> Pollution:
    """Letters with accents, in one of the encodings that spreadsheets write."""
    rows = [
        [cell.replace("a", "ä").replace("e", "é") if cell[:1].isalpha() else cell for cell in row] for row in table.rows
    ]
    return replace(
        table, rows=rows, encoding=rng.choice(["cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
    )


def separators(table: Pollution, rng: random.Random) -> Pollution:
    return replace(table, separator=rng.choice(";\t|"))


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        separators,
        encodings,
        empty_names,
        repeated_names,
        stray_quotes,
        trailing_separators,
        mixed_line_ends,
        titles,
        notes,
    )
}
"""All pollutions, in the order in which they are applied."""
COMBINATIONS = [
    ("titles", "notes"),
    ("separators", "titles"),
    ("separators", "encodings"),
    ("titles", "trailing_separators"),
    ("empty_names", "repeated_names"),
    ("empty_names", "titles", "notes"),
    ("separators", "encodings", "titles", "notes"),
    ("mixed_line_ends", "notes"),
    ("stray_quotes", "trailing_separators"),
    ("encodings", "mixed_line_ends", "titles"),
    ("repeated_names", "trailing_separators"),
    ("stray_quotes", "titles", "notes"),
]


def read_tables(folder: Path | None) -> dict[str, Pollution]:
    """The clean tables: those of the repository, and the first rows of those of a folder."""
    paths = [ROOT / "data" / name for name in ("penguins.csv", "seattle-weather.csv", "linear.csv")]
    paths += sorted(folder.glob("*/train.csv")) if folder else []
    tables = {}
    for path in paths:
        with path.open(newline="") as file:
            names, *rows = [row for _, row in zip(range(MAX_ROWS + 1), csv.reader(file), strict=False)]
        tables[path.parent.name if path.name == "train.csv" else path.stem] = Pollution.of(names, rows)
    return tables


def pollute(table: Pollution, changes: tuple[str, ...], rng: random.Random) -> Pollution:
    for name, change in CHANGES.items():
        if name in changes:
            table = change(table, rng)
    return table


def outcome(table: Pollution, data: bytes) -> tuple[str, str]:
    """Whether the file is read `right`, `refused` or `wrong`, with the error or the first difference."""
    from nncli.base.errors import DataError
    from nncli.data.formats.csv.reader import read_delimited
    from nncli.data.formats.read_options import ReadOptions

    try:
        tables = list(read_delimited(io.BytesIO(data), "t.csv", ReadOptions(), default_separator=","))
    except DataError as error:
        return "refused", str(error)
    names, rows = tables[0].names, [[*row] for part in tables for row in part.frame.rows()]
    if names != table.names:
        return "wrong", f"names {names} instead of {table.names}"
    if rows != table.rows:
        pairs = [(result, row) for result, row in zip(rows, table.rows, strict=False) if result != row]
        return "wrong", f"{len(rows)} rows instead of {len(table.rows)}; {pairs[:1] or rows[len(table.rows) :][:1]}"
    return "right", ""


def cases(tables: dict[str, Pollution], number: int, seed: int) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """The table, the pollutions and the seed of every file: fixed ones first, then `number` random ones."""
    fixed = [*((name,) for name in CHANGES), *COMBINATIONS]
    yield from ((name, changes, i) for name in tables for i, changes in enumerate(fixed))
    rng = random.Random(seed)
    for i in range(number):
        changes = tuple(rng.sample(list(CHANGES), rng.randint(1, 4)))
        yield rng.choice(list(tables)), changes, seed * 1_000_003 + i


def main() -> int:
    options_parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_parser.add_argument("--random", type=int, default=500, help="number of random files (default 500)")
    options_parser.add_argument("--seed", type=int, default=0)
    options_parser.add_argument("--tables", type=Path, help="folder with tables */train.csv")
    options_parser.add_argument(
        "--show", choices=["refused", "wrong"], default="wrong", help="files to show (default wrong)"
    )
    options = options_parser.parse_args()
    sys.path.insert(0, str(ROOT))
    tables = read_tables(options.tables)
    counts: dict[str, Counter[str]] = {name: Counter() for name in [*CHANGES, "all"]}
    for name, changes, seed in cases(tables, options.random, options.seed):
        rng = random.Random(seed)
        table = pollute(tables[name], changes, rng)
        result, reason = outcome(table, table.data(rng))
        for change in (*changes, "all"):
            counts[change][result] += 1
        if result in ("wrong", options.show):
            print(f"{result}: {name}, {' + '.join(changes)}, seed {seed}: {reason}", file=sys.stderr)
    print(f"{'pollution':<22}{'files':>7}{'right':>8}{'refused':>9}{'wrong':>7}")
    for name, count in counts.items():
        total = count.total()
        print(f"{name:<22}{total:>7}{count['right'] / max(total, 1):>8.1%}{count['refused']:>9}{count['wrong']:>7}")
    return 1 if counts["all"]["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())

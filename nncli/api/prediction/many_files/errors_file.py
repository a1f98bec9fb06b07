"""The invalid cells of many files in one CSV, which is made of a part for each file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from nncli.data.encoders.invalid_cells import FILE_SCHEMA
from nncli.data.formats.registry import FileOptions, Format
from nncli.data.formats.writers import open_sink

PARTS = ".nncli-predict"
"""The folder of the parts in the output folder. They stay, for when further files are predicted."""


def part_of(output: Path, answer: str) -> Path:
    """The file of the invalid cells of one file, by the name of its answer."""
    return output / PARTS / f"{answer}.parquet"


def write_errors_file(path: Path, output: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write the invalid cells of files, each given by its name and the name of its answer, with a column `file`."""
    with open_sink(path, FileOptions(format=Format.CSV, force=True)) as sink:
        sink.write(pl.DataFrame(schema=FILE_SCHEMA))
        for name, answer in files:
            part = part_of(output, answer)
            if part.exists():
                cells = pl.read_parquet(part)
                sink.write(cells.insert_column(0, pl.Series("file", [name] * len(cells), pl.String)))

"""Run an exported C file: compile it with gcc, clang or cc, and give the program the rows as CSV."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nncli.data.columns.parsing import DATE_TYPES, TEXT_TYPES, read_text
from nncli.data.encoders.date import read_days
from nncli.data.table import Table
from nncli.exporters.runtimes.process import run_program

COMPILERS = ("gcc", "clang", "cc")
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
CHECKED = "\x1a"
"""Before a number or a date, so that it is read as it is, whatever the spelling of the training table was."""

NOT_NUL = "\ufffe"
"""Instead of U+0000: a character that no text of Unicode has."""

CLASSES = re.compile(rb"\n/\* Classes: (\w+) \*/\nstatic const char \*const classes\[\]")


def missing() -> str | None:
    """What has to be installed before a file can be run; None if nothing."""
    return None if _compiler() else "install gcc or clang"


def run(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The outputs of a file for rows, with the columns that `nncli predict` prints.

    Raises:
        ExportedFileError: the compiler refused the file, or the program a row.
    """
    with tempfile.TemporaryDirectory() as folder:
        return run_rows(compile_program(file, Path(folder)), rows, label_type(file))


def compile_program(file: Path, folder: Path, compiler: str | None = None, flags: Sequence[str] = FLAGS) -> Path:
    """Compile a file with `main` into a program in the folder."""
    program = folder / "model"
    command: list[str | Path] = [
        compiler or _compiler() or "cc",
        *flags,
        "-DMAIN",
        "-DCHECK",
        file,
        "-o",
        program,
        "-lm",
    ]
    run_program(command)
    return program


def label_type(file: Path) -> str | None:
    """The type of the classes that a file predicts; None if it predicts numbers, or probabilities alone."""
    match = CLASSES.search(file.read_bytes())
    return match and match[1].decode()


def run_rows(program: Path, rows: pl.DataFrame, label_type: str | None) -> pl.DataFrame:
    """The outputs of a compiled program for rows; `label_type` is that of its classes."""
    return read_answers(run_program([program], stdin=written(rows)), label_type)


def read_answers(printed: bytes, label_type: str | None) -> pl.DataFrame:
    """The outputs that a program prints as CSV."""
    # As a row: Polars leaves quotes in a header as they are, and renames its columns.
    lines = pl.read_csv(io.BytesIO(printed), has_header=False, infer_schema=False)
    return pl.DataFrame([_typed(cells[1:].alias(cells[0]), label_type) for cells in lines])


def _typed(answers: pl.Series, label_type: str | None) -> pl.Series:
    """A column of answers with its type."""
    if answers.name != "prediction" or label_type is None:
        return answers.cast(pl.Float64)
    match label_type:
        case "boolean":
            return answers == "true"
        case "integer":
            return answers.cast(pl.Int64)
        case "float":
            return answers.cast(pl.Float64)
    return answers.fill_null("")


def written(rows: pl.DataFrame) -> bytes:
    """The rows as CSV, in which numbers and dates are marked."""
    cells = [_marked(rows, name).fill_null(CHECKED) for name in rows.columns]
    header = pl.DataFrame([pl.Series(str(j), [name]) for j, name in enumerate(rows.columns)])
    body = pl.DataFrame([column.alias(str(j)) for j, column in enumerate(cells)])
    return "".join(part.write_csv(include_header=False, quote_style="always") for part in (header, body)).encode()


def _marked(rows: pl.DataFrame, name: str) -> pl.Series:
    """The cells of a column as text.

    U+0000, which ends a text of C, becomes another character that is in no category and in no word.
    """
    cells = rows[name]
    if cells.dtype in TEXT_TYPES:
        return cells.cast(pl.String).str.replace_all("\0", NOT_NUL, literal=True)
    table = Table(rows.select(pl.nth(rows.columns.index(name))), "the rows")
    if cells.dtype in DATE_TYPES:
        days = pl.Series(read_days(table, name, ("iso",))).fill_nan(None)
        return CHECKED + "d" + days.cast(pl.String)
    return CHECKED + read_text(table, name)


def _compiler() -> str | None:
    """The first compiler that is installed."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)

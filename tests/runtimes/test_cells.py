"""Odd cells of text: every target reads them as `nncli predict` does, or refuses them as it does.

ONNX takes numbers, so that its cells are converted before: see docs/howto/export-onnx.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import CellError
from nncli.data.dialect import CsvDialect
from nncli.data.number_and_date_forms import MONTH_FORMATS_OF_NEW_ROWS
from nncli.data.table import Table
from nncli.exporters.formats import ExportFormat, ModelInfo
from nncli.exporters.read_inputs import read_inputs
from nncli.exporters.runtimes import c_compiler
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import Program, build, run_nodes
from nncli.nn.program.values import Builder, is_nan, select
from tests.exporters.support import EXPORT_FORMATS
from tests.nn.program.support import number
from tests.runtimes.hostile import category_input

INFO = ModelInfo("cells", "ab" * 32, "1.0")
NUMBERS = (
    *("1,234", " 5 ", "５", "1e5", "−5", "+5", ".5", "5.", "1_000", "0x10", "inf", "-Infinity", "nan", "NaN", "NA"),
    *(
        "",
        " ",
        "\xa0",
        "\xa05\xa0",
        "1.234,5",
        "1.234.567",
        "1,234,567.8",
        "12,34",
        "1e",
        "e5",
        "1E+5",
        "1e-400",
        "--5",
    ),
    *(
        "TRUE",
        "yes",
        "1.0",
        "true",
        "No",
        "(5)",
        "5-",
        "$5",
        "5 %",
        "1/2",
        "1'000",
        "1 000",
        "٣",
        "½",
        "Ⅳ",
        "0b1",
        "1d",
    ),
    *("00012", "-0", "5e3.2", "1,2,3", "\t7\n", "\ufeff7", "9" * 400, "0." + "0" * 400 + "1", "NULL", "None", "#N/A"),
)
DATES = (
    *("2024-05-31", "2024-5-31", "20240531", "31.05.2024", "05/31/2024", "31/05/2024", "04/05/2024", "31 May 2024"),
    *("May 31, 2024", "2024-05-31T10:00", "2024-05-31 10:00:00.5Z", "2024-05-31T10:00+02:00", "2024-02-30", "24-05-31"),
    *(
        "2024/05/31",
        " 2024-05-31 ",
        "２０２４-05-31",
        "2024−05−31",
        "0000-01-01",
        "9999-12-31",
        "10000-01-01",
        "now",
        "NA",
    ),
    *("", " ", "\xa0", "1717113600", "2024-05", "2024", "2024-W22-5", "2024-05-31T24:00", "2024-05-31T23:59:60"),
)
SHORT_DATES = (
    *("14.08.24", "8/20/24", "24-07-24", "27/02/24 14:05", "01/02/24", "31.12.69", "01.01.70", "14-Aug-24", "99-12-31"),
    *(
        "14.08.2024",
        "8/20/2024",
        "05/06/2024",
        "05-06-2024",
        "14.8.4",
        "0.1.24",
        "31.02.24",
        "24-7-4 10:30 PM",
        "29.2.23",
    ),
)
MONTHS = (
    "2021-01",
    "2021-1",
    " 2021-12 ",
    "2021-13",
    "2021-00",
    "Jan 2021",
    "january 2021",
    "01/2021",
    "1/21",
    "2021-01 10:30",
    *("2021/01", "01-2021", "Jan-2021", "01.2021", "13.2021", "2021/13", "2021.01", "202101"),
)
CATEGORIES = (
    *("red", " red ", "RED", "Red", "\xa0red", "red\n", "３", "3", "3.0", "03", "+3", "3.", "3.00", "-4", "-4.0"),
    *("true", "TRUE", "yes", "1.0", "1", "", " ", "NA", "na", "null", "é", "e\u0301", "r\xadd", "red\0", "\ufeffred"),
)


def program_of_input(column: ProgramInput) -> Program:
    """The program that predicts what a cell is read as: -7 if it is missing."""
    builder = Builder()
    value = builder.input(column)
    result = select(is_nan(value), -7.0, value)
    return build(builder, number(result), "float64", ("", "NA"))


def by_predict(program: Program, cell: str | None) -> float | None:
    """What `nncli predict` reads; None if it refuses the cell."""
    rows = pl.DataFrame({"x": pl.Series([cell], dtype=pl.String)})
    words = tuple(("x", getattr(column, "missing_words", ())) for column in program.inputs)
    dialect = CsvDialect(decimal=program.decimal, thousands=program.thousands, missing_words=words)
    try:
        inputs = read_inputs(program, Table(rows, "rows", dialect=dialect))
    except CellError:
        return None
    return float(run_nodes(program, inputs)[program.output_nodes[0]][0, 0])


def runner_of(target: ExportFormat, file: Path) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The function that runs a file; of C it is compiled once."""
    if target.name == "c":
        program = c_compiler.compile_program(file, file.parent)
        return lambda rows: c_compiler.run_rows(program, rows, None)
    return partial(target.load_runner().run, file)


def by_target(run_rows: Callable[[pl.DataFrame], pl.DataFrame], cells: Sequence[str | None]) -> list[float | None]:
    """What an exported file reads; None of each cell that it refuses."""
    try:
        result = run_rows(pl.DataFrame({"x": pl.Series(cells, dtype=pl.String)}))
        return [float(value) for value in result.to_series()]
    except (ExportedFileError, CellError):
        if len(cells) == 1:
            return [None]
    middle = len(cells) // 2
    return by_target(run_rows, cells[:middle]) + by_target(run_rows, cells[middle:])


@pytest.mark.parametrize("target", EXPORT_FORMATS, ids=lambda target: target.name)
@pytest.mark.parametrize(("decimal", "thousands"), [(",", "."), (".", ",")])
def test_thousands_are_read_without_the_unit_as_by_predict(
    tmp_path: Path, target: ExportFormat, decimal: str, thousands: str
) -> None:
    program = replace(program_of_input(NumberInput("x", "km")), decimal=decimal, thousands=thousands)
    file = tmp_path / f"model{target.suffix}"
    file.write_bytes(target.content(program, INFO))
    marked = [f"1{thousands}068{thousands}000{decimal}5", f"-68{thousands}000", f"−68{thousands}000"]
    marked += [
        f"68{thousands}000.- km",
        f"5{decimal}\N{EN DASH} km",
        "5,-",
        f"7{decimal}50- km",
        f"1{decimal}00-",
        "5.- ",
    ]
    cells = [f"68{thousands}000 km", f"68{thousands}000", f"068{thousands}000{decimal}", f"(68{thousands}000)", *marked]
    assert (by_predict(program, cells[1]), by_predict(program, marked[1])) == (68000.0, -68000.0)
    assert by_target(runner_of(target, file), cells) == [by_predict(program, cell) for cell in cells]
    refused = f"1068{thousands}000"
    assert by_predict(program, refused) is None
    assert by_target(runner_of(target, file), [refused]) == [None]


@pytest.mark.parametrize("target", EXPORT_FORMATS, ids=lambda target: target.name)
@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (NumberInput("x"), NUMBERS),
        (NumberInput("x", reads_booleans=True), ("TRUE", "yes", "1.0", "true", "No", "on", "t", "0")),
        (
            NumberInput("x", missing_words=("k.A.", "-inf", "1")),
            ("k.A.", "-inf", "1", "1.0", "k.a.", "inf", " k.A.", "2"),
        ),
        (DateInput("x", ("iso",), missing_words=("k.A.",)), ("k.A.", "2024-05-31", "k.a.")),
        (NumberInput("x", "kg"), ("5 kg", "3.5kg", "5", "5 lb", "kg 5", "5 kg kg", "5 KG", "-2 kg", "1e3 kg")),
        (NumberInput("x", "m²"), ("5 m²", "5", "5 m2", "5 m")),
        (NumberInput("x", "%"), ("5 %", "5%", "% 5", "5", " 5 ", "5 %%", "５%", "1e5 %", "NA", "%")),
        (DateInput("x", ("iso",)), DATES),
        (DateInput("x", ("%d.%m.%Y",)), DATES),
        (DateInput("x", ("%d.%m.%y",)), (*DATES, *SHORT_DATES)),
        (DateInput("x", ("%m/%d/%y", "iso")), (*DATES, *SHORT_DATES)),
        (DateInput("x", ("%y-%m-%d", "%d-%B-%y")), (*DATES, *SHORT_DATES)),
        (DateInput("x", ("%Y-%m", *MONTH_FORMATS_OF_NEW_ROWS)), (*DATES, *MONTHS)),
        (category_input("x", ["red", "3", "-4", "é", "yes"]), CATEGORIES),
        (category_input("x", ["true", "False"]), CATEGORIES),
    ],
    ids=[
        "number",
        "boolean",
        "number words",
        "date words",
        "kg",
        "square meters",
        "percent",
        "iso",
        "day first",
        "short years",
        "short years, month first",
        "short years first",
        "months",
        "category",
        "truth",
    ],
)
def test_a_cell_is_read_as_by_predict(
    tmp_path: Path, target: ExportFormat, column: ProgramInput, cells: Sequence[str]
) -> None:
    program = program_of_input(column)
    file = tmp_path / f"model{target.suffix}"
    file.write_bytes(target.content(program, INFO))
    given = [None if cell in program.missing_values else cell for cell in cells]
    wanted = [by_predict(program, cell) for cell in given]
    readable = [cell for cell, value in zip(given, wanted, strict=True) if value is not None]
    refused = [cell for cell, value in zip(given, wanted, strict=True) if value is None]
    if target.name == "html":
        refused = refused[:2]  # a browser is started for each, and its code is that of js
    run_rows = runner_of(target, file)
    result = dict(zip(readable, by_target(run_rows, readable), strict=True))
    assert result == {cell: value for cell, value in zip(given, wanted, strict=True) if value is not None}
    assert {cell: by_target(run_rows, [cell]) for cell in refused} == {cell: [None] for cell in refused}

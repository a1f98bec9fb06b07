"""Cells that the exported module reads, beside those that `predict` reads: texts that are nearly numbers or dates."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nncli.data.columns.datetimes import parse_any_date
from nncli.data.columns.parsing import numbers_and_errors
from nncli.data.dialect import CsvDialect
from nncli.data.number_and_date_forms import MICROSECONDS_PER_DAY
from nncli.data.table import Table
from nncli.exporters.formats import ModelInfo
from nncli.exporters.read_inputs import read_input
from nncli.integrations.javascript.module import to_javascript
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import Program
from nncli.nn.program.values import Builder, is_nan, select
from tests.nn.program.support import target_numbers

INFO = ModelInfo("model", "0" * 64, "1.0")
MISSING = -1e99
"""What a program of `Reading` answers for NaN."""
SCRIPT = """
import { readFileSync } from "node:fs";
const answers = [];
for (const [i, cells] of JSON.parse(readFileSync(0, "utf8")).entries()) {
  const { CellError, predict } = await import(`./${i}.mjs`);
  answers.push(cells.map((cell) => {
    try {
      return Object.values(predict({ x: cell }));
    } catch (error) {
      if (!(error instanceof CellError) || error.column !== "x") throw error;
      return null;
    }
  }));
}
console.log(JSON.stringify(answers));
"""


@dataclass(frozen=True)
class Reading:
    """Cells of the column x, read with marks of numbers: `decimal` and `thousands`."""

    column: ProgramInput
    cells: Sequence[object]
    decimal: str = "."
    thousands: str | None = None

    @property
    def module(self) -> str:
        """A module that predicts the value of a cell itself, MISSING for NaN."""
        builder = Builder()
        x = builder.input(self.column)
        outputs = target_numbers(map(str, range(x.width)), select(is_nan(x), MISSING, x))
        nodes, widths = tuple(builder.nodes), tuple(builder.widths)
        marks = self.decimal, self.thousands
        return to_javascript(Program((self.column,), nodes, widths, outputs, "float64", ("",), *marks), INFO)

    @property
    def expected(self) -> list[list[float] | None]:
        """The values as `predict` reads the cells; None for a cell that it refuses."""
        dialect = CsvDialect(decimal=self.decimal, thousands=self.thousands)
        table = Table(pl.DataFrame({"x": self.cells}), "cells", dialect=dialect)
        refused = set[int]()
        if isinstance(self.column, NumberInput):
            reads_booleans = self.column.reads_booleans
            x, errors = numbers_and_errors(table, "x", self.column.unit, alternatives=True, booleans=reads_booleans)
            refused = {row for error in errors for row in error.rows.tolist()}
            values = x[:, None]
        elif isinstance(self.column, DateInput):
            moments = parse_any_date(table.column("x"), self.column.formats)
            whole, rest = np.divmod(moments.fill_null(0).to_numpy(), MICROSECONDS_PER_DAY)
            refused = set(moments.is_null().arg_true().to_list())
            values = (whole + rest / MICROSECONDS_PER_DAY)[:, None]
        else:
            values = read_input(self.column, table)
        rows = np.where(np.isnan(values), MISSING, values).tolist()
        return [None if i in refused else row for i, row in enumerate(rows)]


def read_in_node(folder: Path, readings: Sequence[Reading]) -> list[list[list[float] | None]]:
    """The values of the cells of each reading; None for a cell that its module refuses."""
    for i, reading in enumerate(readings):
        (folder / f"{i}.mjs").write_text(reading.module, "utf-8")
    answers: list[list[list[float] | None]] = run_script(folder, SCRIPT, [reading.cells for reading in readings])
    return answers


def run_script(folder: Path, script: str, stdin: object = None) -> Any:
    """What a script of the folder, which may import its modules, prints as JSON."""
    (folder / "script.mjs").write_text(script, "utf-8")
    done = subprocess.run(
        ["node", "script.mjs"], cwd=folder, input=json.dumps(stdin).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


NUMBER_PARTS = (
    *("0", "1", "12", "123", "1234", "000", "999", ",", ".", "'", "’", "_", " ", "\xa0", "\u202f", "+", "-", "−", "–"),
    *("e", "E5", "e-3", "$", "%", "EUR", "€", "(", ")", "inf", "nan", "-Infinity", "true", "FALSE", "\t", "\n"),
    *("\u3000", "\ufeff", "\x85", "x", "٣", ",000", ".500", "1.234", "1,234"),
)
SIGNS = ("", "", "-", "+", "−", " ", "(", "$", "$ ", "- $", "%", "EUR ")
GROUP_MARKS = (",", ".", "'", "’", "_", " ", "\xa0", "\u202f", "")
ENDINGS = ("", "", "e3", "E-2", "%", " %", "$", " EUR", ")", " ", "\n")


def number_texts(count: int, seed: str) -> list[str]:
    """Texts of which many are numbers with separators, signs and units."""
    generator = random.Random(seed)
    return [_number_text(generator) for _ in range(count)]


def _number_text(generator: random.Random) -> str:
    choose = generator.choice
    if generator.random() < 0.5:
        return "".join(generator.choices(NUMBER_PARTS, k=generator.randint(1, 6)))
    groups = [str(generator.randint(0, 999)).zfill(choose((1, 3, 3))) for _ in range(generator.randint(1, 4))]
    fraction = choose(("", ".", ",")) and f"{choose(('.', ','))}{generator.randint(0, 99_999)}"
    return choose(SIGNS) + choose(GROUP_MARKS).join(groups) + fraction + choose(ENDINGS)


DATE_PARTS = {
    "%Y": ("2024", "2024", "1999", "0024", "24", "+2024", "-2024", "9999", "0000", "10000", "0001", "+02024"),
    "%m": ("1", "01", "12", "13", "0", " 3", "2", "02", "11"),
    "%d": ("1", "01", "29", "30", "31", "32", "0", "13", "5", "12", " 7"),
    "%b": ("Jan", "feb", "MAR", "Sept", "May"),
    "%B": ("January", "feb", "JULY", "September", "Sept", "may", "ſep"),
    "%H": ("0", "00", "23", "24", "9"),
    "%I": ("0", "12", "1", "01", "13"),
    "%M": ("00", "59", "60", "5"),
    "%S": ("00", "59", "60", "61", "7"),
    "%.f": ("", ".5", ".123456", ".1234567891", "."),
    "%p": ("AM", "pm", "a.m."),
    "%z": ("Z", "+00:00", "-0530", "−01:00", "+25:00", "+23 59", "+02", " +01:00"),
    "%y": ("24", "99", "69", "70", "00"),
}
"""Values of directives, good ones and bad ones."""
CLOCKS = ("", "", "", " %H:%M", "T%H:%M:%S%.f", " %I:%M %p", " %H:%M%z", "T%H:%M:%S%.f%z", "  %I:%M:%S %p")
WRONG_CHARACTERS = ("x", " ", "1", "/", "-", "T", "Z", ":", "\n")
"""No point: Polars reads 01.02.9. as a date of the format %d.%m.%y."""


def date_texts(count: int, formats: Sequence[str], seed: str) -> list[str]:
    """Texts of which many are dates in the formats, and others have a value out of range or a wrong character."""
    generator = random.Random(seed)
    return [_date_text(generator, formats) for _ in range(count)]


def _date_text(generator: random.Random, formats: Sequence[str]) -> str:
    choose = generator.choice
    form = choose(formats).replace("iso", "%Y-%m-%d")
    form += "" if "%M" in form else choose(CLOCKS)
    text = re.sub(r"%\.f|%.", lambda result: choose(DATE_PARTS[result[0]]), form)
    if generator.random() < 0.1:
        at = generator.randint(0, len(text))
        text = text[:at] + choose(WRONG_CHARACTERS) + text[at + generator.randint(0, 1) :]
    return choose(("", "", "", " ", "\u3000")) + text

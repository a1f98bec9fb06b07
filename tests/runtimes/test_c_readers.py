"""Cells that exported C files read, beside those that `predict` reads."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from decimal import Decimal, localcontext
from math import isfinite
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.integrations.c.source_file import to_c
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program, build
from nncli.nn.program.values import Builder, is_nan, join, select
from tests.nn.program.support import target_numbers
from tests.runtimes.hostile import FRAGMENTS, category_input
from tests.runtimes.javascript_readers import INFO, MISSING, Reading, date_texts, number_texts
from tests.runtimes.test_c import CHECKED
from tests.runtimes.test_javascript import FORMATS, MARKS, UNITS

READ = """\
#define MAIN
#define main unused_main
#include "model.c"
#undef main

int main(void)
{{
    static struct row row;
    static char cell[1 << 20];
    static double values[{outputs}];
    int column, n;
    while ((column = getchar()) != EOF) {{
        for (n = 0; (cell[n] = (char)getchar()) != '\\0'; n++)
            ;
        if (!parse_cell(&row, column, cell)) {{
            puts("refused");
            continue;
        }}
        {predict};
        for (n = 0; n < {outputs}; n++)
            printf("%a ", values[n]);
        puts("");
    }}
    return 0;
}}
"""


def read_in_c(folder: Path, readings: Sequence[Reading]) -> list[list[list[float] | None]]:
    """The values of the cells of each reading, which have the same marks; None for a cell that is refused."""
    program = program_of([reading.column for reading in readings], readings[0])
    (folder / "model.c").write_text(to_c(program, INFO), "utf-8")
    outputs = program.widths[program.output_nodes[0]]
    predict = "values[0] = predict(&row)" if outputs == 1 else "predict(&row, (struct prediction *)(void *)values)"
    (folder / "read.c").write_text(READ.format(outputs=outputs, predict=predict))
    subprocess.run(["gcc", *CHECKED, str(folder / "read.c"), "-o", str(folder / "read"), "-lm"], check=True)
    cells = [(j, str(cell)) for j, reading in enumerate(readings) for cell in reading.cells]
    stdin = b"".join(bytes([j]) + cell.encode() + b"\0" for j, cell in cells)
    done = subprocess.run([str(folder / "read")], input=stdin, capture_output=True, check=True)
    lines = iter(done.stdout.decode().splitlines())
    starts = np.cumsum([0, *(reading.column.width for reading in readings)]).tolist()
    answers = []
    for j, reading in enumerate(readings):
        rows = [next(lines).split() for _ in reading.cells]
        forms = slice(starts[j], starts[j + 1])
        answers.append([None if row == ["refused"] else [float.fromhex(x) for x in row[forms]] for row in rows])
    return answers


def program_of(columns: Sequence[ProgramInput], marks: Reading) -> Program:
    """A program that predicts the values of its inputs, MISSING for NaN."""
    builder = Builder()
    # Columns have the same name in readings, and different ones in a table.
    named = [type(column)(**{**vars(column), "name": f"x{j}"}) for j, column in enumerate(columns)]
    x = join([builder.input(column) for column in named])
    outputs = target_numbers(map(str, range(x.width)), select(is_nan(x), MISSING, x))
    return build(builder, outputs, "float64", ("",), marks.decimal, marks.thousands)


def assert_read_as_by_predict(folder: Path, readings: Sequence[Reading]) -> None:
    for reading, result in zip(readings, read_in_c(folder, readings), strict=True):
        assert [*zip(reading.cells, result, strict=True)] == [*zip(reading.cells, reading.expected, strict=True)]


@pytest.mark.parametrize("marks", MARKS)
def test_numbers_in_text_are_read_as_by_predict(tmp_path: Path, marks: tuple[str, str | None]) -> None:
    kinds = [(unit, booleans) for unit in UNITS for booleans in (False, True)]
    readings = [
        Reading(NumberInput("x", *kind), [*number_texts(300, f"{kind} {marks}"), "a" * 2000], *marks) for kind in kinds
    ]
    assert_read_as_by_predict(tmp_path, readings)


def halves(count: int) -> list[str]:
    """Decimals that are exactly between two neighbors among the float64 numbers, or just beside the middle."""
    generator = random.Random(1)
    texts = []
    with localcontext() as context:
        context.prec = 1200
        for _ in range(count):
            bits = generator.getrandbits(generator.choice((62, 52, 8)))
            x = np.array(bits, np.uint64).view(np.float64)
            text = str((Decimal(float(x)) + Decimal(float(np.nextafter(x, np.inf)))) / 2)
            digits, exponent = f"{text}E".split("E")[:2]
            texts += [text, f"{digits}{'' if '.' in digits else '.'}{'0' * 30}1" + (exponent and f"E{exponent}")]
    return texts


def test_decimals_are_rounded_to_the_nearest_number(tmp_path: Path) -> None:
    generator = random.Random(0)
    sizes = [1, 2, 16, 17, 18, 20, 40, 300, 767, 768, 900]
    texts = [f"{generator.getrandbits(3300)}"[: generator.choice(sizes)] for _ in range(3000)]
    texts = [f"{text[:1]}.{text[1:]}e{generator.randint(-345, 308)}" for text in texts]
    edges = ["2.2250738585072011e-308", "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623158e308"]
    texts += [*edges, "9007199254740993", "0e999999999999", "1e-999999999999", "0." + "0" * 400 + "1e401"]
    cells = [text for text in [*texts, *halves(1000)] if len(text) <= 1000]
    (result,) = read_in_c(tmp_path, [Reading(NumberInput("x"), cells)])
    wanted = [[float(cell)] if isfinite(float(cell)) else None for cell in cells]
    assert [*zip(cells, result, strict=True)] == [*zip(cells, wanted, strict=True)]


def test_dates_are_read_as_by_predict(tmp_path: Path) -> None:
    every = sorted({form for forms in FORMATS for form in forms})
    readings = [
        Reading(
            DateInput("x", forms), date_texts(800, forms, str(forms)) + date_texts(800, every, f"{forms} or others")
        )
        for forms in FORMATS
    ]
    assert_read_as_by_predict(tmp_path, readings)


def test_categories_are_found_in_any_spelling(tmp_path: Path) -> None:
    generator = random.Random(2)
    all_categories = [["red", " blue", "3", "-4", "10.50", "007", "0"], ["True", "false"], [*FRAGMENTS]]
    spellings = ["", " ", "\t", "\u3000", "\xa0", ".0", ".00", ".", "0", "+", "-", "\ufeff"]
    readings = []
    for categories in all_categories:
        cells = [
            choose(spellings) + choose((str.upper, str.title, str))(choose(categories)) + choose(spellings)
            for choose in [generator.choice]
            for _ in range(1000)
        ]
        readings.append(Reading(category_input("x", categories), [cell for cell in cells if cell] + categories))
    assert_read_as_by_predict(tmp_path, readings)


@settings(max_examples=5)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=20))
def test_terms_are_counted_as_by_predict(tmp_path_factory: pytest.TempPathFactory, phrases: list[str]) -> None:
    column = TextInput("x", ("not", "good", "not good", "ς", "ß", "été", "2024", "good good", "όσος", "i\u0307"))
    generator = random.Random(len(phrases))
    parts = [*FRAGMENTS, *column.terms, "NOT", "Σ", "ΑΣ", "ς", "'", "\u0345", "\xad", "ÉTÉ", "İ", "ẞ", " ", " ", "-"]
    texts = ["".join(generator.choices(parts, k=generator.randint(1, 9))) for _ in range(1000)]
    cells = [*phrases, *texts, "NOT   good, not-good; Été", "ΌΣΟΣ Σ ΑΣ ς", "good " * 30_000]
    assert_read_as_by_predict(tmp_path_factory.mktemp("terms"), [Reading(column, cells)])

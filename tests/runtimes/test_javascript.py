"""The exported module in Node: cells, predictions, errors, and hostile names."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.data.columns.parsing import read_text
from nncli.data.dialect import CsvDialect
from nncli.data.table import Table
from nncli.exporters.read_inputs import read_inputs
from nncli.exporters.runtimes.node import run as run_in_node
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.integrations.javascript.module import to_javascript
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, TextInput
from nncli.nn.program.nodes import NODE_TYPES, Binary, BinaryFunction, Unary, UnaryFunction
from nncli.nn.program.program import Program, build, run_nodes
from nncli.nn.program.values import (
    Builder,
    absolute,
    cos,
    exp,
    floor,
    is_nan,
    join,
    log,
    maximum,
    minimum,
    round_to,
    select,
    sin,
    smallest_sum,
    sqrt,
    tanh,
)
from tests.nn.program.support import answers_of, number, target_numbers
from tests.runtimes import hostile
from tests.runtimes.javascript_readers import INFO, Reading, date_texts, number_texts, read_in_node, run_script
from tests.test_docs import ROOT, SHORT, blocks, copy
from tests.test_docs import run as run_command
from tests.thorough import every, partly

__all__ = ["copy"]

UNITS = (None, "$", "%", "EUR", "()")
MARKS = ((".", None), (",", None), (",", "."), (".", ","), (".", " "), (".", "'"), (",", "\xa0"))
FORMATS = (
    *(("iso",), ("%d.%m.%Y",), ("%m/%d/%Y",), ("%d/%m/%Y", "iso"), ("%d-%m-%Y", "%d/%m/%Y"), ("%d %B %Y",)),
    *(("%B %d, %Y", "%m-%d-%Y"), ("%d.%m.%Y %H:%M",), ("%m/%d/%y %I:%M:%S %p",), ("%Y%m%d",), ("%d%b%Y",)),
    *(("%y-%b-%d %H:%M:%S%.f%z",), ("%d/%m/%Y  %H:%M",), ("%Y.%m.%d", "%Y/%m/%d")),
)


def test_numbers_in_text_are_read_as_by_predict(tmp_path: Path) -> None:
    readings = [
        Reading(NumberInput("x", unit, booleans), number_texts(150, f"{unit} {marks} {booleans}"), *marks)
        for unit, marks, booleans in product(UNITS, MARKS, (False, True))
    ]
    for reading, result in zip(readings, read_in_node(tmp_path, readings), strict=True):
        assert [*zip(reading.cells, result, strict=True)] == [*zip(reading.cells, reading.expected, strict=True)]


def test_dates_are_read_as_by_predict(tmp_path: Path) -> None:
    every = sorted({form for forms in FORMATS for form in forms})
    readings = [
        Reading(
            DateInput("x", forms), date_texts(400, forms, str(forms)) + date_texts(400, every, f"{forms} or others")
        )
        for forms in FORMATS
    ]
    for reading, result in zip(readings, read_in_node(tmp_path, readings), strict=True):
        assert [*zip(reading.cells, result, strict=True)] == [*zip(reading.cells, reading.expected, strict=True)]


FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20).map(float)


@settings(max_examples=10)
@given(st.lists(FLOATS, min_size=20))
def test_a_number_is_the_category_that_predict_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float]
) -> None:
    texts = read_text(Table(pl.DataFrame({"x": pl.Series(numbers, dtype=pl.Float64)}), "numbers"), "x").to_list()
    codes = {text: i + 2 for i, text in enumerate(dict.fromkeys(texts))}
    column = CategoryInput("x", tuple(codes), tuple(codes.items()), (), (), len(codes) + 2, ())
    (result,) = read_in_node(tmp_path_factory.mktemp("texts"), [Reading(column, numbers)])
    assert result == [[codes[text]] for text in texts]


@settings(max_examples=10)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=20))
def test_terms_are_counted_as_by_predict(tmp_path_factory: pytest.TempPathFactory, phrases: list[str]) -> None:
    column = TextInput("x", ("not", "good", "not good", "ς", "ß", "été", "undefined not"))
    cells = [*phrases, *("NOT   good, not-good; Été", "ΌΣΟΣ Σ ΑΣ ς", "not undefined not", "good " * 3)]
    reading = Reading(column, cells)
    assert read_in_node(tmp_path_factory.mktemp("terms"), [reading]) == [reading.expected]


def predictions(program: Program, rows: pl.DataFrame) -> pl.DataFrame:
    """The predictions of the interpreter, in the columns of `predict`."""
    dialect = CsvDialect(decimal=program.decimal, thousands=program.thousands)
    values = run_nodes(program, read_inputs(program, Table(rows, "rows", dialect=dialect)))
    return pl.DataFrame(answers_of(program, values))


@settings(max_examples=25)
@given(st.data())
def test_hostile_programs_predict_as_the_interpreter(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    program = data.draw(hostile.programs())
    rows = data.draw(hostile.frames(program))
    file = tmp_path_factory.mktemp("hostile") / "model.js"
    file.write_text(to_javascript(program, INFO), "utf-8")
    wanted = predictions(program, rows)
    if wanted.select(pl.any_horizontal(pl.col(pl.Float64).is_nan().any())).item():
        with pytest.raises(ExportedFileError):
            run_in_node(file, rows)
        return
    result = run_in_node(file, rows)
    assert result.columns == wanted.columns
    for name, cells in zip(result.columns, wanted.get_columns(), strict=True):
        if cells.dtype == pl.String:
            assert result[name].to_list() == cells.to_list()
        else:
            np.testing.assert_array_max_ulp(result[name].to_numpy().astype("f4"), cells.to_numpy().astype("f4"), 2)


COLUMNS = (
    NumberInput("age", None, False, 0.0, 90.0, 41.0),
    hostile.category_input("city", ["Oslo", "Bergen", "3"], ["Voss"]),
    DateInput("day", ("%d.%m.%Y",), 0.0, 20000.0, 100.5),
    TextInput("note", ("good", "not good")),
)
REFUSALS = """
import { CellError, predict } from "./model.mjs";
const good = { age: 41, city: "Oslo", day: new Date("2024-05-31"), note: "not good" };
const { age, ...withoutAge } = good;
const rows = [
  { ...good, age: "abc" }, { ...good, age: Infinity }, { ...good, age: {} }, { ...good, age: Symbol("x") },
  { ...good, age: 1e300 }, { ...good, day: new Date(NaN) }, { ...good, day: "31.31.2024" }, { ...good, city: [] },
  { ...good, note: new Date() }, { ...withoutAge, Age: 1 }, withoutAge, null, 3, [good],
];
const message = (row) => {
  try {
    return predict([good, row]);
  } catch (error) {
    if (!(error instanceof CellError)) throw error;
    return [error.row, error.column ?? null, error.message];
  }
};
console.log(JSON.stringify(rows.map(message)));
"""


def test_what_cannot_be_read_is_refused_with_row_column_value_and_what_is_expected(tmp_path: Path) -> None:
    program = hostile.program_of(COLUMNS, ["A", "B"])
    (tmp_path / "model.mjs").write_text(to_javascript(program, INFO), "utf-8")
    result = run_script(tmp_path, REFUSALS)
    columns = [*["age"] * 4, None, "day", "day", "city", "note", "age", "age", None, None, None]
    assert [(row, column) for row, column, _ in result[:4] + result[5:]] == [(2, c) for c in columns[:4] + columns[5:]]
    assert result[0][2].startswith('row 2, column "age": "abc" is not a finite number')
    assert '"Age"' in result[9][2]


TOO_FAR = """
import { predict } from "./model.mjs";
const column = (row) => { try { return predict(row); } catch (error) { return error.column ?? null; } };
console.log(JSON.stringify([{ x: 1, d: "2024-05-31" }, { x: 1e300, d: "1970-01-01" }].map(column)));
"""


def test_a_number_is_not_blamed_for_a_row_without_a_prediction_whatever_its_numbers_are(tmp_path: Path) -> None:
    builder = Builder()
    x, day = builder.input(NumberInput("x")), builder.input(DateInput("d", ("iso",)))
    far = select(is_nan(x), 0.0, x * 1e300) * 0.0 + day * 1e306 * 0.0
    program = build(builder, number(far), "float64")
    (tmp_path / "model.mjs").write_text(to_javascript(program, INFO), "utf-8")
    assert run_script(tmp_path, TOO_FAR) == [None, "x"]


EQUAL_SPELLINGS = """
import { predict } from "./model.mjs";
const rows = [
  { age: 41, city: "3", day: new Date("2024-05-31T12:00:00Z"), note: "not good" },
  { age: "41.0", city: 3, day: "31.05.2024 12:00", note: "Not GOOD!" },
  { age: 41n, city: " 3.0 ", day: "2024-05-31T14:00+02:00", note: "not  good" },
  { note: "not good", day: "20240531 12:00", city: 3n, age: " 41 ", other: {} },
];
const missing = [null, undefined, NaN, "", "NA"].map((cell) => ({ age: cell, city: cell, day: cell, note: cell }));
console.log(JSON.stringify([predict(rows), rows.map((row) => predict(row)), predict(missing)]));
"""


def test_equal_cells_have_equal_predictions_in_any_spelling_alone_or_in_an_array(tmp_path: Path) -> None:
    (tmp_path / "model.mjs").write_text(to_javascript(hostile.program_of(COLUMNS, ["A", "B"]), INFO), "utf-8")
    together, alone, missing = run_script(tmp_path, EQUAL_SPELLINGS)
    assert together == alone == [together[0]] * 4
    assert missing == [missing[0]] * 5
    assert missing[0] != together[0]


FUZZ = """
import { readFileSync } from "node:fs";
const { modules, names } = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
for (const [i, own] of names.entries()) {
  const { predict, inputs, model, ...others } = await import(`./${modules[i]}`);
  const row = Object.create(null);
  own.forEach((name, j) => (row[name] = own[(j * 7) % own.length]));
  const { prediction, probabilities } = predict(row);
  const told = JSON.stringify([inputs.map(({ name }) => name), inputs[0].categories, model.classes, model.name]);
  const isTold = told === JSON.stringify([own, own, own, own[0]]) && Object.keys(others).join() === "CellError";
  answers.push(isTold ? [prediction, own.map((label) => probabilities[label])] : told);
}
console.log(JSON.stringify(answers));
"""


@partly
@pytest.mark.parametrize("part", range(0, 4, every(4)))
def test_no_name_category_label_or_missing_value_breaks_out_of_the_module(tmp_path: Path, part: int) -> None:
    texts = hostile.texts(20_000)[part::4]
    groups = [texts[i : i + 20] for i in range(0, len(texts), 20)]
    programs, modules = [], []
    for i, forms in enumerate(groups):
        columns = [hostile.category_input(name, forms) for name in forms]
        program = replace(
            hostile.program_of(columns, forms, [forms[-1]]), missing_values=("", *(f"{forms[3]}{j}" for j in range(3)))
        )
        modules.append(f"{i}.mjs")
        (tmp_path / modules[-1]).write_text(to_javascript(program, replace(INFO, name=forms[0])), "utf-8")
        programs.append(program)
    result = run_script(tmp_path, FUZZ, {"modules": modules, "names": groups})
    for forms, program, answer in zip(groups, programs, result, strict=True):
        row = {name: [forms[j * 7 % len(forms)]] for j, name in enumerate(forms)}
        wanted = predictions(program, pl.DataFrame(row))
        assert answer[0] == wanted["prediction"][0]
        np.testing.assert_allclose(answer[1], wanted.row(0)[1:], rtol=1e-12)


PAGE = (ROOT / "docs" / "howto" / "export-javascript.md").read_text("utf-8")


def test_the_examples_of_the_documentation_run_in_node_and_in_a_browser(copy: Path) -> None:
    (export,), (script,), (page,), (printed,) = (list(blocks(kind, PAGE)) for kind in ("sh", "js", "html", "text"))
    run_command(["bash", "-euo", "pipefail", "-c", export], copy, **SHORT)
    (copy / "example.mjs").write_text(script, "utf-8")
    wanted = re.sub(r"^\w+ true", "CLASS true", printed)
    assert re.sub(r"^\w+ true", "CLASS true", run_command(["node", "example.mjs"], copy)) == wanted
    (copy / "page.html").write_text(page, "utf-8")
    handler = partial(SilentHandler, directory=str(copy))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
        result = run_command(["chromium", *options, f"http://127.0.0.1:{server.server_port}/page.html"], copy)
        server.shutdown()
    assert re.search(r">(Adelie|Chinstrap|Gentoo), \d+ %</output>", result)


class SilentHandler(SimpleHTTPRequestHandler):
    """Files, without a line for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


def every_operation() -> Program:
    """A program with every operation and function, also of one number, and of NaN and infinite numbers."""
    builder, generator = Builder(), np.random.default_rng(3)
    x, y = builder.input(NumberInput("x")), builder.input(NumberInput("y"))
    row = join([x, y, x * y, x - 3.0, 1.0 / y, y * 0.1])
    unary = [exp(row), log(row), sqrt(row), tanh(row), sin(row), cos(row), floor(row), absolute(row), is_nan(row)]
    rounded = round_to("float32", row)
    binary = [row + x, 2.0 - row, row * row, row / y, minimum(row, x), maximum(row, 0.5), row > y, row >= rounded]
    chosen = [select(row > 0.0, x, row), select(x > y, row, 1.0), select(x > 0.0, 1.0, 2.0)]
    products = [row @ generator.normal(size=(6, 5)), row @ generator.normal(size=(6, 1)).astype("f4")]
    products += [row.grouped_matmul(generator.normal(size=(2, 3, 4))), x @ generator.normal(size=(1, 3))]
    places = [x.count_up_to([-1.0, 0.5, 0.5, 9.0]), row.columns([5, 5, -1, 0, 1, 2]), row.columns([0, 2, 4])]
    places += [x.count_up_to([0.0]).look_up(generator.normal(size=(2, 3)))]
    reduced = [row.sum(), row.max(), row.argmax(), row.sort(3), row.sort(2), x.sum(), x.argmax()]
    scores = [np.sort(generator.normal(size=n)) for n in (1, 40, 7)]
    there = select(is_nan(x), 0.0, x)  # a row without shifts has no prediction, and is refused
    shifts = join([there, select(is_nan(y), 1.0, y), there + 0.5])
    reduced += [smallest_sum(shifts, None, scores, rank) for rank in (1, 24, 48)]
    reduced += [smallest_sum(shifts, absolute(shifts), scores, rank) for rank in (2, 30)]
    value = join([*unary, rounded, *binary, *chosen, *products, *places, *reduced])
    filled = select(is_nan(value), -12345.0, value)
    return build(builder, target_numbers(map(str, range(filled.width)), filled), "float64")


def test_every_operation_and_function_is_that_of_the_interpreter(tmp_path: Path) -> None:
    program = every_operation()
    assert {type(node) for node in program.nodes} == {*NODE_TYPES}
    assert {node.function for node in program.nodes if isinstance(node, Unary)} == {*get_args(UnaryFunction)}
    assert {node.function for node in program.nodes if isinstance(node, Binary)} == {*get_args(BinaryFunction)}
    numbers = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.25, 700.0, -750.0, 1e-300, 1e300, -1e17, 3.0, None]
    pairs = [*product(numbers, numbers)]
    rows = pl.DataFrame(
        {"x": [x for x, _ in pairs], "y": [y for _, y in pairs]}, schema={"x": pl.Float64, "y": pl.Float64}
    )
    file = tmp_path / "model.mjs"
    file.write_text(to_javascript(program, INFO), "utf-8")
    result, wanted = run_in_node(file, rows), predictions(program, rows)
    assert result.columns == wanted.columns
    np.testing.assert_allclose(result.to_numpy(), wanted.to_numpy(), rtol=1e-13, atol=1e-300)

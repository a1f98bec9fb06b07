"""Programs as pages in a real Chromium, and their predictions by the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from playwright.sync_api import Browser, Page

from nncli.data.table import Table
from nncli.exporters.formats import ModelInfo
from nncli.exporters.read_inputs import read_inputs
from nncli.integrations.html.page import to_html
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program, run_nodes
from nncli.targets.output_columns import IntervalNodes
from tests.nn.program.support import answers_of
from tests.runtimes.hostile import category_input, program_of
from tests.web_page import Scheme, visit

INFO = ModelInfo("penguins", "ab12" * 16, "1.0")
COLUMNS: tuple[ProgramInput, ...] = (
    NumberInput("mass", None, False, 2700.0, 6300.0, 4050.0),
    NumberInput("price", "$", False, 0.5, 900.0, 20.5),
    NumberInput("discount", "%", False, 0.0, 80.0, 12.0),
    NumberInput("temperature", None, False, -20.0, 41.0, 9.25),
    replace(category_input("island", ["Biscoe", "Dream", "Torgersen"]), typical="Dream"),
    replace(category_input("shop", [f"S{i:03}" for i in range(300)]), typical="S003"),
    DateInput("day", ("iso",), 13000.0, 14500.0, 13900.0),
    DateInput("visit", ("iso",), 13000.0, 14500.25, 13900.5),
    TextInput("comment", ("good", "not good", "bad"), is_optional=True),
)
TYPICAL = {
    **{"mass": 4050.0, "price": 20.5, "discount": 12.0, "temperature": 9.25, "island": "Dream", "shop": "S003"},
    **{"day": "2008-01-22", "visit": "2008-01-22 12:00", "comment": None},
}
CLASSES = program_of(COLUMNS, ["Adelie", "Chinstrap", "Gentoo"], ["species"])


def with_interval(program: Program) -> Program:
    """The program with its own predictions as bounds, and a second target as a wider one."""
    (column,) = program.outputs
    bounds = IntervalNodes(0.9, column.node, column.node).columns([column.target])
    return replace(program, outputs=(column, *bounds))


NUMBERS = with_interval(program_of(COLUMNS, (), ["weight"]))
TARGETS = program_of(COLUMNS[:4], (), ["x", "y"])
MANY_CLASSES = program_of(COLUMNS[:4], [f"class {i}" for i in range(30)], ["kind"])
HOSTILE = program_of(
    [
        *(NumberInput("x" * 200), NumberInput("ab " * 70), NumberInput("</script><script>alert(1)</script>", "€")),
        category_input("עברית مرحبا", ["</option></select>", "\u202eabc", "a\nb", "👩\u200d👧", "w" * 200]),
    ],
    ["</script>", "é" * 200, "שלום"],
    ["</title>"],
)
PROGRAMS = {"classes": CLASSES, "numbers": NUMBERS, "targets": TARGETS, "many": MANY_CLASSES, "hostile": HOSTILE}


def predicted(program: Program, row: Mapping[str, object]) -> dict[str, Any]:
    """The prediction of a row by NumPy, of each target, or with the probabilities."""
    frame = pl.DataFrame({name: [cell] for name, cell in row.items()})
    answers = answers_of(program, run_nodes(program, read_inputs(program, Table(frame, "rows"))))
    names = {c.title: c.target if c.role == "value" else c.title.removeprefix("proba_") for c in program.outputs}
    return {names[title]: cells[0] for title, cells in answers.items()}


@contextmanager
def opened(
    browser: Browser, program: Program, folder: Path, *, width: int = 1280, scheme: Scheme = "light"
) -> Iterator[Page]:
    """The page of a program, whose console must stay empty and which must ask for nothing but itself."""
    file = folder / "page.html"
    file.write_bytes(to_html(program, INFO).encode())
    with visit(browser, file.as_uri(), width=width, scheme=scheme) as visited:
        yield visited.page
    assert visited.messages == []
    assert [url for url in visited.urls if not url.startswith("blob:")] == [file.as_uri()]

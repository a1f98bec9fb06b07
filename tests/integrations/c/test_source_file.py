from __future__ import annotations

import re

import numpy as np
import pytest

from nncli.base.errors import UsageError
from nncli.exporters.formats import ModelInfo
from nncli.integrations.c.source_file import to_c
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program, build
from nncli.nn.program.values import Builder, join
from tests.nn.program.support import number
from tests.runtimes.hostile import category_input, program_of, texts

INFO = ModelInfo("runs/sales", "0123abcd", "1.0")
INPUTS: list[ProgramInput] = [
    NumberInput("age"),
    category_input("city", ["Oslo", "Rome"]),
    DateInput("born", ("iso",)),
    TextInput("notes", ("good", "not good")),
]


@pytest.mark.slow
def test_a_file_declares_a_row_and_its_prediction() -> None:
    source = to_c(program_of(INPUTS), INFO)
    assert "    double age; /* age: NAN if it is missing */\n    enum city city; /* city: see enum city */\n" in source
    assert "\ndouble predict(const struct row *row);\n" in source
    assert "int read_notes(const char *cell, const char **value);" in source
    assert source.startswith("/* runs/sales: a model that nncli 1.0 exported.\n")


@pytest.mark.slow
def test_no_library_but_that_of_mathematics_is_included_outside_of_main() -> None:
    source = to_c(program_of(INPUTS), INFO)
    library, main = source.split("#ifdef MAIN")
    assert re.findall(r"#include <(\w+)\.h>", library) == ["float", "math", "stddef", "stdint"]
    assert re.findall(r"#include <(\w+)\.h>", main) == ["stdio", "stdlib"]


def test_only_the_functions_that_a_model_needs_are_in_its_file() -> None:
    source = to_c(program_of([category_input("city", ["Oslo", "Rome"])]), INFO)
    assert "category_of" in source
    assert "parse_date" not in source
    assert "count_terms" not in source
    assert len(source) < 30_000


def test_a_text_column_that_the_network_does_not_read_has_no_vocabulary() -> None:
    builder = Builder()
    builder.input(TextInput("notes", ()))
    program = build(builder, number(builder.input(NumberInput("age"))), "float64")
    source = to_c(program, INFO)
    assert not any(word in source for word in ("struct vocabulary", "lower_case_texts", "cased"))


def test_weights_take_at_most_six_times_their_bytes() -> None:
    builder = Builder()
    x = join([builder.input(NumberInput(f"x{i}")) for i in range(20)])
    W = np.random.default_rng(0).normal(size=(20, 5000)).astype(np.float32)
    program = build(builder, number((x @ W).sum()), "float32")
    assert len(to_c(program, INFO)) < 4 * W.nbytes + 50_000


@pytest.mark.slow
def test_the_names_of_hostile_columns_and_classes_stay_in_comments_and_strings() -> None:
    names = texts(400)
    inputs = [NumberInput(name) for name in names[:200]] + [category_input("c", names[200:])]
    source = to_c(program_of(inputs, names), INFO)
    code = re.sub(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)+'|/\*.*?\*/""", "", source, flags=re.DOTALL)
    assert code.isascii()
    assert not re.search(r"</script>|\\\n|\?\?", code)


@pytest.mark.parametrize(
    "program",
    [
        program_of([NumberInput("a\0")]),
        program_of([category_input("c", ["x\0y", "x"])]),
        program_of(INPUTS, ["a\0", "a"]),
        program_of(INPUTS, targets=["y", "\0"]),
    ],
)
def test_a_text_with_a_nul_is_refused(program: Program) -> None:
    with pytest.raises(UsageError, match="NUL"):
        to_c(program, INFO)

"""Exported Python files: the same program, the same answers, and no way out of a literal."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.data.table import Table
from nncli.exporters.formats import ModelInfo
from nncli.exporters.read_inputs import read_inputs
from nncli.integrations.python.source_file import to_python
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.nodes import ConstantNode
from nncli.nn.program.program import Program, build, run_nodes
from nncli.nn.program.values import Builder, Value
from tests.integrations.python.support import INFO, imported
from tests.nn.program.support import answers_of, number
from tests.runtimes.hostile import category_input, frames, program_of, programs, texts

PER_FILE = 1000
"""Hostile texts in a file."""


@pytest.mark.slow
@settings(max_examples=12)
@given(st.data())
def test_an_exported_file_has_the_same_program_and_answers_as_the_interpreter_does(data: st.DataObject) -> None:
    program = data.draw(programs())
    table = data.draw(frames(program))
    exported = imported(program)

    copy = exported.PREDICTOR.program
    slim = [replace(item, representatives=()) if isinstance(item, CategoryInput) else item for item in program.inputs]
    assert repr(copy.inputs) == repr(tuple(slim))
    assert repr(copy.outputs) == repr(program.outputs)
    assert (copy.missing_values, copy.decimal, copy.thousands) == (
        *(program.missing_values, program.decimal, program.thousands),
    )
    for copied, original in zip(copy.nodes, program.nodes, strict=True):
        if isinstance(original, ConstantNode):
            np.testing.assert_array_equal(copied.values, original.values.astype(np.float64), strict=True)
        else:
            assert repr(copied) == repr(original)

    wanted = answers_of(program, run_nodes(program, read_inputs(program, Table(table, "t"))))
    answers: dict[str, Any] = exported.predict({cells.name: cells.to_list() for cells in table})
    assert {title: cells.tolist() for title, cells in answers.items()} == wanted


@pytest.mark.slow
def test_hostile_texts_stay_names_labels_and_categories() -> None:
    check_hostile_texts(texts(2 * PER_FILE))


def check_hostile_texts(hostile: list[str]) -> None:
    """Assert that texts are the same in exported files, whatever they are of a program; see tests/runtimes."""
    for start in range(0, len(hostile), PER_FILE):
        part = hostile[start : start + PER_FILE]
        columns: list[ProgramInput] = [
            NumberInput(part[0]),
            category_input(part[1], part),
            TextInput(part[2], tuple(part[3:5])),
        ]
        columns += [NumberInput(name) for name in part[3:]]
        program = replace(program_of(columns, part, [part[-1]]), missing_values=("", part[5]), decimal=part[6])
        exported = imported(program, ModelInfo(part[7], part[8], part[9]))
        copied = exported.PREDICTOR.program
        assert exported.PREDICTOR.names == tuple(part)
        assert copied.outputs[0].labels == copied.inputs[1].categories == tuple(part)
        assert (copied.missing_values, copied.decimal) == (program.missing_values, part[6])
        answer = exported.predict(dict.fromkeys(part, None) | {part[1]: part[10]})
        assert list(answer) == ["prediction", *(f"proba_{label}" for label in part)]
        assert answer["prediction"] in part


@pytest.mark.slow
def test_a_file_has_hostile_texts_as_ascii_and_defines_no_name_twice() -> None:
    text = to_python(program_of([category_input("é", ["日本", "😀"])], ["a", "б"]), INFO)
    assert text.partition("PREDICTOR = ")[2].isascii()
    names = Counter[str]()
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
        flat = [part for target in targets for part in getattr(target, "elts", [target])]
        names.update(getattr(part, "id", getattr(part, "name", "")) for part in flat)
    assert [name for name, count in names.items() if name and count > 1] == []
    assert "nncli" not in {name.partition(".")[0] for name in imports_of(text)}


def imports_of(text: str) -> set[str]:
    result = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            result |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            result.add(node.module or "")
    return result


def test_weights_take_no_more_than_their_base64() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    W = np.random.default_rng(1).normal(size=(1, 100_000)).astype(np.float32)
    small, large = (program_with(builder, x @ W[:, :width]) for width in (1, 100_000))
    assert len(to_python(large, INFO)) - len(to_python(small, INFO)) < 1.36 * W.nbytes


def program_with(builder: Builder, value: Value) -> Program:
    return build(builder, number(value), "float32")


def test_the_beginning_of_a_file_says_what_it_is_and_how_it_is_used() -> None:
    columns: list[ProgramInput] = [
        NumberInput("age", typical=41.0),
        category_input("città", ["Oslo", "Rome"]),
        DateInput("since", ("iso",), typical=15000.5),
        TextInput("review", ("good",)),
    ]
    exported = imported(program_of(columns, targets=["wage"]))
    for words in ("'wage'", "'città'", "'penguins'", "0123abcd", "nncli 1.0", "THIS_FILE.py new.csv", "NumPy"):
        assert words in exported.__doc__
    (example,) = [line for line in exported.__doc__.splitlines() if line.startswith("    predict(")]
    row = ast.literal_eval(example.strip()[len("predict(") : -1])
    assert row == {"age": 41.0, "città": "Oslo", "since": "2011-01-26", "review": "some words"}
    assert list(exported.predict(row)) == ["prediction"]


def test_a_file_is_loaded_as_a_module_that_is_in_no_table_of_modules(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(to_python(program_of([NumberInput("x")], ["a", "b"]), INFO))
    spec = spec_from_file_location("model_of_nowhere", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "model_of_nowhere" not in sys.modules
    assert module.predict({"x": 1.0})

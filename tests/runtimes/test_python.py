"""Exported Python files as scripts and modules of other interpreters, some with an old NumPy."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.data.table import Table
from nncli.exporters.read_inputs import read_inputs
from nncli.exporters.runtimes import process as python
from nncli.integrations.python.source_file import to_python
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import Program, run_nodes
from tests.integrations.python.support import INFO
from tests.integrations.python.test_source_file import check_hostile_texts
from tests.nn.program.support import answers_of
from tests.runtimes.hostile import frames, program_of, programs, texts, titles_of

OTHERS = filter(None, os.environ.get("TEST_PYTHONS", "").split(os.pathsep))
"""Other interpreters that have NumPy, which a variable names."""


@pytest.mark.parametrize("interpreter", [None, *OTHERS])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_hostile_programs_and_tables_have_the_answers_of_the_interpreter(
    tmp_path: Path, interpreter: str | None, data: st.DataObject
) -> None:
    program: Program = data.draw(programs())
    table = data.draw(frames(program))
    file = tmp_path / "model.py"
    file.write_text(to_python(program, INFO), "utf-8")
    result = python.run(file, table, interpreter)
    values = run_nodes(program, read_inputs(program, Table(table, "t")))
    wanted = answers_of(program, values)
    assert result.columns == titles_of(program)
    if program.outputs[0].labels:
        assert result["prediction"].to_list() == wanted.pop("prediction")
        result = result[result.columns[1:]]
    numbers = np.column_stack([*wanted.values()]).astype(np.float32)
    np.testing.assert_array_max_ulp(result.to_numpy().astype(np.float32), numbers, maxulp=1)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_script_reads_and_writes_csv(tmp_path: Path, data: st.DataObject) -> None:
    program = data.draw(programs())
    plain = [replace(item, unit=None) if isinstance(item, NumberInput) else item for item in program.inputs]
    program = replace(program, inputs=tuple(plain), decimal=".", thousands=None)
    table = data.draw(frames(program))
    file = tmp_path / "model.py"
    file.write_text(to_python(program, INFO), "utf-8")
    result = script(file, table.write_csv().encode())
    assert result.returncode == 0, result.stderr
    lines = pl.read_csv(result.stdout, has_header=False, infer_schema=False)
    assert lines.height == 1 + table.height
    assert [cells[0] for cells in lines] == titles_of(program)
    if labels := program.outputs[0].labels:
        assert {*lines[1:, 0]} <= {*labels}


def script(file: Path, table: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-I", file, "-"], input=table, capture_output=True, check=False)


def simple(tmp_path: Path) -> Path:
    file = tmp_path / "model.py"
    file.write_text(to_python(program_of([NumberInput("x")]), INFO), "utf-8")
    return file


def test_a_script_says_which_row_cannot_be_read(tmp_path: Path) -> None:
    result = script(simple(tmp_path), b"x\n1\n\xc3\xa9\n")
    assert result.returncode == 4
    assert "error: row 2, column 'x': 'é' is not a number" in result.stderr.decode()


def test_a_script_ends_quietly_when_its_reader_does(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_text("x\n" + "1\n" * 50_000)
    command = f'"{sys.executable}" -I "{simple(tmp_path)}" "{tmp_path / "big.csv"}" | head -n 1'
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert (result.stdout, result.stderr) == (b"prediction\n", b"")


def test_twenty_thousand_hostile_texts_stay_names_labels_and_categories() -> None:
    check_hostile_texts(texts(20_000))

"""ONNX models in ONNX Runtime, of the extra runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.table import Table
from nncli.exporters.formats import ModelInfo
from nncli.exporters.read_inputs import read_inputs
from nncli.exporters.runtimes import onnxruntime as runner
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.integrations.onnx.model import to_onnx
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program, run_nodes
from tests.nn.program.support import answers_of
from tests.runtimes.hostile import category_input, frames, key_of, program_of, programs, texts, titles_of

INFO = ModelInfo("penguins", "ab" * 32, "1.2.3")


def check(program: Program, rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """The answers of ONNX Runtime, after comparing them with those of the interpreter."""
    file = folder / "model.onnx"
    file.write_bytes(to_onnx(program, INFO))
    result = runner.run(file, rows)
    table = Table(rows, "rows", dialect=CsvDialect(decimal=program.decimal, thousands=program.thousands))
    wanted = answers_of(program, run_nodes(program, read_inputs(program, table)))
    assert result.columns == titles_of(program)
    for column in program.outputs:
        if column.role == "class":
            assert result[column.title].to_list() == wanted[column.title]
        else:
            smallest = 1e-300 if column.labels else 1e-13
            assert_allclose(result[column.title], wanted[column.title], rtol=1e-12, atol=smallest)
    return result


def knows_missing(program: Program) -> bool:
    """Whether a missing value is a category too, as in no table."""
    categorical = [c for c in program.inputs if isinstance(c, CategoryInput)]
    return any(text in program.missing_values for c in categorical for text, _ in (*c.texts, *c.keys, *c.folded_keys))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hostile_programs_and_tables_are_computed_as_by_the_interpreter(data: st.DataObject, tmp_path: Path) -> None:
    program = data.draw(programs())
    assume(not knows_missing(program))
    check(program, data.draw(frames(program)), tmp_path)


def test_every_hostile_text_is_read_as_a_category(tmp_path: Path) -> None:
    words = list({key_of(word): word for word in (*texts(2000), "a\0b", "a\0c") if key_of(word)}.values())
    program = program_of([category_input("c", words[::2])], words[:3])
    result = check(program, pl.DataFrame({"c": [*words, None, *(f" {word}\t" for word in words)]}), tmp_path)
    assert len(set(result["proba_" + words[0]].to_list())) > len(words) // 2


def test_hostile_names_are_those_of_inputs_and_labels(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count = 20_000 if "thorough" in str(request.config.option.markexpr) else 500
    words = texts(count)
    for start in range(0, count, 250):
        some = words[start : start + 250]
        columns = [NumberInput(word) if i % 2 else category_input(word, some[:4]) for i, word in enumerate(some)]
        cells = ([float(i), None] if i % 2 else [some[i % 4], "?"] for i in range(len(some)))
        rows = pl.DataFrame(dict(zip(some, cells, strict=True)))
        check(program_of(columns, some, some[:1]), rows, tmp_path)
        check(program_of(columns[:9], targets=some), rows, tmp_path)


def test_columns_of_all_kinds_and_batches_of_rows(tmp_path: Path) -> None:
    columns: list[ProgramInput] = [
        *(NumberInput("x", "EUR"), category_input("c", ["True", "False"]), category_input("n", ["1", "20"])),
        *(DateInput("d", ("%d.%m.%Y",)), TextInput("t", ("good", "not good"))),
    ]
    rows = pl.DataFrame(
        {
            "x": ["1,5 EUR", "EUR 2", None, "-3"],
            "c": ["true", " FALSE", None, "neither"],
            "n": [1.0, 20.0, None, 3.0],
            "d": ["31.12.1969", "2024-02-29", None, "1. 1. 2000".replace(" ", "")],
            "t": ["Not good, not GOOD!", "", None, "good " * 50],
        }
    )
    program = program_of(columns, ["u", "v"])
    many = pl.concat([rows] * 300)
    result = check(Program(**{**vars(program), "decimal": ","}), many, tmp_path)
    assert result.height == 1200
    assert result["prediction"].dtype == pl.String


def test_no_row_gives_no_prediction(tmp_path: Path) -> None:
    program = program_of([NumberInput("x"), category_input("c", ["a"])], ["u", "v"])
    rows = pl.DataFrame({"x": [], "c": []}, schema={"x": pl.Float64, "c": pl.String})
    assert check(program, rows, tmp_path).columns == ["prediction", "proba_u", "proba_v"]


def test_an_infinite_number_has_no_label() -> None:
    import onnxruntime

    program = program_of([NumberInput("x")], ["u", "v"])
    session = onnxruntime.InferenceSession(to_onnx(program, INFO), providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(None, {"x": np.array([[np.inf], [1.0]])})
    assert labels[0] == ""
    assert labels[1] in ("u", "v")
    assert np.isnan(probabilities).tolist() == [[True, True], [False, False]]


def test_what_onnx_runtime_refuses_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(ExportedFileError, match=r"refused model\.onnx"):
        runner.run(file, pl.DataFrame({"x": [1.0]}))
    file.write_bytes(to_onnx(program_of([NumberInput("x")]), INFO))
    with pytest.raises(DataError, match="no such column"):
        runner.run(file, pl.DataFrame({"y": [1.0]}))

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from nncli.exporters.runtimes import process as python
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.integrations.python.source_file import to_python
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput
from tests.integrations.python.support import INFO, imported
from tests.runtimes.hostile import category_input, program_of

COLUMNS: list[ProgramInput] = [NumberInput("age"), category_input("city", ["Oslo"]), DateInput("since", ("iso",))]
ROWS = pl.DataFrame(
    {"age": [0.1, None], "city": [None, "Oslo"], "since": [datetime(1969, 12, 31, 23, 59, 59, 999999), None]}
)
PROGRAM = program_of(COLUMNS, ["no", "yes"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(to_python(PROGRAM, INFO), "utf-8")
    return tmp_path / "model.py"


@pytest.mark.slow
def test_a_file_answers_in_an_interpreter_with_numpy_alone(file: Path) -> None:
    assert python.missing() is None
    result = python.run(file, ROWS)
    wanted = imported(PROGRAM).predict(ROWS)
    assert result.to_dict(as_series=False) == {title: values.tolist() for title, values in wanted.items()}
    assert result.dtypes == [pl.String, pl.Float64, pl.Float64]


@pytest.mark.slow
def test_dates_are_dates_there(file: Path) -> None:
    rows = ROWS.with_columns(since=pl.Series([date(1, 1, 1), date(9999, 12, 31)]))
    result = python.run(file, rows)
    assert result["proba_no"].to_list() == imported(PROGRAM).predict(rows)["proba_no"].tolist()


def test_another_package_cannot_be_imported(file: Path) -> None:
    file.write_text("import polars", "utf-8")
    with pytest.raises(ExportedFileError, match="polars is not NumPy"):
        python.run(file, ROWS)


@pytest.mark.slow
def test_a_row_that_is_refused_is_an_error(file: Path) -> None:
    with pytest.raises(ExportedFileError, match="row 2, column 'age': inf is not a finite number"):
        python.run(file, ROWS.with_columns(age=pl.Series([1.0, float("inf")])))


@pytest.mark.slow
def test_a_file_written_anew_in_the_same_second_answers_as_it_is_now(file: Path) -> None:
    moment = file.stat().st_mtime_ns
    for answer in ("1.5", "2.5"):
        file.write_text(f"import numpy as np\n\n\ndef predict(columns):\n    return {{'y': np.array([{answer}])}}\n")
        os.utime(file, ns=(moment, moment))
        assert python.run(file, ROWS)["y"].to_list() == [float(answer)]
    assert [path.name for path in file.parent.iterdir()] == [file.name]

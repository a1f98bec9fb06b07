"""Exported pages in a headless Chromium: the predictions of rows, and what is refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nncli.exporters.formats import ModelInfo
from nncli.exporters.runtimes import chromium
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.integrations.html.page import to_html
from nncli.nn.program.inputs import DateInput, NumberInput
from nncli.nn.program.program import LabelType
from tests.runtimes.hostile import frames, program_of, programs
from tests.runtimes.test_javascript import predictions

INFO = ModelInfo("penguins", "ab12" * 16, "1.0")
NUMBERS = program_of([NumberInput("x"), NumberInput("y")], (), ["z"])


@settings(max_examples=8)
@given(st.data())
def test_hostile_programs_predict_as_the_interpreter(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    program = data.draw(programs())
    rows = data.draw(frames(program))
    file = tmp_path_factory.mktemp("hostile") / "page.html"
    file.write_bytes(to_html(program, INFO).encode())
    wanted = predictions(program, rows)
    if any(cells.is_nan().any() for cells in wanted.get_columns() if cells.dtype == pl.Float64):
        with pytest.raises(ExportedFileError):
            chromium.run(file, rows)
        return
    result = chromium.run(file, rows)
    assert result.columns == wanted.columns
    for name, cells in zip(result.columns, wanted.get_columns(), strict=True):
        if cells.dtype == pl.String:
            assert result[name].to_list() == cells.to_list()
        else:
            np.testing.assert_array_max_ulp(result[name].to_numpy().astype("f4"), cells.to_numpy().astype("f4"), 2)


@pytest.mark.parametrize(
    ("label_type", "labels", "values"),
    [
        ("integer", ["7", "9007199254740993"], [7, 9007199254740993]),
        ("float", ["1.0", "2.5"], [1.0, 2.5]),
        ("boolean", ["false", "true"], [False, True]),
        ("text", ["1", "two"], ["1", "two"]),
    ],
)
def test_labels_have_their_own_type(
    tmp_path: Path, label_type: LabelType, labels: list[str], values: list[object]
) -> None:
    program = program_of([NumberInput("x")], labels, ["y"], label_type=label_type)
    (tmp_path / "page.html").write_bytes(to_html(program, INFO).encode())
    rows = pl.DataFrame({"x": [-5000.0, 5000.0, None]})
    result = chromium.run(tmp_path / "page.html", rows)
    wanted = [values[labels.index(label)] for label in predictions(program, rows)["prediction"]]
    assert result["prediction"].to_list() == wanted
    assert result.columns == ["prediction", *(f"proba_{label}" for label in labels)]


def test_more_rows_than_a_block_are_predicted_in_order(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(to_html(NUMBERS, INFO).encode())
    rows = pl.DataFrame({"x": np.linspace(-9.0, 9.0, 1201), "y": [-0.0, None, 1e300] * 400 + [5e-324]})
    result = chromium.run(tmp_path / "page.html", rows)
    assert_frame_equal(result, predictions(NUMBERS, rows), rel_tol=1e-14)


def test_times_are_those_of_utc(tmp_path: Path) -> None:
    program = program_of([DateInput("t", ("iso",))], (), ["z"])
    (tmp_path / "page.html").write_bytes(to_html(program, INFO).encode())
    moments = [datetime(2024, 7, 1, 12, 30, tzinfo=ZoneInfo("Europe/Berlin")), None]
    rows = pl.DataFrame({"t": pl.Series(moments, dtype=pl.Datetime("us", "Europe/Berlin"))})
    assert_frame_equal(chromium.run(tmp_path / "page.html", rows), predictions(program, rows), rel_tol=1e-14)


def test_a_refused_row_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(to_html(NUMBERS, INFO).encode())
    with pytest.raises(ExportedFileError, match="y"):
        chromium.run(tmp_path / "page.html", pl.DataFrame({"x": [1.0], "y": [float("inf")]}))


@pytest.mark.parametrize(
    "content", ["<script>missing()</script>", "<img src='other.png'>", "<script type=module>import './a.js'</script>"]
)
def test_a_page_that_fails_or_asks_for_another_file_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><title>x</title>{content}", "utf-8")
    with pytest.raises(ExportedFileError):
        chromium.run(tmp_path / "page.html", pl.DataFrame({"x": [1.0]}))

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import CellError, DataError
from nncli.data.sources.read_table import read_chunks
from nncli.data.table import Table
from nncli.exporters import parity_check as module
from nncli.exporters.formats import ModelInfo
from nncli.exporters.lowering import lower_model
from nncli.exporters.parity_check import ParityCheck
from nncli.run_directory.run import Run
from tests.cli.support import DATA
from tests.exporters.referee import TARGET, referee


@pytest.fixture
def check(penguins: Path, tmp_path: Path) -> tuple[ParityCheck, Path]:
    """The check of a classifier's file, and the file."""
    model = Run.open(penguins).load_model()
    program, file = lower_model(model), tmp_path / "penguins.ref"
    file.write_bytes(TARGET.content(program, ModelInfo("penguins", "", "")))
    return ParityCheck(model, None, program, TARGET), file


def penguin_table() -> Table:
    (table,) = read_chunks(DATA / "penguins.csv", missing_values=("NA", ""))
    return table


def test_the_file_is_run_for_all_rows(check: tuple[ParityCheck, Path]) -> None:
    table = penguin_table()
    result = check[0].run(check[1], [table])
    assert (result.rows, result.numbers, result.is_match) == (len(table), 3 * len(table), True)


def test_rows_are_compared_in_batches_of_the_same_types(
    check: tuple[ParityCheck, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, sizes = penguin_table(), list[int]()
    column = next(name for name in check[0].model.names if name in check[0].model.plain_number_columns)
    typed = Table(table.frame.with_columns(table.frame[column].cast(pl.Float64)), "typed", first_row=1000)
    monkeypatch.setattr(module, "ROWS_AT_A_TIME", 100)
    monkeypatch.setattr("tests.exporters.referee.run", _counted(sizes))
    parts = [table.part(0, 60), table.part(60, 120), table.part(120, 120), table.part(120, 180), typed.part(0, 10)]
    assert check[0].run(check[1], parts).rows == 190
    assert sizes == [120, 60, 10]


def _counted(sizes: list[int]):  # type: ignore[no-untyped-def]
    from tests.exporters.referee import run

    def counted(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
        sizes.append(rows.height)
        return run(file, rows)

    return counted


def test_a_row_that_differs_is_named_as_in_its_table(
    check: tuple[ParityCheck, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with referee(monkeypatch, fault="number"):
        result = check[0].run(check[1], [penguin_table().part(100, 150)])
    assert (result.largest_rows, result.is_match, result.differing) == (("row 103",), False, 1)


def test_what_predict_refuses_is_refused(check: tuple[ParityCheck, Path]) -> None:
    table = penguin_table()
    name = next(name for name in check[0].model.names if name in check[0].model.plain_number_columns)
    spoilt = Table(table.frame.with_columns(pl.Series(name, ["oops"] * len(table))), "t.csv")
    with pytest.raises(CellError) as caught:
        check[0].run(check[1], [spoilt])
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (1, name)
    with pytest.raises(DataError):
        check[0].run(check[1], [Table(table.frame.drop(name), "t.csv")])

"""The commands on a table in several files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli import evaluate, predict, train
from nncli.api.training_input import config_for, is_table
from nncli.base.errors import DataError
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.sources.table_source import TableSource
from nncli.models.model import Model
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.run import Run

CONFIG = """
data: {path: PATH, target: y}
layers: [4]
epochs: 2
"""


def files(folder: Path, *, suffix: str = ".csv") -> Path:
    """Files of the months of two years, in folders of the years."""
    for year in (2024, 2025):
        for month in (1, 2):
            x = [(7 * i + month) % 24 / 8 for i in range(24)]
            frame = pl.DataFrame({"x": x, "y": [2 * value + year - 2024 for value in x]})
            path = folder / f"year={year}" / f"{month:02}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.write_csv(path) if suffix == ".csv" else frame.write_parquet(path)
    return folder


def config(here: Path, path: str, more: str = "") -> Path:
    (here / "c.yaml").write_text(CONFIG.replace("PATH", path) + more)
    return here / "c.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained on the folder `data` beside it."""
    here = tmp_path_factory.mktemp("run")
    files(here / "data")
    return train(config(here, "data/*/*.csv"), output=here / "run").run


def test_a_pattern_is_relative_to_its_configuration(run: Path) -> None:
    record = read_manifest(run).data
    assert record.rows == 96
    assert [file.path for file in record.files] == [
        f"year={year}/0{month}.csv" for year in (2024, 2025) for month in (1, 2)
    ]
    assert "year" in Run.open(run).load_model().names


@pytest.mark.slow
def test_members_in_processes_read_the_same_rows_as_one_process(here: Path) -> None:
    files(here / "data", suffix=".parquet")
    runs = []
    for workers in (1, 2):
        path = config(here, "data", f"members: 2\nworkers: {workers}\n")
        runs.append(train(path, output=here / f"run{workers}").run)
    first, two = (predict(path, here / "data") for path in runs)
    assert first.equals(two)


def test_a_changed_an_added_and_a_removed_file_are_named_when_resuming(here: Path) -> None:
    folder = files(here / "data")
    run = train(config(here, "data"), output=here / "run").run
    (folder / "year=2024" / "01.csv").write_text("x,y\n1,2\n")
    (folder / "year=2024" / "02.csv").rename(folder / "year=2024" / "03.csv")
    with pytest.raises(DataError) as caught:
        train(resume=run, set=["epochs=4"])
    assert all(f"year=2024/0{month}.csv" in str(caught.value) for month in (1, 2, 3))
    assert "year=2025" not in str(caught.value)


def test_an_invalid_cell_is_named_by_its_file_and_its_row_there(run: Path, here: Path) -> None:
    folder = files(here / "new")
    path = folder / "year=2025" / "01.csv"
    path.write_text(path.read_text() + "many,1.0\n")
    with pytest.raises(DataError) as caught:
        predict(run, folder)
    assert caught.value.location is not None
    assert (caught.value.location.source, caught.value.location.row) == (str(path), 25)
    evaluate(run, folder, on_error="skip", errors=here / "errors.csv")
    predict(run, TableSource(path=str(folder)), on_error="skip", errors=here / "predicted.csv")
    for name in ("errors.csv", "predicted.csv"):
        assert pl.read_csv(here / name).rows() == [(str(path), 25, "x", "many", "not a number")]


def test_the_errors_of_several_files_have_the_same_columns_if_there_are_none(run: Path, here: Path) -> None:
    predict(run, files(here / "new"), on_error="skip", errors=here / "errors.csv")
    assert (here / "errors.csv").read_text() == "file,row,column,value,reason\n"


def test_one_file_of_a_folder_is_predicted_as_in_the_folder(run: Path) -> None:
    folder = run.parent / "data"
    together = predict(run, folder)
    assert predict(run, folder / "year=2025" / "02.csv").equals(together[72:])


@pytest.mark.parametrize("path", ["sales", "sales/*/*.csv", "sales/year=2024"])
def test_a_drafted_configuration_is_named_by_the_folder(here: Path, path: str) -> None:
    files(here / "sales")
    assert is_table(path, ())
    drafted, result = config_for(path, "y")
    assert Path(str(drafted.output)).name == "sales"
    assert result.summary.rows == (48 if path.endswith("2024") else 96)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(4))
def test_ids_of_numbers_stay_apart_from_those_with_zeros_whichever_file_has_text(here: Path, place: int) -> None:
    for i in range(4):
        rows = [f"{'007' if i > place else '8'},{k}" for k in range(9)] + [f"7,{k}" for k in range(9)]
        text = "\n".join(["id,y", *rows, *["A7,1"] * 9 * (i == place)])
        (here / "data").mkdir(exist_ok=True)
        (here / "data" / f"{i}.csv").write_text(f"{text}\n")
    run = train(config(here, "data"), output=here / "run").run
    model = Run.open(run).load_model()
    assert isinstance(model, Model)
    (column,) = model.spec.encoder.columns
    assert isinstance(column, CategoricalColumn)
    assert {*column.categories} == {"7", "8", "A7", "007"} - ({"007"} if place == 3 else set())

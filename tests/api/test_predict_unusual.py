"""Rows that are unlike all training rows are flagged."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nncli import load, predict, predict_files, train
from nncli.base.errors import UsageError
from tests.cli.support import Cli

NEW = pl.DataFrame({"area": [80, 900, 70, -5], "city": ["Bern", "Zug", "Genf", "Genf"]})
EXPECTED = [[], ["area"], ["city"], ["area", "city"]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("houses")
    area = [30.0 + i for i in range(120)]
    frame = pl.DataFrame({"area": area, "city": ["Bern", "Zug"] * 60, "price": [7.0 * x for x in area]})
    frame.write_csv(folder / "houses.csv")
    train(folder / "houses.csv", target="price", output=folder / "run", set=["layers=[4]", "epochs=2", "members=3"])
    NEW.write_csv(folder / "new.csv")
    return folder / "run"


@pytest.mark.slow
def test_columns_with_unusual_cells_are_named_in_each_row(run: Path) -> None:
    frame = predict(run, NEW, flag_unusual=True)
    assert frame.columns == ["prediction", "unusual"]
    assert frame["unusual"].to_list() == EXPECTED
    assert predict(run, NEW, flag_unusual=True, interval=0.9).columns[-1] == "unusual"
    rows = [load(run).predict(row, flag_unusual=True) for row in NEW.iter_slices(1)]
    assert pl.concat(rows).equals(frame)


@pytest.mark.slow
def test_other_columns_have_the_same_bits(run: Path) -> None:
    assert predict(run, NEW, flag_unusual=True).drop("unusual").equals(predict(run, NEW))


@pytest.mark.slow
def test_the_names_are_text_where_cells_cannot_be_lists(nncli: Cli, here: Path, run: Path) -> None:
    new = run.parent / "new.csv"
    nncli("predict", run, new, "--flag-unusual", "-o", "p.csv").check()
    written = pl.read_csv(here / "p.csv")["unusual"].fill_null("").to_list()
    assert written == ["|".join(names) for names in EXPECTED]
    nncli("predict", run, new, "--flag-unusual", "-o", "p.jsonl").check()
    assert [json.loads(line)["unusual"] for line in (here / "p.jsonl").read_text().splitlines()] == EXPECTED


def test_predictions_of_files_without_flags_are_predicted_again(run: Path, tmp_path: Path) -> None:
    new = run.parent / "new.csv"
    predict_files(run, [new], tmp_path / "out")
    with pytest.raises(UsageError):
        predict_files(run, [new], tmp_path / "out", flag_unusual=True)
    predict_files(run, [new], tmp_path / "out", flag_unusual=True, force=True)
    (written,) = (tmp_path / "out").glob("new*.csv")
    assert "unusual" in pl.read_csv(written).columns


def test_a_cell_that_is_read_as_missing_is_unusual_where_none_was(run: Path) -> None:
    frame = pl.DataFrame({"area": ["80", "many"], "city": ["Bern", "Zug"]})
    assert predict(run, frame, flag_unusual=True, on_error="missing")["unusual"].to_list() == [[], ["area"]]
    assert predict(run, frame, flag_unusual=True, on_error="skip")["unusual"].to_list() == [[]]


def test_a_column_to_keep_of_that_name_is_refused(run: Path) -> None:
    with pytest.raises(UsageError):
        predict(run, NEW.with_columns(unusual=1), flag_unusual=True, keep=["unusual"])

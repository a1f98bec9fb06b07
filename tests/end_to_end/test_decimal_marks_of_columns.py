"""A table with a decimal comma in one column and points in another: trained on, predicted and exported alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from nncli import export_run, load, predict, train
from nncli.run_directory.config import read_config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marks")
    rows = [f"{i % 17},{i % 10};{i % 7}.25;{3 * (i % 17) + i % 7}.5" for i in range(120)]
    (folder / "t.csv").write_text("\n".join(["area;lat;price", *rows]) + "\n")
    settings = ["epochs=1", "members=1", "layers=[4]"]
    train(str(folder / "t.csv"), target="price", set=settings, output=folder / "run")
    return folder / "run"


def test_the_run_records_the_mark_of_the_column(run: Path) -> None:
    assert load(run).model.spec.dialect.decimals == (("area", ","),)
    assert read_config(run).data.decimals == {"area": ","}


def test_rows_are_predicted_alike_from_text_from_numbers_and_by_an_exported_file(run: Path, tmp_path: Path) -> None:
    texts = pl.DataFrame({"area": ["3,5", "12,25", "nan"], "lat": ["1.25", "4.25", "2.25"]})
    numbers = pl.DataFrame({"area": [3.5, 12.25, None], "lat": [1.25, 4.25, 2.25]})
    predicted = predict(run, numbers)
    assert predict(run, texts).equals(predicted)
    export_run(run, tmp_path / "m.py", to="python")
    texts.write_csv(tmp_path / "new.csv")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "m.py"), str(tmp_path / "new.csv")], check=True, capture_output=True, text=True
    )
    assert [float(line) for line in done.stdout.split()[1:]] == pytest.approx(predicted["prediction"].to_list())

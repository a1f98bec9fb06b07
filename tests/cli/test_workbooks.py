"""Commands on a workbook, from options and from a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.support import Cli
from tests.data.sources.workbook.support import write

FAST = ["--set", "epochs=2", "--set", "members=1"]


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workbook of two tables, of which the first has a title and a note."""
    monkeypatch.chdir(tmp_path)
    rows = [[["Oslo", "Rome", "Lima"][i % 3], i % 5 + 1, 100.5 + 37 * (i % 5) + i % 3] for i in range(60)]
    names = ["city", "rooms", "rent"]
    may = [["Flats in May"], [], names, *rows, [], ["Source: the agency"]]
    return write(tmp_path / "flats.xlsx", {"May": may, "June": [names, *rows[:20]]})


def test_a_sheet_is_trained_on_and_another_one_predicted(nncli: Cli, workbook: Path) -> None:
    outcome = nncli("init", "flats.xlsx", "--target", "rent", "-o", "flats.yaml")
    assert outcome.code == 2
    assert "'May' (65 rows), 'June' (21 rows)" in outcome.err
    nncli("init", "flats.xlsx", "--sheet", "May", "--target", "rent", "-o", "flats.yaml").check()
    assert yaml.safe_load(Path("flats.yaml").read_text())["data"]["sheet"] == "May"
    outcome = nncli("train", "flats.yaml", "-o", "run", *FAST).check()
    assert "row 3 of the sheet" in outcome.err
    nncli("predict", "run", "flats.xlsx", "--sheet", "2", "-o", "rents.csv").check()
    assert len(Path("rents.csv").read_text().splitlines()) == 21
    nncli("predict", "run", "flats.xlsx", "--sheet", "May", "--range", "A3:B9", "-o", "few.csv").check()
    assert len(Path("few.csv").read_text().splitlines()) == 7
    outcome = nncli("evaluate", "run", "flats.xlsx", "--sheet", "June").check()
    assert "20 rows" in outcome.out + outcome.err


def test_members_read_the_copy_of_a_workbook(nncli: Cli, workbook: Path) -> None:
    Path("flats.yaml").write_text(
        "data: {path: flats.xlsx, sheet: June, target: rent}\nmembers: 2\nepochs: 2\noutput: run\n"
    )
    nncli("train", "flats.yaml").check()
    assert (Path("run") / "manifest.json").is_file()
    outcome = nncli("predict", "run", "flats.xlsx", "--sheet", "Juni", "-o", "p.csv")
    assert outcome.code == 2
    assert "Did you mean 'June'?" in outcome.err


def test_a_workbook_is_no_output_and_a_csv_has_no_sheet(nncli: Cli, workbook: Path) -> None:
    nncli("train", "flats.xlsx", "--sheet", "June", "--target", "rent", "-o", "run", *FAST).check()
    assert nncli("predict", "run", "flats.xlsx", "--sheet", "June", "-o", "p.xlsx").code == 2
    Path("t.csv").write_text("city,rooms\nOslo,2\n")
    assert nncli("predict", "run", "t.csv", "--sheet", "June", "-o", "p.csv").code == 2
    assert not Path("p.xlsx").exists()

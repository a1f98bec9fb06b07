"""The rows that a network did not train on, as a run keeps them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from nncli import train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.base.errors import RunError
from nncli.data.table import Table
from nncli.models import held_out_rows
from nncli.models.held_out_rows import HeldOutRows, MemberPredictions, RowCategories
from nncli.models.predictions import Predictions
from nncli.run_directory.manifest import HELD_OUT
from nncli.run_directory.run import Run
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.target import Target
from tests.api.ensembles import written
from tests.assertions import raises

CLASSES = ClassificationTarget(name="kind", labels=("a", "b", "c"), label_type="text")
NUMBERS = RegressionTarget(names=("x", "y"), centers=(0.0, 0.0), scales=(1.0, 1.0))


LEVELS = (0.1, 0.5, 0.9)


def made(target: Target, n: int = 30, members: int = 3, seed: int = 0, levels: tuple[float, ...] = ()) -> HeldOutRows:
    rng, outputs = np.random.default_rng(seed), 3 if target.task == "classification" else 2

    def predictions(rows: int) -> Predictions:
        if levels:
            return Predictions(target, rng.random((rows, outputs, len(levels))), levels=levels)
        values = rng.random((rows, outputs))
        if target.task == "classification":
            values = (values / values.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
        return Predictions(target, values, "float32" if target.task == "classification" else "float64")

    folds = [np.flatnonzero(np.arange(n) % members == i) for i in range(members)]
    return HeldOutRows(
        row_numbers=np.arange(n) * 2 + 1,
        y=rng.integers(0, outputs, n) if target.task == "classification" else rng.random((n, outputs)),
        weights=rng.random(n) if seed % 2 else None,
        groups=rng.integers(0, 4, n) if seed % 3 else None,
        predictions=predictions(n),
        members=tuple(MemberPredictions(rows, predictions(len(rows))) for rows in folds),
        baseline=rng.random(outputs),
        total=n,
        baseline_quantiles=rng.random((outputs, len(levels))) if levels else None,
        signs=(1, -1) if target.task == "regression" and seed % 2 else (),
        categories=(RowCategories("city", ("Bern", "Zug"), rng.integers(0, 3, n).astype(np.uint8)),) * (seed % 3),
    )


def assert_same(first: HeldOutRows, second: HeldOutRows) -> None:
    assert first.to_bytes() == second.to_bytes()
    assert first.predictions.precision == second.predictions.precision
    assert first.total == second.total


@given(st.sampled_from([CLASSES, NUMBERS]), st.integers(0, 40), st.integers(1, 4), st.integers(0, 20))
def test_rows_are_read_as_they_were_written(target: Target, n: int, members: int, seed: int) -> None:
    rows = made(target, n, members, seed)
    assert_same(HeldOutRows.from_bytes(rows.to_bytes(), target, members), rows)


def test_quantiles_are_kept_of_all_rows_and_members() -> None:
    rows = made(NUMBERS, 9, levels=LEVELS)
    read = HeldOutRows.from_bytes(rows.to_bytes(), NUMBERS, 3, LEVELS)
    assert_same(read, rows)
    assert read.predictions.levels == read.members[2].predictions.levels == LEVELS
    part = read.take(np.array([1, 4]))
    assert part.predictions.quantiles is not None
    assert rows.predictions.quantiles is not None
    np.testing.assert_array_equal(part.predictions.quantiles, rows.predictions.quantiles[[1, 4]])
    assert part.members[1].predictions.points.shape == (2, 2, 3)
    np.testing.assert_array_equal(part.baseline_predictions.points[1], rows.baseline_quantiles)


@pytest.mark.parametrize("levels", [(), (0.5, 0.9), (0.1, 0.2, 0.5)], ids=str)
def test_quantiles_that_do_not_fit_the_levels_are_refused(levels: tuple[float, ...]) -> None:
    content = made(NUMBERS, 9, levels=LEVELS).to_bytes()
    if levels:
        with pytest.raises(ValueError, match="quantiles"):
            HeldOutRows.from_bytes(content, NUMBERS, 3, levels)
    without = made(NUMBERS, 9).to_bytes()
    with pytest.raises(ValueError, match="quantiles"):
        HeldOutRows.from_bytes(without, NUMBERS, 3, LEVELS)


@given(st.integers(1, 40), st.data())
def test_selected_rows_keep_the_predictions_of_their_members(n: int, data: st.DataObject) -> None:
    rows = made(CLASSES, n)
    kept = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1)))), np.int64)
    part = rows.take(kept)
    np.testing.assert_array_equal(part.oof_mask, rows.oof_mask[:, kept])
    for member, whole in zip(part.members, rows.members, strict=True):
        by_number = dict(zip(rows.row_numbers[whole.rows].tolist(), whole.predictions.values.tolist(), strict=True))
        assert [
            by_number[number] for number in part.row_numbers[member.rows].tolist()
        ] == member.predictions.values.tolist()


def test_of_too_many_rows_a_random_sample_is_kept_that_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = made(NUMBERS, 100)
    assert rows.bounded(0) is rows
    monkeypatch.setattr(held_out_rows, "MAX_ROWS", 20)
    sample = rows.bounded(0)
    assert (len(sample), sample.total, sample.is_sample) == (20, 100, True)
    assert_same(sample, rows.bounded(0))
    assert sample.row_numbers.tolist() != rows.bounded(1).row_numbers.tolist()
    assert_same(HeldOutRows.from_bytes(sample.to_bytes(), NUMBERS, 3), sample)
    monkeypatch.setattr(held_out_rows, "MAX_VALUES", 40)  # two outputs, each predicted twice
    assert len(rows.bounded(0)) == 10


def test_a_member_that_lacks_a_class_has_rows_of_its_own_classes() -> None:
    rows = made(CLASSES)
    rows = rows.take(np.flatnonzero(rows.y != 1)).of_member(0)
    fewer = CLASSES.model_copy(update={"labels": ("a", "c")})
    converted = rows.with_target(fewer)
    assert [fewer.labels[code] for code in converted.y] == [CLASSES.labels[code] for code in rows.y]
    np.testing.assert_array_equal(converted.predictions.values, rows.predictions.values[:, [0, 2]])
    assert_same(HeldOutRows.from_bytes(converted.to_bytes(), fewer, 1), converted)


def changed(name: str, value: Any) -> bytes:
    arrays = safetensors.numpy.load(made(CLASSES).to_bytes())
    return safetensors.numpy.save({**arrays, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("numbers", np.zeros(30, np.int64)),
        ("numbers", np.ones(29, np.int64)),
        ("y", np.full(30, 3)),
        ("y", np.full(30, -1)),
        ("y", np.zeros(30)),
        ("weights", np.zeros(31)),
        ("predictions", np.zeros((30, 2), np.float32)),
        ("predictions", np.zeros((30, 3), np.int64)),
        ("member_rows.2", np.array([0, 40])),
        ("member_rows.2", np.array([3, 3])),
        ("member_predictions.3", np.zeros((1, 3), np.float32)),
        ("baseline", np.zeros(2)),
        ("total", np.array([29])),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        HeldOutRows.from_bytes(changed(name, value), CLASSES, 3)


@pytest.fixture
def copy(penguins: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(penguins, tmp_path / "copy"))


def test_scores_and_reports_come_from_the_kept_predictions(copy: Path) -> None:
    run, before = Run(copy), predict_held_out(copy)
    kept = run.load_held_out()
    assert kept is not None
    np.testing.assert_array_equal(kept.y, before.y)
    np.testing.assert_array_equal(kept.row_numbers, before.row_numbers)
    equal = replace(kept.predictions, points=np.full((len(kept), 3), 0.25))
    run.save_held_out(replace(kept, predictions=equal))
    run.save_manifest(run.load_manifest())
    assert predict_held_out(copy).predictions.values.tobytes() == equal.values.tobytes()


@pytest.mark.slow
def test_an_ensemble_keeps_the_rows_of_each_member(tmp_path: Path) -> None:
    run = Run(train(written(tmp_path, "epochs=4", "workers=1"), output=tmp_path / "run").run)
    whole, members = run.load_held_out(), run.load_manifest().members
    assert whole is not None
    assert whole.oof_mask.any(axis=0).all()
    for i in range(members):
        of_member = Run(run.path / "members" / str(i + 1)).load_held_out()
        assert of_member is not None
        np.testing.assert_array_equal(of_member.row_numbers, whole.row_numbers[whole.members[i].rows])
        np.testing.assert_array_equal(of_member.predictions.values, whole.members[i].predictions.values)


def test_a_run_of_an_older_version_has_none_and_is_optimistic(copy: Path) -> None:
    (copy / HELD_OUT).unlink()
    run = Run(copy)
    document = (copy / "metrics.json").read_text().replace('"optimistic": false', '"unknown": 0')
    (copy / "metrics.json").write_text(document)
    run.save_manifest(run.load_manifest())
    assert run.load_held_out() is None
    held_out = predict_held_out(copy)
    assert held_out.optimistic
    assert held_out.split == "validation"


def test_a_changed_file_is_damage(copy: Path) -> None:
    run = Run(copy)
    (copy / HELD_OUT).write_bytes(b"rows")
    with raises(RunError, file=HELD_OUT):
        run.load_held_out()
    run.save_manifest(run.load_manifest())
    with raises(RunError, file=HELD_OUT):
        run.load_held_out()


def test_categories_of_many_rows_are_kept() -> None:
    cells = ["Zug"] * 30 + [None] * 40 + ["Bern"] * 31 + ["Chur"] * 29
    (city,) = RowCategories.of(Table(pl.DataFrame({"city": cells, "id": [f"r{i}" for i in range(130)]}), "t"))
    assert (city.column, city.values) == ("city", ("Bern", "Zug"))
    assert city.codes.tolist() == [2] * 30 + [0] * 40 + [1] * 31 + [0] * 29


@pytest.mark.parametrize(("parts", "signs"), [(([0.0, 2.0], [1.0]), 1), (([0.0, -2.0], []), -1), (([1.0], [-1.0]), 0)])
def test_a_sign_is_that_of_all_rows(parts: tuple[list[float], ...], signs: int) -> None:
    target = RegressionTarget.fit(Table(pl.DataFrame({"y": [0.0, 1.0]}), "t"), ("y",))
    assert target.signs([np.array(part).reshape(-1, 1) for part in parts]) == (signs,)

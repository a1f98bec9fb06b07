"""A model in memory: its version, its calibration, and its independence of the run directory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

import nncli
from nncli.base.errors import NncliError, RunError, UsageError
from nncli.data.table import Table
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.read_table import table_of as as_table
from nncli.nn.inference import predictor, small_blocks
from nncli.run_directory.manifest import HELD_OUT
from nncli.run_directory.run import Run
from nncli.serving.app import build_app
from nncli.serving.models import served_model
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient
from tests.serving.trained import TARGETS, table_of

INTERVAL = PredictionOptions(interval=0.5)


def rows(model: ServedModel) -> Table:
    return as_table(model.model, table_of(seed=3)[:5])


def test_the_version_is_that_of_the_manifest(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> None:
    for name, model in models.items():
        assert json.loads((runs[name] / "manifest.json").read_text())["checksum"].startswith(model.version)
        assert len(model.version) == 12


def test_intervals_are_those_of_predict(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> None:
    expected = nncli.predict(runs["number"], table_of(seed=3)[:5], interval=0.5)
    result = models["number"].predict(rows(models["number"]), INTERVAL).frame
    assert result.equals(expected)


def test_unusual_cells_are_those_of_predict(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> None:
    for name, model in models.items():
        table = table_of(seed=3)[:5]
        numbers = [column for column, dtype in table.schema.items() if dtype == pl.Float64]
        far = table.with_columns(pl.col(numbers) * 1e6)
        expected = nncli.predict(runs[name], far, flag_unusual=True)
        result = model.predict(as_table(model.model, far), PredictionOptions(flag_unusual=True)).frame
        assert result.equals(expected)
        assert result["unusual"].list.len().max() == len({*numbers} & {*model.model.names})


def test_a_level_is_calibrated_once_it_was_asked_for(models: Mapping[str, ServedModel]) -> None:
    options = UncertaintyOptions(interval=0.37)
    assert models["number"].is_calibrated(UncertaintyOptions())
    assert not models["number"].is_calibrated(options)
    models["number"].predict(rows(models["number"]), PredictionOptions(interval=0.37))
    assert models["number"].is_calibrated(options)


def test_metrics_that_fail_are_logged_and_the_rows_are_answered(
    models: Mapping[str, ServedModel], caplog: pytest.LogCaptureFixture
) -> None:
    def observe(*_: object) -> None:
        raise ZeroDivisionError

    assert models["number"].predict(rows(models["number"]), PredictionOptions(), observe).frame.height == 5
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_damaged_run_is_no_fault_of_the_server(
    runs: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Levels need the held-out rows, which are read late if there are many."""
    monkeypatch.setattr(served_model, "MAX_HELD_OUT", 0)
    path = shutil.copytree(runs["number"], tmp_path / "run")
    state = ServerState(ModelSlots([ModelSlot.load("number", path)]))
    (path / HELD_OUT).write_bytes(b"damaged")
    row = table_of(seed=3).drop(TARGETS).to_dicts()[0]
    problem = AsgiClient(build_app(state)).post_json("/predict?interval=0.5", row).problem(503)
    state.batcher.close()
    assert "interval" in problem["hint"]
    assert HELD_OUT in caplog.text


@pytest.mark.parametrize("largest", [0, served_model.MAX_HELD_OUT])
def test_held_out_rows_of_another_run_are_never_used(
    runs: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    """Large files are read late, so a model whose run is replaced has no intervals any more, but no wrong ones."""
    monkeypatch.setattr(served_model, "MAX_HELD_OUT", largest)
    path = shutil.copytree(runs["number"], tmp_path / "run")
    model = ServedModel.load("number", path)
    expected = model.predict(rows(model), INTERVAL).frame
    model = ServedModel.load("number", path)
    shutil.rmtree(path)
    shutil.copytree(runs["numbers"], path)
    if largest:
        assert model.predict(rows(model), INTERVAL).frame.equals(expected)
    else:
        with pytest.raises(NncliError):
            model.predict(rows(model), INTERVAL)
    assert model.predict(rows(model), PredictionOptions()).frame.height == 5


def test_a_run_without_held_out_rows_has_no_intervals(runs: Mapping[str, Path], tmp_path: Path) -> None:
    path = shutil.copytree(runs["number"], tmp_path / "run")
    (path / "held_out.safetensors").unlink()
    model = ServedModel.load("number", path)
    with pytest.raises(UsageError) as caught:
        model.predict(rows(model), INTERVAL)
    assert caught.value.hint


def test_groups_are_refused(models: Mapping[str, ServedModel]) -> None:
    options = PredictionOptions(interval=0.5, by="color")
    with pytest.raises(UsageError):
        models["number"].predict(rows(models["number"]), options)


def test_a_run_that_is_replaced_while_it_is_read_is_refused(
    runs: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copytree(runs["number"], tmp_path / "run")
    load_model = Run.load_model

    def replacing(run: Run) -> object:
        model = load_model(run)
        run.save_manifest(run.load_manifest().model_copy(update={"command": ("another",)}))
        return model

    monkeypatch.setattr(Run, "load_model", replacing)
    with pytest.raises(RunError):
        ModelSlot.load("number", path)


def test_after_the_start_no_size_of_blocks_has_to_be_compared(
    runs: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, compared = ServedModel.load("number", runs["number"]), list[int]()

    def compare(*words: object) -> bool:
        compared.append(1)
        return True

    monkeypatch.setattr(predictor, "_VERIFIED", small_blocks.VerifiedSizes())
    monkeypatch.setattr(small_blocks, "has_equal_bits", compare)
    model.warm_up()
    assert len(compared) >= len(small_blocks.SIZES)
    compared.clear()
    for size in (1, 9, 16, 33, 64, 100):
        model.predict(as_table(model.model, pl.concat([table_of(seed=3)] * 2)[:size]), PredictionOptions())
    assert compared == []

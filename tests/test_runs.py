"""The run directory: never overwritten, read with suspicion, and true in what it says of itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli import predict, train
from nncli.config.loading import load_config
from nncli.errors import NncliError, RunError, UsageError
from nncli.runs import CONFIG, HISTORY, MANIFEST, METRICS, MODEL, WEIGHTS, Manifest, Run
from tests.cli.support import DATA


@pytest.fixture
def copy(penguins: Path, tmp_path: Path) -> Path:
    """A run directory to be damaged."""
    return Path(shutil.copytree(penguins, tmp_path / "elsewhere" / "copy"))


def test_an_existing_directory_gets_a_number(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "run"
    assert [Run.create(wanted).path.name for _ in range(3)] == ["run", "run-2", "run-3"]


def test_an_existing_file_gets_a_number_too(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    assert Run.create(tmp_path / "run").path.name == "run-2"
    assert (tmp_path / "run").read_text() == "mine"


def test_many_at_once_each_get_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Run.create(tmp_path / "run").path, range(40)))
    assert len(set(made)) == 40


@pytest.mark.parametrize("name", [".", "", "/"])
def test_a_folder_without_a_name_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="exists"):
        Run.create(Path(name))


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode")
def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        Run.create(tmp_path / os.fsdecode(b"\xff"))
    assert list(tmp_path.iterdir()) == []


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NncliError, match="cannot make the run directory"):
        Run.create(tmp_path / "file" / "run")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NncliError, match="cannot make the run directory"):
        Run.create(tmp_path / ("a" * 300))
    with pytest.raises(RunError, match="no such run"):
        Run.open(tmp_path / ("a" * 300))


def test_what_is_no_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run directory"):
        Run.open(tmp_path / "nothing")
    with pytest.raises(RunError, match="not a trained run"):
        Run.open(tmp_path)
    (tmp_path / CONFIG).write_text("")
    with pytest.raises(RunError, match=r"not finished, or failed"):
        Run.open(tmp_path)


def test_a_run_directory_holds_these_files_and_no_more(penguins: Path) -> None:
    assert {p.name for p in penguins.iterdir()} == {CONFIG, WEIGHTS, MODEL, HISTORY, METRICS, MANIFEST}


def test_a_moved_run_directory_predicts_the_same(copy: Path, penguins: Path) -> None:
    table = DATA / "penguins.csv"
    assert predict(copy, table, proba=True).equals(predict(penguins, table, proba=True))


def test_a_run_directory_needs_only_model_and_weights_to_predict(copy: Path) -> None:
    for name in (CONFIG, HISTORY, METRICS, MANIFEST):
        (copy / name).unlink()
    assert len(predict(copy, DATA / "penguins.csv")) == 344


def test_the_manifest_tells_the_truth(penguins: Path) -> None:
    said = Manifest.model_validate_json((penguins / MANIFEST).read_bytes())
    history = pl.read_csv(penguins / HISTORY)
    data = (DATA / "penguins.csv").read_bytes()
    assert said.status == "done"
    assert said.data.sha256 == hashlib.sha256(data).hexdigest()
    assert Path(said.data.path) == DATA / "penguins.csv"
    assert said.data.rows == 344 == said.training_rows + said.validation_rows
    assert said.validation_data is None
    assert said.features == 6
    weights = safetensors.numpy.load_file(penguins / WEIGHTS)
    assert said.parameters == sum(w.size for w in weights.values())
    assert said.epochs == 8 == history.height
    assert history.filter("is_best")["epoch"].max() == said.best_epoch
    assert said.finished is not None
    assert said.started <= said.finished
    assert said.versions["numpy"] == np.__version__


def test_the_history_has_a_row_per_epoch_and_the_metric_by_its_name(penguins: Path) -> None:
    history = pl.read_csv(penguins / HISTORY)
    assert history["epoch"].to_list() == list(range(1, 9))
    names = ["epoch", "loss", "penalty", "val_loss", "val_accuracy", "learning_rate", "is_best", "seconds"]
    assert history.columns == names


def test_the_metrics_are_those_of_the_summary(penguins: Path) -> None:
    said = json.loads((penguins / METRICS).read_text())
    for part, rows in (("training", 275), ("validation", 69)):
        assert said[part]["rows"] == rows
        assert 0.0 <= said[part]["baseline"]["accuracy"] < said[part]["metrics"]["accuracy"] <= 1.0


def test_the_configuration_has_every_default_and_reads_as_itself(penguins: Path) -> None:
    config = load_config(penguins / CONFIG)
    written = (penguins / CONFIG).read_text()
    for key in type(config).model_fields:
        assert f"\n{key}:" in written
    assert config.loss is not None
    assert config.learning_rate is not None
    assert config.data.features is not None
    Run(copy := penguins.parent / "again").path.mkdir()
    Run(copy).save_config(config)
    assert (copy / CONFIG).read_text() == written


@pytest.mark.parametrize("kind", ["penguins", "line", "pair"])
def test_the_configuration_trains_the_same_weights_to_the_bit(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first: Path = request.getfixturevalue(kind)
    again = train(first / CONFIG, output=tmp_path / "again").run
    for name in (WEIGHTS, MODEL):
        assert (again / name).read_bytes() == (first / name).read_bytes()


# --- damage


Damage = Callable[[bytes], bytes]


def changed(**values: Any) -> Damage:
    """Put values at dotted paths of a JSON file; `__` stands for the dot."""

    def damage(content: bytes) -> bytes:
        document = json.loads(content)
        for address, value in values.items():
            *way, last = address.split("__")
            node = document
            for step in way:
                node = node[int(step)] if isinstance(node, list) else node[step]
            node[int(last) if isinstance(node, list) else last] = value
        return json.dumps(document).encode()

    return damage


def refused(run: Path) -> RunError:
    with pytest.raises(RunError) as caught:
        predict(run, DATA / "penguins.csv")
    assert caught.value.exit_code == 5
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[: len(content) // 2], id="truncated"),
        pytest.param(lambda content: b"\xff" + content, id="not text"),
        pytest.param(lambda content: b"[" * 100_000, id="deep"),
        pytest.param(lambda content: b"[]", id="a list"),
        pytest.param(lambda content: b"{}", id="an empty object"),
        pytest.param(changed(network__outputs=2), id="other outputs"),
        pytest.param(changed(network__features=3), id="other features"),
        pytest.param(changed(network__features=10**15, network__layers=[]), id="a network beyond memory"),
        pytest.param(changed(network__precision="float64"), id="other precision"),
        pytest.param(
            changed(network__layers=[{"type": "residual", "layers": [{"type": "dense", "units": 1}]}]),
            id="layers that cannot be",
        ),
        pytest.param(
            changed(network__embeddings=[{"name": "a", "slots": 3, "width": 2}]), id="an embedding of nothing"
        ),
        pytest.param(changed(target__labels=["a"]), id="one class"),
        pytest.param(changed(target__labels=["a", "b"]), id="fewer classes"),
        pytest.param(changed(loss={"type": "mse"}), id="a loss for numbers"),
        pytest.param(changed(encoder__columns__1__scale=0.0), id="scale 0"),
        pytest.param(changed(encoder__columns__1__center=float("nan")), id="NaN"),
        pytest.param(changed(surprise=1), id="an unknown key"),
    ],
)
def test_a_damaged_model_is_refused(copy: Path, damage: Damage) -> None:
    (copy / MODEL).write_bytes(damage((copy / MODEL).read_bytes()))
    refused(copy)


def test_a_model_of_a_newer_format_asks_for_a_newer_nncli(copy: Path) -> None:
    (copy / MODEL).write_bytes(changed(format=2, whatever=1)((copy / MODEL).read_bytes()))
    error = refused(copy)
    assert "format 2" in error.message
    assert "newer nncli" in str(error.hint)


def test_number_targets_that_do_not_fit_each_other_are_refused(line: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(line, tmp_path / "copy"))
    (copy / MODEL).write_bytes(changed(target__scales=[1.0, 1.0])((copy / MODEL).read_bytes()))
    with pytest.raises(RunError, match="do not fit"):
        predict(copy, DATA / "linear.csv")


def rewritten(copy: Path, change: Callable[[dict[str, Any]], object]) -> None:
    arrays = {name: array.copy() for name, array in safetensors.numpy.load_file(copy / WEIGHTS).items()}
    change(arrays)
    (copy / WEIGHTS).write_bytes(safetensors.numpy.save(arrays))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("output.bias"), "in one and not the other"),
        (lambda a: a.update(more=np.zeros(1, np.float32)), "in one and not the other"),
        (lambda a: a.update({"output.bias": np.zeros(4, np.float32)}), "shape"),
        (lambda a: a.update({"output.bias": np.zeros(3, np.float64)}), "shape"),
        (lambda a: a["output.bias"].fill(np.nan), "finite"),
        (lambda a: a["output.weight"].fill(np.inf), "finite"),
    ],
)
def test_weights_that_do_not_belong_are_refused(
    copy: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    rewritten(copy, change)
    assert said in refused(copy).message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from([MODEL, WEIGHTS]))
def test_no_cut_or_flipped_byte_is_met_with_anything_but_a_prediction_or_a_run_error(
    copy: Path, penguins: Path, data: st.DataObject, name: str
) -> None:
    content = bytearray((penguins / name).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(content) - 40, len(content)))
    (copy / name).write_bytes(bytes(content[:cut]))
    try:
        Run.open(copy).load_model()
    except RunError:
        pass
    finally:
        (copy / name).write_bytes((penguins / name).read_bytes())


@pytest.mark.parametrize("name", [MODEL, WEIGHTS])
def test_a_missing_file_is_told(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert name in str(refused(copy))
    (copy / name).mkdir()
    assert name in str(refused(copy))

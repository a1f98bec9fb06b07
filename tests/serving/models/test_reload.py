"""A run that is replaced is served if it is whole, finished, and its clients can go on; else the former one stays."""

from __future__ import annotations

import gc
import json
import logging
import shutil
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl
import pytest
from polars.exceptions import PanicException

from nncli import train
from nncli.data.table import Table
from nncli.run_directory.run import Run
from nncli.serving.models import reload
from nncli.serving.models.reload import ModelSlot, ModelSlots, Reloader, warn_of_unfinished
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.process.log import LOG

INTERVAL = PredictionOptions(interval=0.5)


@pytest.fixture(scope="module")
def retrained(runs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run `number` trained with another seed."""
    folder = tmp_path_factory.mktemp("retrained")
    return train(runs["number"].parent / "config.yaml", output=folder / "run", set=["seed=7"]).run


@pytest.fixture
def slot(runs: Mapping[str, Path], tmp_path: Path) -> ModelSlot:
    """A model that is served from a copy of the run `number`."""
    return ModelSlot.load("number", shutil.copytree(runs["number"], tmp_path / "run"))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """The lines of the log so far."""
    monkeypatch.setattr(LOG, "propagate", True)
    with caplog.at_level(logging.INFO, LOG.name):
        yield lambda: [record.getMessage() for record in caplog.records if record.name == LOG.name]


def replace_by(new: Path, path: Path) -> None:
    """Move a copy of a run to a path, and what is there out of the way."""
    incoming = shutil.copytree(new, path.with_name("incoming"))
    path.rename(path.with_name("outgoing"))
    incoming.rename(path)


def reloader_of(slot: ModelSlot) -> Reloader:
    return Reloader(ModelSlots([slot]))


def table_of(model: ServedModel) -> Table:
    row = {feature.name: [feature.example] for feature in model.schema.features}
    return Table(pl.DataFrame(row), "a row", dialect=model.model.spec.dialect)


def check_until_quiet(reloader: Reloader) -> None:
    for _ in range(3):
        reloader.check()


def test_nothing_is_loaded_while_nothing_changes(slot: ModelSlot, log: Callable[[], list[str]]) -> None:
    served = slot.current
    check_until_quiet(reloader_of(slot))
    assert slot.current is served
    assert log() == []


@pytest.mark.slow
def test_a_replaced_run_is_served_once_its_files_are_quiet(
    slot: ModelSlot, retrained: Path, log: Callable[[], list[str]]
) -> None:
    reloader, former = reloader_of(slot), slot.current
    replace_by(retrained, slot.path)
    reloader.check()
    assert slot.current is former  # it may be in the midst of being copied
    reloader.check()
    assert slot.current.version == ServedModel.load("", retrained).version != former.version
    assert slot.problem is None
    assert len(log()) == 1
    assert former.version in log()[0]
    assert slot.current.version in log()[0]


@pytest.mark.slow
def test_a_link_that_is_switched_leads_to_the_other_run(
    runs: Mapping[str, Path], retrained: Path, tmp_path: Path
) -> None:
    (tmp_path / "current").symlink_to(runs["number"])
    slot = ModelSlot.load("number", tmp_path / "current")
    (tmp_path / "next").symlink_to(retrained)
    (tmp_path / "next").replace(tmp_path / "current")
    check_until_quiet(reloader_of(slot))
    assert slot.current.version == ServedModel.load("", retrained).version


def truncate_weights(path: Path) -> None:
    file = path / "members/1/model.safetensors"
    file.write_bytes(file.read_bytes()[:100])


def truncate_held_out(path: Path) -> None:
    file = path / "held_out.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def half_write_manifest(path: Path) -> None:
    file = path / "manifest.json"
    file.write_bytes(file.read_bytes()[:1000])


def remove_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def remove_run(path: Path) -> None:
    shutil.rmtree(path)


def make_newer(path: Path) -> None:
    document = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**document, "format": 99}))


def go_on_training(path: Path) -> None:
    run = Run(path)
    run.save_manifest(run.load_manifest().model_copy(update={"status": "running"}))


DAMAGES = [
    truncate_weights,
    truncate_held_out,
    half_write_manifest,
    remove_manifest,
    remove_run,
    make_newer,
    go_on_training,
]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_run_the_former_model_stays_and_the_log_says_so_once(
    slot: ModelSlot, damage: Callable[[Path], None], log: Callable[[], list[str]], retrained: Path
) -> None:
    reloader, served = reloader_of(slot), slot.current
    before = served.predict(table_of(served), INTERVAL).frame
    damage(slot.path)
    check_until_quiet(reloader)
    assert slot.current is served
    assert slot.problem is not None
    assert [served.version in line for line in log()] == [True]
    assert served.predict(table_of(served), INTERVAL).frame.equals(
        before
    )  # also intervals, which the run is needed for

    shutil.rmtree(slot.path, ignore_errors=True)
    shutil.copytree(retrained, slot.path)
    check_until_quiet(reloader)
    assert slot.problem is None
    assert slot.current is not served


@pytest.mark.slow
def test_intervals_of_the_former_model_are_not_calibrated_by_the_rows_of_the_new_run(
    slot: ModelSlot, retrained: Path, runs: Mapping[str, Path]
) -> None:
    replace_by(retrained, slot.path)
    expected = ServedModel.load("", runs["number"]).predict(table_of(slot.current), INTERVAL).frame
    assert slot.current.predict(table_of(slot.current), INTERVAL).frame.equals(expected)


def test_a_run_that_clients_cannot_go_on_with_is_served_only_if_it_is_asked_for(
    slot: ModelSlot, runs: Mapping[str, Path], log: Callable[[], list[str]]
) -> None:
    reloader, served = reloader_of(slot), slot.current
    replace_by(runs["two"], slot.path)
    check_until_quiet(reloader)
    assert slot.current is served
    assert "SIGHUP" in log()[0]
    reloader.check(is_requested=True)
    assert slot.current.model.spec.target.task == "classification"
    assert slot.problem is None


def test_a_request_verifies_a_run_that_has_not_changed(slot: ModelSlot, log: Callable[[], list[str]]) -> None:
    served, reloader = slot.current, reloader_of(slot)
    reloader.check(is_requested=True)
    assert slot.current is served
    assert slot.problem is None
    truncate_weights(slot.path)
    reloader.check(is_requested=True)
    assert slot.problem is not None
    assert len(log()) == 2


@pytest.mark.slow
def test_the_memory_of_the_former_model_is_freed(slot: ModelSlot, retrained: Path) -> None:
    served = weakref.ref(slot.current.model)
    slot.current.predict(table_of(slot.current), INTERVAL)
    reloader = reloader_of(slot)
    replace_by(retrained, slot.path)
    gc.collect()
    gc.disable()  # a collection holds up every answer
    try:
        reloader.check(is_requested=True)
        assert served() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("fault", [RuntimeError, PanicException])
def test_a_fault_while_loading_does_not_end_the_thread(
    slot: ModelSlot, log: Callable[[], list[str]], fault: type[BaseException]
) -> None:
    def fail(name: str, path: Path) -> ServedModel:
        raise fault("of the library")

    served = slot.current
    Reloader(ModelSlots([slot]), load=fail).check(is_requested=True)
    assert slot.current is served
    assert len(log()) == 1


@pytest.mark.slow
def test_the_thread_notices_changes_and_requests(
    slot: ModelSlot, runs: Mapping[str, Path], retrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "SECONDS_BETWEEN_CHECKS", 0.05)
    reloader, former = reloader_of(slot), slot.current
    reloader.start()
    replace_by(retrained, slot.path)
    until(lambda: slot.current is not former)
    shutil.rmtree(slot.path)
    shutil.copytree(runs["two"], slot.path)  # which replaces the model only if that is asked for
    reloader.request()
    until(lambda: slot.current.model.spec.target.task == "classification")
    reloader.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_run_whose_training_was_stopped_is_served_with_a_warning(
    slot: ModelSlot, log: Callable[[], list[str]]
) -> None:
    run = Run(slot.path)
    warn_of_unfinished(slot)
    assert log() == []
    run.save_manifest(run.load_manifest().model_copy(update={"status": "stopped"}))
    reloader_of(slot).check(is_requested=True)
    assert ["--resume" in line for line in log()] == [False, True]

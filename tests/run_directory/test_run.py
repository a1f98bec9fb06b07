"""The run directory: never overwritten, made whole or not at all, and held by one training at a time."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE
from typing import Any

import polars as pl
import pytest

from nncli import train
from nncli.base.atomic_files import TEMPORARY_SUFFIX
from nncli.base.errors import NncliError, RunError, RunLockedError, UsageError
from nncli.config.loading import load_config
from nncli.models.model import ModelSpec
from nncli.run_directory.filenames import LOCK
from nncli.run_directory.manifest import (
    CHECKPOINTS,
    CONFIG,
    HEALTH,
    HELD_OUT,
    HISTORY,
    MANIFEST,
    METRICS,
    MODEL,
    REFERENCE,
    SNAPSHOTS,
    TRAINING_ROWS,
    WEIGHTS,
    Manifest,
)
from nncli.run_directory.run import FolderIdentity, Run, check_new_directory
from tests.assertions import raises
from tests.cli.support import DATA, ROOT, Cli, Process, start

FILES = {CONFIG, WEIGHTS, MODEL, HISTORY, HEALTH, METRICS, TRAINING_ROWS, HELD_OUT, REFERENCE, MANIFEST}


@pytest.fixture(scope="module")
def parts(penguins: Path) -> tuple[Any, ModelSpec, Manifest]:
    """What a new run directory is made of."""
    model = ModelSpec.model_validate_json((penguins / MODEL).read_bytes())
    manifest = Manifest.model_validate_json((penguins / MANIFEST).read_bytes())
    return load_config(penguins / CONFIG), model, manifest.model_copy(update={"status": "running"})


Parts = tuple[Any, ModelSpec, Manifest]


def made(wanted: Path, parts: Parts) -> Path:
    """A run directory, as it is before the first step; left again."""
    with Run.create(wanted, *parts) as run:
        return run.path


def test_an_existing_directory_gets_a_number(tmp_path: Path, parts: Parts) -> None:
    wanted = tmp_path / "deep" / "run"
    assert [made(wanted, parts).name for _ in range(3)] == ["run", "run-2", "run-3"]


def test_an_existing_file_gets_a_number_too(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "run").write_text("mine")
    assert made(tmp_path / "run", parts).name == "run-2"
    assert (tmp_path / "run").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="links want privileges")
def test_a_broken_link_counts_as_an_existing_directory(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    assert made(tmp_path / "run", parts).name == "run-2"


def test_a_run_is_replaced_unless_a_training_is_writing_it(tmp_path: Path, parts: Parts) -> None:
    path = made(tmp_path / "run", parts)
    (path / "old").touch()
    with Run(path).locked(), pytest.raises(RunLockedError), Run.create(path, *parts, replaces=True):
        pass
    assert (path / "old").exists()
    with Run.create(path, *parts, replaces=True) as run:
        assert run.path == path
    assert not (path / "old").exists()
    assert {inner.name for inner in tmp_path.iterdir()} == {"run"}


def test_only_a_run_may_be_replaced(tmp_path: Path, parts: Parts) -> None:
    path = made(tmp_path / "run", parts)
    check_new_directory(path, force=True)
    check_new_directory(tmp_path / "new", force=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for taken, force in ((path, False), (tmp_path / "empty", True), (tmp_path / "file", True)):
        with raises(UsageError, file=taken.name):
            check_new_directory(taken, force=force)


@pytest.mark.slow
def test_concurrent_runs_get_their_own_directories(tmp_path: Path, parts: Parts) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: made(tmp_path / "run", parts), range(40)))
    assert len(set(paths)) == 40
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}


def test_a_directory_that_another_process_removes_before_it_is_locked_is_made_again(
    tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity_of = FolderIdentity.of
    removed: list[Path] = []

    def remove_once(path: Path) -> FolderIdentity:
        identity = identity_of(path)
        if not removed:
            removed.append(path)
            path.rmdir()
            (tmp_path / "occupied").mkdir()  # so that the folder does not get the same inode again
        return identity

    monkeypatch.setattr(FolderIdentity, "of", remove_once)
    assert made(tmp_path / "run", parts).name == "run"
    assert removed
    assert {path.name for path in tmp_path.iterdir()} == {"run", "occupied"}


def test_a_new_run_has_its_configuration_and_path_at_once(tmp_path: Path, parts: Parts) -> None:
    made(tmp_path / "run", parts)
    with Run.create(tmp_path / "run", *parts) as run:
        assert {path.name for path in run.path.iterdir()} == {CONFIG, MODEL, MANIFEST, LOCK}
        assert load_config(run.path / CONFIG).output == str(tmp_path / "run-2")
        assert run.load_manifest().status == "running"
        assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("name", [".", "", "/"])
def test_a_directory_without_a_name_is_refused(name: str, parts: Parts) -> None:
    with raises(UsageError):
        made(Path(name), parts)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode")
def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path, parts: Parts) -> None:
    with raises(UsageError, file=os.fsdecode(b"\xff")) as caught:
        made(tmp_path / os.fsdecode(b"\xff"), parts)
    assert str(caught.value.location).endswith(r"\xff")
    assert list(tmp_path.iterdir()) == []


def test_a_path_through_a_file_is_refused(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "file").write_text("")
    with raises(NncliError, file="run"):
        made(tmp_path / "file" / "run", parts)


def test_a_name_that_is_too_long_is_refused(tmp_path: Path, parts: Parts) -> None:
    with raises(NncliError, file="a" * 300):
        made(tmp_path / ("a" * 300), parts)
    with raises(RunError, file="a" * 300):
        Run.open(tmp_path / ("a" * 300))
    assert list(tmp_path.iterdir()) == []


def test_a_path_without_a_run_is_refused(tmp_path: Path, parts: Parts) -> None:
    with raises(RunError, file="nothing"):
        Run.open(tmp_path / "nothing")
    with raises(RunError, file=tmp_path.name):
        Run.open(tmp_path)
    (tmp_path / CONFIG).write_text("")
    with raises(RunError, mentions="nncli runs"):
        Run.open(tmp_path)
    with raises(RunError, file="config.yaml"):
        Run.open(tmp_path / CONFIG)


def test_the_runs_inside_a_folder_are_named(tmp_path: Path, parts: Parts) -> None:
    made(tmp_path / "folds" / "1", parts)
    with raises(RunError, file="folds", mentions="'1'"):
        Run.open(tmp_path / "folds")


def test_a_run_that_is_not_trained_yet_does_not_predict(tmp_path: Path, parts: Parts) -> None:
    run = Run.open(made(tmp_path / "run", parts))
    with raises(RunError, file="run", mentions=f"resume={str(run.path)!r}"):
        run.load_model()


def test_a_run_directory_has_the_documented_files(penguins: Path) -> None:
    assert {p.name for p in penguins.iterdir()} == {*FILES, LOCK, CHECKPOINTS}


def test_the_history_has_a_row_per_epoch_and_the_metric_by_its_name(penguins: Path) -> None:
    history = pl.read_csv(penguins / HISTORY)
    assert history["epoch"].to_list() == list(range(1, 9))
    names = ["epoch", "loss", "penalty", "val_loss", "val_accuracy", "learning_rate", "is_best", "seconds"]
    assert history.columns == names


def test_the_metrics_are_those_of_the_summary(penguins: Path) -> None:
    metrics = json.loads((penguins / METRICS).read_text())
    for part, rows in (("training", 275), ("validation", 69)):
        assert metrics[part]["rows"] == rows
        assert 0.0 <= metrics[part]["baseline"]["accuracy"] < metrics[part]["metrics"]["accuracy"] <= 1.0


def test_the_saved_configuration_has_every_default(penguins: Path, tmp_path: Path) -> None:
    config = load_config(penguins / CONFIG)
    written = (penguins / CONFIG).read_text()
    for key in type(config).model_fields.keys() - {"code"}:  # a run executes no code by itself
        assert f"\n{key}:" in written
    assert config.loss is not None
    assert config.learning_rate is not None
    assert config.data.features is not None
    Run(tmp_path).save_config(config)
    assert (tmp_path / CONFIG).read_text() == written


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["penguins", "line", "pair"])
def test_the_saved_configuration_trains_the_same_weights(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first: Path = request.getfixturevalue(kind)
    again = train(first / CONFIG, output=tmp_path / "again").run
    for name in (WEIGHTS, MODEL):
        assert (again / name).read_bytes() == (first / name).read_bytes()


# --- locked


@pytest.fixture
def copy(line: Path, tmp_path: Path) -> Path:
    """A trained run, to be gone on with."""
    return Path(shutil.copytree(line, tmp_path / "copy"))


def test_a_locked_run_is_refused(copy: Path) -> None:
    run = Run.open(copy)
    with run.locked(), raises(RunLockedError, file="copy"), Run(copy).locked():
        pass
    with Run(copy).locked():
        pass


HOLD = """
import sys
from pathlib import Path
from nncli.run_directory.run import Run
with Run(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(run: Path) -> Process:
    """A process that holds a run."""
    process = Process([sys.executable, "-c", HOLD, str(run)], cwd=ROOT, stdin=PIPE, stdout=PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    return process


@pytest.mark.slow
def test_a_lock_of_another_process_is_respected_until_it_is_killed(nncli: Cli, copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    with holder(copy) as process:
        done = nncli("train", "--resume", copy, "--set", "epochs=21").check(5)
        assert "another training is writing this run" in done.err
        assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before
        assert len(nncli("predict", copy, DATA / "linear.csv").check().out) > 0  # readers need no lock
        process.kill()
    nncli("train", "--resume", copy, "--set", "epochs=21").check()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_second_training_of_one_run_is_refused(nncli: Cli, copy: Path) -> None:
    with start("train", "--resume", copy, "--set", "epochs=100000000") as process:
        assert process.stderr
        assert any(b"epoch" in line for line in iter(process.stderr.readline, b""))
        assert "another training" in nncli("train", "--resume", copy).check(5).err
        assert "another training" in nncli("train", "--resume", copy, "--set", "epochs=100000000").check(5).err
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    with Run(copy).locked():
        pass


# --- leftovers


def test_incomplete_directories_are_deleted_by_the_next_run(tmp_path: Path, parts: Parts) -> None:
    for name in (".run", ".other"):
        leftover = tmp_path / f"{name}.0123456789ab{TEMPORARY_SUFFIX}"
        leftover.mkdir()
        (leftover / MODEL).write_text("half")
        (leftover / LOCK).touch()
    made(tmp_path / "run", parts)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_directory_in_creation_is_not_deleted(tmp_path: Path, parts: Parts) -> None:
    making = tmp_path / f".run.0123456789ab{TEMPORARY_SUFFIX}"
    making.mkdir()
    with holder(making) as process:
        made(tmp_path / "run", parts)
        assert making.exists()
        assert process.stdin
        process.stdin.close()
    made(tmp_path / "run", parts)
    assert not making.exists()


def test_temporary_files_in_a_run_are_ignored_and_deleted_by_the_next_training(nncli: Cli, copy: Path) -> None:
    expected = nncli("predict", copy, DATA / "linear.csv").check().out
    leftovers = [
        copy / f".{WEIGHTS}.123{TEMPORARY_SUFFIX}",
        copy / CHECKPOINTS / f".{1:012d}.safetensors.9{TEMPORARY_SUFFIX}",
        copy / SNAPSHOTS / f".{1:06d}.safetensors.9{TEMPORARY_SUFFIX}",
    ]
    for path in leftovers:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert nncli("predict", copy, DATA / "linear.csv").check().out == expected
    train(resume=copy)
    assert not any(path.exists() for path in leftovers)
    assert nncli("predict", copy, DATA / "linear.csv").check().out == expected


def test_a_training_that_cannot_begin_leaves_no_directory(tmp_path: Path, parts: Parts) -> None:
    with pytest.raises(ZeroDivisionError), Run.create(tmp_path / "run", *parts):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


# --- links


@pytest.mark.skipif(os.name == "nt", reason="links want privileges")
@pytest.mark.parametrize("name", [*sorted(FILES), LOCK, CHECKPOINTS])
def test_a_training_never_writes_through_a_link(copy: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    if (copy / name).is_dir():
        shutil.copytree(copy / name, outside)
        shutil.rmtree(copy / name)
    else:
        shutil.copy(copy / name, outside)
        (copy / name).unlink()
    (copy / name).symlink_to(outside)

    def seen() -> object:
        if outside.is_dir():
            return {path.name: path.read_bytes() for path in outside.iterdir()}
        return outside.read_bytes()

    before = seen()
    with raises(RunError, mentions=name):
        train(resume=copy, set=["epochs=21"])
    assert seen() == before


@pytest.mark.skipif(os.name == "nt", reason="links want privileges")
def test_a_checkpoint_that_is_a_link_is_refused(copy: Path, tmp_path: Path) -> None:
    (file,) = (copy / CHECKPOINTS).iterdir()
    file.rename(tmp_path / "outside")
    file.symlink_to(tmp_path / "outside")
    with raises(RunError, file="000000000080.safetensors"):
        train(resume=copy, set=["epochs=21"])


@pytest.mark.parametrize("nth", range(1, 5))
@pytest.mark.parametrize("relative", [True, False])
def test_an_error_in_creation_names_the_requested_directory(
    here: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch, nth: int, relative: bool
) -> None:
    real, calls = os.fsync, []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) >= nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with raises(NncliError, mentions="No space left on device") as caught:
        made(Path("deep/run") if relative else here / "deep" / "run", parts)
    assert str(Path("deep", "run")) in str(caught.value)
    assert TEMPORARY_SUFFIX not in str(caught.value)


def test_members_that_a_killed_process_began_to_create_are_removed(tmp_path: Path) -> None:
    begun, trained = tmp_path / "members" / f".2.abc{TEMPORARY_SUFFIX}", tmp_path / "members" / "1"
    for folder in (begun, trained):
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("x")
    Run(tmp_path).clear_unfinished_members()
    assert not begun.exists()
    assert (trained / "config.yaml").exists()

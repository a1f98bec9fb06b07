"""Checkpoints: whole or not there, of this training or no other, and one damaged file is not the end."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from nncli.api.train import train
from nncli.base.errors import RunError
from nncli.config.loading import load_config
from nncli.fitting.prepare.prepare import prepare
from nncli.nn.batches.dataset import Dataset
from nncli.nn.losses import MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adam
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import LoopSignal
from nncli.nn.training.health import Health, LayerHealth
from nncli.nn.training.loop import CheckpointDue, EpochReport, fit
from nncli.nn.training.state import CROSS_FIT, RandomStreams, TrainState
from nncli.run_directory import checkpoints as checkpoints_module
from nncli.run_directory.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from nncli.run_directory.manifest import CHECKPOINTS
from nncli.run_directory.run import Run
from tests.assertions import raises
from tests.cli.support import DATA
from tests.run_directory.support import checkpoints, in_a_process_of_its_own, outcome, stop_at
from tests.thorough import every, partly

NETWORK = Network.model_validate({"n_features": 2, "layers": ["batch_norm", 3], "n_outputs": 1})
DAMAGED = (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError)
"""What load_checkpoint knows to pass over."""
REPORT = EpochReport(1, 0.5, 0.0, None, None, 0.01, True, 0.1)


PLAN = TrainingArguments(NETWORK, MSELoss(), Adam(), ConstantRate(peak=0.01), batch_size=4, epochs=6)


def fresh() -> TrainState:
    return TrainState.create(NETWORK, PLAN.optimizer, RandomStreams.of(0))


def steps() -> Iterator[TrainState]:
    """A state after each of 24 steps."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(16, 2)).astype(np.float32), rng.normal(size=(16, 1)).astype(np.float32)
    state = fresh()
    dataset = Dataset(X, np.empty((16, 0), np.int64), y, None)
    for event in fit(PLAN, state, dataset, after_batch=lambda step: LoopSignal.CHECKPOINT):
        assert isinstance(event, CheckpointDue | EpochReport)
        yield state


def bits(state: TrainState) -> tuple[object, object]:
    snapshot = state.snapshot()
    return snapshot.metadata, {name: array.tobytes() for name, array in snapshot.arrays.items()}


def loaded(run: Path, owner: str = "me") -> tuple[TrainState, list[EpochReport]]:
    state = fresh()
    return state, load_checkpoint(run, state, owner=owner)[0]


def test_health_comes_back_from_a_checkpoint(tmp_path: Path) -> None:
    layer = LayerHealth("output", 0.1, 1.0, 0.1, 1.0, None, None, 2.0, float("nan"), 0.5, (0.0,) * 7)
    health = [Health(epoch, 3 * epoch, 0.1, 1.5, 2.0, float("inf"), 0.0, (layer,)) for epoch in (0, 1)]
    save_checkpoint(tmp_path, fresh(), [], owner="me", keep=1, health=health)
    assert repr(load_checkpoint(tmp_path, fresh(), owner="me")[1]) == repr(health)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Checkpoints of the steps 5, 6 and 7."""
    for state in steps():
        if state.step in (5, 6, 7):
            save_checkpoint(tmp_path, state, [REPORT] * state.step, owner="me", keep=3)
    return tmp_path


def file_of(run: Path, step: int) -> Path:
    return run / CHECKPOINTS / f"{step:012d}.safetensors"


def test_a_checkpoint_restores_state_and_reports_exactly(tmp_path: Path) -> None:
    for state in steps():
        save_checkpoint(tmp_path, state, [REPORT] * state.step, owner="me", keep=2)
        result, reports = loaded(tmp_path)
        assert bits(result) == bits(state)
        assert reports == [REPORT] * state.step


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_only_the_latest_checkpoints_are_kept(tmp_path: Path, keep: int) -> None:
    for state in steps():
        save_checkpoint(tmp_path, state, [], owner="me", keep=keep)
        assert checkpoints(tmp_path) == list(range(max(1, state.step - keep + 1), state.step + 1))


def test_a_rollback_deletes_later_checkpoints(saved: Path) -> None:
    state = next(steps())
    save_checkpoint(saved, state, [], owner="me", keep=2)
    assert checkpoints(saved) == [1]
    assert loaded(saved)[0].step == 1


def test_without_a_checkpoint_the_state_is_unchanged(tmp_path: Path) -> None:
    state, reports = loaded(tmp_path)
    assert reports == []
    assert bits(state) == bits(fresh())


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "text", "pickle"])
def test_a_damaged_checkpoint_falls_back_to_the_previous_one(saved: Path, damage: str) -> None:
    content = file_of(saved, 7).read_bytes()
    middle = len(content) // 2
    damages = {
        "cut": content[:middle],
        "empty": b"",
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "text": b"hello",
        "pickle": b"\x80\x04N.",
    }
    file_of(saved, 7).write_bytes(damages[damage])
    state, reports = loaded(saved)
    assert (state.step, len(reports)) == (6, 6)
    save_checkpoint(saved, state, reports, owner="me", keep=2)  # the damaged one takes nobody's place
    assert checkpoints(saved) == [5, 6]


def test_when_all_are_damaged_the_run_is_refused(saved: Path) -> None:
    for step in (5, 6, 7):
        file_of(saved, step).write_bytes(b"")
    with raises(RunError, file="checkpoints") as caught:
        loaded(saved)
    assert caught.value.hint


@pytest.mark.slow
@partly
def test_every_flipped_bit_is_detected_or_harmless(saved: Path) -> None:
    """Bits here and there; all of them when it is thorough. Harmless are a space more in the header, and such."""
    arrays, training = read_checkpoint(file_of(saved, 7))
    content = bytearray(file_of(saved, 7).read_bytes())
    for at in range(0, len(content) * 8, 3 * every(15)):
        content[at // 8] ^= 1 << at % 8
        file_of(saved, 7).write_bytes(content)
        with suppress(*DAMAGED):
            result, header = read_checkpoint(file_of(saved, 7))
            assert header == training, at
            assert all(array.tobytes() == result[name].tobytes() for name, array in arrays.items()), at
        content[at // 8] ^= 1 << at % 8


def test_a_checkpoint_of_another_training_is_refused(saved: Path) -> None:
    with raises(RunError, file="checkpoints"):
        loaded(saved, owner="you")


def test_a_checkpoint_of_another_network_is_refused(saved: Path, tmp_path: Path) -> None:
    network = Network.model_validate({"n_features": 2, "layers": [], "n_outputs": 1})
    state = TrainState.create(network, Adam(), RandomStreams.of(0))
    with raises(RunError, file="checkpoints"):
        load_checkpoint(saved, state, owner="me")


def test_an_epoch_takes_few_bytes(tmp_path: Path) -> None:
    """A training of a million epochs stays far below what is read at most."""
    sizes = []
    for count in (1_000, 11_000):
        reports = [EpochReport(i + 1, 1 / (i + 1), 0.0, 2 / (i + 1), 0.5, 0.01, i < 3, 0.1) for i in range(count)]
        save_checkpoint(tmp_path, fresh(), reports, owner="me", keep=1)
        assert loaded(tmp_path)[1] == reports
        sizes.append(file_of(tmp_path, 0).stat().st_size)
    assert sizes[1] - sizes[0] < 40 * 10_000


def test_a_checkpoint_with_its_reports_as_json_still_opens(saved: Path) -> None:
    """As version 0.2.0 wrote it."""
    arrays, training = read_checkpoint(file_of(saved, 7))
    arrays = {name: array for name, array in arrays.items() if not name.startswith("reports.")}
    reports = [REPORT, EpochReport(2, 0.25, 0.0, 0.5, 0.75, 0.01, False, 0.1)]
    document = {**training, "reports": [vars(report) for report in reports]}
    arrays["training"] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    content = safetensors.numpy.save(arrays, {"sha256": checkpoints_module._checksum(arrays)})
    file_of(saved, 7).write_bytes(content)
    state, result = loaded(saved)
    assert (state.step, result) == (7, reports)


def test_many_epochs_fit_into_the_header(tmp_path: Path) -> None:
    """A safetensors header ends at 100 MB, so the reports must not live there."""
    sizes = set()
    for count in (1, 20_000):
        save_checkpoint(tmp_path, fresh(), [REPORT] * count, owner="me", keep=1)
        (file,) = (tmp_path / CHECKPOINTS).iterdir()
        sizes.add(struct.unpack("<Q", file.read_bytes()[:8])[0])
        assert len(loaded(tmp_path)[1]) == count
    assert max(sizes) < 2_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_huge_checkpoint_is_skipped_within_bounded_memory(saved: Path) -> None:
    with file_of(saved, 7).open("r+b") as file:
        file.truncate(20 * 2**30)  # a hole: it takes no room on the disk
    header, peak = in_a_process_of_its_own(
        "from tests.run_directory.test_checkpoints import loaded\nprint(loaded(path)[0].step)", saved
    )
    assert header == "6"
    assert peak < 256 * 2**20


# --- in a run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(
        f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4, {{type: dropout, rate: 0.2}}]\n"
        "epochs: 6\ncheckpoint: {every: 5 steps, keep: 3}\n"
    )
    return path  # 102 training rows: four steps an epoch


@pytest.mark.slow
def test_a_run_whose_latest_checkpoint_is_damaged_ends_in_the_same_bits(config: Path, tmp_path: Path) -> None:
    expected = outcome(train(config, output=tmp_path / "whole").run)
    run = train(config, output=tmp_path / "run", stop=stop_at(17)).run
    assert checkpoints(run) == [10, 15, 17]
    file_of(run, 17).write_bytes(b"")
    assert outcome(train(resume=run).run) == expected


def test_a_run_whose_checkpoints_are_all_damaged_is_refused_and_still_predicts(config: Path, tmp_path: Path) -> None:
    run = train(config, output=tmp_path / "run", stop=stop_at(17)).run
    before = outcome(run)
    for step in checkpoints(run):
        file_of(run, step).write_bytes(b"")
    with raises(RunError, file="checkpoints"):
        train(resume=run)
    assert outcome(run) == before
    assert Run.open(run).load_manifest().status == "stopped"
    Run.open(run).load_model()


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_starts_again(config: Path, tmp_path: Path) -> None:
    expected = outcome(train(config, output=tmp_path / "whole").run)
    copy = tmp_path / "copy"

    def cut() -> bool:
        if not copy.exists():
            shutil.copytree(tmp_path / "run", copy)  # as a process killed now would leave it
        return False

    train(config, output=tmp_path / "run", stop=cut)
    assert checkpoints(copy) == []
    with raises(RunError, file="copy"):
        Run.open(copy).load_model()
    assert outcome(train(resume=copy).run) == expected


@pytest.mark.slow
def test_checkpoints_swapped_between_two_runs_of_one_shape_are_refused(config: Path, tmp_path: Path) -> None:
    runs = [
        train(config, output=tmp_path / name, set=[f"seed={seed}"], stop=stop_at(17)).run
        for seed, name in enumerate("ab")
    ]
    shutil.rmtree(runs[0] / CHECKPOINTS)
    shutil.copytree(runs[1] / CHECKPOINTS, runs[0] / CHECKPOINTS)
    with raises(RunError, file="checkpoints"):
        train(resume=runs[0])


def test_a_checkpoint_holds_no_more_than_the_state(config: Path, tmp_path: Path) -> None:
    run = train(config, output=tmp_path / "run").run
    arrays, training = read_checkpoint(file_of(run, checkpoints(run)[-1]))
    prepared = prepare(load_config(config))
    state = TrainState.create(prepared.spec.network, prepared.config.optimizer, prepared.streams)
    assert {name for name in arrays if not name.startswith("reports.")} == {*state.vectors, CROSS_FIT}
    assert set(training) == {"owner", "state", "last_good", "health"}
    assert json.loads(json.dumps(training)) == training

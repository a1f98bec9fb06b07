"""Members trained in processes of their own: the same bits, whoever is killed, and nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nncli import resume, train
from nncli.api.train import train_events
from nncli.base.errors import NncliError
from nncli.fitting.parallel import task_pool as side_by_side
from nncli.fitting.train.events import Finished, MembersProgress
from nncli.nn.training.epoch import DivergedError
from nncli.runs.run import Run
from tests.api.ensembles import bits, config_of, written
from tests.assertions import raises
from tests.cli.support import ROOT, SECONDS, default_signals, on_terminal, start

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")
LONG = ("epochs=300", "checkpoint={every: 100 steps}", "members=2", "workers=2")
"""Long enough for a signal to meet it."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What the training leads to that nothing meets, in one process."""
    folder = tmp_path_factory.mktemp("whole")
    return bits(train(config_of(folder, *LONG, "workers=1"), output=folder / "run").run)


def statuses(run: Path) -> list[str]:
    return [Run.open(member).load_manifest().status for member in (run / "members").iterdir()]


def test_killed_workers_are_replaced_and_the_bits_stay_the_same(tmp_path: Path, expected: tuple[Any, ...]) -> None:
    killed = 0
    for event in train_events(config_of(tmp_path, *LONG), output=tmp_path / "run"):
        if isinstance(event, MembersProgress) and event.epochs and not killed:
            for child in multiprocessing.active_children():
                child.kill()
                killed += 1
    assert killed
    assert isinstance(event, Finished)
    assert bits(event.run) == expected
    assert not multiprocessing.active_children()
    assert not list(event.run.rglob(".*nncli-tmp")) + list(event.run.glob(".work"))


def test_a_terminated_worker_saves_and_is_replaced(tmp_path: Path, expected: tuple[Any, ...]) -> None:
    terminated = False
    for event in train_events(config_of(tmp_path, *LONG), output=tmp_path / "run"):
        if isinstance(event, MembersProgress) and event.epochs and not terminated:
            terminated = True
            for child in multiprocessing.active_children():
                child.terminate()
    assert isinstance(event, Finished)
    assert bits(event.run) == expected


def test_stopped_members_are_saved_and_resume_to_the_same_bits(tmp_path: Path, expected: tuple[Any, ...]) -> None:
    run = tmp_path / "run"
    finished = train(
        config_of(tmp_path, *LONG), output=run, stop=lambda: any(run.glob("members/*/checkpoints/*.safetensors"))
    )
    assert finished.status == "stopped"
    assert "running" not in statuses(run)
    assert resume(run).status == "done"
    assert bits(run) == expected


def test_closing_the_events_saves_all_members(tmp_path: Path, expected: tuple[Any, ...]) -> None:
    events = train_events(config_of(tmp_path, *LONG), output=tmp_path / "run")
    for event in events:
        if isinstance(event, MembersProgress) and event.epochs:
            break
    events.close()
    assert not multiprocessing.active_children()
    assert Run.open(tmp_path / "run").load_manifest().status == "stopped"
    assert "running" not in statuses(tmp_path / "run")
    assert resume(tmp_path / "run").status == "done"
    assert bits(tmp_path / "run") == expected


def test_repeatedly_lost_processes_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "MAX_RETRIES", 0)

    def kill_all() -> bool:
        for child in multiprocessing.active_children():
            child.kill()
        return False

    with raises(NncliError, mentions="workers=1"):
        train(config_of(tmp_path, *LONG), output=tmp_path / "run", stop=kill_all)
    assert Run.open(tmp_path / "run").load_manifest().status == "failed"


def test_a_diverging_member_ends_the_others_and_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path, *LONG, "learning_rate=1e30", "optimizer=sgd", "loss=cross_entropy")
    with pytest.raises(DivergedError) as caught:
        train(config, output=tmp_path / "run")
    assert f"{tmp_path}/run/members/" in str(caught.value)
    assert Run.open(tmp_path / "run").load_manifest().status == "failed"
    assert not multiprocessing.active_children()


# --- from the command line


def children_of(pid: int) -> list[int]:
    return [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for_members(run: Path) -> None:
    """Wait until a member has saved something."""
    end = time.monotonic() + SECONDS
    while not list(run.glob("members/*/checkpoints/*.safetensors")):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
def test_workers_end_with_a_killed_parent_and_the_run_resumes_to_the_same_bits(
    tmp_path: Path, expected: tuple[Any, ...]
) -> None:
    with start("train", written(tmp_path, *LONG), "-o", "run", cwd=tmp_path) as process:
        wait_for_members(tmp_path / "run")
        children = children_of(process.pid)
        process.kill()
        process.wait()
    assert len(children) >= 2
    assert resume(tmp_path / "run").status == "done"  # at once: it waits for whoever still writes
    assert bits(tmp_path / "run") == expected
    end = time.monotonic() + SECONDS
    while any(map(is_there, children)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_there, children))


def test_a_signal_to_the_parent_saves_all_members(tmp_path: Path, expected: tuple[Any, ...]) -> None:
    with start("train", written(tmp_path, *LONG), "-o", "run", cwd=tmp_path) as process:
        wait_for_members(tmp_path / "run")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert out == b"run\n"
    assert b"all members are saved" in err
    assert b"nncli train --resume run" in err
    assert b"Traceback" not in err
    assert Run.open(tmp_path / "run").load_manifest().status == "stopped"
    resume(tmp_path / "run", assignments=["workers=1"])
    assert bits(tmp_path / "run") == expected


def test_ctrl_c_at_a_terminal_saves_all_members(tmp_path: Path, expected: tuple[Any, ...]) -> None:
    path = written(tmp_path, *LONG)
    code, seen = on_terminal("train", path, "-o", "run", cwd=tmp_path, typed=b"\x03")
    assert code == 130
    assert "nncli train --resume run" in seen
    assert "Traceback" not in seen
    code, seen = on_terminal("train", "--resume", "run", cwd=tmp_path)
    assert code == 0
    assert "members 2/2" in seen
    assert bits(tmp_path / "run") == expected


def test_a_second_signal_stops_at_once_and_the_run_still_resumes(tmp_path: Path, expected: tuple[Any, ...]) -> None:
    with start("train", written(tmp_path, *LONG), "-o", "run", cwd=tmp_path) as process:
        wait_for_members(tmp_path / "run")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode in (128 + signal.SIGTERM, -signal.SIGTERM)
    assert b"Traceback" not in err or b"Exception ignored in" in err
    resume(tmp_path / "run", assignments=["workers=1"])
    assert bits(tmp_path / "run") == expected


def test_a_script_that_trains_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    path = written(tmp_path, "members=2", "workers=2", "epochs=1")
    script.write_text(f"import nncli\nprint('once')\nprint(nncli.train({str(path)!r}, output='run').status)\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=default_signals,
    )
    assert (done.returncode, done.stdout) == (0, "once\ndone\n"), done.stderr

"""A training that is ended by a signal says so, within two seconds, and goes on to the same bits."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nncli import train
from nncli.cli.console import STOPPING
from nncli.run_directory.run import Run
from tests.cli.support import COMMAND, DATA, ROOT, SECONDS, Cli, ended, on_terminal, run, start, wait_for_epochs
from tests.run_directory.support import outcome

CONFIG = f"""
data: {{path: {DATA}/penguins.csv, target: species}}
layers: [16, batch_norm, {{type: dropout, rate: 0.2}}]
learning_rate: {{type: cosine, peak: 0.01}}
batch_size: 8
epochs: 120
checkpoint: {{every: 1 s}}
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signals") / "c.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def whole(config: Path) -> object:
    """What the training leads to that no signal meets."""
    return outcome(run("train", config, "-o", config.with_name("whole")).check().path)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: signal.Signals(n).name)
def test_a_signal_ends_a_training_in_time_and_resume_leads_to_the_same_bits(
    config: Path, whole: object, tmp_path: Path, number: int
) -> None:
    with start("train", config, "-o", "run", cwd=tmp_path) as process:
        wait_for_epochs(process)
        process.send_signal(number)
        out, err, took = ended(process)
    assert process.returncode == 128 + number
    assert took < 2.0
    assert out == b"run\n"
    assert err.index(STOPPING.encode()) < err.index(b"the run is saved")
    assert b"nncli train --resume run" in err
    assert b"Traceback" not in err
    stopped = Run.open(tmp_path / "run")
    assert stopped.load_manifest().status == "stopped"
    assert 0 < stopped.load_manifest().epochs < 120
    assert outcome(stopped.path) != whole
    done = run("train", "--resume", "run", cwd=tmp_path).check()
    assert done.out == "run\n"
    assert outcome(tmp_path / "run") == whole
    assert Run.open(tmp_path / "run").load_manifest().status == "done"


@pytest.mark.parametrize(
    ("number", "seconds"),
    [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.001), (signal.SIGINT, 0.003), (signal.SIGTERM, 0.01)],
)
def test_a_second_signal_stops_at_once_and_the_run_still_resumes(
    config: Path, whole: object, tmp_path: Path, number: int, seconds: float
) -> None:
    with start("train", config, "-o", "run", cwd=tmp_path) as process:
        wait_for_epochs(process)
        process.send_signal(number)
        time.sleep(seconds)
        process.send_signal(number)
        _, err, took = ended(process)
        assert took < 2.0
    assert process.returncode in (128 + number, -number)  # by itself, or, on its way out already, by the signal
    # a signal that falls into a finalizer is shown by the interpreter itself, and stops nothing
    assert b"Traceback" not in err or b"Exception ignored in" in err
    train(resume=tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_a_second_signal_does_not_wait_for_a_long_batch_to_be_looked_at(nncli: Cli, here: Path) -> None:
    """The first one waits for the batch, and the second one neither for it nor for what comes after."""
    nncli("generate-data", "friedman1", "-n", 30_000, "-o", "big.csv").check()
    (here / "c.yaml").write_text(
        "data: {path: big.csv, target: y}\nlayers: [400, 400]\nbatch_size: full\nepochs: 100\n"
        "checkpoint: {every: 1 epoch}"
    )
    with start("train", "c.yaml", "-o", "run", cwd=here) as process:
        wait_for_epochs(process)
        process.send_signal(signal.SIGTERM)
        assert process.stderr
        assert any(STOPPING.encode() in line for line in iter(process.stderr.readline, b""))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert b"stopped at once" in err
    assert b"nncli train --resume run" in err
    said = Run.open(here / "run").load_manifest()
    assert said.status == "stopped"
    assert said.epochs >= 1
    done = nncli("train", "--resume", "run", "-q", "--set", f"epochs={said.epochs + 1}").check()
    assert Run.open(done.path).load_manifest().epochs == said.epochs + 1


def test_a_killed_training_resumes_to_the_same_bits(config: Path, whole: object, tmp_path: Path) -> None:
    with start("train", config, "-o", "run", "--set", "checkpoint.every=200 steps", cwd=tmp_path) as process:
        wait_for_epochs(process)
        process.kill()
        process.wait()
    assert Run.open(tmp_path / "run").load_manifest().status == "running"
    train(resume=tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_what_nohup_ignores_stays_ignored(config: Path, tmp_path: Path) -> None:
    line = 'trap "" HUP; exec "$@" train "$CONFIG" -o run --set epochs=100'
    env = os.environ | {"CONFIG": str(config), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        ["bash", "-c", line, "-", *COMMAND], cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_for_epochs(process)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert Run.open(tmp_path / "run").load_manifest().epochs == 100


def test_ctrl_c_at_a_terminal_and_a_resume_lead_to_the_same_bits(config: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.yaml"  # under way for seconds, as Ctrl-C comes a third of a second after the first words
    long.write_text(config.read_text().replace("epochs: 120", "epochs: 2000"))
    whole = outcome(run("train", long, "-o", tmp_path / "whole").check().path)
    code, seen = on_terminal("train", long, "-o", "run", cwd=tmp_path, typed=b"\x03")
    assert code == 130
    assert "nncli train --resume run" in seen
    code, seen = on_terminal("train", "--resume", "run", cwd=tmp_path)
    assert code == 0
    assert "2000/2000" in seen.replace(",", "")
    assert outcome(tmp_path / "run") == whole


@pytest.mark.parametrize("words", [(), ("c.yaml", "--resume", "run"), ("--resume", "run", "-o", "other")])
def test_either_a_configuration_or_a_run_is_wanted(nncli: Cli, here: Path, words: tuple[str, ...]) -> None:
    assert "resume" in nncli("train", *words).check(2).err


# --- the same bits


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "one thread, locale C": {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C"},
    "two threads, Turkey": {
        "OPENBLAS_NUM_THREADS": "2",
        "OMP_NUM_THREADS": "2",
        "PYTHONHASHSEED": "12345",
        "LC_ALL": "tr_TR.UTF-8",
        "LANG": "tr_TR.UTF-8",
    },
    "one thread of Polars, no UTF-8 mode": {
        "POLARS_MAX_THREADS": "1",
        "TZ": "Pacific/Kiritimati",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
    },
}
"""Each changes all that it can."""
WIDE = f"""
data: {{path: {DATA}/penguins.csv, target: species}}
layers: [256, 256, {{type: dropout, rate: 0.2}}]
batch_size: 100
epochs: 4
"""


@pytest.mark.parametrize("threads", ["auto", "2"])
def test_the_same_bits_come_out_whatever_the_surroundings(tmp_path: Path, threads: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"{WIDE}threads: {threads}\n")
    expected = outcome(run("train", config, "-q", "-o", tmp_path / "run").check().path)
    for name, env in ENVIRONMENTS.items():
        done = run("train", config, "-o", tmp_path / name, env=env).check()
        assert outcome(done.path) == expected, name
    elsewhere = tmp_path / "else" / "where"
    elsewhere.mkdir(parents=True)
    shutil.copy(config, elsewhere)
    done = run("train", "c.yaml", "-q", "-o", "here", cwd=elsewhere).check()
    assert outcome(elsewhere / done.path) == expected
    code, _ = on_terminal("train", config, "-o", "screen", cwd=tmp_path)
    assert code == 0
    assert outcome(tmp_path / "screen") == expected
    code, _ = on_terminal("train", config, "-o", "dumb", cwd=tmp_path, env={"TERM": "dumb"}, columns=20)
    assert code == 0
    assert outcome(tmp_path / "dumb") == expected


def test_a_run_that_changes_its_surroundings_half_way_ends_in_the_same_bits(
    config: Path, whole: object, tmp_path: Path
) -> None:
    with start("train", config, "-o", "run", cwd=tmp_path, env={"OPENBLAS_NUM_THREADS": "2"}) as process:
        wait_for_epochs(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)
    env = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
    run("train", "--resume", tmp_path / "run", "-q", env=env).check()
    assert outcome(tmp_path / "run") == whole


@pytest.mark.parametrize("members", [1, 2])
def test_a_finished_training_says_so_and_how_to_train_longer(nncli: Cli, here: Path, members: int) -> None:
    (here / "c.yaml").write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [2]\nepochs: 1\nworkers: 1\n")
    run = nncli("train", "c.yaml", "-q", "--set", f"members={members}").check().path
    done = nncli("train", "--resume", run).check()
    (line,) = [line for line in done.err.splitlines() if "had finished" in line]
    assert line.startswith("note: ")
    words = shlex.split(line.partition("To train longer: nncli ")[2].replace("=N", "=2"))
    longer = nncli(*words).check()
    assert "had finished" not in longer.err
    assert "epoch 2/2" in longer.err or "epoch 4/4" in longer.err


def test_a_finished_cross_validation_says_so(nncli: Cli, here: Path) -> None:
    (here / "c.yaml").write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [2]\nepochs: 1\nworkers: 1\n")
    words = ("cross-validate", "c.yaml", "--folds", "2", "-o", "cv")
    assert "had finished" not in nncli(*words).check().err
    assert "had finished" in nncli("cross-validate", "--resume", "cv").check().err

"""A search gives the same bytes with 1, 2 and 4 workers, and after SIGKILLs of all its processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nncli.tuning.trials import RECORD, TRIALS
from tests.cli.support import COMMAND, DATA, SECONDS
from tests.thorough import IS_THOROUGH, every, partly
from tests.tuning.searches import loaded, results, resume_search, run_search

pytest.importorskip("optuna")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")
PENGUINS = f"""
data: {{path: {DATA}/penguins.csv, target: species, drop: [year]}}
layers: [8]
epochs: 6
tune:
  trials: 8
  folds: 3
  lag: 4
  search:
    learning_rate: {{from: 1e-4, to: 1.0, scale: log}}
    layers: {{choices: [[8], [16, {{type: dropout, rate: {{from: 0.0, to: 0.5}}}}], []]}}
    optimizer: {{choices: [{{type: sgd, momentum: {{from: 0.5, to: 0.99}}}}, adam]}}
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The results of one worker that nobody interrupted."""
    folder = tmp_path_factory.mktemp("one")
    ended = run_search(loaded(folder, PENGUINS), folder / "found")
    assert {trial.state for trial in ended.trials} >= {"complete", "pruned"}
    return results(folder / "found")


@partly
@pytest.mark.parametrize("workers", (4, 2)[:: every(2)])
def test_more_workers_give_the_same_bytes(tmp_path: Path, expected: tuple[bytes, bytes], workers: int) -> None:
    ended = run_search(loaded(tmp_path, PENGUINS), tmp_path / "found", workers=workers)
    assert len(ended.trials) == 9
    assert results(tmp_path / "found") == expected


def started(words: list[str]) -> subprocess.Popen[bytes]:
    """A command in a process group of its own."""
    return subprocess.Popen([*COMMAND, *words], stdout=subprocess.DEVNULL, start_new_session=True)


@partly
@pytest.mark.parametrize("seed", range(0, 2, every(2)))
def test_sigkills_of_all_processes_lose_nothing(tmp_path: Path, expected: tuple[bytes, bytes], seed: int) -> None:
    rng, path, kills = random.Random(seed), tmp_path / "found", 0
    loaded(tmp_path, PENGUINS)
    words = ["tune", str(tmp_path / "search.yaml"), "-o", str(path), "--workers", "2"]
    while kills < 2 + 2 * IS_THOROUGH:
        process = started(["tune", "--resume", str(path), "--workers", "2"] if path.exists() else words)
        wait_for_more(path, process)
        time.sleep(rng.uniform(0.0, 0.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert (path / RECORD).exists()
    ended = resume_search(path, workers=2)
    assert results(path) == expected
    assert len(ended.trials) == 9
    assert not list(path.rglob(".*nncli-tmp"))
    assert not list(path.glob(f"{TRIALS}/*/folds/*-2"))


def wait_for_more(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until another file of a trial is written, or the search has ended."""
    before, end = len(list(path.glob(f"{TRIALS}/*/folds/*/*"))), time.monotonic() + SECONDS
    while len(list(path.glob(f"{TRIALS}/*/folds/*/*"))) <= before and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_search_whose_parent_alone_is_killed_resumes_at_once(tmp_path: Path, expected: tuple[bytes, bytes]) -> None:
    path = tmp_path / "found"
    loaded(tmp_path, PENGUINS)
    process = started(["tune", str(tmp_path / "search.yaml"), "-o", str(path), "--workers", "2"])
    wait_for_more(path, process)
    process.kill()
    process.wait()
    resume_search(path, workers=2)
    assert results(path) == expected

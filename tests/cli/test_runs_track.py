"""`nncli track` and `nncli train --track` on the command line."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.cli.support import Cli, Outcome, run
from tests.tracking.support import NETWORK, config, scalars


def warnings(outcome: Outcome) -> list[str]:
    """The warnings about trackers."""
    return [line for line in outcome.err.splitlines() if line.startswith("warning: ") and "nncli track" in line]


def test_a_training_is_tracked(nncli: Cli, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    outcome = nncli(
        "train", config(tmp_path), "-o", tmp_path / "run", "--track", f"tensorboard={logs}", "--track", "tensorboard"
    ).check()
    assert outcome.path == tmp_path / "run"
    assert scalars(logs / "run") == scalars(tmp_path / "tensorboard" / "run")
    assert [step for step, _, _ in scalars(logs / "run")["loss"]] == [1, 2, 3, 4, 5]


def test_a_resumed_training_is_tracked(nncli: Cli, tmp_path: Path) -> None:
    words = ("--track", "tensorboard")
    nncli("train", config(tmp_path), "-o", tmp_path / "run", "-q", *words).check()
    nncli("train", "--resume", tmp_path / "run", "--set", "epochs=7", "-q", *words).check()
    assert [step for step, _, _ in scalars(tmp_path / "tensorboard" / "run")["loss"]] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("word", ["wandb", "tensorboard=", "mlflow="])
def test_a_wrong_tracker_is_refused_before_the_training(nncli: Cli, tmp_path: Path, word: str) -> None:
    nncli("train", config(tmp_path), "-o", tmp_path / "run", "--track", word).check(2)
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_fails_is_one_warning(nncli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("--track", f"tensorboard={tmp_path / 'file' / 'logs'}")
    outcome = nncli("train", config(tmp_path), "-o", tmp_path / "run", *words, "-q").check()
    assert outcome.path == tmp_path / "run"
    assert len(warnings(outcome)) == 1


def test_it_is_an_event_of_the_json_lines(nncli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("--track", f"tensorboard={tmp_path / 'file' / 'logs'}")
    outcome = nncli("train", config(tmp_path), "-o", tmp_path / "run", *words, "--json").check()
    events = [json.loads(line) for line in outcome.out.splitlines()]
    (stopped,) = [event for event in events if event["event"] == "tracking_stopped"]
    assert stopped["findings"][0]["code"] == "tracking"
    assert events[-1]["event"] == "finished"


def test_a_finished_run_is_tracked(nncli: Cli, tmp_path: Path, penguins: Path, line: Path) -> None:
    outcome = nncli("track", penguins, line, "--to", f"tensorboard={tmp_path}").check()
    assert len(outcome.err.splitlines()) == 2
    assert not outcome.out
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run-2"}


def test_json_says_what_was_written(nncli: Cli, tmp_path: Path, penguins: Path) -> None:
    word = f"tensorboard={tmp_path}"
    outcome = nncli("track", penguins, "--to", word, "--json").check()
    assert json.loads(outcome.out) == {"tracked": [{"run": str(penguins), "tracker": word, "name": "run"}]}


@pytest.mark.parametrize(
    ("words", "code"), [([], 2), (["--to", "wandb"], 2), (["--to", "mlflow=http://127.0.0.1:1"], 1)]
)
def test_what_cannot_be_done_is_an_error(nncli: Cli, penguins: Path, words: list[str], code: int) -> None:
    nncli("track", penguins, *words).check(code)


SPACE = "tune: {trials: 1, folds: 2, search: {learning_rate: {from: 0.01, to: 0.1, scale: log}}}\n"


def test_a_search_is_tracked(nncli: Cli, tmp_path: Path) -> None:
    words = ("-o", tmp_path / "search", "--track", f"tensorboard={tmp_path / 'live'}", "--train")
    nncli("tune", config(tmp_path, NETWORK + SPACE), "--workers", "1", "--json", *words).check()
    assert {path.name for path in (tmp_path / "live").iterdir()} == {"search", "search-best"}
    nncli("track", tmp_path / "search", "--to", f"tensorboard={tmp_path / 'later'}").check()
    for folder in ("search", "search/trials/0001"):
        assert scalars(tmp_path / "live" / folder) == scalars(tmp_path / "later" / folder) != {}


def test_a_tracker_that_fails_is_an_event_of_a_search(nncli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("-o", tmp_path / "search", "--track", f"tensorboard={tmp_path / 'file' / 'logs'}")
    outcome = nncli("tune", config(tmp_path, NETWORK + SPACE), "--workers", "1", "--json", *words).check()
    events = [json.loads(line)["event"] for line in outcome.out.splitlines()]
    assert events.count("tracking_stopped") == 1
    assert len(warnings(outcome)) == 1


def test_a_server_that_is_not_there_is_one_warning_and_no_waiting(tmp_path: Path) -> None:
    start = time.monotonic()
    outcome = run(
        "train", config(tmp_path), "-o", tmp_path / "run", "--track", "mlflow=http://127.0.0.1:1", "-q"
    ).check()
    assert outcome.path == tmp_path / "run"
    (warning,) = warnings(outcome)
    assert "cannot connect to 127.0.0.1, port 1" in warning
    assert all(line.startswith("warning: ") for line in outcome.err.splitlines())
    assert time.monotonic() - start < 50

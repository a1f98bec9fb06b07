"""`nncli tune` as a person meets it."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import DATA, SECONDS, Cli, on_terminal, start
from tests.tuning.configs import search_config


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_the_result_is_a_table_and_the_progress_a_line_for_each_trial(nncli: Cli, here: Path) -> None:
    done = nncli("tune", search_config(here, folds=3), "-o", "t").check()
    lines = [line for line in done.out.splitlines() if line]
    assert lines[0].split()[0] == "trial"
    assert lines[1].split()[0] == "log_loss"
    assert lines[-1] == "t/best.yaml"
    assert "next: nncli report t, or nncli train t/best.yaml" in done.err.splitlines()
    assert (here / "t" / "best.yaml").exists()
    with (here / "t" / "trials.csv").open() as file:
        trials = list(csv.DictReader(file))
    shown = sorted(line for line in done.err.splitlines() if line.startswith("trial "))
    assert [line.split()[1] for line in shown] == [trial["trial"] for trial in trials] == ["0", "1", "2", "3"]


def test_quiet_prints_the_result_alone(nncli: Cli, here: Path) -> None:
    done = nncli("tune", search_config(here, "trials: 1"), "-q").check()
    assert done.err == ""
    assert done.out.endswith("runs/c-tune/best.yaml\n")


def test_json_is_a_line_for_every_event(nncli: Cli, here: Path) -> None:
    first, *trials, last = events(nncli("tune", search_config(here, folds=3), "--json", "--no-prune").check().out)
    assert (first["event"], first["search"], first["trials"], first["folds"]) == ("started", "runs/c-tune", 3, 3)
    assert first["parameters"] == ["learning_rate", "layers"]
    assert [(trial["event"], trial["trial"], trial["state"]) for trial in trials] == [
        ("trial", i, "complete") for i in range(4)
    ]
    assert trials[0]["values"] == {}
    assert set(trials[1]["values"]) == {"learning_rate", "layers"}
    assert len(trials[1]["folds"]) == 3
    assert (last["event"], last["status"], last["best_config"]) == ("finished", "done", "runs/c-tune/best.yaml")
    assert last["best"]["score"] == min(trial["score"] for trial in trials)


def test_options_take_the_place_of_the_section(nncli: Cli, here: Path) -> None:
    words = ("--trials", 2, "--folds", 2, "--metric", "accuracy", "--sampler", "random", "--lag", 1, "--no-prune")
    first, *trials, last = events(nncli("tune", search_config(here), *words, "--json").check().out)
    assert (first["trials"], first["folds"]) == (2, 2)
    assert first["metric"] == {"name": "accuracy", "higher_is_better": True}
    assert len(trials) == 3
    assert last["best"]["score"] == max(trial["score"] for trial in trials)


def test_a_finished_search_goes_on_with_more_trials(nncli: Cli, here: Path) -> None:
    nncli("tune", search_config(here, "trials: 1"), "-o", "t").check()
    done = nncli("tune", "--resume", "t", "--trials", 2).check()
    assert "trials 1/2 were finished before" in done.err
    assert [line.split()[1] for line in done.err.splitlines() if line.startswith("trial ")] == ["2"]


def test_the_best_configuration_is_trained_at_once(nncli: Cli, here: Path) -> None:
    done = nncli("tune", search_config(here, "trials: 1"), "--train").check()
    assert done.out.splitlines()[-2:] == ["runs/c-tune/best.yaml", "runs/c"]
    assert (here / "runs" / "c" / "model.safetensors").exists()
    assert "next: nncli report runs/c" in done.err


def test_an_ensemble_of_the_best_trials_is_a_run(nncli: Cli, here: Path) -> None:
    done = nncli("tune", search_config(here, folds=2), "--no-prune", "--ensemble", 3, "--json").check()
    line = events(done.out)[-1]
    assert line["event"] == "ensemble"
    again = nncli("tune", "--resume", "runs/c-tune", "--ensemble", 3).check()
    assert again.out.splitlines()[-1] == line["run"]
    assert "ensemble" in again.err
    assert "prediction" in nncli("predict", line["run"], DATA / "penguins-test.csv").check().out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("c.yaml", "--resume", "t"),
        ("--resume", "t", "-o", "other"),
        ("--resume", "t", "--set", "epochs=1"),
        ("--resume", "t", "--quality", "fast"),
        ("--resume", "t", "--target", "y"),
        ("--resume", "t", "--folds", "3"),
        ("--resume", "t", "--metric", "accuracy"),
        ("--resume", "t", "--sampler", "random"),
        ("--resume", "t", "--lag", "2"),
        ("--resume", "t", "--no-prune"),
        ("--resume", "t", "--search", "l2=0..1"),
        ("--resume", "t", "--sheet", "2"),
    ],
)
def test_a_resumed_search_keeps_its_settings(nncli: Cli, here: Path, words: tuple[str, ...]) -> None:
    assert "--resume" in nncli("tune", *words).check(2).err


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_saves_all_trials_and_the_hint_goes_on_to_the_same_result(
    here: Path, nncli: Cli, workers: int
) -> None:
    config = search_config(here, "trials: 4", folds=2)
    with start("tune", config, "--workers", workers, "--set", "epochs=2000", "-o", "t", cwd=here) as process:
        end = time.monotonic() + SECONDS
        while not list(here.glob("t/trials/*/folds/*/manifest.json")) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGINT
    assert out == b""
    assert b"Traceback" not in err
    assert b"nncli tune --resume t\n" in err
    assert not (here / "t" / "trials" / "0004.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_stopped_search_has_a_best_configuration_and_goes_on_to_its_end(here: Path, nncli: Cli) -> None:
    config = search_config(here, "trials: 30", folds=2)
    with start("tune", config, "--json", "-o", "t", cwd=here) as process:
        assert process.stdout
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert lines[1]["event"] == "trial"
    assert events(out.decode())[-1]["status"] == "stopped"
    assert b"t/best.yaml" in err
    done = nncli("tune", "--resume", "t", "--trials", 3, "--workers", 2, "--json").check()
    whole = nncli("tune", config, "-o", "u", "--trials", 3, "--json").check()
    assert events(done.out)[-1]["best"]["score"] <= events(whole.out)[-1]["best"]["score"]


@pytest.mark.skipif(os.name == "nt", reason="terminals")
def test_a_terminal_shows_the_trials_the_best_one_and_its_values(tmp_path: Path) -> None:
    config = search_config(tmp_path, "trials: 8")
    code, seen = on_terminal("tune", config, "-o", "t", cwd=tmp_path)
    assert code == 0
    assert "trials 8/8" in seen
    assert "best trial" in seen
    assert "learning_rate" in seen
    assert "t/best.yaml\r\nnext: nncli report t" in seen


@pytest.mark.skipif(os.name == "nt", reason="terminals")
def test_a_second_ctrl_c_ends_the_search_at_once(tmp_path: Path) -> None:
    config = search_config(tmp_path, "trials: 400")
    code, seen = on_terminal("tune", config, "-o", "t", "--workers", 2, cwd=tmp_path, typed=b"\x03\x03")
    assert code == 130
    assert "Traceback" not in seen
    assert "nncli tune --resume t" in seen

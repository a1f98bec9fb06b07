"""A training told as JSON, a line for each event."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli.base.findings import FindingCode, note
from nncli.cli.progress.json_events import JsonLines
from nncli.fitting.train.events import Started
from nncli.nn.training.loop import EpochReport
from tests.cli.support import DATA, Cli

FAST = "learning_rate: 0.1\nbatch_size: 8\n"
"""Better than the baseline after three epochs."""
CONFIG = f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 3\nvalidation: 0.3\n{FAST}"


def told(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def config(here: Path) -> Path:
    path = here / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_a_training_is_a_line_for_its_start_every_epoch_and_its_end(nncli: Cli, config: Path) -> None:
    done = nncli("train", config, "--json").check()
    assert done.err == ""
    first, *events, last = told(done.out)
    epochs = [event for event in events if event["event"] == "epoch"]
    assert (first["event"], first["run"], first["epochs"], first["done"]) == ("started", "runs/c", 3, 0)
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3]
    keys = ["event", "epoch", "loss", "penalty", "val_loss", "metric", "learning_rate", "best", "seconds"]
    assert [list(epoch) for epoch in epochs] == [keys] * 3
    assert epochs[0]["best"] == 1
    assert epochs[2]["metric"]["name"] == "rmse"
    assert last["event"] == "finished"
    assert (last["run"], last["status"], last["epochs"]) == ("runs/c", "done", 3)
    metrics = json.loads(Path("runs/c/metrics.json").read_text())
    assert last["validation"] == metrics["validation"]


def test_notes_are_on_stderr_unless_quiet(nncli: Cli, config: Path) -> None:
    table = Path("t.csv")
    rows = pl.read_csv(DATA / "linear.csv").with_columns(empty=pl.lit(None))
    rows.write_csv(table)
    config.write_text(config.read_text().replace(f"{DATA}/linear.csv", "t.csv"))
    done = nncli("train", config, "--json").check()
    (line,) = done.err.splitlines()
    assert line.startswith("note: ")
    first = told(done.out)[0]
    assert first["notes"] == [line.removeprefix("note: ")]
    assert [(f["level"], f["code"]) for f in first["findings"]] == [("note", "empty-column")]
    assert nncli("train", config, "--json", "-q").check().err == ""


def test_a_warning_is_a_finding_with_a_code_and_shown_with_quiet(nncli: Cli, config: Path) -> None:
    done = nncli("train", config, "--json", "-q", "--set", "output_activation=sigmoid").check()
    assert {line.partition(": ")[0] for line in done.err.splitlines()} == {"warning"}
    first, *_, last = told(done.out)
    assert first["notes"] == []
    assert [f["code"] for f in last["findings"]] == ["no-better-than-baseline"]
    assert [(f["level"], f["code"]) for f in first["findings"]] == [("warning", "unreachable-target")]


def test_members_are_told_as_they_come_on(nncli: Cli, config: Path) -> None:
    done = nncli("train", config, "--json", "--set", "members=2", "--set", "workers=1").check()
    first, *progress, last = told(done.out)
    assert (first["event"], first["members"]) == ("started", 2)
    assert {item["event"] for item in progress} == {"members"}
    assert progress[-1]["done"] == 2
    assert (progress[-1]["epoch"], progress[-1]["epochs"]) == (6, 6)
    assert progress[-1]["members"][1]["metric"]["name"] == "val_loss"
    assert last["validation"]["metrics"]["rmse"] > 0


def test_a_resumed_training_says_what_was_done(nncli: Cli, config: Path) -> None:
    nncli("train", config, "-q").check()
    first, epoch, health, last = told(nncli("train", "--resume", "runs/c", "--json", "--set", "epochs=4").check().out)
    assert first["done"] == 3
    assert (health["event"], health["epoch"]) == ("health", 4)
    assert health["layers"][-1]["name"] == "output"
    assert epoch["epoch"] == 4
    assert epoch["best"] is not None
    assert last["epochs"] == 4


def test_a_rate_that_was_halved_is_told(nncli: Cli, config: Path) -> None:
    sets = ("optimizer=sgd", "learning_rate=1e20", "on_divergence=halve_learning_rate", "layers=[]")
    done = nncli("train", config, "--json", *(word for s in sets for word in ("--set", s)))
    assert '"event": "learning_rate_halved"' in done.out
    assert "with 0.5 of the learning rate" in done.err


def test_what_is_not_finite_is_null_and_what_is_no_text_is_escaped(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    lines = JsonLines()
    name = Path(os.fsdecode(b"r\xff"))
    lines.update(Started(name, 1, 0, 1, 1, 1, 0, None, (note(FindingCode.TABLE_READING, "é"),)))
    lines.update(EpochReport(1, float("inf"), 0.0, None, float("nan"), 0.1, False, 0.1))
    first, epoch = capfdbinary.readouterr().out.splitlines()
    assert json.loads(first)["run"] == "r\udcff"
    assert "é".encode() in first
    assert json.loads(epoch)["loss"] is None
    assert json.loads(epoch)["metric"] is None
    assert json.loads(epoch)["best"] is None

"""The configuration of a run is read again whatever nncli wrote, and damage is an error of the run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nncli.api.train import train
from nncli.base.errors import ConfigError, DataError, RunError, UsageError
from nncli.config.loading import load_config
from nncli.config.yaml import document as source_text
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import CONFIG
from tests.assertions import raises
from tests.cli.support import DATA, Cli


@pytest.fixture
def copy(penguins: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(penguins, tmp_path / "copy"))


DAMAGES = ["", "data: [", "\0", "data: {path: a.csv, target: y}\nepochs: many\n", "surprise: 1\n"]


@pytest.mark.parametrize("text", DAMAGES)
def test_a_damaged_configuration_is_an_error_of_the_run(copy: Path, text: str) -> None:
    (copy / CONFIG).write_text(text)
    with raises(RunError, file=CONFIG):
        read_config(copy)
    with raises(RunError, file=CONFIG):
        train(resume=copy)


def test_a_missing_configuration_is_an_error_of_the_run(copy: Path) -> None:
    (copy / CONFIG).unlink()
    with raises(RunError, file=CONFIG):
        read_config(copy)


def test_the_line_of_the_damage_is_named(copy: Path) -> None:
    text = (copy / CONFIG).read_text()
    (copy / CONFIG).write_text(text.replace("seed: 0", "seed: none"))
    with pytest.raises(RunError) as caught:
        read_config(copy)
    location = caught.value.location
    assert location is not None
    assert (location.key, location.source) == ("seed", str(copy / CONFIG))
    assert location.line == 1 + text[: text.index("seed: 0")].count("\n")


def test_a_configuration_that_was_changed_is_read_again(copy: Path) -> None:
    text = (copy / CONFIG).read_text()
    for seed in (3, 4):
        (copy / CONFIG).write_text(text.replace("seed: 0", f"seed: {seed}"))
        assert read_config(copy).seed == seed


def test_a_wrong_assignment_is_still_an_error_of_the_configuration(copy: Path) -> None:
    with pytest.raises(ConfigError):
        read_config(copy, ["epochs=many"])
    with pytest.raises(UsageError):
        read_config(copy, ["epochs"])
    assert read_config(copy, ["epochs=77"]).epochs == 77
    assert read_config(copy) == load_config(copy / CONFIG)


@pytest.mark.parametrize("command", ["explain RUN TABLE", "train --resume RUN"])
def test_the_exit_code_is_that_of_a_run(nncli: Cli, copy: Path, command: str) -> None:
    (copy / CONFIG).write_text("data: [")
    words = command.replace("RUN", str(copy)).replace("TABLE", str(DATA / "penguins.csv")).split()
    assert CONFIG in nncli(*words).check(5).err


def table(path: Path, columns: int, width: int) -> Path:
    names = [f"c{i}_".ljust(width, "x") for i in range(columns)]
    rows = [[*(f"{(i * row) % 7}" for i in range(columns)), str(row % 3)] for row in range(30)]
    path.write_text("\n".join(",".join(line) for line in [[*names, "y"], *rows]) + "\n")
    config = path.with_suffix(".yaml")
    config.write_text(f"data: {{path: {path.name}, target: y}}\nlayers: []\nepochs: 1\n")
    return config


@pytest.mark.slow
def test_a_configuration_of_more_than_a_mebibyte_is_read_again(tmp_path: Path) -> None:
    run = train(table(tmp_path / "t.csv", 12, 46_000), output=tmp_path / "run").run
    assert (run / CONFIG).stat().st_size > 1 << 20
    assert read_config(run, ["epochs=2"]).epochs == 2


def test_a_configuration_that_could_not_be_read_again_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(table(tmp_path / "t.csv", 3, 2_000))
    monkeypatch.setattr(source_text, "MAX_TEXT_BYTES", 10_000)
    with raises(DataError, file="t.csv"):
        train(config, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()

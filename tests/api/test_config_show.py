"""`nncli config show`: all keys with the source of each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.api.config_show import resolve, show
from nncli.config.loading import load, load_config
from nncli.config.yaml.parser import parse
from nncli.fitting.prepare import auto_values
from tests.cli.support import DATA

CONFIG = f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\nepochs: 2\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_each_value_has_its_source(config: Path) -> None:
    text = show(config, assignments=["seed=3"], environment={"NNCLI_EPOCHS": "5"})
    sources = {line.partition(":")[0]: line.partition("#")[2].strip() for line in text.splitlines() if "#" in line}
    assert "--set" in sources["seed"]
    assert "NNCLI_EPOCHS" in sources["epochs"]
    assert "default" in sources["batch_size"]


def test_what_is_shown_is_the_same_configuration(config: Path) -> None:
    copy = config.with_name("copy.yaml")
    copy.write_text(show(config))
    assert load_config(copy) == load_config(config)


def test_resolved_values_come_from_the_table(config: Path) -> None:
    assert load_config(config).loss is None
    resolved = resolve(load_config(config))
    assert resolved.loss is not None
    assert resolved.data.columns["island"] == "categorical"
    document = parse(show(config, resolved=True), "c.yaml").value
    assert document["loss"] is not None


@pytest.mark.slow
def test_the_number_of_members_comes_from_the_table(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config(config, ["members=auto"]).members == "auto"
    assert resolve(load_config(config, ["members=auto"])).members == 8
    monkeypatch.setattr(auto_values, "MEMBERS", ((100, 8),))
    monkeypatch.setattr(auto_values, "HELD_OUT_ROWS", 50)
    resolved = resolve(load_config(config, ["members=auto"]))
    assert (resolved.members, resolved.bagging) == (auto_values.MIN_MEMBERS, "seeds")


def test_the_section_tune_is_shown_with_the_sources_of_its_settings(config: Path) -> None:
    search = "{l2: {from: 0, to: 1}, optimizer: {choices: [adam, {type: sgd, momentum: {from: 0.1, to: 0.9}}]}}"
    config.write_text(f"{CONFIG}tune:\n  trials: 5\n  search: {search}\n")
    for resolved in (False, True):
        text = show(config, assignments=["tune.lag=2"], resolved=resolved)
        sources = {line.strip().partition(":")[0]: line.partition("# ")[2] for line in text.splitlines()}
        assert (sources["trials"], sources["lag"], sources["sampler"]) == ("c.yaml:5", "--set", "default")
        config.with_name("copy.yaml").write_text(text)
        assert load(config.with_name("copy.yaml")).tune == load(config, ["tune.lag=2"]).tune
    config.write_text(CONFIG)
    assert "tune" not in parse(show(config), "c.yaml").value

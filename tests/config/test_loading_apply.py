"""A preset is merged beneath the written keys, and the result is an ordinary configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import ConfigError
from nncli.config.loading import QUALITIES, apply_preset, load_config
from nncli.config.overrides import from_options
from nncli.config.schema import Config
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump
from nncli.nn.layers.dense import Dense
from nncli.nn.optim.optimizers import AdamW
from nncli.nn.optim.schedules import CoslogRate

DATA = "data: {path: t.csv, target: y}\n"


def load(folder: Path, text: str, *assignments: str) -> Config:
    path = folder / "c.yaml"
    path.write_text(DATA + text)
    return load_config(path, assignments)


def test_without_layers_the_preset_is_tabular(tmp_path: Path) -> None:
    assert load(tmp_path, "") == load(tmp_path, "preset: tabular\n")
    assert load(tmp_path, "").members == "auto"


def test_with_layers_the_preset_is_textbook_and_adds_nothing(tmp_path: Path) -> None:
    plain = Config.model_validate({"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "output": "runs/c"})
    assert load(tmp_path, "layers: [64, 32]\n") == plain
    assert load(tmp_path, "preset: textbook\n") == plain


def test_a_loaded_configuration_has_no_preset(tmp_path: Path) -> None:
    config = load(tmp_path, "preset: tabular\nquality: fast\n")
    assert (config.preset, config.quality) == (None, None)


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_loaded_configuration_reads_as_the_same(tmp_path: Path, quality: str) -> None:
    config = load(tmp_path, f"quality: {quality}\n")
    (tmp_path / "out.yaml").write_text(dump(config.model_dump(mode="json", exclude={"preset", "quality"})))
    assert load_config(tmp_path / "out.yaml") == config


def test_qualities_differ_in_the_number_of_members(tmp_path: Path) -> None:
    assert [load(tmp_path, f"quality: {quality}\n").members for quality in QUALITIES] == [4, "auto"]


def test_written_keys_override_the_preset(tmp_path: Path) -> None:
    config = load(tmp_path, "members: 3\nencoding: {numeric: standard}\nlearning_rate: 0.5\n")
    assert config.members == 3
    assert config.encoding.numeric == "standard"
    assert config.encoding.clip == "smooth"  # of a section that was begun the rest is the preset's
    assert config.schedule.base_rate(0, None) == 0.5  # type: ignore[arg-type]  # a constant rate asks for no horizon


def test_a_section_with_a_type_gets_no_keys_of_the_preset(tmp_path: Path) -> None:
    optimizer = load(tmp_path, "optimizer: {type: adamw}\n").optimizer
    assert optimizer == AdamW()


def test_assignments_override_keys_of_the_preset(tmp_path: Path) -> None:
    config = load(tmp_path, "", "layers.1.units=7", "optimizer.beta2=0.9", "learning_rate.peak=0.3", "quality=fast")
    assert isinstance(config.layers[1], Dense)
    assert config.layers[1].units == 7
    assert isinstance(config.optimizer, AdamW)
    assert config.optimizer.beta2 == 0.9
    assert config.optimizer.param_groups
    assert config.learning_rate == CoslogRate(peak=0.3, first_cycle="auto", cycles=4)
    assert config.members == 4


def test_layers_on_the_command_line_select_textbook(tmp_path: Path) -> None:
    assert load(tmp_path, "", "layers=[5]") == load(tmp_path, "layers: [5]\n")


def test_a_quality_without_its_preset_is_an_issue_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.yaml:3:1, quality: only the preset tabular has qualities"):
        load(tmp_path, "layers: [5]\nquality: fast\n")


@pytest.mark.parametrize("text", ["preset: tabula\n", "quality: good\n", "preset: [1]\n", "quality: 3\n"])
def test_an_unknown_preset_or_quality_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=text.partition(":")[0]):
        load(tmp_path, text)


def test_an_invalid_assignment_to_a_key_of_the_preset_is_located_at_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "", "optimizer.weight_decay=-1")
    assert "--set optimizer.weight_decay=-1" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "assignment", "name"),
    [
        ("", "epochs=1", "tabular"),
        ("quality: fast", "epochs=1", "tabular"),
        ("layers: [5]", "epochs=1", "textbook"),
        ("", "layers=[5]", "textbook"),
        ("layers: [5]", "preset=tabular", "tabular"),
        ("preset: tabula", "epochs=1", "tabula"),
    ],
)
def test_the_preset_has_a_name(text: str, assignment: str, name: str) -> None:
    assert apply_preset(parse(f"{DATA}{text}", "c.yaml"), list(from_options([assignment]))).preset == name

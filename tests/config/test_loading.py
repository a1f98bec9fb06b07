"""Paths of a configuration hold wherever it is used."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from nncli.config.loading import load_config, load_usable, placed
from nncli.config.schema import ValidationFile
from nncli.errors import ConfigError, Mistake, Place, UsageError


def test_tables_are_found_beside_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "configs" / "c.yaml"
    path.parent.mkdir()
    path.write_text("data: {path: ../data/t.csv, target: y}\nvalidation: {path: v.csv}")
    config = load_config(path)
    assert config.data.path == str(tmp_path / "data" / "t.csv")
    assert config.validation == ValidationFile(path=str(tmp_path / "configs" / "v.csv"))
    assert config.output == os.path.join("runs", "c")  # noqa: PTH118 - as it is written


def test_from_standard_input_they_are_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"data: {path: t.csv, target: y}")))
    config = load_config("-", ["epochs=3"])
    assert config.data.path == str(tmp_path / "t.csv")
    assert config.epochs == 3
    assert config.output == os.path.join("runs", "stdin")  # noqa: PTH118 - as it is written


def test_an_absolute_path_and_a_named_output_stay(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {tmp_path}/x/t.csv, target: y}}\noutput: here")
    config = load_config(path)
    assert config.data.path == str(tmp_path / "x" / "t.csv")
    assert config.output == "here"


def test_an_override_may_name_the_table_too(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {path: a.csv, target: y}")
    config = load_config(tmp_path / "c.yaml", ["data.path=b.csv"])
    assert config.data.path == str(tmp_path / "b.csv")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_a_linked_configuration_finds_what_stands_beside_the_real_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "c.yaml").write_text("data: {path: t.csv, target: y}")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real" / "c.yaml")
    assert load_config(tmp_path / "link.yaml").data.path == str(tmp_path / "real" / "t.csv")


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}")
    with pytest.raises(UsageError):
        load_config(tmp_path / "c.yaml", ["epochs"])


def test_what_has_no_mistake_can_be_used_without_what_has_one(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [x]\nclass_weight: balanced\nbatch_size: -1\n")
    config, mistakes = load_usable(path, ["seed=3", "batch_size=0"])
    assert config is not None
    assert (config.layers, config.class_weight, config.seed) == ((), "balanced", 3)
    assert config.data.path == str(tmp_path / "t.csv")
    assert [mistake.place.key for mistake in mistakes] == ["layers.0", "batch_size"]
    path.write_text("data: {path: t.csv, target: y}\nlayers: []\n")
    assert load_usable(path) == (load_config(path), ())


@pytest.mark.parametrize("text", ["data: {target: y}\n", "layers: [\n", "data: {path: t.csv, target: y, drop: [y]}\n"])
def test_without_a_table_nothing_can_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    config, mistakes = load_usable(tmp_path / "c.yaml")
    assert config is None
    assert mistakes


def test_a_mistake_found_later_gets_the_line_of_its_key_if_it_has_one(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [4]\n")
    late = Mistake("too few", Place(key="layers.0"), "More.")
    assert str(placed(path, (), late)) == f"{path}:2:10, layers.0: too few\n    layers: [4]\n             ^\n  More."
    assert placed(path, ["layers=[8]"], late).place.source == "--set layers=[8]"
    for other in (Mistake("none", Place(key="seed")), Mistake("of a table", Place(source="t.csv", key="x"))):
        assert placed(path, (), other) == other
    assert placed("-", (), late) == late

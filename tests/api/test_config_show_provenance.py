"""The source of each value is the line of the file, the preset, the variable, the option or the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.api.config_show import DEFAULT, OTHER_KEYS, TABLE, provenance, resolved_provenance
from nncli.config.loading import LoadedConfig, load
from nncli.config.yaml.document import Path as KeyPath

TEXT = """\
data: {path: t.csv, target: y}
optimizer: adamw
layers:
  - 8
batch_size: auto
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedConfig:
    (tmp_path / "c.yaml").write_text(TEXT)
    return load(tmp_path / "c.yaml", ["seed=3"], {"NNCLI_EPOCHS": "7"})


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (("data", "target"), "c.yaml:1"),
        (("optimizer", "type"), "c.yaml:2"),  # part of the short form
        (("optimizer", "weight_decay"), DEFAULT),
        (("layers", 0, "units"), "c.yaml:4"),
        (("layers", 0, "bias"), DEFAULT),
        (("epochs",), "NNCLI_EPOCHS"),
        (("seed",), "--set"),
        (("l2",), DEFAULT),
    ],
)
def test_the_source_of_a_value(loaded: LoadedConfig, path: KeyPath, source: str) -> None:
    assert provenance(loaded, path) == source


def test_values_of_a_preset_name_it(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\n")
    assert provenance(load(tmp_path / "c.yaml"), ("members",)) == "preset tabular"


def test_a_resolved_value_comes_from_other_keys_or_from_the_table(loaded: LoadedConfig) -> None:
    plain = {"batch_size": "auto", "epochs": 7, "metric": "auto"}
    later = {"batch_size": "auto", "epochs": 7, "metric": "val_loss"}
    resolved = {"batch_size": 256, "epochs": 7, "metric": "val_loss"}
    sources = {key: resolved_provenance(loaded, plain, later, resolved, (key,)) for key in resolved}
    assert sources == {"batch_size": TABLE, "epochs": "NNCLI_EPOCHS", "metric": OTHER_KEYS}

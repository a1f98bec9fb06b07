from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import ConfigError
from nncli.config.schema import Config
from nncli.fitting.prepare.prepare import prepare


def config(folder: Path, **keys: object) -> Config:
    pl.DataFrame({"x": range(30), "label": ["a", "b", "c"] * 10}).write_csv(folder / "t.csv")
    return Config.model_validate({"data": {"path": str(folder / "t.csv"), "target": "label"}, **keys})


def test_the_network_has_an_input_for_each_feature_and_an_output_for_each_class(tmp_path: Path) -> None:
    network = prepare(config(tmp_path, layers=[4])).spec.network
    assert (network.n_features, network.n_outputs) == (1, 3)
    assert network.layout.size == 4 * (1 + 1) + 3 * (4 + 1)


def test_the_arguments_of_the_training_are_those_of_the_configuration(tmp_path: Path) -> None:
    keys = {"batch_size": 8, "epochs": 3, "clip_norm": 1.5, "best_epoch_tie": "last", "early_stopping": {"patience": 2}}
    arguments = prepare(config(tmp_path, layers=[4], **keys)).arguments
    assert (arguments.batch_size, arguments.epochs, arguments.clip_norm) == (8, 3, 1.5)
    assert arguments.last_on_tie
    assert (arguments.patience, arguments.monitor) == (2, "val_loss")
    assert (arguments.features, arguments.targets) == (("x",), ("label",))


def test_an_impossibly_large_network_is_an_error_of_layers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(config(tmp_path, layers=[10**7, 10**7]))
    (issue,) = caught.value.issues
    assert issue.location is not None
    assert issue.location.key == "layers"

from __future__ import annotations

from pathlib import Path

import pytest

import nncli
from nncli.base.errors import ConfigError
from nncli.config.schema import Config
from nncli.fitting.prepare.execution import Execution
from nncli.fitting.train.provenance import (
    CODE,
    RESUMABLE_KEYS,
    check_epochs_grow,
    command_line,
    fingerprint,
    with_recorded_features,
)

CONFIG = Config.model_validate({"data": {"path": "t.csv", "target": "y"}, "layers": [4]})
NUMPY = Execution("numpy", 1, 1)


def test_the_fingerprint_ignores_the_keys_that_may_change() -> None:
    changes = {"epochs": 77, "output": "elsewhere", "workers": 3, "memory_limit": "1 GB"}
    assert changes.keys() <= RESUMABLE_KEYS
    assert fingerprint(CONFIG.model_copy(update=changes), NUMPY) == fingerprint(CONFIG, NUMPY)


@pytest.mark.parametrize("change", [{"seed": 5}, {"batch_size": 7}, {"l2": 0.1}])
def test_the_fingerprint_changes_with_any_other_key(change: dict[str, object]) -> None:
    assert fingerprint(CONFIG.model_copy(update=change), NUMPY) != fingerprint(CONFIG, NUMPY)


def test_the_fingerprint_changes_with_the_execution() -> None:
    assert fingerprint(CONFIG, Execution("numpy", 2, 1)) != fingerprint(CONFIG, NUMPY)


def test_the_digest_of_the_code_is_of_folders_that_there_are() -> None:
    assert nncli.__file__ is not None
    package = Path(nncli.__file__).parent
    assert all([*(package / folder).rglob("*.py")] for folder in CODE)


def test_epochs_may_only_grow() -> None:
    config = CONFIG.model_copy(update={"epochs": 5})
    check_epochs_grow(config, 5)
    check_epochs_grow(config.model_copy(update={"epochs": "auto"}), 9)
    with pytest.raises(ConfigError) as caught:
        check_epochs_grow(config, 6)
    assert caught.value.issues[0].location is not None
    assert caught.value.issues[0].location.key == "epochs"


def test_a_command_line_that_is_not_utf8_is_kept_as_text() -> None:
    assert command_line(["train", "caf\udce9.yaml"]) == ("train", "caf\\xe9.yaml")


@pytest.mark.parametrize(
    ("data", "time_is_feature", "drop"),
    [
        ({"time": "t"}, True, ()),
        ({"time": "t"}, False, ("t",)),
        ({"time": "t", "drop": ["a"]}, False, ("a", "t")),
        ({"time": "t", "drop": ["t"]}, False, ("t",)),
        ({"time": "t", "features": ["x", "t"]}, False, ()),
        ({}, False, ()),
    ],
)
def test_the_time_column_of_an_older_run_is_no_feature(
    data: dict[str, object], time_is_feature: bool, drop: tuple[str, ...]
) -> None:
    config = Config.model_validate({"data": {"path": "t.csv", "target": "y", **data}})
    assert with_recorded_features(config, time_is_feature=time_is_feature).data.drop == drop

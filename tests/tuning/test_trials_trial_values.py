"""The values of trials as text, beside those of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.config.loading import load
from nncli.config.schema.tune import TuneSection
from nncli.tuning.space.build_space import build_space
from nncli.tuning.trials import Trial, TrialValues, spec_at
from tests.tuning.configs import search_config


@pytest.fixture
def values(tmp_path: Path) -> TrialValues:
    loaded = load(
        search_config(tmp_path, "search: {learning_rate: {from: 0.001, to: 0.1}, layers: {choices: [[4], [8, 8]]}}")
    )
    return TrialValues(build_space(loaded, loaded.tune or TuneSection()))


def test_values_are_rounded_and_choices_are_written_in_short(values: TrialValues) -> None:
    trial = Trial(number=1, values={"learning_rate": 0.0123456, "layers": 1})
    assert values.labels(trial) == {"learning_rate": "0.01235", "layers": "[8, 8]"}
    assert values.written(trial) == {"learning_rate": 0.01235, "layers": [8, 8]}


def test_only_values_that_differ_from_the_configuration_are_changed(values: TrialValues) -> None:
    assert values.changed(Trial(number=1, values={"learning_rate": 0.01, "layers": 0})) == {"learning_rate": "0.01"}
    assert values.changed(Trial(number=0, values={})) == {}


def test_the_value_of_the_configuration_is_named_or_is_the_default(values: TrialValues) -> None:
    assert values.base("layers") == "[4]"
    assert values.base("learning_rate") == "default"


def test_a_key_that_is_not_there_has_no_value(tmp_path: Path) -> None:
    config = load(search_config(tmp_path)).config
    assert spec_at(config, ("layers", "0", "units")) == 4
    assert spec_at(config, ("layers", "7", "units")) is None
    assert spec_at(config, ("epochs", "units")) is None

"""Values of a search space give the configurations that they say, and each proposal is valid or an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import ConfigError, ConfigIssue
from nncli.config.loading import load
from nncli.config.schema import Config, ValidationFile
from nncli.config.yaml.writer import dump
from nncli.nn.layers.sequential import Dropout
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.space import ParameterValue, SearchSpace
from tests.tuning.random_spaces import SPACES, random_values
from tests.tuning.spaces import space_of

SPACE = """
learning_rate: {from: 1e-4, to: 1e-1, scale: log}
optimizer: {choices: [{type: sgd, momentum: {from: 0.5, to: 0.99}}, adam]}
layers.1.rate: {from: 0.0, to: 0.5, step: 0.1}
"""


def test_values_are_set_and_the_rest_is_the_configuration() -> None:
    space = space_of(SPACE)
    config = space.config({"learning_rate": 0.02, "optimizer": 0, "optimizer.sgd.momentum": 0.75, "layers.1.rate": 0.2})
    assert config.schedule.model_dump()["peak"] == 0.02
    assert config.optimizer.model_dump()["momentum"] == 0.75
    assert config.layers[1] == Dropout(rate=0.2)
    assert config.layers[0] == space.base.layers[0]
    unchanged = {*Config.model_fields} - {"learning_rate", "optimizer", "layers"}
    assert all(getattr(config, key) == getattr(space.base, key) for key in unchanged)


def test_no_values_are_the_configuration_itself() -> None:
    space = space_of(SPACE)
    assert space.config({}) is space.base


@pytest.mark.parametrize(
    ("search", "values"),
    [
        (SPACE, {"learning_rate": 0.01, "optimizer": 1, "layers.1.rate": 0.5}),
        ("layers.*.units: {from: 16, to: 64}", {"layers.*.units": 16}),
        ("layers.*.units: {from: 17, to: 64}", None),
        ("layers.*.units: {from: 8, to: 64, step: 8}", {"layers.*.units": 16}),
        ("layers.*.units: {from: 1, to: 64, step: 8}", None),
        ("layers.1.rate: {from: 0.0, to: 0.9, step: 0.4}", None),
        ("layers: {choices: [[16], [16, {type: dropout, rate: 0.5}]]}", {"layers": 1}),
        ("activation: {choices: [tanh, mish]}", None),
        ("batch_size: {from: 8, to: 64}\nl2: {from: 0, to: 1}", {"batch_size": 32, "l2": 0.0}),
    ],
)
def test_the_values_of_the_configuration_itself_are_found(
    search: str, values: dict[str, ParameterValue] | None
) -> None:
    space = space_of(search)
    result = space.base_values()
    assert result == values
    assert result is None or space.config(result) == space.base


def test_combinations_leave_out_values_of_choices_that_are_not_made() -> None:
    search = "optimizer: {choices: [{type: sgd, nesterov: {choices: [false]}, momentum: {choices: [0.5, 0.9]}}, adam]}"
    space = space_of(search)
    assert [dict(values) for values in space.combinations()] == [
        {"optimizer": 0, "optimizer.sgd.nesterov": 0, "optimizer.sgd.momentum": 0},
        {"optimizer": 0, "optimizer.sgd.nesterov": 0, "optimizer.sgd.momentum": 1},
        {"optimizer": 1},
    ]
    assert space.size == 4
    assert space_of(SPACE).size is None


def test_labels_are_as_they_are_written() -> None:
    values: dict[str, ParameterValue] = {
        "learning_rate": 0.012344,
        "optimizer": 1,
        "layers.1.rate": 0.30000000000000004,
    }
    space = space_of(SPACE)
    assert space.labels(space.rounded(values)) == {
        "learning_rate": "0.01234",
        "optimizer": "adam",
        "layers.1.rate": "0.3",
    }


def test_paths_and_what_is_not_searched_stay_those_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "data: {path: ../t.csv, target: y, features: [a, b], sample: 100}\nvalidation: {path: v.csv}\nlayers: [8]\n"
        "tune: {search: {data.features: {choices: [[a], [b]]}, epochs: {from: 1, to: 5}}}\n"
    )
    loaded = load(tmp_path / "c.yaml")
    assert loaded.tune is not None
    config = build_space(loaded, loaded.tune).config({"data.features": 1, "epochs": 3})
    assert config.data.path == str(tmp_path.parent / "t.csv")
    assert config.validation == ValidationFile(path=str(tmp_path / "v.csv"))
    assert config.output == loaded.config.output
    assert config.data.features == ("b",)
    assert config.model_copy(update={"epochs": loaded.config.epochs, "data": loaded.config.data}) == loaded.config


def test_the_preset_stays_beneath_the_values() -> None:
    search = """
    layers.*.rate: {from: 0.0, to: 0.5}
    learning_rate.peak: {from: 0.02, to: 0.3, scale: log}
    optimizer.weight_decay: {from: 0.001, to: 0.05, scale: log}
    optimizer.param_groups.scale.learning_rate_multiplier: {from: 2, to: 10}
    numeric_embedding: {choices: [null, {type: periodic, sigma: {from: 0.01, to: 1.0, scale: log}}]}
    encoding.categories.max_one_hot: {from: 4, to: 33}
    loss: {choices: [null, {type: cross_entropy, label_smoothing: {from: 0.005, to: 0.1}}]}
    """
    space = space_of(search, "data: {path: t.csv, target: y}\n")
    values: dict[str, ParameterValue] = {
        "numeric_embedding": 1,
        "numeric_embedding.periodic.sigma": 0.1,
        "layers.*.rate": 0.25,
    }
    values |= {"learning_rate.peak": 0.05, "optimizer.weight_decay": 0.002, "encoding.categories.max_one_hot": 9}
    config = space.config(values)
    rates = [layer.rate for layer in config.layers if isinstance(layer, Dropout)]
    assert rates == [0.25] * 3
    assert all(layer.schedule == "flat_cosine" for layer in config.layers if isinstance(layer, Dropout))
    assert config.learning_rate is not None
    assert config.learning_rate.model_dump() == {**space.base.schedule.model_dump(), "peak": 0.05}
    assert config.optimizer.model_dump() == {**space.base.optimizer.model_dump(), "weight_decay": 0.002}
    assert config.encoding.categories.max_one_hot == 9
    assert config.encoding.categories.binary == "sign"


def space_or_issues(search: dict[str, object]) -> tuple[SearchSpace | None, tuple[ConfigIssue, ...]]:
    """The search space, or its mistakes."""
    try:
        return space_of(dump(search) if search else "{}"), ()
    except ConfigError as error:
        return None, error.issues


@pytest.mark.slow
@given(SPACES, st.data())
def test_whatever_is_written_every_proposal_is_a_configuration_or_an_error(
    search: dict[str, object], draw: st.DataObject
) -> None:
    space, issues = space_or_issues(search)
    assert all(issue.location.source == "c.yaml" and issue.location.line for issue in issues)
    if space is None:
        return
    for parameter in space.parameters:  # each value by itself is valid
        assert parameter.condition is None or parameter.condition.choices
    values = space.rounded(random_values(space, draw))
    try:
        config = space.config(values)
    except ConfigError:
        return
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert space.config(values) == config
    base = space.base_values()
    assert base is None or space.config(base) == space.base

"""A configuration is read with its defaults and short forms, and invalid values are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import ConfigError
from nncli.config.errors.messages import validate
from nncli.config.overrides import apply_overrides
from nncli.config.schema import Config
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump
from nncli.data.encoders.column_types import ColumnType
from nncli.nn.activations import Relu, Tanh
from nncli.nn.initializers import DataDependent, He
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Residual
from nncli.nn.losses import QuantileLoss
from nncli.nn.numeric_embeddings import Periodic
from nncli.nn.optim.optimizers import Sgd
from nncli.nn.optim.schedules import ConstantRate, CosineRate
from tests.assertions import raises

REQUIRED = "data: {path: t.csv, target: y}\n"


def read(text: str, *assignments: str) -> Config:
    return validate(Config, apply_overrides(parse(text, "c.yaml"), assignments))


def issue_keys(text: str) -> list[str | None]:
    """The key of each issue of an invalid configuration."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [issue.location.key for issue in caught.value.issues]


def test_only_the_table_and_the_target_are_required() -> None:
    config = read(REQUIRED)
    assert config.data.target == ("y",)
    assert config.data.missing_values == ("", "NA")
    assert config.validation == 0.2
    assert config.batch_size == 32
    assert config.early_stopping is None
    assert [layer.units for layer in config.hidden_layers if isinstance(layer, Dense)] == [64, 32]


def test_a_configuration_with_most_keys_is_read() -> None:
    config = read("""
data:
  path: ../data/penguins.csv
  target: species
  features: [a, b]
  drop: [year]
  columns: {island: categorical, year: ignore, a: numeric}
  sample_weight: null
  missing_values: ["", NA]
encoding: {numeric: min_max, target: auto}
validation: {path: other.csv}
layers:
- 64
- {type: dense, units: 32, activation: tanh}
- dropout
- batch_norm
- layer_norm
- {type: residual, layers: [32]}
activation: relu
loss: {type: cross_entropy, label_smoothing: 0.1}
output_activation: null
optimizer: {type: sgd, momentum: 0.9, nesterov: true}
learning_rate: {type: cosine, peak: 0.05, warmup_steps: 100}
batch_size: full
epochs: 60
l1: 0
l2: 1e-4
clip_norm: 1
metric: val_loss
best_epoch_tie: last
calibration: temperature
early_stopping: {patience: 20}
class_weight: {yes: 3, no: 1, 0: 2}
precision: float64
seed: 7
output: runs/penguins
""")
    assert config.optimizer == Sgd(momentum=0.9, nesterov=True)
    assert config.schedule == CosineRate(peak=0.05, warmup_steps=100)
    assert config.data.columns["year"] is ColumnType.EMPTY
    assert config.class_weight == {"yes": 3.0, "no": 1.0, "0": 2.0}
    assert config.l2 == 0.0001
    first, second, *_, last = config.hidden_layers
    assert isinstance(first, Dense)
    assert isinstance(second, Dense)
    assert isinstance(last, Residual)
    assert (first.activation, second.activation) == (Relu(), Tanh())
    assert last.layers[0] == Dense(units=32, activation=Relu())


def test_a_number_is_a_constant_learning_rate_and_the_default_depends_on_the_optimizer() -> None:
    assert read(REQUIRED + "learning_rate: 1e-3").schedule == ConstantRate(peak=0.001)
    config = read(REQUIRED + "optimizer: sgd")
    assert config.schedule == ConstantRate(peak=Sgd().default_learning_rate)


def test_a_type_without_options_has_its_defaults() -> None:
    assert read(REQUIRED + "loss: quantile").loss == QuantileLoss(q=0.5)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("epochs: 0", "epochs"),
        ("epochs: 1000000000000", "epochs"),
        ("epochs: 1.5", "epochs"),
        ("batch_size: 0", "batch_size"),
        ("batch_size: half", "batch_size"),
        ("learning_rate: 0", "learning_rate"),
        ("learning_rate: .nan", "learning_rate"),
        ("l2: -1", "l2"),
        ("activation: softmax", "activation"),
        ("activation: rellu", "activation"),
        ("layers: [0]", "layers.0"),
        ("layers: 64", "layers"),
        ("precision: float16", "precision"),
        ("seed: -1", "seed"),
        ("best_epoch_tie: lest", "best_epoch_tie"),
        ("memory_limit: lots", "memory_limit"),
        ("learning_rat: 1", "learning_rat"),
        ("numeric_embedding: periodc", "numeric_embedding"),
        ("loss: cross_entropy\noutput_activation: tanh", None),
    ],
)
def test_an_invalid_value_is_an_issue_of_its_key(text: str, key: str | None) -> None:
    assert issue_keys(REQUIRED + text) == [key]


def test_a_mapping_of_losses_or_weights_is_for_several_targets_and_names_some_of_them() -> None:
    targets = "data: {path: t.csv, target: [y, z]}\n"
    assert read(targets + "loss: hinge").data.target == ("y", "z")
    assert read(targets + "loss: {z: mse}\ntarget_weights: {y: 2}").target_weights == {"y": 2.0}
    for key in ("loss: {x: mse}", "target_weights: {x: 2}"):
        assert issue_keys(targets + key) == [f"{key.split(':')[0]}.x"]
    for key in ("loss: {y: mse}", "target_weights: {y: 2}"):
        assert issue_keys("data: {path: t.csv, target: y}\n" + key) == [key.split(":")[0]]


@pytest.mark.parametrize("key", ["loss: {prcie: huber}", "target_weights: {prcie: 2}"])
def test_a_misspelled_target_of_a_mapping_can_be_corrected(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read("data: {path: t.csv, target: [price, sold]}\n" + key)
    (issue,) = caught.value.issues
    name = key.split(":")[0]
    assert issue.location.key == f"{name}.prcie"
    assert issue.fix is not None
    assert issue.fix.path == (name, "price")


def test_a_bootstrap_excludes_times() -> None:
    assert issue_keys("data: {path: t.csv, target: y, time: t}\nvalidation: {bootstrap: 1}") == [None]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
RATES: st.SearchStrategy[Any] = st.one_of(
    st.floats(1e-9, 10.0),
    st.fixed_dictionaries({"type": st.just("step"), "peak": st.floats(1e-9, 1.0), "every": st.integers(1, 9)}),
)
CONFIGS = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"path": TEXT, "target": st.just("\ty")},
            optional={
                "features": st.lists(TEXT.map("f".__add__), min_size=1, max_size=3, unique=True),
                "drop": st.lists(TEXT.map("d".__add__), max_size=3, unique=True),
                "columns": st.dictionaries(TEXT, st.sampled_from([k.value for k in ColumnType]), max_size=3),
                "missing_values": st.lists(TEXT, max_size=3),
                "group": TEXT.map("g".__add__),
                "time": TEXT.map("t".__add__),
                "leave_out": st.fixed_dictionaries({"folds": st.integers(4, 9), "fold": st.integers(0, 3)}),
            },
        )
    },
    optional={
        "layers": st.lists(
            st.one_of(
                st.integers(1, 99),
                st.sampled_from(["batch_norm", "layer_norm", "dropout"]),
                st.fixed_dictionaries({"type": st.just("residual"), "layers": st.lists(st.integers(1, 9), min_size=1)}),
            ),
            max_size=4,
        ),
        "learning_rate": RATES,
        "optimizer": st.sampled_from(
            [
                "sgd",
                "adam",
                {
                    "type": "adamw",
                    "weight_decay": 0.01,
                    "param_groups": {
                        "scale": {"learning_rate_multiplier": 6, "weight_decay_multiplier": 36},
                        "bias": {},
                    },
                },
            ]
        ),
        "class_weight": st.dictionaries(TEXT, st.floats(0, 1e9), max_size=3),
        "validation": st.one_of(
            st.floats(0, 0.99),
            st.fixed_dictionaries({"path": TEXT}),
            st.fixed_dictionaries({"folds": st.integers(3, 9), "fold": st.integers(0, 2), "seed": st.integers(0, 9)}),
        ),
        "clip_norm": st.none() | st.just("auto") | st.floats(1e-300, 1e30),
        "output": TEXT,
        "seed": st.integers(0, 2**70),
    },
)


@pytest.mark.slow
@given(CONFIGS)
def test_a_dumped_configuration_reads_as_the_same(written: dict[str, object]) -> None:
    config = Config.model_validate(written)
    text = dump(config.model_dump(mode="json"))
    assert read(text) == config
    assert dump(read(text).model_dump(mode="json")) == text


def test_init_and_parametrization_apply_to_dense_layers_without_their_own() -> None:
    config = read(
        REQUIRED
        + """
init: data_dependent
parametrization: ntk
layers:
- 8
- {type: dense, units: 4, init: he, parametrization: standard}
- {type: residual, layers: [{type: dense, units: 4, bias: false}]}
"""
    )
    first, second, third = config.hidden_layers
    assert first == Dense(units=8, activation=Relu(), init=DataDependent(), parametrization="ntk")
    assert second == Dense(units=4, activation=Relu(), init=He(), parametrization="standard")
    assert third == Residual(
        layers=(Dense(units=4, activation=Relu(), bias=False, init=DataDependent(), parametrization="ntk"),)
    )
    assert read(REQUIRED).init is None
    assert read(REQUIRED).parametrization is None


def test_a_numeric_embedding_is_a_name_or_a_section() -> None:
    assert read(REQUIRED + "numeric_embedding: periodic").numeric_embedding == Periodic()
    assert read(REQUIRED + "numeric_embedding: {type: periodic, sigma: 0.5}").numeric_embedding == Periodic(sigma=0.5)


@pytest.mark.parametrize("kind", ["survival", "cox"])
@pytest.mark.parametrize(
    ("keys", "mentions"),
    [
        ("event: died, start: died", "start names 'died', which event"),
        ("event: y", "event names 'y', which data.target"),
        ("event: died, start: y", "start names 'y', which data.target"),
    ],
)
def test_a_column_that_a_loss_names_again_is_an_error_of_the_loss(kind: str, keys: str, mentions: str) -> None:
    with raises(ConfigError, line=2, key="loss", mentions=mentions):
        read(f"{REQUIRED}loss: {{type: {kind}, {keys}}}")


def test_a_loss_that_names_columns_of_the_target_is_for_one_target() -> None:
    with raises(ConfigError, line=2, key="loss", mentions="data.target: y"):
        read("data: {path: t.csv, target: [y, z]}\nloss: {type: cox, event: died}")
    config = read("data: {path: t.csv, target: [y, died]}\nloss: {type: cox, event: died}")
    assert config.data.target == ("y", "died")

"""What a configuration may say, and that each of its words is understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.config.errors.messages import validate
from nncli.config.overrides import apply_overrides
from nncli.config.schema import Config
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump
from nncli.data.encoders.kinds import Kind
from nncli.errors import ConfigError
from nncli.nn.activations import Relu, Tanh
from nncli.nn.initializers import DataDependent, He
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Residual
from nncli.nn.losses import Quantile
from nncli.nn.numeric_embeddings import Periodic
from nncli.optim.optimizers import Sgd
from nncli.optim.schedules import ConstantRate, CosineRate

LEAST = "data: {path: t.csv, target: y}\n"


def read(text: str, *assignments: str) -> Config:
    return validate(Config, apply_overrides(parse(text, "c.yaml"), assignments))


def wrong(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def test_only_the_table_and_the_target_are_needed() -> None:
    config = read(LEAST)
    assert config.data.target == ("y",)
    assert config.data.missing_values == ("", "NA")
    assert config.validation == 0.2
    assert config.batch_size == 32
    assert config.early_stopping is None
    assert [layer.units for layer in config.hidden_layers if isinstance(layer, Dense)] == [64, 32]


def test_every_key_of_the_contract_is_understood() -> None:
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
learning_rate: {type: cosine, initial: 0.05, warmup_steps: 100}
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
    assert config.schedule == CosineRate(initial=0.05, warmup_steps=100)
    assert config.data.columns["year"] is Kind.EMPTY
    assert config.class_weight == {"yes": 3.0, "no": 1.0, "0": 2.0}
    assert config.l2 == 0.0001
    first, second, *_, last = config.hidden_layers
    assert isinstance(first, Dense)
    assert isinstance(second, Dense)
    assert isinstance(last, Residual)
    assert (first.activation, second.activation) == (Relu(), Tanh())
    assert last.layers[0] == Dense(units=32, activation=Relu())


def test_a_number_is_a_constant_rate_and_none_is_the_optimizer_s_own() -> None:
    assert read(LEAST + "learning_rate: 1e-3").schedule == ConstantRate(initial=0.001)
    config = read(LEAST + "optimizer: sgd")
    assert config.schedule == ConstantRate(initial=Sgd().default_learning_rate)


def test_a_name_is_a_thing_with_its_defaults() -> None:
    assert read(LEAST + "loss: quantile").loss == Quantile(q=0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {path: t.csv}", "missing key 'target'"),
        ("data: {path: t.csv, target: []}", "at least 1 item"),
        ("data: {path: t.csv, target: y, features: [y]}", "'y' is the target"),
        ("data: {path: t.csv, target: y, drop: [y]}", "'y' is the target"),
        ("data: {path: t.csv, target: y, sample_weight: y}", "'y' is the target"),
        ("data: {path: t.csv, target: [y, y]}", "target names 'y' more than once"),
        ("data: {path: t.csv, target: y, features: [a, a]}", "features names 'a' more than once"),
        ("data: {path: t.csv, target: y, features: [a], drop: [a]}", "both among the features and dropped"),
        ("data: {path: t.csv, target: y, missing_values: [-999]}", "put it in quotes"),
        ("data: {path: t.csv, target: y, missing_values: [-9.5]}", "put it in quotes"),
        ("data: {path: t.csv, target: y, columns: {a: word}}", "'categorical'"),
        ("data: {path: t.csv, target: [y, z]}\nloss: hinge", "several targets must be numbers"),
        (LEAST + "loss: cross_entropy\noutput_activation: tanh", "has its own link"),
        (LEAST + "epochs: 0", "at least 1"),
        (LEAST + "epochs: 1000000000000", "at most"),
        (LEAST + "epochs: 1.5", "a whole number"),
        (LEAST + "batch_size: 0", "at least 1"),
        (LEAST + "batch_size: half", "full"),
        (LEAST + "validation: 1", "less than 1"),
        (LEAST + "validation: -0.1", "at least 0"),
        (LEAST + "validation: {folds: 3, fold: 3}", "of 3 folds the last is 2"),
        (LEAST + "validation: {folds: 1, fold: 0}", "at least 2"),
        (LEAST + "validation: {folds: 3}", "missing key 'fold'"),
        (LEAST + "validation: {folds: 3, fold: 1, sead: 1}", "did you mean 'seed'"),
        (LEAST + "validation: {bootstrap: -1}", "at least 0"),
        (LEAST + "validation: {part: 3}", "a fraction of the rows, {path: …}"),
        (LEAST + "validation: half", "a number"),
        ("data: {path: t.csv, target: y, time: t}\nvalidation: {bootstrap: 1}", "a bootstrap knows no time"),
        ("data: {path: t.csv, target: y, leave_out: 3}", "key: value pairs"),
        ("data: {path: t.csv, target: y, group: y}", "'y' is the target"),
        ("data: {path: t.csv, target: y, time: y}", "'y' is the target"),
        (LEAST + "learning_rate: 0", "greater than 0"),
        (LEAST + "learning_rate: .nan", "finite"),
        (LEAST + "l2: -1", "at least 0"),
        (LEAST + "activation: softmax", "softmax"),
        (LEAST + "activation: rellu", "did you mean 'relu'"),
        (LEAST + "layers: [0]", "at least 1"),
        (LEAST + "layers: 64", "a list"),
        (LEAST + "precision: float16", "float32"),
        (LEAST + "seed: -1", "at least 0"),
        (LEAST + "best_epoch_tie: lest", "did you mean 'last'"),
        (LEAST + "early_stopping: {metric: val_loss}", "It belongs at the top level"),
        (LEAST + "learning_rat: 1", "did you mean 'learning_rate'"),
    ],
)
def test_what_makes_no_sense_is_told(text: str, said: str) -> None:
    assert said in wrong(text)


def test_one_slip_in_the_kind_of_validation_is_one_issue() -> None:
    for text in ("{folds: 1, fold: 0}", "{folds: 3, fold: 3}", "{path: 3}", "{part: 3}", "{bootstrap: x}", "half"):
        assert wrong(LEAST + f"validation: {text}").count("c.yaml") == 1


def test_a_clash_of_columns_is_told_where_it_stands() -> None:
    assert "c.yaml:2" in wrong("epochs: 3\ndata: {path: t.csv, target: y, features: [y]}")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
RATES: st.SearchStrategy[Any] = st.one_of(
    st.floats(1e-9, 10.0),
    st.fixed_dictionaries({"type": st.just("step"), "initial": st.floats(1e-9, 1.0), "every": st.integers(1, 9)}),
)
CONFIGS = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"path": TEXT, "target": st.just("\ty")},
            optional={
                "features": st.lists(TEXT.map("f".__add__), min_size=1, max_size=3, unique=True),
                "drop": st.lists(TEXT.map("d".__add__), max_size=3, unique=True),
                "columns": st.dictionaries(TEXT, st.sampled_from([k.value for k in Kind]), max_size=3),
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
                    "param_groups": {"scale": {"lr_multiplier": 6, "weight_decay_multiplier": 36}, "bias": {}},
                },
            ]
        ),
        "class_weight": st.dictionaries(TEXT, st.floats(0, 1e9), max_size=3),
        "validation": st.one_of(
            st.floats(0, 0.99),
            st.fixed_dictionaries({"path": TEXT}),
            st.fixed_dictionaries({"folds": st.integers(3, 9), "fold": st.integers(0, 2), "seed": st.integers(0, 9)}),
        ),
        "clip_norm": st.none() | st.floats(1e-300, 1e300),
        "output": TEXT,
        "seed": st.integers(0, 2**70),
    },
)


@settings(max_examples=150, deadline=None)
@given(CONFIGS)
def test_a_configuration_written_out_reads_as_itself(written: dict[str, object]) -> None:
    config = Config.model_validate(written)
    text = dump(config.model_dump(mode="json"))
    assert read(text) == config
    assert dump(read(text).model_dump(mode="json")) == text


def test_init_and_parametrization_go_to_the_dense_layers_that_name_none() -> None:
    config = read(
        LEAST
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
    assert read(LEAST).init is None
    assert read(LEAST).parametrization is None


def test_an_embedding_of_numbers_may_be_named_or_spelled_out() -> None:
    assert read(LEAST + "numeric_embedding: periodic").numeric_embedding == Periodic()
    assert read(LEAST + "numeric_embedding: {type: periodic, sigma: 0.5}").numeric_embedding == Periodic(sigma=0.5)
    assert "did you mean 'periodic'" in wrong(LEAST + "numeric_embedding: periodc")

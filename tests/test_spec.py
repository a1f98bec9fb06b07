from __future__ import annotations

import json
from typing import Literal

from nncli.config.schema import Config
from nncli.nn.layers.dense import Dense
from nncli.optim.optimizers import AdamW, Sgd
from nncli.spec import Index, Specification, chosen

LEAST = {"data": {"path": "t.csv", "target": "y"}}


def test_what_is_as_its_default_has_it_is_left_out() -> None:
    assert chosen(Config.model_validate(LEAST)) == {"data": {"path": "t.csv", "target": ["y"]}}
    assert chosen(Config.model_validate({**LEAST, "epochs": 100, "seed": 3})) == {
        "data": {"path": "t.csv", "target": ["y"]},
        "seed": 3,
    }


def test_a_type_says_whose_defaults_the_rest_has() -> None:
    assert chosen(Sgd()) != chosen(AdamW())
    config = Config.model_validate({**LEAST, "optimizer": "sgd", "layers": ["batch_norm", 8, "dropout"]})
    told = chosen(config)
    assert told["optimizer"] == {"type": "sgd"}
    assert [layer["type"] for layer in told["layers"]] == ["batch_norm", "dense", "dropout"]


def test_a_key_that_is_new_changes_nothing_while_it_is_at_its_default() -> None:
    class NewDense(Dense):
        novel: Index = 7

    class NewConfig(Config):
        novel: Literal["a", "b"] = "a"

    written = {**LEAST, "layers": [8], "early_stopping": {"patience": 3}}
    before, after = Config.model_validate(written), NewConfig.model_validate(written)
    assert chosen(before) == chosen(after) != chosen(after.model_copy(update={"novel": "b"}))
    assert chosen(Dense(units=4)) == chosen(NewDense(units=4)) != chosen(NewDense(units=4, novel=8))


def test_it_is_plain_values() -> None:
    class Inner(Specification):
        type: Literal["inner"] = "inner"
        many: tuple[int, ...] = ()

    class Outer(Specification):
        inner: dict[str, Inner]

    told = chosen(Outer(inner={"a": Inner(many=(1, 2)), "b": Inner()}))
    assert json.loads(json.dumps(told)) == {"inner": {"a": {"type": "inner", "many": [1, 2]}, "b": {"type": "inner"}}}

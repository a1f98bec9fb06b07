from __future__ import annotations

import json
from typing import Literal

from nncli.base.spec import NonNegativeInt, Spec, non_defaults
from nncli.config.schema import Config
from nncli.nn.layers.dense import Dense
from nncli.nn.optim.optimizers import AdamW, Sgd

LEAST = {"data": {"path": "t.csv", "target": "y"}}


def test_default_values_are_left_out() -> None:
    assert non_defaults(Config.model_validate(LEAST)) == {"data": {"path": "t.csv", "target": ["y"]}}
    assert non_defaults(Config.model_validate({**LEAST, "epochs": 100, "seed": 3})) == {
        "data": {"path": "t.csv", "target": ["y"]},
        "seed": 3,
    }


def test_the_type_is_kept_beside_non_default_values() -> None:
    assert non_defaults(Sgd()) != non_defaults(AdamW())
    config = Config.model_validate({**LEAST, "optimizer": "sgd", "layers": ["batch_norm", 8, "dropout"]})
    values = non_defaults(config)
    assert values["optimizer"] == {"type": "sgd"}
    assert [layer["type"] for layer in values["layers"]] == ["batch_norm", "dense", "dropout"]


def test_a_new_key_at_its_default_changes_nothing() -> None:
    class NewDense(Dense):
        novel: NonNegativeInt = 7

    class NewConfig(Config):
        novel: Literal["a", "b"] = "a"

    written = {**LEAST, "layers": [8], "early_stopping": {"patience": 3}}
    before, after = Config.model_validate(written), NewConfig.model_validate(written)
    assert non_defaults(before) == non_defaults(after) != non_defaults(after.model_copy(update={"novel": "b"}))
    assert non_defaults(Dense(units=4)) == non_defaults(NewDense(units=4)) != non_defaults(NewDense(units=4, novel=8))


def test_the_result_holds_plain_values() -> None:
    class Inner(Spec):
        type: Literal["inner"] = "inner"
        many: tuple[int, ...] = ()

    class Outer(Spec):
        inner: dict[str, Inner]

    values = non_defaults(Outer(inner={"a": Inner(many=(1, 2)), "b": Inner()}))
    assert json.loads(json.dumps(values)) == {"inner": {"a": {"type": "inner", "many": [1, 2]}, "b": {"type": "inner"}}}

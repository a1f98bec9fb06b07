"""Keys stand for what a configuration has, whether it is written in a short form, in full, or not at all."""

from __future__ import annotations

import pytest

from nncli.config.schema import Config
from nncli.tuning.space.space import expand, is_inside, is_same, key_of, long_form, value_at, with_sections

VALUE = {
    "data": {"path": "t.csv", "target": "y"},
    "layers": [8, {"type": "residual", "layers": ["batch_norm", 8]}, {"type": "dropout", "rate": 0.1}],
    "learning_rate": 0.1,
    "optimizer": {"type": "adamw", "param_groups": {"bias": {"learning_rate_multiplier": 0.5}}},
}
CONFIG = Config.model_validate(VALUE)


@pytest.mark.parametrize(
    ("name", "expanded"),
    [
        ("epochs", ["epochs"]),
        ("learning_rate.peak", ["learning_rate.peak"]),
        ("layers.0.units", ["layers.0.units"]),
        ("layers.00.units", ["layers.0.units"]),
        ("layers.*.units", ["layers.0.units"]),
        ("layers.*.layers.*.units", ["layers.1.layers.1.units"]),
        ("layers.*.type", ["layers.0.type", "layers.1.type", "layers.2.type"]),
        ("layers.3.units", []),
        ("layers.units", []),
        ("layers." + "9" * 5000, []),
        (
            "optimizer.param_groups.bias.learning_rate_multiplier",
            ["optimizer.param_groups.bias.learning_rate_multiplier"],
        ),
        (
            "optimizer.param_groups.scale.learning_rate_multiplier",
            ["optimizer.param_groups.scale.learning_rate_multiplier"],
        ),
        ("early_stopping.patience", []),
        ("epochs.x", []),
        ("*", []),
        ("", []),
    ],
)
def test_a_key_is_found_where_the_configuration_has_it(name: str, expanded: list[str]) -> None:
    assert [".".join(key) for key in expand(key_of(name), CONFIG)] == expanded


def test_the_value_of_a_key_is_a_plain_value() -> None:
    assert value_at(CONFIG, key_of("layers.2.rate")) == 0.1
    assert value_at(CONFIG, key_of("optimizer.type")) == "adamw"
    assert value_at(CONFIG, key_of("layers.9.rate")) is None
    assert value_at(CONFIG, key_of("epochs.x")) is None


def test_every_item_may_be_the_same_as_one_item() -> None:
    assert is_same(key_of("layers.*.rate"), key_of("layers.1.rate"))
    assert not is_same(key_of("layers.*.rate"), key_of("layers.1.units"))
    assert is_inside(key_of("layers.1.rate"), key_of("layers.*"))
    assert is_inside(key_of("layers.*.rate"), key_of("layers"))
    assert not is_inside(key_of("layers"), key_of("layers"))


def test_a_configuration_has_the_keys_of_short_forms_and_of_the_default_optimizer() -> None:
    value = with_sections({"data": VALUE["data"], "layers": [8, "dropout"], "tune": {}}, Config.model_validate(VALUE))
    assert "tune" not in value
    assert value["learning_rate"] == {"type": "constant", "peak": 0.1}
    plain = Config.model_validate({"data": VALUE["data"]})
    assert with_sections({"data": VALUE["data"]}, plain)["optimizer"] == {"type": "adam"}
    assert Config.model_validate(with_sections(VALUE, CONFIG)) == CONFIG


@pytest.mark.parametrize(
    ("name", "value", "long"),
    [
        ("learning_rate", 0.1, {"type": "constant", "peak": 0.1}),
        ("layers", [8, "dropout"], [{"type": "dense", "units": 8}, {"type": "dropout"}]),
        ("layers.0", 8, {"type": "dense", "units": 8}),
        ("layers.*", "dropout", {"type": "dropout"}),
        (
            "layers.0",
            {"type": "residual", "layers": [8]},
            {"type": "residual", "layers": [{"type": "dense", "units": 8}]},
        ),
        ("layers.0.units", 8, 8),
        ("optimizer", "adam", "adam"),
        ("epochs", 8, 8),
        ("layers", True, True),
    ],
)
def test_a_value_in_its_long_form_has_keys(name: str, value: object, long: object) -> None:
    assert long_form(key_of(name), value) == long

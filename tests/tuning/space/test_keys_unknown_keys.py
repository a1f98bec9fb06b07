"""A hyperparameter that is a key inside another one is named with that key."""

from __future__ import annotations

import pytest

from nncli.base.errors import ConfigError
from nncli.config.schema.tune import Choices, Range
from nncli.tuning.space.keys import item_with, key_of, unknown_key
from tests.tuning.spaces import space_of

RANGE = Range.model_validate({"from": 1, "to": 8})


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("dropout", "layers.*.rate"),
        ("units", "layers.*.units"),
        ("hidden_units", "layers.*.units"),
        ("momentum", "optimizer.momentum"),
        ("weight_decay", "optimizer.weight_decay"),
        ("beta2", "optimizer.beta2"),
        ("max_one_hot", "encoding.categories.max_one_hot"),
        ("lr", "learning_rate"),
        ("learnin_rate", "learning_rate"),
        ("optimiser.momentum", "optimizer.momentum"),
    ],
)
def test_the_key_that_was_meant_is_named(word: str, meant: str) -> None:
    found = unknown_key(key_of(word), RANGE)
    assert found is not None
    assert f"did you mean '{meant}'?" in found[0]
    assert len(found[1]) < 150


def test_layers_are_meant_where_choices_are_written() -> None:
    found = unknown_key(key_of("hidden_units"), Choices(choices=([8], [16])))
    assert found is not None
    assert "'layers'?" in found[0]


def test_a_word_like_no_key_has_examples_of_keys() -> None:
    found = unknown_key(key_of("foo"))
    assert found is not None
    assert "did you mean" not in found[0]
    assert "learning_rate" in found[1]


def test_a_key_of_the_configuration_is_known() -> None:
    assert unknown_key(key_of("layers.9.nothing")) is None


@pytest.mark.parametrize(
    ("key", "item"),
    [
        ("layers.*.rate", "{type: dropout, rate: {from: 0.0, to: 0.5}}"),
        ("layers.0.units", "{type: dense, units: {from: 16, to: 256}}"),
        ("layers.*.nothing", None),
        ("optimizer.momentum", None),
    ],
)
def test_an_item_of_layers_shows_how_a_key_is_added(key: str, item: str | None) -> None:
    assert item_with(key_of(key)) == item


def test_the_item_that_a_hint_shows_can_be_added_to_the_choices() -> None:
    item = item_with(key_of("layers.*.rate"))
    assert len(space_of(f"layers: {{choices: [[8], [8, {item}]]}}").parameters) == 2
    with pytest.raises(ConfigError) as caught:
        space_of("layers: {choices: [[8], [4]]}\nlayers.*.rate: {from: 0, to: 0.5}")
    assert str(item) in (caught.value.issues[0].hint or "")

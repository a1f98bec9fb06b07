"""A misplaced key or type is found in the sections of the schema."""

from __future__ import annotations

import pytest

from nncli.base.errors import ConfigFix
from nncli.config.errors.suggestions import (
    example,
    field_names,
    section_hints,
    sections_with_key,
    sections_with_type,
    suggest_key,
    type_of,
)
from nncli.config.schema import Config, EarlyStopping
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.sequential import Dropout
from nncli.nn.optim.schedules import CosineRate

TOP = list(field_names(Config))


@pytest.mark.parametrize(
    ("key", "section", "is_list"),
    [
        ("patience", "early_stopping", False),
        ("max_one_hot", "encoding.categories", False),
        ("units", "layers", True),
        ("momentum", "optimizer", False),
    ],
)
def test_the_section_of_a_key(key: str, section: str, is_list: bool) -> None:
    first = sections_with_key(Config, key)[0]
    assert (first.section, first.is_list) == (section, is_list)
    assert all(key in field_names(model) for model in first.models)


def test_a_section_without_types_comes_first() -> None:
    assert sections_with_key(Config, "every")[0].section == "checkpoint"
    assert sections_with_key(Config, "type") == []


def test_a_type_is_found_in_every_section_that_has_it() -> None:
    assert [match.section for match in sections_with_type(Config, "dropout")] == ["layers"]
    assert {match.section for match in sections_with_type(Config, "ReLU")} == {"activation", "output_activation"}
    assert sections_with_type(Config, "no_such_type") == []


@pytest.mark.parametrize(
    ("word", "siblings", "key"),
    [
        ("Batch-Size", TOP, "batch_size"),
        ("lr", TOP, "learning_rate"),
        ("epoch", TOP, "epochs"),
        ("patience", TOP, None),  # a key of early_stopping
        ("weight_decay", TOP, None),  # a key of optimizer, though also an alias of l2
        ("dropout", TOP, None),  # a type of layers
        ("zzzzz", TOP, None),
    ],
)
def test_an_unknown_top_level_key(word: str, siblings: list[str], key: str | None) -> None:
    assert suggest_key(word, siblings, [], Config) == key


def test_inside_a_section_its_own_keys_come_before_those_of_others() -> None:
    assert suggest_key("rate", ["learning_rate_multiplier"], TOP, Config) == "learning_rate_multiplier"
    assert suggest_key("lr", ["type", "beta1"], TOP, Config) == "learning_rate"
    assert suggest_key("metric", ["patience"], TOP, Config) is None  # itself a key of the top level


def test_a_misplaced_key_is_moved_with_its_value_or_with_a_placeholder() -> None:
    first, second = section_hints(("patience",), 3, Config)
    assert first.fix == ConfigFix(("early_stopping", "patience"), 3, remove=("patience",))
    assert second.fix == ConfigFix(("early_stopping", "patience"), ..., remove=("patience",))


def test_an_example_has_placeholders_for_required_options() -> None:
    assert example(Dropout) == "dropout"
    assert example(Dense) == {"type": "dense", "units": ...}
    assert example(Dense, 64) == {"type": "dense", "units": 64}
    assert example(CosineRate) == {"type": "cosine", "peak": ...}


def test_the_type_of_a_class() -> None:
    assert type_of(Dense) == "dense"
    assert type_of(EarlyStopping) is None

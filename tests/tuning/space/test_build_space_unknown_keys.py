"""A hyperparameter that is a key inside another one is named with that key, as in a configuration."""

from __future__ import annotations

import pytest

from nncli.base.errors import ConfigError
from tests.tuning.spaces import space_of


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("dropout", "layers"),
        ("units", "layers"),
        ("hidden_units", "layers"),
        ("momentum", "optimizer"),
        ("weight_decay", "optimizer"),
        ("beta2", "optimizer"),
        ("max_one_hot", "encoding.categories"),
        ("lr", "learning_rate"),
        ("learnin_rate", "learning_rate"),
        ("optimiser.momentum", "optimizer"),
    ],
)
def test_the_key_that_was_meant_is_named(word: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        space_of(f"{word}: {{from: 1, to: 8}}")
    (issue,) = caught.value.issues
    assert issue.location.key == word
    text = f"{issue.message} {issue.hint}"
    assert f"'{meant}'" in text
    assert "keys here are" not in text


def test_a_word_like_no_key_is_unknown() -> None:
    with pytest.raises(ConfigError, match="unknown key 'foo'"):
        space_of("foo: {choices: [1, 2]}")

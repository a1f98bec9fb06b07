"""A word that other libraries use, or that is spelled otherwise, leads to ours."""

from __future__ import annotations

import pytest

from nncli.config.errors.aliases import ALIASES, aliases_of, normalized, same_spelling, suggest
from nncli.config.errors.locate import field_names, model_classes
from nncli.config.errors.suggestions import type_of
from nncli.config.schema import Config

TOP = list(Config.model_fields)


@pytest.mark.parametrize(
    ("word", "known", "ours"),
    [
        ("batchsize", TOP, "batch_size"),
        ("Batch-Size", TOP, "batch_size"),
        ("lr", TOP, "learning_rate"),
        ("hidden_layer_sizes", TOP, "layers"),
        ("test_size", TOP, "validation"),
        ("n_epochs", TOP, "epochs"),
        ("learning_rat", TOP, "learning_rate"),
        ("ReLU", ["relu", "elu"], "relu"),
        ("LeakyReLU", ["relu", "leaky_relu"], "leaky_relu"),
        ("bce", ["mse", "cross_entropy"], "cross_entropy"),
        ("linear", ["identity", "relu"], "identity"),
        ("linear", ["dense", "dropout"], "dense"),
        ("zzz", TOP, None),
        ("", TOP, None),
    ],
)
def test_a_word_is_understood_by_what_fits_the_place(word: str, known: list[str], ours: str | None) -> None:
    assert suggest(word, known) == ours


def test_spelling_comes_before_synonyms_and_these_before_likeness() -> None:
    assert suggest("L2", ["mse", "l2"]) == "l2"
    assert suggest("swish", ["mish", "silu"]) == "silu"
    assert same_spelling("lr", TOP) is None


def test_every_word_of_ours_in_the_table_exists() -> None:
    known = {
        "full",
        "standard",
        "min_max",
        "best",
        "textbook",
        "float32",
        "float64",
        "one_hot",
        "sign",
        "halve_learning_rate",
    }  # values
    known |= {f"{name}_{how}" for name in ("glorot", "he") for how in ("uniform", "normal")}
    models: list[object] = [Config]
    for model in models:
        for key, annotation in field_names(model).items():  # type: ignore[arg-type]
            known.add(key)
            models += [inner for inner in model_classes(annotation) if inner not in models]
        known.add(type_of(model) or "")  # type: ignore[arg-type]
    assert set(ALIASES) <= known
    assert all(aliases_of(word) for words in ALIASES.values() for word in words.split())
    assert not any(normalized(word) == normalized(ours) for ours, words in ALIASES.items() for word in words.split())

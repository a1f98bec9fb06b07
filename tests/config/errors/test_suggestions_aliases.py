"""An alias or another spelling of a name leads to the name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nncli.base.errors import ConfigError, ConfigFix
from nncli.config.errors.suggestions import (
    aliases,
    aliases_of,
    apply_fix,
    field_names,
    model_classes,
    normalized,
    same_spelling,
    suggest,
    type_of,
)
from nncli.config.loading import load_config
from nncli.config.schema.tune import ConfigFile
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump

TOP = list(ConfigFile.model_fields)


@pytest.mark.parametrize(
    ("word", "words", "name"),
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
def test_a_word_is_resolved_by_what_is_valid_at_the_location(word: str, words: list[str], name: str | None) -> None:
    assert suggest(word, words) == name


def test_spelling_comes_before_aliases_and_these_before_similarity() -> None:
    assert suggest("L2", ["mse", "l2"]) == "l2"
    assert suggest("swish", ["mish", "silu"]) == "silu"
    assert same_spelling("lr", TOP) is None


def test_every_name_with_aliases_exists() -> None:
    valid_words = {
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
    valid_words |= {f"{name}_{how}" for name in ("glorot", "he") for how in ("uniform", "normal")}
    models: list[object] = [ConfigFile]
    for model in models:
        for key, annotation in field_names(model).items():
            valid_words.add(key)
            models += [inner for inner in model_classes(annotation) if inner not in models]
        valid_words.add(type_of(model) or "")
    assert set(aliases()) <= valid_words
    assert all(aliases_of(word) for words in aliases().values() for word in words.split())
    assert not any(normalized(word) == normalized(name) for name, words in aliases().items() for word in words.split())


RENAMED = [
    ("parametrisation: ntk", "parametrization"),
    ("layers: [{type: dense, units: 3, parametrisation: ntk}]", "parametrization"),
    ("embedding_std: 1.0", "embedding_init_std"),
    ("best_epoch: last", "best_epoch_tie"),
    ("on_divergence: halve_rate", "halve_learning_rate"),
    ("optimizer: {type: adamw, groups: {scale: {rate: 6, decay: 36}}}", "param_groups"),
    ("optimizer: {type: adamw, param_groups: {scale: {rate: 6}}}", "learning_rate_multiplier"),
    ("optimizer: {type: adamw, param_groups: {scale: {decay: 36}}}", "weight_decay_multiplier"),
    ("learning_rate: {type: one_cycle, peak: 0.1, rise: 0.2}", "pct_start"),
    ("learning_rate: {type: cosine, peak: 0.1, warmup: 5}", "warmup_steps"),
    ("learning_rate: {type: cosine, initial: 0.1}", "peak"),
    ("optimizer: {type: adamw, param_groups: {scale: {lr_multiplier: 6}}}", "learning_rate_multiplier"),
    ("layers: [4, {type: parametric, activation: mish}]", "parametric_activation"),
    ("layers: [4, parametric]", "parametric_activation"),
    ("init: data", "data_dependent"),
    ("layers: [{type: dense, units: 3, init: data}]", "data_dependent"),
    ("data: {path: t.csv, target: y, missing: ['?']}", "missing_values"),
    ("data: {path: t.csv, target: y, weight: w}", "sample_weight"),
    ("encoding: {categories: {one_hot: 8}}", "max_one_hot"),
    ("encoding: {categories: {binary: signs}}", "sign"),
    ("encoding: {categories: {binary: indicators}}", "one_hot"),
    ("encoding: {text_width: 50}", "max_text_features"),
]


@pytest.mark.parametrize(("text", "name"), RENAMED)
def test_an_earlier_name_is_an_error_that_names_the_present_one(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text if text.startswith("data") else f"data: {{path: t.csv, target: y}}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.exit_code == 3
    (issue,) = caught.value.issues
    assert f"did you mean '{name}'?" in issue.message


@pytest.mark.parametrize(("text", "name"), RENAMED)
def test_an_earlier_name_is_accepted_once_the_hints_are_followed(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text if text.startswith("data") else f"data: {{path: t.csv, target: y}}\n{text}\n")
    for _ in range(3):
        try:
            assert name in repr(load_config(path))
            return
        except ConfigError as error:
            values = parse(path.read_text(), "c.yaml").value
            for issue in error.issues:
                form = re.search(r"Write (\{.*…\})", issue.hint or "")
                if issue.fix is None and form:
                    layer = parse(f"x: {form[1].replace('…', 'mish')}", "hint").value["x"]
                    values = apply_fix(values, ConfigFix(("layers", 1), layer))
                else:
                    assert issue.fix is not None
                    values = apply_fix(values, issue.fix)
            path.write_text(dump(values))
    raise AssertionError(path.read_text())

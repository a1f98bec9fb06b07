"""The completions of a `key=value` are keys and values of the schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.config.loading import load_document
from nncli.config.schema.tune import ConfigFile
from nncli.config.schema_file import complete_assignment
from nncli.config.yaml.parser import parse


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("epo", ["epochs=", "epochs=100", "epochs=auto"]),
        ("optimizer=a", ["optimizer=adagrad", "optimizer=adam", "optimizer=adamw"]),
        ("optimizer.type=l", ["optimizer.type=lion"]),
        ("optimizer.mom", ["optimizer.momentum=", "optimizer.momentum=0.0"]),
        ("layers.0.act", ["layers.0.activation="]),
        ("layers.0.init=he", ["layers.0.init=he", "layers.0.init=he_uniform", "layers.0.init=he_normal"]),
        ("encoding.clip_target=", ["encoding.clip_target=false", "encoding.clip_target=true"]),
        ("encoding.cat", ["encoding.categories."]),
        ("loss=n", ["loss=null"]),
        ("early_stopping.", ["early_stopping.patience=", "early_stopping.min_delta="]),
        ("output=", ["output=null"]),
        ("zzz", []),
        ("zzz=", []),
        ("zzz.a=", []),
        ("layers.x.", []),
        ("epochs.x=", []),
        ("..=", []),
        ("=", []),
    ],
)
def test_an_assignment_is_completed(typed: str, words: list[str]) -> None:
    result = complete_assignment(typed)
    assert [word for word in result if word in words] == words
    assert bool(result) == bool(words)


def test_every_key_is_a_completion_and_every_section_has_completions() -> None:
    result = complete_assignment("")
    assert {word.rstrip("=.") for word in result} == set(ConfigFile.model_fields)
    assert {"data.", "epochs="} <= set(result)
    of_columns = {"monotone."}  # names of columns follow
    assert {word for word in result if word.endswith(".") and not complete_assignment(word)} == of_columns


def test_every_completed_value_is_valid() -> None:
    keys = [word.rstrip("=") for word in complete_assignment("") if word.endswith("=")]
    offered = [word for key in keys for word in complete_assignment(f"{key}=")]
    assert len(offered) > 80
    for word in offered:
        document = parse("data: {path: t.csv, target: y}\nlayers: [4]\n", "c.yaml")
        if word.startswith("quality="):
            document = parse("data: {path: t.csv, target: y}\n", "c.yaml")
        load_document(document, [word], folder=Path(), name="x")

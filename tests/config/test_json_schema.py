"""The JSON Schema and the validation of a configuration agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from nncli.config.json_schema import json_schema
from nncli.config.loading import QUALITIES, TABULAR
from nncli.config.schema import Config
from nncli.config.schema.tune import ConfigFile
from nncli.config.schema_file import resolve
from nncli.config.yaml.parser import parse
from tests.cli.support import CONFIGS, ROOT
from tests.test_docs import blocks

WHOLE: dict[str, Any] = json.loads(json_schema())
SCHEMA_OF_CONFIG = Draft202012Validator(WHOLE)
DATA = {"path": "t.csv", "target": "y"}
PRESETS = ROOT / "nncli" / "config" / "presets"

SHORT = """
data: {path: t.csv, target: [a, b], columns: {a: categorical}, missing_values: ["?"], leave_out: {folds: 3, fold: 1}}
encoding: {numeric: quantile, categories: {max_one_hot: 8}}
validation: {bootstrap: 1}
layers: [8, dropout, {type: residual, layers: [batch_norm, 4]}, {type: dense, units: auto, init: he_uniform}]
activation: {type: leaky_relu, slope: 0.1}
init: orthogonal
optimizer: {type: adamw, param_groups: {bias: {learning_rate_multiplier: 0.1}}}
learning_rate: 1
loss: {type: huber, delta: 2}
batch_size: full
early_stopping: {}
class_weight: {a: 1, b: 0.5}
checkpoint: {every: 2.5 s}
memory_limit: 1.5 GiB
tune:
  time_limit: 30m
  search:
    learning_rate: {from: 1e-4, to: 1, scale: log}
    optimizer: {choices: [adam, {type: sgd, momentum: {from: 0.5, to: 0.99}}]}
    layers.0.units: {from: 8, to: 64, step: 8}
"""


def error_types(value: object) -> set[str]:
    try:
        ConfigFile.model_validate(value)
    except ValidationError as error:
        return {details["type"] for details in error.errors()}
    return set()


def accepted(value: object) -> bool:
    return not error_types(value)


def written() -> dict[str, Mapping[str, object]]:
    """Every configuration and preset that ships, that of the README, and one of short forms."""
    result = {path.name: parse(path.read_text("utf-8"), path.name).value for path in CONFIGS.iterdir()}
    for name in (TABULAR, *sorted({name for names in QUALITIES.values() for name in names})):
        result[name] = {"data": DATA, **parse((PRESETS / f"{name}.yaml").read_text("utf-8"), name).value}
    (readme,) = blocks("yaml")
    return {**result, "README": parse(readme, "README").value, "short": parse(SHORT, "short").value}


WRITTEN = written()


@pytest.mark.slow
def test_it_is_a_valid_schema_with_a_name() -> None:
    Draft202012Validator.check_schema(WHOLE)
    assert WHOLE["$id"] == "urn:nncli:config"
    assert WHOLE["title"]


def test_every_shipped_configuration_is_valid() -> None:
    for name, value in WRITTEN.items():
        assert list(SCHEMA_OF_CONFIG.iter_errors(value)) == [], name


def test_the_configuration_of_a_run_is_valid() -> None:
    for name, value in WRITTEN.items():
        whole = Config.model_validate({key: value[key] for key in value if key != "tune"}).model_dump(mode="json")
        assert list(SCHEMA_OF_CONFIG.iter_errors(whole)) == [], name


@pytest.mark.parametrize(
    "slip",
    [
        {"layers": 64},
        {"layers": ["64"]},
        {"layers": ["residual"]},
        {"layers": [{"units": 64}]},
        {"layers": [{"type": "dense"}]},
        {"layers": [{"type": "dropout", "units": 3}]},
        {"learning_rat": 0.1},
        {"learning_rate": 0},
        {"learning_rate": "cosine"},
        {"optimizer": "Adam"},
        {"optimizer": {"momentum": 0.9}},
        {"optimizer": {"type": "adam", "learning_rate": 0.1}},
        {"init": "zeros_uniform"},
        {"epochs": "10"},
        {"epochs": 0},
        {"batch_size": "half"},
        {"early_stopping": 10},
        {"validation": 1},
        {"validation": {"path": "v.csv", "folds": 3}},
        {"quality": "good"},
        {"checkpoint": {"every": "2 hours"}},
        {"memory_limit": "lots"},
        {"data": {"path": "t.csv"}},
        {"data": {**DATA, "target": []}},
        {"data": {**DATA, "missing_values": [-999]}},
        {"encoding": None},
        {"tune": {"trials": 0}},
        {"tune": {"search": {"epochs": [1, 2]}}},
        {"tune": {"search": {"epochs": {"from": 1}}}},
        {"tune": {"search": {"epochs": {"choices": []}}}},
        {"tune": {"search": {"layers.0.units": {"from": 1, "to": 2, "scale": "none"}}}},
    ],
    ids=str,
)
def test_typical_mistakes_are_refused_by_both(slip: dict[str, object]) -> None:
    assert not accepted({"data": DATA, **slip})
    assert not SCHEMA_OF_CONFIG.is_valid({"data": DATA, **slip})


LEAVES = st.sampled_from(
    [
        *[None, True, 0, 1, 64, -1, 0.5, 1e9, "", "auto", "adam", "relu", "he", "he_normal", "none", "dropout"],
        *["coslog", "2 epochs", "5 MB", [], [8], ["y"], {}],
        *[{"type": "sgd"}, {"type": "coslog"}, {"path": "v.csv"}, {"a": 0.5}],
    ]
)
KEYS = st.sampled_from([*Config.model_fields, "type", "units", "rate", "path", "folds", "momentum"])


def changed(draw: Callable[[st.SearchStrategy[Any]], Any], value: Any) -> Any:
    """`value` with one thing somewhere in it replaced, removed or added."""
    if not isinstance(value, dict | list) or value == [] or draw(st.integers(0, 5)) == 0:
        return draw(LEAVES)
    inside = list(value.items() if isinstance(value, dict) else enumerate(value))
    if isinstance(value, dict) and (not inside or draw(st.integers(0, 3)) == 0):
        return {**value, draw(KEYS): draw(LEAVES)}
    key, item = draw(st.sampled_from(inside))
    kept = [] if draw(st.integers(0, 3)) == 0 else [(key, changed(draw, item))]
    pairs = [pair for old in inside for pair in (kept if old[0] == key else [old])]
    return dict(pairs) if isinstance(value, dict) else [item for _, item in pairs]


@given(st.data())
def test_whatever_nncli_accepts_is_valid(data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(list(WRITTEN.values())))
    value = changed(data.draw, changed(data.draw, start))
    assert SCHEMA_OF_CONFIG.is_valid(value) or not accepted(value)


def described(draw: Callable[[st.SearchStrategy[Any]], Any], schema: dict[str, Any], depth: int = 0) -> Any:
    """Something that the schema allows."""
    if "$ref" in schema:
        schema = resolve(WHOLE, schema["$ref"])
    if not schema:
        return draw(LEAVES)
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        shallow = [branch for branch in branches if "oneOf" not in branch or depth < 4]
        return described(draw, draw(st.sampled_from(shallow)), depth + 1)
    if "const" in schema or "enum" in schema:
        return draw(st.sampled_from(schema.get("enum") or [schema["const"]]))
    match schema["type"]:
        case "object":
            required = schema.get("required", [])
            properties = schema.get("properties", {})
            optional = sorted(properties.keys() - set(required)) or [""]
            some = draw(st.sets(st.sampled_from(optional), max_size=6 if depth < 2 else 2))
            keys = [key for key in properties if key in required or key in some]
            values = {key: described(draw, properties[key], depth + 1) for key in keys}
            if isinstance(schema.get("additionalProperties"), dict):
                values["bias" if "propertyNames" in schema else "a"] = described(
                    draw, schema["additionalProperties"], depth + 1
                )
            return values
        case "array":
            least = schema.get("minItems", 0)
            return [described(draw, schema["items"], depth + 1) for _ in range(draw(st.integers(least, 2)))]
        case "integer":
            return draw(st.integers(schema.get("minimum", 0), min(schema.get("maximum", 10**6), 10**6)))
        case "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", -2.0)) + 0.25
            most = schema.get("maximum", schema.get("exclusiveMaximum", 4.0)) - 0.25
            return draw(st.floats(least, max(least, most)))
        case "string" if "pattern" in schema:
            return draw(st.from_regex(schema["pattern"], alphabet="0123456789. BKMGTisepochtau"))
        case "string":
            return draw(st.sampled_from([";", "y", "x"]))
        case kind:
            return {"boolean": True, "null": None}[kind]


@pytest.mark.slow
@given(st.data())
def test_whatever_is_valid_breaks_at_most_rules_of_several_keys(data: st.DataObject) -> None:
    value = described(data.draw, WHOLE)
    assert SCHEMA_OF_CONFIG.is_valid(value)
    assert error_types(value) <= {"value_error"}

"""A fix changes a copy of the values, and is accepted if the changed document is valid there."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nncli.base.errors import ConfigFix
from nncli.config.errors.suggestions import FixChecker, apply_fix, is_complete, locate
from nncli.config.yaml.parser import parse
from tests.config.sections import START, Config

VALUES: dict[str, object] = {"a": {"b": 1, "c": [1, {"d": 2}]}, "e": 3}


@pytest.mark.parametrize(
    ("fix", "values"),
    [
        (ConfigFix(("e",), 4), {"a": {"b": 1, "c": [1, {"d": 2}]}, "e": 4}),
        (ConfigFix(("a", "c", 1, "d"), 5), {"a": {"b": 1, "c": [1, {"d": 5}]}, "e": 3}),
        (ConfigFix(("f", "g"), 1), {"a": {"b": 1, "c": [1, {"d": 2}]}, "e": 3, "f": {"g": 1}}),
        (ConfigFix(("b",), 1, remove=("a", "b")), {"a": {"c": [1, {"d": 2}]}, "e": 3, "b": 1}),
        (ConfigFix(("b",), 1, remove=("a", "c", 0)), {"a": {"b": 1, "c": [{"d": 2}]}, "e": 3, "b": 1}),
    ],
)
def test_a_fix_removes_one_key_and_sets_another(fix: ConfigFix, values: dict[str, object]) -> None:
    before = repr(VALUES)
    assert apply_fix(VALUES, fix) == values
    assert repr(VALUES) == before


@pytest.mark.parametrize("path", [("e", "x"), ("a", "c", 2), ("a", "c", "x"), ("a", "b", 0)])
def test_a_path_through_a_value_without_keys_is_refused(path: tuple[str | int, ...]) -> None:
    with pytest.raises(ValueError, match=str(path[-1])):
        apply_fix(VALUES, ConfigFix(path, 1))


def test_a_placeholder_makes_a_value_incomplete() -> None:
    assert is_complete({"a": [1, None]})
    assert not is_complete({"a": [1, ...]})
    assert not is_complete(...)


def checker(text: str) -> FixChecker:
    document = parse(START + text, "c.yaml")
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(document.value)
    return FixChecker(Config, document, [locate(details, Config, document) for details in caught.value.errors()])


def test_a_fix_is_accepted_if_its_value_is_valid() -> None:
    check = checker("batch_size: x")
    assert check.accepts(ConfigFix(("batch_size",), 8))
    assert not check.accepts(ConfigFix(("batch_size",), 0))
    assert check.accepts(ConfigFix(("batch_size",), ...))


def test_other_errors_may_remain_but_none_may_be_added() -> None:
    check = checker("batch_size: x\nloss: mze")
    assert check.accepts(ConfigFix(("batch_size",), 8))
    assert not check.accepts(ConfigFix(("batch_size",), 8, remove=("layers",)))
    assert not check.accepts(ConfigFix(("los",), "mse"))


def test_a_key_is_not_renamed_to_one_that_is_written_too() -> None:
    rename = ConfigFix(("batch_size",), 8, remove=("batchsize",))
    assert checker("batchsize: 8").accepts(rename)
    assert not checker("batchsize: 8\nbatch_size: 9").accepts(rename)


def test_the_entries_of_a_renamed_key_may_have_errors_of_their_own() -> None:
    rename = ConfigFix(("by_name",), {"a": {"type": "dense", "unit": 3}}, remove=("byname",))
    assert checker("byname: {a: {type: dense, unit: 3}}").accepts(rename)

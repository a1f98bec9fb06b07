"""`--set KEY=VALUE` sets one value and is the location of that value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import ConfigError, Location, UsageError
from nncli.config.overrides import apply_overrides
from nncli.config.yaml.document import Document
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump
from tests.config.support import SCALARS, SECTIONS, YAML_LIKE

WORDS = st.text("abcxyz_", min_size=1, max_size=5)


def values(text: str, *assignments: str) -> dict[str, object]:
    return apply_overrides(parse(text, "c.yaml"), assignments).value


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("loss=mse", "mse"),
        ("loss=", None),
        ("loss=null", None),
        ("loss=1e-3", 0.001),
        ("loss=no", "no"),
        ("loss=[64, 64]", [64, 64]),
        ("loss={type: mse}", {"type": "mse"}),
        ("loss='a: b'", "a: b"),
        ("loss=a=b", "a=b"),
        (" loss =x", "x"),
        ("loss=%d.%m.%y", "%d.%m.%y"),
        ("loss= %H:%M %d/%m/%Y", "%H:%M %d/%m/%Y"),
    ],
)
def test_a_value_is_inline_yaml(assignment: str, value: object) -> None:
    assert values("a: 1", assignment) == {"a": 1, "loss": value}


def test_missing_sections_are_created() -> None:
    assert values("a: 1\nb:", "b.c.d=2", "class_weight.1=3") == {
        "a": 1,
        "b": {"c": {"d": 2}},
        "class_weight": {"1": 3},
    }


def test_a_number_selects_an_item_of_a_list() -> None:
    text = "layers: [{type: dense, units: 4}, relu]"
    assert values(text, "layers.0.units=8", "layers.1=tanh") == {"layers": [{"type": "dense", "units": 8}, "tanh"]}


def test_a_word_is_a_short_form_of_a_section() -> None:
    assert values("optimizer: sgd", "optimizer.momentum=0.9") == {"optimizer": {"type": "sgd", "momentum": 0.9}}
    assert values("optimizer: sgd", "optimizer.type=adam") == {"optimizer": {"type": "adam"}}


def test_key_order_is_kept() -> None:
    assert list(values("a: 1\nb: 2\nc: 3", "b=4", "d=5")) == ["a", "b", "c", "d"]


def test_an_override_does_not_change_values_shared_by_an_alias() -> None:
    document = parse("a: &x {n: 1}\nb: *x", "c")
    assert apply_overrides(document, ["a.n=2"]).value == {"a": {"n": 2}, "b": {"n": 1}}
    assert document.value == {"a": {"n": 1}, "b": {"n": 1}}


def test_the_location_of_an_overridden_key_is_its_option() -> None:
    text = "optimizer:\n  type: sgd\n  momentum: 0.9\nloss: mse\n"
    document = apply_overrides(parse(text, "c"), ["optimizer.type=adam", "new.key=[1]", "loss.delta=1"])
    assert document.location(("optimizer", "type")) == Location("--set optimizer.type=adam", key="optimizer.type")
    assert document.location(("optimizer", "momentum")) == Location("c", 3, 3, "optimizer.momentum")
    assert document.location(("new",)) == Location("--set new.key=[1]", key="new")
    assert document.location(("new", "key", 0)) == Location("--set new.key=[1]", key="new.key.0")
    assert document.location(("loss", "type"), "value") == Location("c", 4, 7, "loss.type")
    assert apply_overrides(document, ["optimizer=x"]).location(("optimizer", "momentum")).source == "--set optimizer=x"


@pytest.mark.parametrize("assignment", ["", "=", "=1", "a", "a.=1", ".a=1", "a..b=1", "  =1"])
def test_an_assignment_needs_a_key_and_an_equals_sign(assignment: str) -> None:
    with pytest.raises(UsageError, match="key=value"):
        values("a: 1", assignment)


@pytest.mark.parametrize("mark", [",", "|", "'", "`"])
def test_a_word_that_is_a_separator_or_a_decimal_mark_is_a_text(mark: str) -> None:
    assert values("rate: 0.1", f"rate={mark}") == {"rate": mark}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("rate.peak=1", "'rate' is 0.1, which has no keys"),
        ("layers.2.units=1", "'2' is not an item of 'layers'"),
        ("layers.-1=1", "'-1' is not an item of 'layers'"),
        ("layers.x=1", "'x' is not an item of 'layers'"),
        ("layers.99999999999999999999=1", "is not an item"),
        ("rate=[1", "never closed"),
        ("rate=!t 1", "tags"),
        ("rate={a: 1, a: 2}", "twice"),
        ("rate=a: 1", "inline"),
        ("rate=- 1", "inline"),
        ("rate=>", "inline"),
        ("rate=#fff", "comment"),
        ("rate=\x1b[0m", "U+001B"),
        ("ra\x1bte=1", "U+001B"),
        ("rate=" + "[" * 50 + "]" * 50, "nested"),
        (".".join("a" * 3000) + "=", "nested"),
    ],
)
def test_an_invalid_override_is_located_at_its_option(assignment: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        values("rate: 0.1\nlayers: [1, 2]", assignment)
    (issue,) = caught.value.issues
    assert words in issue.message
    assert str(issue.location).startswith("--set ")
    assert issue.location.line is None
    assert "\x1b" not in str(issue)


def test_a_long_assignment_is_shortened_in_its_location() -> None:
    document = apply_overrides(parse("a: 1", "c"), ["b=" + "x" * 500])
    source = document.location(("b",)).source or ""
    assert len(source) == len("--set ") + 100
    assert source.endswith("x…")


@pytest.mark.slow
@given(SECTIONS, st.lists(WORDS, min_size=1, max_size=4), SCALARS.filter(lambda v: not isinstance(v, str)))
def test_an_override_sets_its_key_only(value: dict[str, object], words: list[str], new: str | float | None) -> None:
    written = dump({"v": new}).removeprefix("v: ").strip()
    assignment = f"{'.'.join(['set', *words])}={written}"
    before = parse(dump({**value, "set": None}), "c")
    after = apply_overrides(before, [assignment])
    result: object = after.value
    for word in ["set", *words]:
        assert isinstance(result, dict)
        result = result[word]
    assert repr(result) == repr(new)
    assert {k: v for k, v in after.value.items() if k != "set"} == {k: v for k, v in value.items() if k != "set"}
    assert after.location(("set", *words)).line is None
    assert apply_overrides(after, [assignment]).value == after.value


@pytest.mark.slow
@given(SECTIONS, st.text(max_size=12) | YAML_LIKE)
def test_no_override_raises_another_exception(value: dict[str, object], assignment: str) -> None:
    document = parse(dump(value), "c")
    try:
        assert isinstance(apply_overrides(document, [assignment]), Document)
    except (ConfigError, UsageError) as error:
        str(error)


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("layers=64,32", ("layers",), [64, 32]),
        ("layers=64", ("layers",), [64]),
        ("layers=[64]", ("layers",), [64]),
        ("data.drop=region", ("data", "drop"), ["region"]),
        ("data.drop=a b, 2020", ("data", "drop"), ["a b", "2020"]),
        ("data.drop='a, b'", ("data", "drop"), ["a, b"]),
        ("data.drop=[a, b]", ("data", "drop"), ["a", "b"]),
        ("data.features=", ("data", "features"), None),
        ("data.missing_values=-9,?", ("data", "missing_values"), ["-9", "?"]),
        ("data.target=a,b", ("data", "target"), "a,b"),
        ("data.date_format=%d.%m.%y", ("data", "date_format"), "%d.%m.%y"),
        ("loss.levels=0.1,0.9", ("loss", "levels"), [0.1, 0.9]),
        ("tune.search=3", ("tune", "search"), 3),
    ],
)
def test_items_are_a_list_where_a_key_takes_nothing_else(assignment: str, path: tuple[str, ...], value: object) -> None:
    found: Any = values("data: {}\nloss: {}", assignment)
    for key in path:
        found = found[key]
    assert found == value


def test_items_are_added_to_a_list_once() -> None:
    assert values("data: {drop: [a]}", "data.drop+=b", "data.drop+=[a, c]")["data"] == {"drop": ["a", "b", "c"]}
    assert values("data: {}", "data.drop+=b")["data"] == {"drop": ["b"]}

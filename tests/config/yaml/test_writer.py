"""A dump is read back as the same values and looks like a hand-written file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump, dump_with_comments, one_line
from tests.config.support import AWKWARD, SECTIONS


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_is_read_back_as_key_and_value(text: str) -> None:
    value: dict[str, object] = {text: text, "list": [text, [text, {text: text}]]}
    assert parse(dump(value), "c").value == value


@pytest.mark.slow
@given(SECTIONS)
def test_a_dump_is_read_back(value: dict[str, object]) -> None:
    # repr tells 1 from 1.0 and from True, and -0.0 from 0.0
    assert repr(parse(dump(value), "c").value) == repr(value)


def test_a_dump_looks_like_a_hand_written_file() -> None:
    value: dict[str, object] = {
        "name": "churn model",
        "data": {"train": "data/train.csv", "target": "no", "classes": ["a", "b"], "drop": []},
        "layers": [{"type": "dense", "units": 64}, {"type": "dropout", "rate": 1e-05}, [1, [2]]],
        "seed": None,
        "extra": {},
        "città": "é\n",
    }
    assert dump(value) == (
        "name: churn model\n"
        "data:\n"
        "  train: data/train.csv\n"
        '  target: "no"\n'
        "  classes: [a, b]\n"
        "  drop: []\n"
        "layers:\n"
        "  - type: dense\n"
        "    units: 64\n"
        "  - type: dropout\n"
        "    rate: 1.0e-05\n"
        "  - - 1\n"
        "    - [2]\n"
        "seed: null\n"
        "extra: {}\n"
        'città: "é\\n"\n'
    )


def test_an_empty_section_is_dumped_and_read_back() -> None:
    assert parse(dump({}), "c").value == {}


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, {1}, b"x", object()])
def test_a_value_that_yaml_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        dump({"a": value})


def test_comments_are_aligned_and_appear_once_for_a_section_with_the_same_comment() -> None:
    value = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 1, "f": {"g": 2}}, "h"], "i": {}}
    said = {("d", 0, "e"): "other", ("i",): "empty"}
    assert dump_with_comments(value, lambda path: said.get(path, "same")) == (
        "a:        # same\n"
        "  b: 1\n"
        "  c: [1, 2]\n"
        "d:\n"
        "  - e: 1  # other\n"
        "    f:    # same\n"
        "      g: 2\n"
        "  - h     # same\n"
        "i: {}     # empty\n"
    )


@pytest.mark.slow
@given(SECTIONS, st.text())
def test_comments_do_not_change_the_values(value: dict[str, object], comment: str) -> None:
    assert parse(dump_with_comments({"k": 1, **value}, lambda path: comment if len(path) % 2 else "x"), "c").value == {
        "k": 1,
        **value,
    }


def test_the_comment_of_a_long_line_follows_it_directly() -> None:
    assert dump_with_comments({"a": 1, "b": "x" * 60}, str).splitlines()[0].startswith("a: 1  # ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        ("a b", "a b"),
        ("1", '"1"'),
        ([1, "a"], "[1, a]"),
        ({}, "{}"),
        ({"a": 1}, "{a: 1}"),
        ({"a": ...}, "{a: …}"),
        (["x" * 30] * 4, "[…]"),
        ("x" * 41, "…"),
    ],
)
def test_a_value_on_one_line(value: object, text: str) -> None:
    assert one_line(value) == text

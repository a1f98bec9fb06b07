"""The YAML door lets in what a person meant, and names the line of everything else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings

from nncli.config.yaml.parser import DEEPEST, MOST_MISTAKES, parse
from nncli.config.yaml.writer import dump
from nncli.errors import ConfigError, Location
from tests.config.support import ONE_MIB, YAML_LIKE, at, mistakes, only


def test_keys_are_text_as_spelled() -> None:
    text = "1: a\n01: b\ntrue: c\nTrue: d\nnull: e\n~: f\n1e3: g\n'<<': h\n2024-01-01: i\n"
    spelled = ["1", "01", "true", "True", "null", "~", "1e3", "<<", "2024-01-01"]
    assert list(parse(text, "c").value) == spelled


def test_a_surrogate_pair_is_one_character_and_half_of_it_is_a_mistake() -> None:
    assert parse(r'x: "\ud83d\ude00"', "c").value == {"x": "\U0001f600"}
    mistake = only('a: 1\nx: "\\ud800"')
    assert at(mistake) == (2, 4)
    assert "surrogate" in mistake.message
    assert "surrogate" in only('"\\udfff": 1').message


def test_a_duplicate_key_names_both_lines() -> None:
    mistake = only("model:\n  a: 1\n  b: 2\n  a: 3\n")
    assert at(mistake) == (4, 3)
    assert "'a' is given twice; first on line 2" in mistake.message
    assert mistake.excerpt == "a: 3\n^"


def test_keys_that_differ_only_in_quotes_are_duplicates() -> None:
    assert "twice" in only("1: a\n'1': b\n").message


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("a: 1\n<<: {b: 1}\n", (2, 1), "merge"),
        ("a: !!python/object/apply:os.system [x]\n", (1, 4), "'!!python/object/apply:os.system'"),
        ("a: !foo 1\n", (1, 4), "tags"),
        ("a: ! 1\n", (1, 4), "tags"),
        ("!!str a: 1\n", (1, 1), "tags"),
        ("!!map\na: 1\n", (1, 1), "tags"),
        ("? [1]\n: 2\n", (1, 3), "key must be"),
        ("? {a: 1}\n: 2\n", (1, 3), "key must be"),
        ("a: &x b\n*x : 1\n", (2, 1), "key must be"),
        ("a: 1\n?\n: 2\n", (2, 2), "no key"),
        ("a: *b\n", (1, 4), "nothing is called '&b'"),
        ("a: &x [*x]\n", (1, 8), "inside what it stands for"),
        ("a: 1\n---\nb: 1\n", (2, 1), "second configuration"),
        ("- 1\n- 2\n", (1, 1), "key: value pairs"),
        ("\n\nhello\n", (3, 1), "key: value pairs"),
        ("a:b\n", (1, 1), "key: value pairs"),
        ("# a comment\n\n- 1\n", (3, 1), "key: value pairs"),
        ("\xa0", (1, 1), "key: value pairs"),
    ],
)
def test_a_mistake_names_its_place_in_plain_words(text: str, place: tuple[int, int], word: str) -> None:
    mistake = only(text)
    assert at(mistake) == place
    assert word in mistake.message
    assert "token" not in str(mistake)
    assert "scalar" not in str(mistake)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n...\n", "\ufeff", "~"])
def test_an_empty_file_is_called_empty(text: str) -> None:
    assert only(text).message == "the configuration is empty"


def test_all_mistakes_that_leave_the_structure_clear_are_told_at_once() -> None:
    found = mistakes("a: 1\na: 2\n<<: {}\n? [1]\n: 2\nb: !t 1\nc: 1e999\n")
    assert [m.place.line for m in found] == [2, 3, 4, 6, 7]


def test_a_file_of_nothing_but_mistakes_is_not_told_them_all() -> None:
    assert len(mistakes("a: 1\n" * 1000)) == MOST_MISTAKES


def test_aliases_are_allowed_in_moderation() -> None:
    document = parse("a: &x {units: 8}\nb: [*x, *x]\n", "c")
    assert document.value == {"a": {"units": 8}, "b": [{"units": 8}, {"units": 8}]}
    assert document.location(("b", 1, "units"), "value") == Location("c", 2, 9, "b.1.units")


def test_aliases_that_expand_without_end_are_a_mistake() -> None:
    laughs = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    assert "100,000 values" in only(laughs).message


def test_depth_is_counted_through_aliases() -> None:
    deep = "[" * 40 + "]" * 40
    assert "inside each other" in only(f"a: &a {deep}\nb: {'[' * 20}*a{']' * 20}\n").message
    assert parse(f"a: &a {deep}\nb: {'[' * 9}*a{']' * 9}\n", "c").value


@pytest.mark.parametrize("text", ["[" * ONE_MIB, "{" * ONE_MIB, "? " * 500_000, "- " * 500_000, "{a: " * 200_000])
def test_depth_is_refused_before_anything_recurses(text: str) -> None:
    assert "inside each other" in only(text).message


def test_fifty_levels_are_fine_and_one_more_is_not() -> None:
    inside = DEEPEST - 1
    assert parse("a: " + "[" * inside + "]" * inside, "c").value
    assert "inside each other" in only("a: " + "[" * DEEPEST + "]" * DEEPEST).message


@given(YAML_LIKE)
@settings(max_examples=400)
def test_no_text_raises_anything_but_a_config_error(text: str) -> None:
    try:
        document = parse(text, "c")
    except ConfigError as error:
        str(error)  # can be shown, whatever is in it
    else:
        assert repr(parse(dump(document.value), "c").value) == repr(document.value)


def test_the_door_opens_without_the_heavy_libraries() -> None:
    code = (
        "import sys, nncli.config.yaml.reader, nncli.config.overrides\n"
        "import nncli.config.errors.messages, nncli.config.yaml.writer\n"
        "print([m for m in ('numpy', 'polars', 'rich', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

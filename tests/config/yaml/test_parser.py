"""YAML is parsed without its surprises, and every issue has its line and character."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given

from nncli.base.errors import ConfigError, Location
from nncli.config.yaml import parser
from nncli.config.yaml.parser import MAX_DEPTH, MAX_ISSUES, parse
from nncli.config.yaml.writer import dump
from tests.config.support import ONE_MIB, YAML_LIKE, at, issues, only


def test_keys_are_text_as_written() -> None:
    text = "1: a\n01: b\ntrue: c\nTrue: d\nnull: e\n~: f\n1e3: g\n'<<': h\n2024-01-01: i\n"
    spelled = ["1", "01", "true", "True", "null", "~", "1e3", "<<", "2024-01-01"]
    assert list(parse(text, "c").value) == spelled


def test_a_surrogate_pair_is_one_character_and_half_a_pair_is_an_error() -> None:
    assert parse(r'x: "\ud83d\ude00"', "c").value == {"x": "\U0001f600"}
    issue = only('a: 1\nx: "\\ud800"')
    assert at(issue) == (2, 4)
    assert "surrogate" in issue.message
    assert "surrogate" in only('"\\udfff": 1').message


def test_a_duplicate_key_names_both_lines() -> None:
    issue = only("model:\n  a: 1\n  b: 2\n  a: 3\n")
    assert at(issue) == (4, 3)
    assert "'a' is given twice; first on line 2" in issue.message
    assert issue.excerpt == "a: 3\n^"


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
        ("a: *b\n", (1, 4), "'&b'"),
        ("a: &x [*x]\n", (1, 8), "'*x'"),
        ("a: 1\n---\nb: 1\n", (2, 1), "second document"),
        ("- 1\n- 2\n", (1, 1), "key: value pairs"),
        ("\n\nhello\n", (3, 1), "key: value pairs"),
        ("a:b\n", (1, 1), "key: value pairs"),
        ("# a comment\n\n- 1\n", (3, 1), "key: value pairs"),
        ("\xa0", (1, 1), "key: value pairs"),
    ],
)
def test_an_issue_is_located_at_its_line_and_character(text: str, place: tuple[int, int], word: str) -> None:
    issue = only(text)
    assert at(issue) == place
    assert word in issue.message
    assert "token" not in str(issue)
    assert "scalar" not in str(issue)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n...\n", "\ufeff", "~"])
def test_an_empty_file_is_an_error(text: str) -> None:
    assert only(text).message == "the configuration is empty"


def test_issues_that_leave_the_structure_clear_are_raised_together() -> None:
    result = issues("a: 1\na: 2\n<<: {}\n? [1]\n: 2\nb: !t 1\nc: 1e999\n")
    assert [m.location.line for m in result] == [2, 3, 4, 6, 7]


def test_the_number_of_issues_is_limited() -> None:
    assert len(issues("a: 1\n" * 1000)) == MAX_ISSUES


def test_an_alias_is_expanded() -> None:
    document = parse("a: &x {units: 8}\nb: [*x, *x]\n", "c")
    assert document.value == {"a": {"units": 8}, "b": [{"units": 8}, {"units": 8}]}
    assert document.location(("b", 1, "units"), "value") == Location("c", 2, 9, "b.1.units")


def test_the_number_of_values_is_limited_after_aliases_are_expanded() -> None:
    laughs = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    assert "100,000 values" in only(laughs).message


def test_a_long_list_is_no_alias_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_VALUES", 100)
    monkeypatch.setattr(parser, "MAX_ALIASED_VALUES", 10)
    assert parse(f"a: [{'1, ' * 90}]", "c").value == {"a": [1] * 90}
    assert "100 values" in only(f"a: [{'1, ' * 110}]").message
    assert "10 values" in only("a: &x [1, 2, 3, 4]\nb: [*x, *x, *x]\n").message


def test_the_depth_is_limited_after_aliases_are_expanded() -> None:
    deep = "[" * 40 + "]" * 40
    assert "nested" in only(f"a: &a {deep}\nb: {'[' * 20}*a{']' * 20}\n").message
    assert parse(f"a: &a {deep}\nb: {'[' * 9}*a{']' * 9}\n", "c").value


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[" * ONE_MIB, "{" * ONE_MIB, "? " * 500_000, "- " * 500_000, "{a: " * 200_000])
def test_too_deep_nesting_is_refused_without_recursion(text: str) -> None:
    assert "nested" in only(text).message


def test_fifty_levels_are_accepted_and_one_more_is_refused() -> None:
    inside = MAX_DEPTH - 1
    assert parse("a: " + "[" * inside + "]" * inside, "c").value
    assert "nested" in only("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH).message


@pytest.mark.slow
@given(YAML_LIKE)
def test_no_text_raises_another_exception(text: str) -> None:
    try:
        document = parse(text, "c")
    except ConfigError as error:
        str(error)  # can be shown, whatever is in it
    else:
        assert repr(parse(dump(document.value), "c").value) == repr(document.value)


@pytest.mark.slow
def test_the_parser_imports_no_heavy_libraries() -> None:
    code = (
        "import sys, nncli.config.yaml.parser, nncli.config.overrides\n"
        "import nncli.config.errors.messages, nncli.config.yaml.writer\n"
        "print([m for m in ('numpy', 'polars', 'rich', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

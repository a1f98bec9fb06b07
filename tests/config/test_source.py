"""The YAML door lets in what a person meant, and names the line of everything else."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.config import source
from nncli.config.source import DEEPEST, Document, dump, override, parse, read
from nncli.errors import ConfigError, Mistake, Place, UsageError

ONE_MIB = 1 << 20


def mistakes(text: str) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml")
    for mistake in caught.value.mistakes:
        assert mistake.place.source == "c.yaml"
    return caught.value.mistakes


def only(text: str) -> Mistake:
    (mistake,) = mistakes(text)
    return mistake


def at(mistake: Mistake) -> tuple[int | None, int | None]:
    return mistake.place.line, mistake.place.character


# --- scalars


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1e-3", 0.001),
        ("1e5", 1e5),
        ("1E+5", 1e5),
        (".5", 0.5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("-1.5e3", -1500.0),
        ("1.5e-3", 0.0015),
        (".inf", math.inf),
        ("+.inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_a_float_may_be_written_as_in_yaml_1_2(written: str, number: float) -> None:
    value = parse(f"x: {written}", "c").value["x"]
    assert isinstance(value, float)
    assert value == number


def test_nan_is_a_float() -> None:
    value = parse("x: .nan", "c").value["x"]
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(("written", "number"), [("0", 0), ("-0", 0), ("+7", 7), ("-12", -12), ("1000000", 10**6)])
def test_an_integer_is_decimal(written: str, number: int) -> None:
    value = parse(f"x: {written}", "c").value["x"]
    assert type(value) is int
    assert value == number


@pytest.mark.parametrize(
    "word",
    [
        *["yes", "no", "on", "off", "y", "n", "Yes", "NO", "On", "tRUE", "nULL", "nan", "inf", "Infinity", ".Nan"],
        *["1:30", "190:20:30", "2024-01-01", "2001-12-14t21:59:43.10-05:00"],
        *["007", "-007", "0x1F", "0o17", "0b1", "1_000", "1.2.3", "1,5", "1%", "١٢", "e5", "1e", "1e+", "=", ".", "+"],
    ],
)
def test_a_word_that_only_looks_like_something_else_stays_text(word: str) -> None:
    assert parse(f"x: {word}", "c").value == {"x": word}


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_true_and_false_are_the_only_booleans(word: str) -> None:
    assert parse(f"x: {word}", "c").value == {"x": word.lower() == "true"}


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_none(word: str) -> None:
    assert parse(f"x: {word}", "c").value == {"x": None}


def test_quotes_make_text() -> None:
    text = "a: '1'\nb: \"true\"\nc: ''\nd: |\n  1\n"
    assert parse(text, "c").value == {"a": "1", "b": "true", "c": "", "d": "1\n"}


def test_keys_are_text_as_spelled() -> None:
    text = "1: a\n01: b\ntrue: c\nTrue: d\nnull: e\n~: f\n1e3: g\n'<<': h\n2024-01-01: i\n"
    spelled = ["1", "01", "true", "True", "null", "~", "1e3", "<<", "2024-01-01"]
    assert list(parse(text, "c").value) == spelled


def test_a_number_python_would_not_read_is_a_mistake() -> None:
    mistake = only("a: 1\nx: " + "9" * 5000)
    assert at(mistake) == (2, 4)
    assert "too large" in mistake.message
    assert len(str(mistake)) < 400


def test_a_float_that_would_round_to_infinity_is_a_mistake() -> None:
    assert "'1e999' is too large" in only("x: 1e999").message


def test_a_surrogate_pair_is_one_character_and_half_of_it_is_a_mistake() -> None:
    assert parse(r'x: "\ud83d\ude00"', "c").value == {"x": "\U0001f600"}
    mistake = only('a: 1\nx: "\\ud800"')
    assert at(mistake) == (2, 4)
    assert "surrogate" in mistake.message
    assert "surrogate" in only('"\\udfff": 1').message


def test_an_escape_beyond_unicode_points_at_itself() -> None:
    assert at(only('a: 1\nx: "ab\\UFFFFFFFF"')) == (2, 7)
    assert at(only('a: 1\nx: "ab\\U00110000"')) == (2, 7)
    assert parse('x: "\\U0010FFFF"', "c").value == {"x": "\U0010ffff"}


def test_a_yaml_version_of_five_thousand_digits_is_a_mistake() -> None:
    assert mistakes("%YAML 1." + "9" * 5000 + "\n---\na: 1\n")


# --- structure


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
        ("a:\n\tb: 1\n", (2, 1), "tab"),
        ("a: [1,\nb: 2\n", (1, 4), "list that opens here"),
        ("a: {b: 1\n", (1, 4), "'{' that opens here"),
        ("a: 'x\nb: 1\n", (1, 4), "never closed"),
        ("a: b: c\n", (1, 5), "':' is out of place"),
        ("a: 1\nb\nc: 1\n", (2, 1), "key: value"),
        ("x:\n  a: 1\n y: 2\n", (3, 2), "does not fit"),
        ('p: "C:\\data"\n', (1, 8), "escape"),
        ("p: *.csv\n", (1, 4), "cannot start with '*'"),
        ("p: @x\n", (1, 4), "cannot start with"),
        ("p: - 1\n", (1, 4), "list item"),
        ("p: ]\n", (1, 4), "missing or out of place"),
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


def test_mistakes_before_a_syntax_error_are_not_forgotten() -> None:
    assert [m.place.line for m in mistakes("a: 1\na: 2\nb: ]\n")] == [2, 3]


def test_a_file_of_nothing_but_mistakes_is_not_told_them_all() -> None:
    assert len(mistakes("a: 1\n" * 1000)) == source.MOST_MISTAKES


def test_aliases_are_allowed_in_moderation() -> None:
    document = parse("a: &x {units: 8}\nb: [*x, *x]\n", "c")
    assert document.value == {"a": {"units": 8}, "b": [{"units": 8}, {"units": 8}]}
    assert document.place(("b", 1, "units"), "value") == Place("c", 2, 9, "b.1.units")


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


def test_text_over_one_mebibyte_is_a_mistake() -> None:
    assert parse("a: 1\n#" + "x" * (ONE_MIB - 6), "c").value == {"a": 1}
    assert "1 MiB" in only("a: 1\n#" + "x" * (ONE_MIB - 5)).message
    assert "1 MiB" in only("é" * (ONE_MIB // 2 + 1)).message


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ufffe", "\ud800", "\x0b"])
def test_an_unprintable_character_is_a_mistake_on_its_line(character: str) -> None:
    mistake = only(f"a: 1\r\nb: x{character}y\n")
    assert at(mistake) == (2, 5)
    assert f"U+{ord(character):04X}" in mistake.message
    assert character not in str(mistake)


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    for line_break in ("\n", "\r\n", "\r"):
        assert at(only(f"a: 1{line_break}{line_break}b: !t 1{line_break}")) == (3, 4)


def test_an_excerpt_is_cut_around_its_caret() -> None:
    mistake = only("a: {" + "x" * 200 + ": 1, b: !t 1, " + "y" * 200 + ": 1}")
    assert mistake.excerpt is not None
    line, caret = mistake.excerpt.split("\n")
    assert len(line) <= 100
    assert line.startswith("…")
    assert line.endswith("…")
    assert line[len(caret) - 1 :].startswith("!t 1")


def test_an_excerpt_shows_beneath_the_message_and_above_the_hint() -> None:
    lines = str(only("model:\n    a: !t 1\n")).split("\n")
    assert lines[0].startswith("c.yaml:2:8: tags")
    assert lines[1:3] == ["    a: !t 1", "       ^"]
    assert lines[3].startswith("  Remove")


def test_a_caret_stands_beneath_its_character_after_wide_ones() -> None:
    assert only("漢字: !t 1").excerpt == "漢字: !t 1\n" + " " * 6 + "^"


def test_an_excerpt_cannot_turn_the_direction_of_text() -> None:
    excerpt = only("a\u202eb: !t 1").excerpt
    assert excerpt is not None
    assert r"a\u202eb" in excerpt


# --- places


def test_every_entry_knows_its_key_and_its_value() -> None:
    document = parse("optimizer:\n  type: adam\nlayers:\n  - type: dense\n    units: 8\n  - 64\n", "c")
    assert document.place(("optimizer", "type")) == Place("c", 2, 3, "optimizer.type")
    assert document.place(("optimizer", "type"), "value") == Place("c", 2, 9, "optimizer.type")
    assert document.place(("layers", 0)) == Place("c", 4, 5, "layers.0")
    assert document.place(("layers", 0, "units"), "value") == Place("c", 5, 12, "layers.0.units")
    assert document.place(("layers", 1)) == Place("c", 6, 5, "layers.1")


def test_a_place_that_is_not_there_falls_back_to_its_ancestor() -> None:
    document = parse("a: 1\nmodel:\n  b: 2\n", "c")
    assert document.place(("model", "x", "y")) == Place("c", 2, 1, "model.x.y")
    assert document.place(("x",)) == Place("c", key="x")
    assert document.place(()) == Place("c")


# --- files


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    for start in (b"", b"\xef\xbb\xbf"):
        file.write_bytes(start + "a: é\n".encode())
        document = read(file)
        assert document.value == {"a": "é"}
        assert document.source == str(file)
        assert document.place(("a",), "value") == Place(str(file), 1, 4, "a")


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a: 1\n")))
    document = read("-")
    assert document.value == {"a": 1}
    assert document.source == "<stdin>"


def refusal(path: Path) -> Mistake:
    with pytest.raises(ConfigError) as caught:
        read(path)
    return caught.value.mistakes[0]


def test_bytes_that_are_not_utf_8_are_a_mistake_on_their_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes("a: 1\nb: é".encode() + b"\xff\n")
    mistake = refusal(file)
    assert at(mistake) == (2, 5)
    assert "0xFF" in mistake.message
    file.write_bytes("a: 1".encode("utf-16"))
    assert "UTF-8" in refusal(file).message


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text("a: 1")
    (tmp_path / "churm.csv").write_text("a")
    mistake = refusal(tmp_path / "chrun.yaml")
    assert mistake.place.source == str(tmp_path / "chrun.yaml")
    assert "churn.yaml" in (mistake.hint or "")
    assert "churn.yaml" in (refusal(tmp_path / "zzzzzzzzzz").hint or "")
    assert refusal(tmp_path / "nowhere" / "c.yaml").hint is None


def test_a_folder_is_not_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text("a: 1")
    mistake = refusal(tmp_path)
    assert "folder" in mistake.message
    assert "churn.yaml" in (mistake.hint or "")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("a: 1")
    file.chmod(0)
    assert "Permission denied" in refusal(file).message


def test_a_name_no_file_can_have_is_a_mistake() -> None:
    assert "file name" in refusal(Path("a\0b")).message


def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse
    assert "1 MiB" in refusal(file).message


# --- overrides


def overridden(text: str, *assignments: str) -> dict[str, object]:
    return override(parse(text, "c.yaml"), assignments).value


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
    ],
)
def test_a_value_is_written_as_in_the_file(assignment: str, value: object) -> None:
    assert overridden("a: 1", assignment) == {"a": 1, "loss": value}


def test_a_deep_key_makes_the_sections_it_needs() -> None:
    assert overridden("a: 1\nb:", "b.c.d=2", "class_weight.1=3") == {
        "a": 1,
        "b": {"c": {"d": 2}},
        "class_weight": {"1": 3},
    }


def test_a_number_reaches_into_a_list() -> None:
    text = "layers: [{type: dense, units: 4}, relu]"
    assert overridden(text, "layers.0.units=8", "layers.1=tanh") == {"layers": [{"type": "dense", "units": 8}, "tanh"]}


def test_a_word_is_a_short_form_of_a_section() -> None:
    assert overridden("optimizer: sgd", "optimizer.momentum=0.9") == {"optimizer": {"type": "sgd", "momentum": 0.9}}
    assert overridden("optimizer: sgd", "optimizer.type=adam") == {"optimizer": {"type": "adam"}}


def test_key_order_is_kept() -> None:
    assert list(overridden("a: 1\nb: 2\nc: 3", "b=4", "d=5")) == ["a", "b", "c", "d"]


def test_an_override_changes_nothing_that_an_alias_shares() -> None:
    document = parse("a: &x {n: 1}\nb: *x", "c")
    assert override(document, ["a.n=2"]).value == {"a": {"n": 2}, "b": {"n": 1}}
    assert document.value == {"a": {"n": 1}, "b": {"n": 1}}


def test_an_overridden_key_remembers_its_option() -> None:
    text = "optimizer:\n  type: sgd\n  momentum: 0.9\nloss: mse\n"
    document = override(parse(text, "c"), ["optimizer.type=adam", "new.key=[1]", "loss.delta=1"])
    assert document.place(("optimizer", "type")) == Place("--set optimizer.type=adam", key="optimizer.type")
    assert document.place(("optimizer", "momentum")) == Place("c", 3, 3, "optimizer.momentum")
    assert document.place(("new",)) == Place("--set new.key=[1]", key="new")
    assert document.place(("new", "key", 0)) == Place("--set new.key=[1]", key="new.key.0")
    assert document.place(("loss", "type"), "value") == Place("c", 4, 7, "loss.type")
    assert override(document, ["optimizer=x"]).place(("optimizer", "momentum")).source == "--set optimizer=x"


@pytest.mark.parametrize("assignment", ["", "=", "=1", "a", "a.=1", ".a=1", "a..b=1", "  =1"])
def test_an_assignment_needs_a_key_and_an_equals_sign(assignment: str) -> None:
    with pytest.raises(UsageError, match="key=value"):
        overridden("a: 1", assignment)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("rate.initial=1", "'rate' is 0.1, which has no keys"),
        ("layers.2.units=1", "'2' is not an item of 'layers'"),
        ("layers.-1=1", "'-1' is not an item of 'layers'"),
        ("layers.x=1", "'x' is not an item of 'layers'"),
        ("layers.99999999999999999999=1", "is not an item"),
        ("rate=[1", "never closed"),
        ("rate=!t 1", "tags"),
        ("rate={a: 1, a: 2}", "twice"),
        ("rate=a: 1", "inline"),
        ("rate=- 1", "inline"),
        ("rate=|", "inline"),
        ("rate=#fff", "comment"),
        ("rate=\x1b[0m", "U+001B"),
        ("ra\x1bte=1", "U+001B"),
        ("rate=" + "[" * 50 + "]" * 50, "inside each other"),
        (".".join("a" * 3000) + "=", "inside each other"),
    ],
)
def test_a_bad_override_names_its_option(assignment: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overridden("rate: 0.1\nlayers: [1, 2]", assignment)
    (mistake,) = caught.value.mistakes
    assert words in mistake.message
    assert str(mistake.place).startswith("--set ")
    assert mistake.place.line is None
    assert "\x1b" not in str(mistake)


# --- properties

AWKWARD = [
    *["no", "yes", "on", "off", "y", "n", "null", "Null", "~", "true", "1", "-1", "1e-3", "1.5", "007", "0x1F", "0o7"],
    *["2024-01-01", "1:30", "<<", "=", "-", "?", ":", "*", "&", "!", "|", ">", "%", "@", "`", "#", ",", "[", "{"],
    *["", " ", " a ", "a: b", "a #b", "a:", "- a", "a\nb", "\t", "\u2028", "\x85", "\x00", "\ufeff", "é\U0001f600"],
    *[".inf", ".nan", "a, b", "'", '"', "\\", "---", "...", "x" * 1200, "\xa0", "a\u0301", "\u202e", "\r\n"],
]
TEXTS = st.sampled_from(AWKWARD) | st.text(max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
SECTIONS = st.dictionaries(TEXTS, VALUES, max_size=5)
YAML_LIKE = st.lists(
    st.sampled_from(
        [
            *"ab01 -:?[]{},#&*!|>'\"%@~.=\n\t\\",
            "\n  ",
            ": ",
            "- ",
            "a: ",
            "&a ",
            "*a",
            "<<: ",
            "---\n",
            "!!int ",
            "\\x",
            "1e5",
        ]
    )
    | st.text(max_size=2),
    max_size=30,
).map("".join)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_survives_as_key_and_value(text: str) -> None:
    value: dict[str, object] = {text: text, "list": [text, [text, {text: text}]]}
    assert parse(dump(value), "c").value == value


@given(SECTIONS)
def test_what_is_dumped_is_read_back(value: dict[str, object]) -> None:
    # repr tells 1 from 1.0 and from True, and -0.0 from 0.0
    assert repr(parse(dump(value), "c").value) == repr(value)


@given(YAML_LIKE)
@settings(max_examples=400)
def test_no_text_raises_anything_but_a_config_error(text: str) -> None:
    try:
        document = parse(text, "c")
    except ConfigError as error:
        str(error)  # can be shown, whatever is in it
    else:
        assert repr(parse(dump(document.value), "c").value) == repr(document.value)


WORDS = st.text("abcxyz_", min_size=1, max_size=5)


@given(SECTIONS, st.lists(WORDS, min_size=1, max_size=4), SCALARS.filter(lambda v: not isinstance(v, str)))
def test_an_override_is_found_where_it_was_put(
    value: dict[str, object], words: list[str], new: str | float | None
) -> None:
    written = dump({"v": new}).removeprefix("v: ").strip()
    assignment = f"{'.'.join(['set', *words])}={written}"
    before = parse(dump({**value, "set": None}), "c")
    after = override(before, [assignment])
    found: object = after.value
    for word in ["set", *words]:
        assert isinstance(found, dict)
        found = found[word]
    assert repr(found) == repr(new)
    assert {k: v for k, v in after.value.items() if k != "set"} == {k: v for k, v in value.items() if k != "set"}
    assert after.place(("set", *words)).line is None
    assert override(after, [assignment]).value == after.value


@given(SECTIONS, st.text(max_size=12) | YAML_LIKE)
def test_no_override_raises_anything_but_our_errors(value: dict[str, object], assignment: str) -> None:
    document = parse(dump(value), "c")
    try:
        assert isinstance(override(document, [assignment]), Document)
    except (ConfigError, UsageError) as error:
        str(error)


# --- dump


def test_a_dump_reads_like_a_hand_written_file() -> None:
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
def test_a_dump_refuses_what_yaml_has_no_word_for(value: object) -> None:
    with pytest.raises(TypeError):
        dump({"a": value})


def test_the_door_opens_without_the_heavy_libraries() -> None:
    code = (
        "import sys, nncli.config.source; print([m for m in ('numpy', 'polars', 'rich', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

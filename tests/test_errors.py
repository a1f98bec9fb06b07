"""Errors say what, where and how to mend it; nothing in them can disturb a terminal."""

from __future__ import annotations

from multiprocessing.reduction import ForkingPickler

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.errors import ConfigError, ConfigIssue, DataError, Location, NncliError, RunError, RunLockedError, UsageError
from nncli.text import MAX_QUOTE_LENGTH, closest_file, closest_match, escape_unprintable, join_quoted, quote
from nncli.training.epoch import DivergedError

HOSTILE = "a\x1b[31m\x07\r\x85\u200b\u202e\u2066\u2028\ud800b"


# --- printable


def test_plain_text_of_any_language_stays() -> None:
    for text in ("", "a b", "città", "漢字\u3000表", "می\u200cخواهم", "1\u202f000\xa0€", "👩\u200d🔬", r"C:\data"):
        assert escape_unprintable(text) == text


def test_line_ends_and_tabs_stay_unless_told_otherwise() -> None:
    assert escape_unprintable("a\n\tb") == "a\n\tb"
    assert escape_unprintable("a\n\tb\xa0", keep="") == r"a\n\tb\xa0"
    assert escape_unprintable("a\n\tb", keep="\t") == "a\\n\tb"


def test_what_could_disturb_a_terminal_is_spelled_out() -> None:
    assert escape_unprintable(HOSTILE) == r"a\x1b[31m\x07\r\x85\u200b\u202e\u2066\u2028\ud800b"


@given(st.text(st.characters()))
def test_what_is_spelled_out_is_printable_and_stays_so(text: str) -> None:
    shown = escape_unprintable(text, keep="")
    assert shown.isprintable()
    assert escape_unprintable(shown) == shown
    assert escape_unprintable(escape_unprintable(text)) == escape_unprintable(text)


# --- quoted, nearest, listed


def test_a_quote_is_short_and_harmless() -> None:
    assert quote("a b") == "'a b'"
    assert quote(3) == "'3'"
    assert quote("x" * MAX_QUOTE_LENGTH) == f"'{'x' * MAX_QUOTE_LENGTH}'"
    assert quote("x" * (MAX_QUOTE_LENGTH + 1)) == f"'{'x' * (MAX_QUOTE_LENGTH - 1)}…'"
    assert quote(HOSTILE).isprintable()


def test_a_slip_of_the_finger_has_a_nearest_word() -> None:
    assert closest_match("adm", ["sgd", "adam"]) == "adam"
    assert closest_match("zzz", ["sgd", "adam"]) is None
    assert closest_match("adam", []) is None


def test_a_file_is_not_meant_only_because_it_ends_alike() -> None:
    assert closest_file("nope.csv", ["test.csv", "one.csv"]) is None
    assert closest_file("trian.csv", ["test.csv", "train.csv"]) == "train.csv"
    assert closest_file("train.cvs", ["test.csv", "train.csv"]) == "train.csv"
    assert closest_file("train", ["test.csv", "train.csv"]) == "train.csv"


def test_words_are_listed_as_one_would_say_them() -> None:
    assert join_quoted([]) == ""
    assert join_quoted(["a"]) == "'a'"
    assert join_quoted(["a", "b"]) == "'a' and 'b'"
    assert join_quoted(["a", "b", "c"]) == "'a', 'b' and 'c'"
    assert join_quoted("abcd", max_words=2) == "'a', 'b' and 2 more"
    assert join_quoted(iter("ab"), max_words=2) == "'a' and 'b'"


# --- places


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (Location(), ""),
        (Location("c.yaml"), "c.yaml"),
        (Location("c.yaml", 3), "c.yaml:3"),
        (Location("c.yaml", 3, 7), "c.yaml:3:7"),
        (Location("c.yaml", 3, 7, "loss.type"), "c.yaml:3:7, loss.type"),
        (Location(line=3), "input:3"),
        (Location(key="loss"), "loss"),
        (Location("t.csv", row=12_345, column="age"), "t.csv, row 12,345, column 'age'"),
        (Location(column=""), "column ''"),
    ],
)
def test_a_place_shows_what_is_known(place: Location, shown: str) -> None:
    assert str(place) == shown


def test_a_place_is_one_printable_line() -> None:
    assert str(Location("a\nb\x1b", 1, key="k\tl\u202e", column="c\r")).isprintable()
    assert str(Location("新しい\u3000表.csv")) == "新しい\u3000表.csv"


# --- the tree


@pytest.mark.parametrize(
    ("error", "code"), [(NncliError, 1), (UsageError, 2), (DataError, 4), (RunError, 5)], ids=lambda v: str(v)
)
def test_each_kind_of_error_has_its_exit_code(error: type[NncliError], code: int) -> None:
    raised = error("it broke", place=Location("t.csv", 2), hint="Mend it.")
    assert isinstance(raised, NncliError)
    assert raised.exit_code == code
    assert str(raised) == "t.csv:2: it broke\n  Mend it."
    assert (raised.message, raised.hint) == ("it broke", "Mend it.")


def test_an_error_without_a_place_or_a_hint_is_its_message() -> None:
    assert str(NncliError("it broke")) == "it broke"
    assert str(NncliError("it broke", place=Location())) == "it broke"


def test_a_mistake_is_a_message_an_excerpt_and_a_hint() -> None:
    mistake = ConfigIssue("no such loss", Location("c.yaml", 1, 7), "Try mse.", "loss: mze\n      ^")
    assert str(mistake) == "c.yaml:1:7: no such loss\n    loss: mze\n          ^\n  Try mse."
    assert str(ConfigIssue("empty", Location())) == "empty"


def test_a_configuration_error_holds_every_mistake() -> None:
    first, second = ConfigIssue("one", Location("c", 1), "Mend it."), ConfigIssue("two", Location("c", 2))
    error = ConfigError(first, second)
    assert error.exit_code == 3
    assert error.issues == (first, second)
    assert (error.message, error.location, error.hint) == ("one", Location("c", 1), "Mend it.")
    assert str(error) == "c:1: one\n  Mend it.\nc:2: two"


KINDS = [NncliError, UsageError, DataError, RunError, RunLockedError, DivergedError]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_whole_from_another_process(kind: type[NncliError]) -> None:
    error = ForkingPickler.loads(ForkingPickler.dumps(kind("what", place=Location(source="where", row=3), hint="how")))
    assert type(error) is kind
    assert str(error) == "where, row 3: what\n  how"


def test_mistakes_come_whole_from_another_process() -> None:
    mistakes = ConfigIssue("one", Location(key="a")), ConfigIssue("two", Location(key="b"), "how")
    error = ForkingPickler.loads(ForkingPickler.dumps(ConfigError(*mistakes)))
    assert error.issues == mistakes
    assert str(error) == "a: one\nb: two\n  how"

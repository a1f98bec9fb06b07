"""Errors say what, where and how to fix it; nothing in them can disturb a terminal."""

from __future__ import annotations

from multiprocessing.reduction import ForkingPickler

import pytest

from nncli.base.errors import (
    ConfigError,
    ConfigIssue,
    DataError,
    Location,
    NncliError,
    RunError,
    RunLockedError,
    UsageError,
)
from nncli.nn.training.epoch import DivergedError


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
def test_a_location_shows_its_parts(place: Location, shown: str) -> None:
    assert str(place) == shown


def test_a_location_is_one_printable_line() -> None:
    assert str(Location("a\nb\x1b", 1, key="k\tl\u202e", column="c\r")).isprintable()
    assert str(Location("新しい\u3000表.csv")) == "新しい\u3000表.csv"


@pytest.mark.parametrize(
    ("error", "code"), [(NncliError, 1), (UsageError, 2), (DataError, 4), (RunError, 5)], ids=lambda v: str(v)
)
def test_each_kind_of_error_has_its_exit_code(error: type[NncliError], code: int) -> None:
    raised = error("it broke", location=Location("t.csv", 2), hint="Fix it.")
    assert isinstance(raised, NncliError)
    assert raised.exit_code == code
    assert str(raised) == "t.csv:2: it broke\n  Fix it."
    assert (raised.message, raised.hint) == ("it broke", "Fix it.")


def test_an_error_without_location_and_hint_is_its_message() -> None:
    assert str(NncliError("it broke")) == "it broke"
    assert str(NncliError("it broke", location=Location())) == "it broke"


def test_a_config_issue_shows_message_excerpt_and_hint() -> None:
    mistake = ConfigIssue("no such loss", Location("c.yaml", 1, 7), "Try mse.", "loss: mze\n      ^")
    assert str(mistake) == "c.yaml:1:7: no such loss\n    loss: mze\n          ^\n  Try mse."
    assert str(ConfigIssue("empty", Location())) == "empty"


def test_a_configuration_error_holds_every_issue() -> None:
    first, second = ConfigIssue("one", Location("c", 1), "Fix it."), ConfigIssue("two", Location("c", 2))
    error = ConfigError(first, second)
    assert error.exit_code == 3
    assert error.issues == (first, second)
    assert (error.message, error.location, error.hint) == ("one", Location("c", 1), "Fix it.")
    assert str(error) == "c:1: one\n  Fix it.\nc:2: two"


KINDS = [NncliError, UsageError, DataError, RunError, RunLockedError, DivergedError]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_can_be_pickled_between_processes(kind: type[NncliError]) -> None:
    error = ForkingPickler.loads(
        ForkingPickler.dumps(kind("what", location=Location(source="where", row=3), hint="how"))
    )
    assert type(error) is kind
    assert str(error) == "where, row 3: what\n  how"


def test_config_issues_can_be_pickled_between_processes() -> None:
    mistakes = ConfigIssue("one", Location(key="a")), ConfigIssue("two", Location(key="b"), "how")
    error = ForkingPickler.loads(ForkingPickler.dumps(ConfigError(*mistakes)))
    assert error.issues == mistakes
    assert str(error) == "a: one\nb: two\n  how"

"""Texts of --search and other options are keys of the section `tune`, and their mistakes name the option."""

from __future__ import annotations

import pytest

from nncli.base.errors import UsageError
from nncli.tuning.space.load_search import OPTION, search_assignments, setting_assignments
from tests.assertions import raises


@pytest.mark.parametrize(
    ("text", "key", "domain"),
    [
        ("learning_rate=1e-4..1e-1:log", "learning_rate", {"from": 1e-4, "to": 0.1, "scale": "log"}),
        ("layers.0.units=16..256", "layers.0.units", {"from": 16, "to": 256}),
        ("layers.*.rate = 0..0.5:0.1", "layers.*.rate", {"from": 0, "to": 0.5, "step": 0.1}),
        ("l2=0...5", "l2", {"from": 0, "to": 0.5}),
        ("l2=-1..+1:linear", "l2", {"from": -1, "to": 1, "scale": "linear"}),
        ("l2=.5..1.5", "l2", {"from": 0.5, "to": 1.5}),
        ("optimizer=[sgd, adam]", "optimizer", {"choices": ["sgd", "adam"]}),
        ("optimizer=sgd,adam", "optimizer", {"choices": ["sgd", "adam"]}),
        ("batch_size=16, full", "batch_size", {"choices": [16, "full"]}),
        ("layers=[[8], [8, dropout]]", "layers", {"choices": [[8], [8, "dropout"]]}),
        ("layers=[8],[8, 8]", "layers", {"choices": [[8], [8, 8]]}),
        ("l2={from: 0, to: 1}", "l2", {"from": 0, "to": 1}),
        ("l2={choices: [0, 1]}", "l2", {"choices": [0, 1]}),
        ("loss=[null, mae]", "loss", {"choices": [None, "mae"]}),
    ],
)
def test_a_text_is_a_range_or_choices(text: str, key: str, domain: object) -> None:
    (assignment,) = search_assignments([text])
    assert assignment.issues == ()
    assert assignment.path == ("tune", "search", key)
    assert assignment.value == domain


@pytest.mark.parametrize("text", ["l2", "=1..2", " =1..2"])
def test_a_text_without_a_key_is_a_usage_error(text: str) -> None:
    with raises(UsageError, file=OPTION):
        list(search_assignments([text]))


@pytest.mark.parametrize(
    "text",
    [
        "l2=",
        "l2=0.1",
        "optimizer=adam",
        "l2=0..",
        "l2=0..1:lg",
        "l2=a..b",
        "l2=1..2..3",
        "l2=[1",
        "l2={from: 1",
        "l2=1,[2",
    ],
)
def test_a_mistake_names_the_option(text: str) -> None:
    (assignment,) = search_assignments([text])
    (issue,) = assignment.issues
    assert issue.location.source == f"{OPTION} {text}"
    assert issue.location.key == "tune.search." + text.partition("=")[0]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("l2=1e-4:1e-1:log", "1e-4..1e-1:log"),
        ("l2=0-1", "0..1"),
        ("l2=0 to 1", "0..1"),
        ("l2=1..2:lo", "1..2:log"),
        ("l2=0:1:0.1", "0..1:0.1"),
    ],
)
def test_a_range_that_is_written_otherwise_has_a_correction(text: str, hint: str) -> None:
    (assignment,) = search_assignments([text])
    assert assignment.issues[0].hint == f"Write {hint}."


def test_settings_are_keys_and_none_is_left_out() -> None:
    settings = {"trials": 5, "time_limit": "30m", "folds": "3", "metric": None, "prune": False}
    result = {a.path: (a.span.source, a.value) for a in setting_assignments(settings)}
    assert result == {
        ("tune", "trials"): ("--trials 5", 5),
        ("tune", "time_limit"): ("--time-limit 30m", "30m"),
        ("tune", "folds"): ("--folds 3", 3),
        ("tune", "prune"): ("--no-prune", False),
    }

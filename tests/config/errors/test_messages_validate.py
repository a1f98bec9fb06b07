"""Every issue is raised once, at its location and in the order of the file."""

from __future__ import annotations

import time
from typing import Literal

import pytest

from nncli.base.errors import ConfigError
from nncli.config.errors.messages import MAX_ISSUES, validate
from nncli.config.yaml.parser import parse
from tests.config.sections import START, Adam, Config, Dense, Dropout, Section, only, refused


def test_a_valid_document_becomes_the_model() -> None:
    text = "data: {train: t.csv}\nlayers: [8, {type: dropout, rate: 0.5}]\noptimizer: adam\n"
    config = validate(Config, parse(text, "c.yaml"))
    assert config.layers == [Dense(units=8), Dropout(rate=0.5)]
    assert config.optimizer == Adam()


def test_all_issues_are_raised_together_in_the_order_of_the_file() -> None:
    text = "zz: 1\nloss: mze\nlayers:\n  - {type: dense, units: 0}\n  - dropou\ndata: {header: maybe, skip_rows: '1'}\n"
    result = refused(text, "batch_size=0")
    assert [(m.location.line, m.location.key) for m in result] == [
        (1, "zz"),
        (2, "loss"),
        (4, "layers.0.units"),
        (5, "layers.1"),
        (6, "data.train"),
        (6, "data.header"),
        (6, "data.skip_rows"),
        (None, "batch_size"),
    ]


def test_a_missing_top_level_key_has_no_line_and_comes_first() -> None:
    first, second = refused("loss: mze\n")[:2]
    assert (first.location.line, first.location.key) == (None, "data")
    assert second.location.key == "layers"


def test_an_issue_next_to_an_override_is_located_in_the_file() -> None:
    issue = only(START + "optimizer:\n  type: sgd\n  x: 1\n", "optimizer.learning_rate=1")
    assert (issue.location.source, issue.location.line) == ("c.yaml", 5)


def test_control_characters_are_escaped_and_long_values_cut() -> None:
    issue = only(START + 'loss: "\\x1b[31m"')
    assert "\x1b" not in str(issue)
    assert "\x1b" not in str(only(START + '"\\x1b[31m": 1'))
    assert len(str(only(START + "loss: " + "x" * 5000))) < 400


def test_an_issue_of_a_key_of_the_wrong_type_is_located_at_the_key() -> None:
    class Weights(Section):
        weight: dict[int, float]

    with pytest.raises(ConfigError) as caught:
        validate(Weights, parse("weight: {a: 1, 2: x}", "c"))
    assert [(issue.location.key, issue.location.character) for issue in caught.value.issues] == [
        ("weight.a", 10),
        ("weight.2", 19),
    ]


def test_a_key_that_is_not_one_of_the_choices_is_an_unknown_key() -> None:
    class Weights(Section):
        weight: dict[Literal["scale", "bias"], float]

    with pytest.raises(ConfigError) as caught:
        validate(Weights, parse("weight: {scal: 1}", "c"))
    (issue,) = caught.value.issues
    assert (issue.location.key, issue.location.character) == ("weight.scal", 10)
    assert "'scale'" in issue.message


def unknown_keys(count: int) -> str:
    return START + "".join(f"key{number}: 1\n" for number in range(count))


def test_issues_beyond_the_first_twenty_are_counted() -> None:
    result = refused(unknown_keys(1234))
    assert len(result) == MAX_ISSUES + 1
    assert [issue.location.key for issue in result] == [f"key{number}" for number in range(21)]
    assert result[-1].message == "and 1,214 more"
    assert len(refused(unknown_keys(20))) == 20


@pytest.mark.slow
def test_the_time_for_many_issues_is_linear_in_their_number() -> None:
    def seconds(count: int) -> float:
        document = parse(unknown_keys(count), "c.yaml")
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            with pytest.raises(ConfigError):
                validate(Config, document)
            best = min(best, time.process_time() - start)
        return best

    seconds(100)  # fills the caches
    assert seconds(8000) - seconds(100) < 4 * (seconds(4000) - seconds(100)) + 0.1
    assert seconds(8000) < 1  # each suggestion takes 1 ms, and only 20 are needed

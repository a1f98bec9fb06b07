"""What pydantic complains about reaches a person once per place, in plain words, at the right line."""

from __future__ import annotations

import time
from typing import Literal

import pytest
from pydantic import create_model

from nncli.config.errors.messages import MAX_ISSUES, validate
from nncli.config.yaml.parser import parse
from nncli.errors import ConfigError
from tests.config.sections import START, Adam, Config, Dense, Dropout, Section, only, refused


def test_a_good_document_becomes_the_model() -> None:
    text = "data: {train: t.csv}\nlayers: [8, {type: dropout, rate: 0.5}]\noptimizer: adam\n"
    config = validate(Config, parse(text, "c.yaml"))
    assert config.layers == [Dense(units=8), Dropout(rate=0.5)]
    assert config.optimizer == Adam()


@pytest.mark.parametrize(
    ("line", "message", "key", "character"),
    [
        ("loss: mze", "unknown loss 'mze'; did you mean 'mse'?", "loss", 7),
        ("loss: 3", "expected 'mse', 'mae' or 'huber', found 3", "loss", 7),
        ("los: mse", "unknown key 'los'; did you mean 'loss'?", "los", 1),
        ("zzzzz: 1", "unknown key 'zzzzz'", "zzzzz", 1),
        ("batch_size: abc", "expected a whole number or 'full', found 'abc'", "batch_size", 13),
        (
            "batch_size: ful",
            "expected a whole number or 'full', found 'ful'; did you mean 'full'?",
            "batch_size",
            13,
        ),
        ("batch_size: -1", "must be greater than 0 or be 'full', found -1", "batch_size", 13),
        ("batch_size: 1.5", "expected a whole number or 'full', found 1.5", "batch_size", 13),
        ("batch_size: [1]", "expected a whole number or 'full', found a list of 1", "batch_size", 13),
        ("validation: 1.5", "must be less than 1 or be key: value pairs, found 1.5", "validation", 13),
        ("validation: x", "expected a number or key: value pairs, found 'x'", "validation", 13),
        ("validation: {file: 3}", "expected text, found 3", "validation.file", 20),
        ("validation: {}", "missing key 'file'", "validation.file", 1),
        ("validation: {flie: a}", "unknown key 'flie'; did you mean 'file'?", "validation.flie", 14),
        ("early_stopping: 3", "expected key: value pairs, found 3", "early_stopping", 17),
        ("early_stopping: {patience: 0}", "must be greater than 0, found 0", "early_stopping.patience", 28),
        ("class_weight: balance", "expected 'balanced' or key: value pairs, found 'balance'; did you mean 'balanced'?",
         "class_weight", 15),
        ("class_weight: {a: x}", "expected a number, found 'x'", "class_weight.a", 19),
        ("optimizer: adm", "unknown optimizer type 'adm'; did you mean 'adam'?", "optimizer", 12),
        ("optimizer: {type: adm}", "unknown optimizer type 'adm'; did you mean 'adam'?", "optimizer.type", 19),
        ("optimizer: {}", "missing key 'type'", "optimizer.type", 1),
        ("optimizer: [1]", "expected key: value pairs, found a list of 1", "optimizer", 12),
        ("optimizer: {type: sgd, beta: 1}", "unknown key 'beta'", "optimizer.beta", 24),
        ("optimizer: {type: sgd, learning_rat: 1}", "unknown key 'learning_rat'; did you mean 'learning_rate'?",
         "optimizer.learning_rat", 24),
        ("optimizer: {type: sgd, learning_rate: .inf}", "must be a finite number, found .inf",
         "optimizer.learning_rate", 39),
        ("optimizer: {type: adam, betas: [1, x]}", "expected a number, found 'x'", "optimizer.betas.1", 36),
        ("by_name: {dense: {type: dense, units: x}}", "expected a whole number, found 'x'", "by_name.dense.units", 39),
        ("name: ABC", "must match the pattern ^[a-z]*$, found 'ABC'", "name", 7),
        ("name: abcdef", "must have at most 5 characters, found 'abcdef'", "name", 7),
        ("name:", "expected text, found nothing", "name", 6),
    ],
)  # fmt: skip
def test_an_issue_in_plain_words_at_its_place(line: str, message: str, key: str, character: int) -> None:
    issue = only(START + line)
    assert issue.message == message
    assert (issue.place.line, issue.place.character, issue.place.key) == (3, character, key)
    assert issue.excerpt == f"{line}\n{' ' * (character - 1)}^"


def test_the_keys_and_types_that_would_be_right_are_listed() -> None:
    assert only(START + "optimizer: adm").hint == "Expected one of 'sgd' and 'adam'."
    assert only(START + "optimizer: {}").hint == "Expected one of 'sgd' and 'adam'."
    assert only(START + "optimizer: {type: sgd, x: 1}").hint == "The keys here are 'type' and 'learning_rate'."
    assert only(START + "validation: {file: a, x: 1}").hint == "The key here is 'file'."


def test_all_issues_come_at_once_in_the_order_of_the_file() -> None:
    text = "zz: 1\nloss: mze\nlayers:\n  - {type: dense, units: 0}\n  - dropou\ndata: {header: maybe, skip_rows: '1'}\n"
    found = refused(text, "batch_size=0")
    assert [(m.place.line, m.place.key) for m in found] == [
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
    assert str(first) == "c.yaml, data: missing key 'data'"
    assert second.message == "missing key 'layers'"


def test_an_empty_list_says_what_it_lacks() -> None:
    assert only("data: {train: t}\nlayers: []").message == "must have at least 1 item, found a list of 0"


def test_a_validator_speaks_for_itself() -> None:
    issue = only("data: {train: t, target: ''}\nlayers: [1]")
    assert issue.message == "name the column to predict"
    assert issue.place.character == 26
    assert only(START + "loss: huber\nbatch_size: full").message == "huber needs small batches"


def test_an_issue_from_the_command_line_names_the_option() -> None:
    issue = only(START + "optimizer:\n  type: sgd\n", "optimizer.learning_rat=1")
    assert str(issue) == (
        "--set optimizer.learning_rat=1, optimizer.learning_rat: "
        "unknown key 'learning_rat'; did you mean 'learning_rate'?\n"
        "  The keys here are 'type' and 'learning_rate'."
    )


def test_an_issue_beside_an_override_still_points_at_the_file() -> None:
    issue = only(START + "optimizer:\n  type: sgd\n  x: 1\n", "optimizer.learning_rate=1")
    assert (issue.place.source, issue.place.line) == ("c.yaml", 5)


def test_a_hostile_value_is_shown_harmless() -> None:
    issue = only(START + 'loss: "\\x1b[31m"')
    assert "\x1b" not in str(issue)
    assert "\x1b" not in str(only(START + '"\\x1b[31m": 1'))
    assert len(str(only(START + "loss: " + "x" * 5000))) < 400


def test_a_key_of_the_wrong_kind_is_pointed_at_itself() -> None:
    class Weights(Section):
        weight: dict[int, float]

    with pytest.raises(ConfigError) as caught:
        validate(Weights, parse("weight: {a: 1, 2: x}", "c"))
    assert [(m.message, m.place.character) for m in caught.value.issues] == [
        ("expected the key to be a whole number, found 'a'", 10),
        ("expected a number, found 'x'", 19),
    ]


def test_a_key_that_is_none_of_the_choices_is_called_a_key() -> None:
    class Weights(Section):
        weight: dict[Literal["scale", "bias"], float]

    with pytest.raises(ConfigError) as caught:
        validate(Weights, parse("weight: {scal: 1}", "c"))
    (issue,) = caught.value.issues
    assert (issue.message, issue.place.character) == ("unknown key 'scal'; did you mean 'scale'?", 10)


def test_a_list_of_keys_is_cut_after_twelve() -> None:
    wide = create_model("wide", __base__=Section, **{f"key_{n:02}": (int, 0) for n in range(15)})  # type: ignore[call-overload]
    with pytest.raises(ConfigError) as caught:
        validate(wide, parse("zzz: 1", "c"))
    hint = caught.value.issues[0].hint or ""
    assert hint.endswith("'key_10', 'key_11' and 3 more.")


def unknown_keys(count: int) -> str:
    return START + "".join(f"key{number}: 1\n" for number in range(count))


def test_issues_beyond_the_first_twenty_are_counted() -> None:
    found = refused(unknown_keys(1234))
    assert len(found) == MAX_ISSUES + 1
    assert [issue.place.key for issue in found] == [f"key{number}" for number in range(21)]
    assert found[-1].message == "and 1,214 more"
    assert len(refused(unknown_keys(20))) == 20


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

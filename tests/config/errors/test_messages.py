"""The wording of messages and hints. It is pinned here; other tests look at locations, keys and fixes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import create_model

from nncli.base.errors import ConfigError
from nncli.config.errors.messages import validate
from nncli.config.loading import load_config
from nncli.config.yaml.parser import parse
from tests.config.sections import START, Section, only


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
def test_the_message_and_the_location_of_an_issue(line: str, message: str, key: str, character: int) -> None:
    issue = only(START + line)
    assert issue.message == message
    assert (issue.location.line, issue.location.character, issue.location.key) == (3, character, key)
    assert issue.excerpt == f"{line}\n{' ' * (character - 1)}^"


def test_valid_keys_and_types_are_listed() -> None:
    assert only(START + "optimizer: adm").hint == "Expected one of 'sgd' and 'adam'."
    assert only(START + "optimizer: {}").hint == "Expected one of 'sgd' and 'adam'."
    assert only(START + "optimizer: {type: sgd, x: 1}").hint == "The keys here are 'type' and 'learning_rate'."
    assert only(START + "validation: {file: a, x: 1}").hint == "The key here is 'file'."


def test_an_empty_list_that_needs_an_item() -> None:
    assert only("data: {train: t}\nlayers: []").message == "must have at least 1 item, found a list of 0"


def test_the_message_of_a_validator_is_kept() -> None:
    issue = only("data: {train: t, target: ''}\nlayers: [1]")
    assert issue.message == "name the column to predict"
    assert issue.location.character == 26
    assert only(START + "loss: huber\nbatch_size: full").message == "huber needs small batches"


def test_an_issue_of_the_command_line_names_the_option() -> None:
    issue = only(START + "optimizer:\n  type: sgd\n", "optimizer.learning_rat=1")
    assert str(issue) == (
        "--set optimizer.learning_rat=1, optimizer.learning_rat: "
        "unknown key 'learning_rat'; did you mean 'learning_rate'?\n"
        "  Use set='optimizer.learning_rate=1'."
    )


def test_a_list_of_keys_is_cut_after_twelve() -> None:
    wide = create_model("wide", __base__=Section, **{f"key_{n:02}": (int, 0) for n in range(15)})  # type: ignore[call-overload]
    with pytest.raises(ConfigError) as caught:
        validate(wide, parse("zzz: 1", "c"))
    hint = caught.value.issues[0].hint or ""
    assert hint.endswith("'key_10', 'key_11' and 3 more.")


REQUIRED = "data: {path: t.csv, target: y}\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (REQUIRED + "lr: 0.1", """\
2:1, lr: unknown key 'lr'; did you mean 'learning_rate'?
    lr: 0.1
    ^"""),
        (REQUIRED + "dropout: 0.2", """\
2:1, dropout: unknown key 'dropout'
    dropout: 0.2
    ^
  It belongs to 'layers': layers: [{type: dropout, rate: 0.2}]."""),
        (REQUIRED + "momentum: 0.9", """\
2:1, momentum: unknown key 'momentum'
    momentum: 0.9
    ^
  It belongs to 'optimizer': optimizer: {type: sgd, momentum: 0.9}."""),
        (REQUIRED + "early_stopping: {metric: val_loss}", """\
2:18, early_stopping.metric: unknown key 'metric'
    early_stopping: {metric: val_loss}
                     ^
  It belongs at the top level, next to 'early_stopping'."""),
        (REQUIRED + "model: {layers: [3]}", """\
2:1, model: unknown key 'model'
    model: {layers: [3]}
    ^
  Its keys belong at the top level, not under 'model'."""),
        (REQUIRED + "layers: 64", """\
2:9, layers: expected a list, found 64
    layers: 64
            ^
  Write layers: [64]."""),
        (REQUIRED + "early_stopping: off", """\
2:17, early_stopping: expected key: value pairs, found 'off'
    early_stopping: off
                    ^
  Write early_stopping: null, or remove the key."""),
        (REQUIRED + "validation: 20", """\
2:13, validation: must be less than 1, found 20
    validation: 20
                ^
  A fraction is expected: validation: 0.2 for 20 %."""),
        (REQUIRED + "checkpoint: {every: 60}", """\
2:21, checkpoint.every: expected an interval such as 1 epoch, 500 steps or 60 s, found 60
    checkpoint: {every: 60}
                        ^"""),
        ("data: {path: t.csv, target: 12}", """\
1:29, data.target: expected a list, found 12
    data: {path: t.csv, target: 12}
                                ^
  Write target: ["12"], in quotes."""),
        ("data: {path: t.csv, target: y, drop: [y]}", """\
1:7, data: 'y' is the target; it cannot also be a feature, weight, exposure, offset, group, time or dropped
    data: {path: t.csv, target: y, drop: [y]}
          ^"""),
        ("data: [1,\nseed: 2", """\
1:7: this list is never closed, or a ',' is missing
    data: [1,
          ^
  Write [a, b, c]."""),
        ("seed: 1\nseed: 2", """\
2:1: the key 'seed' is given twice; first on line 1
    seed: 2
    ^"""),
    ],
)  # fmt: skip
def test_the_whole_message(tmp_path: Path, text: str, shown: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}:{shown}"

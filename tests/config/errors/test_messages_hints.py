"""A hint, followed as a fix, gives a valid configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import ConfigError, ConfigFix, ConfigIssue
from nncli.config.errors.messages import validate
from nncli.config.errors.suggestions import apply_fix
from nncli.config.schema import Config
from nncli.config.yaml.document import Path as KeyPath
from nncli.config.yaml.document import dotted
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump, one_line

START = "data: {path: t.csv, target: y}\n"


def issues_of(text: str) -> tuple[ConfigIssue, ...]:
    with pytest.raises(ConfigError) as caught:
        validate(Config, parse(text, "c.yaml"))
    return caught.value.issues


def issue_of(text: str) -> ConfigIssue:
    (issue,) = issues_of(text if text.startswith("data") else START + text)
    return issue


def fixed(text: str) -> Config:
    """The configuration after the fixes of all its issues."""
    values = parse(text, "c.yaml").value
    for issue in issues_of(text):
        assert issue.fix is not None, str(issue)
        values = apply_fix(values, issue.fix)
    return validate(Config, parse(dump(values), "c.yaml"))


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        # a key of another section
        ("dropout: 0.2", ("layers",), [{"type": "dropout", "rate": 0.2}]),
        ("batch_norm: true", ("layers",), ["batch_norm"]),
        ("units: 64", ("layers",), [{"type": "dense", "units": 64}]),
        ("features: [a, b]", ("data", "features"), ["a", "b"]),
        ("patience: 10", ("early_stopping", "patience"), 10),
        ("numeric: robust", ("encoding", "numeric"), "robust"),
        ("max_one_hot: 8", ("encoding", "categories", "max_one_hot"), 8),
        ("momentum: 0.9", ("optimizer",), {"type": "sgd", "momentum": 0.9}),
        ("weight_decay: 0.1", ("optimizer",), {"type": "adamw", "weight_decay": 0.1}),
        ("optimizer: {type: adam, momentum: 0.9}", ("optimizer",), {"type": "sgd", "momentum": 0.9}),
        ("optimizer: {type: adam, learning_rate: 0.1}", ("learning_rate",), 0.1),
        ("optimizer: {type: adam, lr: 0.1}", ("learning_rate",), 0.1),
        ("early_stopping: {metric: val_loss}", ("metric",), "val_loss"),
        # another name
        ("lr: 0.1", ("learning_rate",), 0.1),
        ("hidden_layers: [64]", ("layers",), [64]),
        ("batchsize: 32", ("batch_size",), 32),
        ("random_state: 1", ("seed",), 1),
        ("data: {path: t.csv, label: y}", ("data", "target"), "y"),
        ("activation: ReLU", ("activation",), "relu"),
        ("optimizer: Adam", ("optimizer",), "adam"),
        ("optimizer: {type: Adam}", ("optimizer", "type"), "adam"),
        ("loss: crossentropy", ("loss",), "cross_entropy"),
        ("loss: MAE", ("loss",), "mae"),
        ("precision: double", ("precision",), "float64"),
        ("preset: fast", ("quality",), "fast"),
        ("layers: [64, relu]", ("activation",), "relu"),
        ("layers: [64, {type: dropout, p: 0.2}]", ("layers", 1, "rate"), 0.2),
        # another form
        ("layers: 64", ("layers",), [64]),
        ('layers: "64, 32"', ("layers",), [64, 32]),
        ("layers: (64, dropout)", ("layers",), [64, "dropout"]),
        ("layers: none", ("layers",), []),
        ("layers: {type: dense, units: 3}", ("layers",), [{"type": "dense", "units": 3}]),
        ("layers: [{units: 64}]", ("layers", 0), {"type": "dense", "units": 64}),
        ("layers:\n- dense: 64", ("layers", 0), {"type": "dense", "units": 64}),
        ("layers:\n- dropout:\n    rate: 0.2", ("layers", 0), {"type": "dropout", "rate": 0.2}),
        ("optimizer: {name: adam, beta1: 0.1}", ("optimizer", "type"), "adam"),
        ("early_stopping: 10", ("early_stopping",), {"patience": 10}),
        ("early_stopping: true", ("early_stopping",), {}),
        ("early_stopping: on", ("early_stopping",), {}),
        ("early_stopping: false", ("early_stopping",), None),
        ("early_stopping: off", ("early_stopping",), None),
        ("early_stopping: none", ("early_stopping",), None),
        ("encoding: {clip_target: 'True'}", ("encoding", "clip_target"), True),
        ("encoding: {clip_target: no}", ("encoding", "clip_target"), False),
        ("epochs: '10'", ("epochs",), 10),
        ("epochs: 1e3", ("epochs",), 1000),
        ("epochs: '1e3'", ("epochs",), 1000),
        ("learning_rate: 0,1", ("learning_rate",), 0.1),
        ("learning_rate: '0.1'", ("learning_rate",), 0.1),
        ("validation: 20%", ("validation",), 0.2),
        ("validation: 20", ("validation",), 0.2),
        ("metric: [accuracy]", ("metric",), "accuracy"),
        ("data: {path: t.csv, target: 12}", ("data", "target"), ["12"]),
        ("data: {path: t.csv, target: [1]}", ("data", "target", 0), "1"),
        ("data: {path: t.csv, target: y, drop: a}", ("data", "drop"), ["a"]),
        ("data: {path: t.csv, target: y, drop: Customer ID}", ("data", "drop"), ["Customer ID"]),
        ("data: {path: t.csv, target: y, drop: 'Customer ID, b'}", ("data", "drop"), ["Customer ID", "b"]),
        ("data: {path: t.csv, target: y, missing_values: not known}", ("data", "missing_values"), ["not known"]),
        ("layers: 64 32", ("layers",), [64, 32]),
        ("data: {path: t.csv, target: y, drop: 7}", ("data", "drop"), ["7"]),
        ("class_weight: {'a b: 1': '2'}", ("class_weight", "a b: 1"), 2),
        ("output: 3", ("output",), "3"),
        ("optimizer: {type: adamw, param_groups: {scal: {learning_rate_multiplier: 2}}}",
         ("optimizer", "param_groups", "scale"), {"learning_rate_multiplier": 2}),
    ],
)  # fmt: skip
def test_a_common_mistake_has_a_fix_that_is_accepted(text: str, path: KeyPath, value: object) -> None:
    text = text if text.startswith("data") else START + text
    (issue,) = issues_of(text)
    assert issue.fix is not None
    assert (issue.fix.path, repr(issue.fix.value)) == (path, repr(value))
    assert fixed(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("data: t.csv", "{path: t.csv, target: …}"),
        ("normalize: true", "{numeric: …}"),
        ("target: y", 'data: {target: "y"}'),
        ("learning_rate: cosine", "{type: cosine, peak: …}"),
        ("learning_rate: cosin", "{type: cosine, peak: …}"),
        ("optimizer: sgd(momentum=0.9)", "{type: sgd, …}"),
        ("validation: {folds: 3}", "validation: {folds: 3, fold: …}"),
    ],
)
def test_what_only_the_user_knows_is_left_open(text: str, form: str) -> None:
    issue = next(issue for issue in issues_of(text if text.startswith("data") else START + text) if issue.hint)
    assert form in (issue.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "epochs: '0'",  # not valid without quotes either
        "epochs: 0.5",
        "early_stopping: ten",
        "layers: many",
        "learning_rate: '-1'",
        "lr: fast",
        "seed: 1\nrandom_state: 2",  # both spellings
        "checkpoint: {every: 60}",
        "memory_limit: 500",
        "layers: [8, {type: dropout, rate: 1.5}]",  # 1.5 % is not what was meant
    ],
)
def test_a_value_that_would_not_be_accepted_is_not_suggested(text: str) -> None:
    issue = issue_of(text)
    assert issue.fix is None
    assert "Write" not in (issue.hint or "")


WHOLE: dict[str, Any] = {
    "data": {"path": "t.csv", "target": ["y"], "drop": ["a"], "group": "g", "missing_values": ["?"]},
    "encoding": {"numeric": "robust", "clip_target": True, "categories": {"max_one_hot": 8, "binary": "sign"}},
    "validation": {"folds": 3, "fold": 1, "seed": 2},
    "layers": [8, "dropout", {"type": "residual", "layers": [{"type": "dense", "units": 4, "activation": "tanh"}]}],
    "activation": {"type": "leaky_relu", "slope": 0.1},
    "init": "orthogonal",
    "optimizer": {"type": "adamw", "weight_decay": 0.1, "param_groups": {"bias": {"learning_rate_multiplier": 0.1}}},
    "learning_rate": {"type": "step", "peak": 0.1, "every": 3},
    "loss": {"type": "huber", "delta": 2.0},
    "batch_size": 64,
    "epochs": 50,
    "l2": 0.001,
    "metric": "rmse",
    "best_epoch_tie": "last",
    "early_stopping": {"patience": 10, "min_delta": 0.5},
    "checkpoint": {"every": "60 s", "keep": 3},
    "precision": "float64",
    "on_divergence": "halve_learning_rate",
    "members": 3,
    "bagging": "seeds",
    "seed": 7,
    "output": "runs/x",
}


def paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every entry inside `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*path, step)
        yield from paths(inner, (*path, step))


PATHS = list(paths(WHOLE))


def entry(value: Any, path: KeyPath) -> Any:
    for step in path:
        value = value[step]
    return value


def broken(value: Any) -> list[object]:
    """Wrong spellings of a value that people write."""
    if isinstance(value, bool):
        return [str(value), "yes" if value else "off", [value]]
    if isinstance(value, int | float):
        return [str(value), [value], f" {value}", f"{value}%", {"value": value}, float(value), -value]
    if isinstance(value, str):
        return [value.upper(), value.replace("_", "-").title(), [value], {"name": value}, f"{value}x", 12, True]
    if isinstance(value, list):
        return [value[0], ", ".join(map(str, value)), {"items": value}, True, None]
    return [next(iter(value.values())), [value], list(value), True, "off", "on", value.get("type", "none")]


@pytest.mark.slow
@given(st.data())
def test_every_fix_of_a_broken_value_is_accepted(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(PATHS))
    value = data.draw(st.sampled_from(broken(entry(WHOLE, path))))
    check_fixes(apply_fix(WHOLE, ConfigFix(path, value)))


KEYS = sorted({str(path[-1]) for path in PATHS})


@pytest.mark.slow
@given(st.data())
def test_every_fix_of_a_misspelled_or_misplaced_key_is_accepted(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in PATHS if isinstance(path[-1], str)]))
    key = data.draw(st.sampled_from([f"{path[-1]}s", str(path[-1]).replace("_", "").upper(), str(path[-1])[1:], *KEYS]))
    section = data.draw(st.sampled_from([path[:-1], (), ("optimizer",), ("data",), ("early_stopping",)]))
    check_fixes(apply_fix(WHOLE, ConfigFix((*section, key), entry(WHOLE, path), remove=path)))


def is_renamed(fix: ConfigFix) -> bool:
    return fix.remove is not None and fix.remove[:-1] == fix.path[:-1]


def is_inside(key: str | None, path: KeyPath) -> bool:
    return (key or "").startswith(dotted(path) + ".")


def check_fixes(values: dict[str, object]) -> None:
    """Each fix removes its issue and adds none; its value reads the same where the hint shows it."""
    text = dump(values)
    try:
        validate(Config, parse(text, "c.yaml"))
    except ConfigError as error:
        issues = error.issues
    else:
        return
    for issue in issues:
        if issue.fix is None:
            continue
        after = dump(apply_fix(values, issue.fix))
        try:
            validate(Config, parse(after, "c.yaml"))
        except ConfigError as error:
            left = {(later.location.key, later.message) for later in error.issues}
            inside = {entry for entry in left if is_renamed(issue.fix) and is_inside(entry[0], issue.fix.path)}
            assert left - inside < {(earlier.location.key, earlier.message) for earlier in issues}, (str(issue), after)
        shown = one_line(issue.fix.value)
        if (issue.hint or "").startswith("Write") and "…" not in shown:
            assert shown in (issue.hint or "")
            assert parse(f"x: {shown}", "c").value["x"] == issue.fix.value


@pytest.mark.slow
def test_most_broken_values_have_a_fix() -> None:
    with_fix = total = 0
    for path in PATHS:
        for value in broken(entry(WHOLE, path)):
            try:
                validate(Config, parse(dump(apply_fix(WHOLE, ConfigFix(path, value))), "c.yaml"))
            except ConfigError as error:
                total += 1
                with_fix += any(issue.fix for issue in error.issues)
    assert total > 150
    assert with_fix / total > 0.4


@pytest.mark.parametrize(
    "text",
    [
        'layers: "1e999 2"',
        "layers: '" + "9" * 5000 + "'",
        "epochs: '" + "9" * 5000 + "'",
        "validation: 1e999%",
        'optimizer: {"\\e[31m": adam}',
        'target: "\\e[31m"',
        "early_stopping: '" + "x" * 5000 + "'",
        "layers: [{" + ", ".join(f"k{n}: 1" for n in range(2000)) + "}]",
    ],
    ids=lambda text: text[:20],
)
def test_a_hostile_value_is_shown_short_and_escaped(text: str) -> None:
    shown = str(issue_of(text))
    assert len(shown) < 700
    assert "\x1b" not in shown


def test_keys_of_data_at_the_top_level_belong_to_the_section() -> None:
    text = "path: t.csv\ntarget: y\nepochs: 3\n"
    values = parse(text, "c.yaml").value
    missing, *others = issues_of(text)
    assert missing.location is not None
    assert missing.location.key == "data"
    for issue, key in zip(others, ("path", "target"), strict=True):
        assert f"It belongs to 'data': data: {{{key}: " in str(issue.hint)
        assert issue.fix is not None
        values = apply_fix(values, issue.fix)
    assert validate(Config, parse(dump(values), "c.yaml")).data.target == ("y",)


@pytest.mark.parametrize("layers", ["[64, 32]", "64, 32"])
def test_a_type_of_layer_at_the_top_level_is_an_item_of_the_layers_that_are_written(layers: str) -> None:
    issue = issues_of(f"{START}layers: {layers}\ndropout: 0.2\n")[-1]
    assert "'layers': add the item {type: dropout, rate: 0.2} to the list" in str(issue.hint)

"""The keys of the section select the type of validation, and an invalid one is a single issue."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from nncli.base.errors import ConfigError
from nncli.config.errors.messages import validate
from nncli.config.schema import Config
from nncli.config.schema.training import Validation, ValidationFile
from nncli.config.yaml.parser import parse
from nncli.data.splitting.folds import Bootstrap, Fold


@pytest.mark.parametrize(
    ("value", "validation"),
    [
        (0, 0.0),
        (0.25, 0.25),
        ({"path": "v.csv"}, ValidationFile(path="v.csv")),
        ({"folds": 3, "fold": 2}, Fold(folds=3, fold=2)),
        ({"bootstrap": 7}, Bootstrap(bootstrap=7)),
        (Bootstrap(bootstrap=7), Bootstrap(bootstrap=7)),
    ],
)
def test_the_type_follows_from_the_keys(value: object, validation: object) -> None:
    assert TypeAdapter[object](Validation).validate_python(value) == validation


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1", "validation"),
        ("-0.1", "validation"),
        ("half", "validation"),
        ("{part: 3}", "validation"),
        ("{path: 3}", "validation.path"),
        ("{folds: 3, fold: 3}", "validation"),
        ("{folds: 1, fold: 0}", "validation.folds"),
        ("{folds: 3}", "validation.fold"),
        ("{folds: 3, fold: 1, sead: 1}", "validation.sead"),
        ("{bootstrap: -1}", "validation.bootstrap"),
        ("{bootstrap: x}", "validation.bootstrap"),
    ],
)
def test_an_invalid_validation_is_one_issue(text: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Config, parse(f"data: {{path: t.csv, target: y}}\nvalidation: {text}", "c.yaml"))
    assert [issue.location.key for issue in caught.value.issues] == [key]

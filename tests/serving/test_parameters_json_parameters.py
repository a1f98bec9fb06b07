from collections.abc import Mapping
from typing import Any

import pytest

from nncli.base.errors import UsageError
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.parameters import json_options, may_take_long
from nncli.serving.problems import ProblemError, problem_of


@pytest.mark.parametrize(
    ("model", "parameters", "options"),
    [
        ("number", {}, PredictionOptions()),
        ("number", {"effects": True}, PredictionOptions(effects=True)),
        ("number", {"interval": 0.9}, PredictionOptions(interval=0.9)),
        ("two", {"proba": True}, PredictionOptions(proba=True)),
        (
            "two",
            {"proba": False, "prediction_set": [0.9, 0.5]},
            PredictionOptions(prediction_set=[0.9, 0.5]),
        ),
        (
            "two",
            {"prediction_set": "0.9", "conformity_score": "aps"},
            PredictionOptions(prediction_set=0.9, conformity_score="aps"),
        ),
    ],
)
def test_parameters_are_options(
    models: Mapping[str, ServedModel], model: str, parameters: dict[str, Any], options: PredictionOptions
) -> None:
    assert json_options(parameters, models[model]) == options


@pytest.mark.parametrize(
    "parameters",
    [
        {"interval": 90},
        {"interval": True},
        {"interval": {}},
        {"interval": []},
        {"interval": [[0.9]]},
        {"interval": None},
        {"effects": "yes"},
        {"effects": [True, True]},
        {"temperature": 1},
        {"interval": [0.1] * 20},
    ],
)
def test_other_parameters_are_refused(models: Mapping[str, ServedModel], parameters: dict[str, Any]) -> None:
    with pytest.raises(ProblemError) as error:
        json_options(parameters, models["number"])
    assert error.value.problem.status == 400


@pytest.mark.parametrize(
    ("name", "value", "hint"), [("prediction_set", 0.9, "Use interval=0.9."), ("proba", True, "Leave it out.")]
)
def test_a_parameter_of_another_kind_of_model_is_refused(
    models: Mapping[str, ServedModel], name: str, value: object, hint: str
) -> None:
    with pytest.raises(UsageError) as error:
        json_options({name: value}, models["number"])
    problem = problem_of(error.value)
    assert (problem.detail, problem.hint) == (f"{name} needs a classification model; this one is for regression", hint)


def test_a_misspelled_parameter_is_named_with_the_one_that_is_meant(models: Mapping[str, ServedModel]) -> None:
    with pytest.raises(ProblemError) as error:
        json_options({"intervall": 0.9}, models["number"])
    assert "'interval'" in str(error.value.problem.hint)


@pytest.mark.parametrize(
    ("document", "may"),
    [
        (b'{"inputs": [], "params": {"effects": true}}', True),
        (b'{"inputs": [], "params": {"\\u0065xplain": true}}', True),
        (b'{"inputs": [], "params": {"interval": 0.9}}', True),
        (b'{"inputs": {"gr\\u00f6\\u00dfe": [1]}, "parameters": {"binary_data_output": true}}', False),
    ],
)
def test_slow_parameters_are_foreseen_before_a_body_is_read(document: bytes, may: bool) -> None:
    assert may_take_long(document) is may

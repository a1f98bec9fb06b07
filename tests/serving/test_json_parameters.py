from typing import Any

import pytest

from nncli.conformal.options import UncertaintyOptions
from nncli.serving.json_parameters import prediction_options
from nncli.serving.problem import ProblemError
from nncli.serving.served_model import PredictionOptions


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({}, PredictionOptions()),
        ({"proba": True}, PredictionOptions(proba=True)),
        ({"interval": 0.9}, PredictionOptions(uncertainty=UncertaintyOptions.of(0.9))),
        ({"set": [0.9, 0.5]}, PredictionOptions(uncertainty=UncertaintyOptions.of((), [0.9, 0.5]))),
    ],
)
def test_parameters_are_options(parameters: dict[str, Any], options: PredictionOptions) -> None:
    assert prediction_options(parameters) == options


@pytest.mark.parametrize(
    "parameters",
    [{"proba": 1}, {"proba": None}, {"interval": "0.9"}, {"set": [True]}, {"interval": {}}, {"temperature": 1}],
)
def test_other_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ProblemError) as error:
        prediction_options(parameters)
    assert error.value.problem.status == 400


def test_a_misspelled_parameter_is_named_with_the_one_that_is_meant() -> None:
    with pytest.raises(ProblemError) as error:
        prediction_options({"intervall": 0.9})
    assert "'interval'" in str(error.value.problem.hint)

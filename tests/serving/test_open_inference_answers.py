import json
from collections.abc import Mapping

import polars as pl
import pytest

from nncli.serving.models.served_model import ServedModel
from nncli.serving.open_inference import InferRequest, infer_answer
from nncli.serving.problems import ProblemError

PREDICTIONS = pl.DataFrame({"prediction": ["no", "yes"], "proba_no": [0.75, 0.25], "set_90": [["no", "yes"], []]})


def test_outputs_are_the_columns_and_sets_are_text(models: Mapping[str, ServedModel]) -> None:
    body, json_length = infer_answer(models["two"], InferRequest({}, 2, "7"), PREDICTIONS)
    assert json_length is None
    assert json.loads(body) == {
        "model_name": "two",
        "model_version": models["two"].version,
        "id": "7",
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["no", "yes"]},
            {"name": "proba_no", "datatype": "FP64", "shape": [2], "data": [0.75, 0.25]},
            {"name": "set_90", "datatype": "BYTES", "shape": [2], "data": ["no|yes", ""]},
        ],
    }


def test_binary_outputs_follow_the_json_in_their_order(models: Mapping[str, ServedModel]) -> None:
    request = InferRequest({}, 2, outputs={"proba_no": True, "set_90": False, "prediction": True})
    body, json_length = infer_answer(models["two"], request, PREDICTIONS)
    outputs = json.loads(body[:json_length])["outputs"]
    assert [output.get("parameters") for output in outputs] == [
        {"binary_data_size": 16},
        None,
        {"binary_data_size": 13},
    ]
    assert ["data" in output for output in outputs] == [False, True, False]
    assert len(body) == (json_length or 0) + 29


def test_all_outputs_are_binary_if_the_request_says_so(models: Mapping[str, ServedModel]) -> None:
    body, json_length = infer_answer(models["two"], InferRequest({}, 2, binary=True), PREDICTIONS)
    outputs = json.loads(body[:json_length])["outputs"]
    assert all("data" not in output for output in outputs)


def test_notes_are_a_parameter_of_one_text(models: Mapping[str, ServedModel]) -> None:
    body, json_length = infer_answer(models["two"], InferRequest({}, 2, binary=True), PREDICTIONS, ("a", "b"))
    assert json.loads(body[:json_length])["parameters"] == {"notes": "a\nb"}


def test_an_output_that_is_not_there_is_refused(models: Mapping[str, ServedModel]) -> None:
    with pytest.raises(ProblemError) as error:
        infer_answer(models["two"], InferRequest({}, 2, outputs={"lower_90": False}), PREDICTIONS)
    assert error.value.problem.status == 400
    hint = str(error.value.problem.hint)
    assert all(name in hint for name in ("'prediction'", "'proba_no'", "'proba_yes'", "set", "effects"))
    assert "interval" not in hint

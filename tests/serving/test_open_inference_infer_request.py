import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.open_inference import parse_infer_request, split_body
from nncli.serving.problems import ProblemError
from tests.serving.features import column_of

SCHEMA = InputSchema((column_of("a", "number", False, typical=1.5), column_of("b", "text", False)))
DOCUMENT: dict[str, Any] = {
    "id": "7",
    "inputs": [
        {"name": "a", "datatype": "FP64", "shape": [2], "data": [1.5, 2.5]},
        {"name": "b", "datatype": "BYTES", "shape": [2, 1], "data": ["x", "y"], "parameters": {"content_type": "str"}},
    ],
}


def test_tensors_are_columns() -> None:
    result = parse_infer_request(DOCUMENT, memoryview(b""), SCHEMA)
    assert {name: column.to_list() for name, column in result.columns.items()} == {"a": [1.5, 2.5], "b": ["x", "y"]}
    assert (result.rows, result.id, result.outputs, result.binary, result.parameters) == (2, "7", None, False, {})


def test_binary_data_is_divided_among_the_tensors_in_their_order() -> None:
    document = {
        "inputs": [
            {"name": name, "datatype": "INT8", "shape": [2], "parameters": {"binary_data_size": 2}} for name in "ba"
        ],
        "parameters": {"binary_data_output": True, "interval": 0.9, "priority": 3},
        "outputs": [{"name": "prediction"}, {"name": "lower_90", "parameters": {"binary_data": False}}],
    }
    result = parse_infer_request(document, memoryview(b"\x01\x02\x03\x04"), SCHEMA)
    assert {name: column.to_list() for name, column in result.columns.items()} == {"b": [1, 2], "a": [3, 4]}
    assert (result.binary, result.outputs) == (True, {"prediction": True, "lower_90": False})
    assert result.parameters == {"interval": 0.9}


def test_tensors_that_the_model_does_not_read_are_left_out_with_their_data() -> None:
    other = {"name": "c", "datatype": "ANY", "shape": [1], "parameters": {"binary_data_size": 3}}
    tensor = {"name": "a", "datatype": "INT8", "shape": [1], "parameters": {"binary_data_size": 1}}
    result = parse_infer_request({"inputs": [other, tensor]}, memoryview(b"xyz\x05"), SCHEMA)
    assert [column.to_list() for column in result.columns.values()] == [[5]]


def _tensor(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["inputs"][0].update({name: value})


def _member(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update({name: value})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (_member("id", 7), 400),
        (_member("inputs", None), 400),
        (_member("inputs", []), 400),
        (_member("inputs", {}), 400),
        (_member("inputs", [3]), 400),
        (_member("inputs", [{"shape": [1]}]), 400),
        (_member("rows", []), 400),
        (_member("parameters", []), 400),
        (_member("parameters", {"binary_data_output": 1}), 400),
        (_member("outputs", {}), 400),
        (_member("outputs", [{}]), 400),
        (_member("outputs", [{"name": "prediction"}, {"name": "prediction"}]), 400),
        (_member("outputs", [{"name": "prediction", "parameters": {"binary_data": 1}}]), 400),
        (_member("outputs", [{"name": "prediction", "parameters": {"classification": 2}}]), 400),
        (_tensor("name", ["a"]), 400),
        (_tensor("name", "b"), 422),
        (_tensor("datatype", "DECIMAL"), 422),
        (_tensor("shape", [3]), 422),
        (_tensor("shape", [2, 2]), 422),
        (_tensor("shape", [1 << 70]), 422),
        (_tensor("shape", [-1]), 422),
        (_tensor("shape", [True]), 422),
        (_tensor("shape", []), 422),
        (_tensor("shape", 2), 422),
        (_tensor("shape", None), 422),
        (_tensor("data", None), 422),
        (_tensor("parameters", []), 400),
        (_tensor("parameters", {"binary_data_size": 16}), 422),
        (_tensor("parameters", {"binary_data_size": 0}), 422),
        (_tensor("parameters", {"binary_data_size": -1}), 422),
        (_tensor("parameters", {"binary_data_size": "8"}), 422),
        (_tensor("parameters", {"shared_memory_region": "r"}), 422),
    ],
)
def test_what_is_not_of_the_protocol_is_refused(change: Callable[[dict[str, Any]], None], status: int) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(ProblemError) as error:
        parse_infer_request(document, memoryview(b""), SCHEMA)
    assert error.value.problem.status == status


@pytest.mark.parametrize("document", [None, [], 3, "inputs"])
def test_a_body_that_is_not_an_object_is_refused_with_a_request_that_can_be_sent(document: object) -> None:
    with pytest.raises(ProblemError) as error:
        parse_infer_request(document, memoryview(b""), SCHEMA)
    example = str(error.value.problem.hint).removeprefix("Send ").rstrip(".").replace(", …", "")
    request = parse_infer_request(json.loads(example), memoryview(b""), SCHEMA)
    assert {name: column.to_list() for name, column in request.columns.items()} == {"a": [1.5]}


def test_columns_of_different_lengths_are_refused_with_their_names() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["inputs"][1] |= {"shape": [3], "data": ["x", "y", "z"]}
    with pytest.raises(ProblemError) as error:
        parse_infer_request(document, memoryview(b""), SCHEMA)
    assert (error.value.problem.status, error.value.problem.column) == (422, "b")
    assert "'a'" in error.value.problem.detail


def test_one_tensor_of_all_columns_is_refused_with_the_columns() -> None:
    document = {"inputs": [{"name": "input-0", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    with pytest.raises(ProblemError) as error:
        parse_infer_request(document, memoryview(b""), SCHEMA)
    assert "'a' and 'b'" in str(error.value.problem.hint)


def test_binary_data_that_belongs_to_no_tensor_is_refused() -> None:
    with pytest.raises(ProblemError) as error:
        parse_infer_request(DOCUMENT, memoryview(b"x"), SCHEMA)
    assert error.value.problem.status == 400


def test_a_body_is_split_by_the_header() -> None:
    for header, document, binary in ((None, b"{}xy", b""), ("2", b"{}", b"xy"), ("4", b"{}xy", b"")):
        result = split_body(b"{}xy", header)
        assert (result[0], bytes(result[1])) == (document, binary)


@pytest.mark.parametrize("header", ["", "-1", "5", "2.0", "٢", "1e0", "9" * 30])
def test_another_header_is_refused(header: str) -> None:
    with pytest.raises(ProblemError) as error:
        split_body(b"{}xy", header)
    assert error.value.problem.status == 400

"""A request to `infer`: one tensor for each column, the outputs that are asked for, and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nncli.base.text import join_quoted, quote
from nncli.serving.bodies.body_hints import example_cells
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.open_inference.metadata import input_datatype
from nncli.serving.open_inference.tensors import check_datatype, series_of_bytes, series_of_json, tensor_problem
from nncli.serving.problems.problem import bad_request

IGNORED = ("content_type", "headers", "priority", "timeout")
"""Parameters of clients that change no answer."""
MEMBERS = ("id", "parameters", "inputs", "outputs")
MAX_ROWS_IN_SHAPE = 1 << 40


@dataclass(frozen=True)
class InferRequest:
    """The columns of a request, with its rows, and what is asked for.

    `outputs` are the names of the answer's tensors, each with whether it is written as binary data; None is all of
    them, binary or not as `binary` says. `parameters` are those of the prediction, `names` those of all tensors.
    """

    columns: Mapping[str, pl.Series]
    rows: int
    id: str | None = None
    outputs: Mapping[str, bool] | None = None
    binary: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def parse_infer_request(document: Any, binary: memoryview, schema: InputSchema) -> InferRequest:
    """The request of a JSON document and the binary data after it; tensors of other columns are not read.

    Raises:
        ProblemError: it is not of the protocol, or a tensor is not as its shape and datatype say.
    """
    if not isinstance(document, dict):
        raise bad_request("the body is not a JSON object", _hint(schema))
    others = [name for name in document if name not in MEMBERS]
    if others:
        raise bad_request(f"the request has {join_quoted(others)}, which is unknown", _hint(schema))
    request_id = document.get("id")
    if not (request_id is None or isinstance(request_id, str)):
        raise bad_request("'id' is not text", 'Send {"id": "42"}, or leave it out.')
    parameters = dict(_object(document, "parameters"))
    binary_output = parameters.pop("binary_data_output", False)
    if not isinstance(binary_output, bool):
        raise bad_request("'binary_data_output' is neither true nor false")
    tensors, rows, names = _tensors(document.get("inputs"), binary, schema)
    return InferRequest(
        tensors,
        rows,
        request_id,
        _outputs(document.get("outputs"), binary_output),
        binary_output,
        {name: value for name, value in parameters.items() if name not in IGNORED},
        names,
    )


def _hint(schema: InputSchema) -> str:
    """What a body may be, with the first column of the model."""
    name, value = next(iter(example_cells(schema)), ("…", "…"))
    tensor = f'{{"name": {name}, "shape": [1], "datatype": "{input_datatype(schema.features[0])}", "data": [{value}]}}'
    return f'Send {{"inputs": [{tensor}{", …" * (len(schema.features) > 1)}]}}.'


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"{quote(name)} is not an object")
    return value


def _tensors(inputs: Any, binary: memoryview, schema: InputSchema) -> tuple[dict[str, pl.Series], int, tuple[str, ...]]:
    """The tensors by name, the number of rows of all of them, and the names of all tensors."""
    if not isinstance(inputs, list) or not inputs:
        raise bad_request("the body has no array 'inputs' of tensors", _hint(schema))
    tensors: dict[str, pl.Series] = {}
    lengths: dict[str, int] = {}
    for tensor in inputs:
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            raise bad_request("a tensor of 'inputs' is not an object with a 'name'", _hint(schema))
        if name in lengths:
            raise tensor_problem(name, "there are two tensors of this name", "Leave one of them out.")
        rows = lengths[name] = _rows(name, tensor.get("shape"), schema)
        own, binary = _own_data(name, tensor, binary)
        if name in schema.by_name:
            tensors[name] = _column(name, tensor, own, rows)
    if len(binary):
        raise bad_request(
            f"{len(binary):,} bytes after the JSON do not belong to a tensor", "Check 'binary_data_size'."
        )
    first = next(iter(lengths))
    for name, rows in lengths.items():
        if rows != lengths[first]:
            raise tensor_problem(
                name,
                f"the tensor has {rows:,} rows, and {quote(first)} has {lengths[first]:,}",
                "Send tensors of equal length.",
            )
    return tensors, lengths[first], tuple(lengths)


def _rows(name: str, shape: Any, schema: InputSchema) -> int:
    """The number of rows of a tensor of one column."""
    is_shape = isinstance(shape, list) and all(type(n) is int and 0 <= n <= MAX_ROWS_IN_SHAPE for n in shape)
    if is_shape and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        rows: int = shape[0]
        return rows
    hint = "Send one tensor for each column, of the shape [rows] or [rows, 1]."
    if name not in schema.by_name:
        hint += f" The columns of the model are {join_quoted(schema.by_name)}."
    raise tensor_problem(name, f"the shape {quote(shape)} is not that of one column", hint)


def _own_data(name: str, tensor: Mapping[str, Any], binary: memoryview) -> tuple[memoryview | None, memoryview]:
    """The binary data of a tensor, None if it is JSON, and what comes after it."""
    parameters = _object(tensor, "parameters")
    if "shared_memory_region" in parameters:
        raise tensor_problem(name, "shared memory is not supported", "Send the data in the body.")
    size = parameters.get("binary_data_size")
    if size is None:
        return None, binary
    if type(size) is not int or not 0 <= size <= len(binary):
        raise tensor_problem(
            name, f"'binary_data_size' is {quote(size)}, and {len(binary):,} bytes are left", "Correct it."
        )
    if tensor.get("data") is not None:
        raise tensor_problem(name, "the tensor has both 'data' and 'binary_data_size'", "Leave one of them out.")
    return binary[:size], binary[size:]


def _column(name: str, tensor: Mapping[str, Any], own: memoryview | None, rows: int) -> pl.Series:
    datatype = check_datatype(name, tensor.get("datatype"))
    if own is not None:
        return series_of_bytes(name, datatype, own, rows)
    return series_of_json(name, datatype, tensor.get("data"), rows)


def _outputs(outputs: Any, binary_output: bool) -> dict[str, bool] | None:
    """The names of the outputs of a request, each with whether it is binary."""
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list):
        raise bad_request("'outputs' is not an array", 'Send {"outputs": [{"name": "prediction"}]}.')
    binary_by_name: dict[str, bool] = {}
    for output in outputs:
        name = output.get("name") if isinstance(output, dict) else None
        if not isinstance(name, str) or name in binary_by_name:
            raise bad_request("an element of 'outputs' is not an object with a 'name' of its own")
        parameters = _object(output, "parameters")
        for unsupported in ("classification", "shared_memory_region"):
            if unsupported in parameters:
                raise bad_request(f"the parameter {quote(unsupported)} of {quote(name)} is not supported")
        binary = parameters.get("binary_data", binary_output)
        if not isinstance(binary, bool):
            raise bad_request(f"'binary_data' of {quote(name)} is neither true nor false")
        binary_by_name[name] = binary
    return binary_by_name


def split_body(body: bytes, header: str | None) -> tuple[bytes, memoryview]:
    """The JSON of a body and the binary data after it, by the header Inference-Header-Content-Length.

    Raises:
        ProblemError: the header is not a length within the body.
    """
    if header is None:
        return body, memoryview(b"")
    if not (header.isascii() and header.isdigit() and len(header) < 20 and int(header) <= len(body)):
        raise bad_request(
            f"Inference-Header-Content-Length is {quote(header)}, and the body has {len(body):,} bytes",
            "It is the number of bytes of the JSON, before the binary data.",
        )
    length = int(header)
    return body[:length], memoryview(body)[length:]

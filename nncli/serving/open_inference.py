"""Tensors of the Open Inference Protocol as columns, and back: as JSON, or as binary data after it.

https://github.com/kserve/open-inference-protocol and its binary tensor data extension. A missing value is null, NaN, or
a text that is a missing value of the training table.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

import numpy as np
import polars as pl

from nncli.base.text import join_quoted, quote
from nncli.models.conformal.predictor import sets_as_text
from nncli.serving.answers import json_cells
from nncli.serving.bodies.body_hints import example_cells
from nncli.serving.columns.input_schema import Feature, InputSchema
from nncli.serving.models.served_model import ServedModel, empty_predictions
from nncli.serving.problems import ProblemError, bad_request, invalid_row
from nncli.version import __version__

BYTES = "BYTES"
NUMBERS = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""The datatypes besides BYTES, each with that of NumPy."""
DATATYPES = {
    pl.Boolean(): "BOOL",
    pl.Int64(): "INT64",
    pl.UInt64(): "UINT64",
    pl.Float32(): "FP32",
    pl.Float64(): "FP64",
}
"""The datatypes of answers; any other column is BYTES."""
LENGTH = struct.Struct("<I")
"""The number of bytes of an element of BYTES, before the element."""


def tensor_problem(name: str, detail: str, hint: str | None = None, row: int | None = None) -> ProblemError:
    """An error of the tensor called `name`."""
    return invalid_row(detail, hint, row, name)


def check_datatype(name: str, datatype: Any) -> str:
    """The datatype of a tensor, if there is such a one."""
    if isinstance(datatype, str) and (datatype in NUMBERS or datatype == BYTES):
        return datatype
    raise tensor_problem(
        name, f"{quote(datatype)} is not a datatype", f"Use one of {join_quoted([*NUMBERS, BYTES], max_words=20)}."
    )


def series_of_json(name: str, datatype: str, data: Any, rows: int) -> pl.Series:
    """The elements of a JSON array as a column; null is a missing value."""
    elements = _flat(data) if isinstance(data, list) else None
    if elements is None:
        raise tensor_problem(name, "'data' is not an array", 'Send {"data": [1, 2]}.')
    if len(elements) != rows:
        raise tensor_problem(name, f"'data' has {len(elements):,} elements; by 'shape' it should have {rows:,}")
    kind, word = _element_kind(datatype)
    if not {*map(type, elements)} - {NoneType} <= kind:
        row = next(row for row, value in enumerate(elements, start=1) if type(value) not in {*kind, NoneType})
        raise tensor_problem(name, f"the value is not {word}, as {datatype} needs", row=row)
    if datatype == BYTES:
        return _texts(name, elements)
    if datatype.startswith("FP"):
        return _floats(name, elements, datatype)
    if datatype == "BOOL":
        return pl.Series(name, elements, dtype=pl.Boolean)
    limits = np.iinfo(NUMBERS[datatype])
    for row, value in enumerate(elements, start=1):
        if value is not None and not limits.min <= value <= limits.max:
            raise tensor_problem(name, f"the value is out of the range of {datatype}", row=row)
    return pl.Series(name, elements, dtype=pl.UInt64 if datatype == "UINT64" else pl.Int64)


def _element_kind(datatype: str) -> tuple[set[type], str]:
    """The types of the elements of a datatype in JSON, and what they are called."""
    if datatype == BYTES:
        return {str}, "text"
    if datatype == "BOOL":
        return {bool}, "true or false"
    return ({int, float}, "a number") if datatype.startswith("FP") else ({int}, "a whole number")


def _flat(data: list[Any]) -> list[Any]:
    """The elements of an array, each of which may be an array of one element."""
    if list not in {*map(type, data)}:
        return data
    return [element[0] if isinstance(element, list) and len(element) == 1 else element for element in data]


def _floats(name: str, elements: Sequence[Any], datatype: str) -> pl.Series:
    try:
        values = np.array(elements, np.float64)  # null is NaN
    except OverflowError:
        values = np.array([np.nan if value is None else _float(value) for value in elements])
    with np.errstate(over="ignore"):  # infinite then, which the model refuses with its row
        return _without_nan(name, values.astype(NUMBERS[datatype]))


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf


def series_of_bytes(name: str, datatype: str, data: memoryview, rows: int) -> pl.Series:
    """Binary data as a column."""
    if datatype == BYTES:
        return _texts(name, list(_elements(name, data, rows)))
    size = rows * np.dtype(NUMBERS[datatype]).itemsize
    if len(data) != size:
        raise tensor_problem(
            name, f"the tensor has {len(data):,} bytes of data; {rows:,} elements of {datatype} are {size:,}"
        )
    if datatype == "BOOL":
        return pl.Series(name, np.frombuffer(data, "u1") != 0)
    values = np.frombuffer(data, NUMBERS[datatype])
    if datatype.startswith("FP"):
        return _without_nan(name, values)
    return pl.Series(name, values.astype(np.uint64 if datatype == "UINT64" else np.int64))


def _elements(name: str, data: memoryview, rows: int) -> Iterator[str]:
    """The texts of BYTES."""
    place = 0
    for row in range(1, rows + 1):
        start = place + LENGTH.size
        if start > len(data):
            raise tensor_problem(name, f"the data has {row - 1:,} elements; by 'shape' it should have {rows:,}")
        (length,) = LENGTH.unpack_from(data, place)
        place = start + length
        if place > len(data):
            raise tensor_problem(name, f"an element has {length:,} bytes, and the data ends before", row=row)
        try:
            yield str(data[start:place], "utf-8")
        except UnicodeDecodeError:
            raise tensor_problem(name, "the text is not encoded as UTF-8", row=row) from None
    if place != len(data):
        raise tensor_problem(name, f"the data goes on after {rows:,} elements, its number by 'shape'")


def _texts(name: str, elements: Sequence[str | None]) -> pl.Series:
    """Texts as a column; Polars has no half of a surrogate pair, which JSON may have."""
    try:
        "".join(filter(None, elements)).encode()
    except UnicodeEncodeError as error:
        row = next(row for row, text in enumerate(elements, start=1) if text and error.object[error.start] in text)
        raise tensor_problem(name, "the text has a half of a surrogate pair", row=row) from None
    return pl.Series(name, elements, dtype=pl.String)


def _without_nan(name: str, values: np.ndarray[tuple[int], np.dtype[Any]]) -> pl.Series:
    return pl.Series(values.astype(np.float64)).fill_nan(None).alias(name)


def datatype_of(dtype: pl.DataType) -> str:
    """The datatype of a column of an answer."""
    return DATATYPES.get(dtype, BYTES)


def json_of_series(column: pl.Series) -> list[Any]:
    """The elements of a column for JSON, as `/predict` writes them."""
    plain = column if datatype_of(column.dtype) != BYTES else column.cast(pl.String)
    return [*json_cells(plain)]


def bytes_of_series(column: pl.Series) -> bytes:
    """A column as binary data."""
    datatype = datatype_of(column.dtype)
    if datatype != BYTES:
        return column.to_numpy().astype(NUMBERS[datatype]).tobytes()
    texts = [(text or "").encode() for text in column.cast(pl.String).to_list()]
    return b"".join(part for text in texts for part in (LENGTH.pack(len(text)), text))


def server_metadata() -> dict[str, Any]:
    """The name and the version of the server, and the extensions of the protocol that it has."""
    return {"name": "nncli", "version": __version__, "extensions": ["binary_tensor_data"]}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """The versions, inputs and outputs of a model; a shape of -1 is any number of rows."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "nncli",
        "inputs": [
            {"name": feature.name, "datatype": input_datatype(feature), "shape": [-1]}
            for feature in model.schema.features
        ],
        "outputs": [
            {"name": name, "datatype": datatype_of(dtype), "shape": [-1]}
            for name, dtype in output_columns(empty_predictions(model)).schema.items()
        ],
    }


def input_datatype(feature: Feature) -> str:
    """FP64 for numbers; categories, dates and texts are BYTES."""
    return "FP64" if feature.input.kind == "number" else BYTES


def output_columns(predictions: pl.DataFrame) -> pl.DataFrame:
    """The predictions with sets as text, for a tensor has as many elements in each row."""
    return sets_as_text(predictions, [name for name, dtype in predictions.schema.items() if isinstance(dtype, pl.List)])


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
        data, binary = _own_data(name, tensor, binary)
        if name in schema.by_name:
            tensors[name] = _column(name, tensor, data, rows)
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


def _column(name: str, tensor: Mapping[str, Any], data: memoryview | None, rows: int) -> pl.Series:
    datatype = check_datatype(name, tensor.get("datatype"))
    if data is not None:
        return series_of_bytes(name, datatype, data, rows)
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


def infer_answer(
    model: ServedModel, request: InferRequest, predictions: pl.DataFrame, notes: Sequence[str] = ()
) -> tuple[bytes, int | None]:
    """The body of the answer: its outputs as JSON, and those that are binary after it.

    With the bytes of the JSON, None if all are.

    Raises:
        ProblemError: an output of the request is not one of the predictions.
    """
    columns = output_columns(predictions)
    names = columns.columns if request.outputs is None else list(request.outputs)
    unknown = [name for name in names if name not in columns.columns]
    if unknown:
        outputs_of_model = dict.fromkeys([*empty_predictions(model).columns, *columns.columns])
        method = model.model.spec.head.uncertainty
        level = "proba" if method is None else method.option
        raise bad_request(
            f"there is no output {join_quoted(unknown)}",
            f"The outputs are {join_quoted(outputs_of_model)}; the parameters {level} and effects add others.",
        )
    outputs: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name in names:
        column = columns.get_column(name)
        output: dict[str, Any] = {"name": name, "datatype": datatype_of(column.dtype), "shape": [len(column)]}
        if request.binary if request.outputs is None else request.outputs[name]:
            parts.append(bytes_of_series(column))
            output["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            output["data"] = json_of_series(column)
        outputs.append(output)
    document = {
        "model_name": model.name,
        "model_version": model.version,
        **({} if request.id is None else {"id": request.id}),
        **({"parameters": {"notes": "\n".join(notes)}} if notes else {}),  # a parameter is a single value
        "outputs": outputs,
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    return b"".join([text, *parts]), len(text) if parts else None

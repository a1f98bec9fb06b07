"""Calls a server by tritonclient: `triton_client.py HOST:PORT TABLE`, and prints what it answers as JSON."""

import json
import sys
from typing import Any

import numpy as np
import polars as pl
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

DATATYPES = {pl.Float64(): "FP64", pl.Int64(): "INT64", pl.Boolean(): "BOOL", pl.String(): "BYTES"}


def inputs_of(table: pl.DataFrame, *, binary: bool) -> list[InferInput]:
    inputs = []
    for column in table:
        tensor = InferInput(column.name, [len(column)], DATATYPES[column.dtype])
        values = column.to_numpy()
        if column.dtype == pl.String:
            values = np.array([text or "" for text in column], dtype=object)
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    return inputs


def main(address: str, path: str) -> None:
    table = pl.read_csv(path)
    client = InferenceServerClient(address)
    answers: dict[str, Any] = {
        "live": [client.is_server_live(), client.is_server_ready()],
        "ready": [client.is_model_ready(name) for name in ("number", "two", "other")],
        "server": client.get_server_metadata(),
        "models": {name: client.get_model_metadata(name) for name in ("number", "two")},
    }
    for binary in (True, False):
        inputs = inputs_of(table, binary=binary)
        number = client.infer("number", inputs, request_id="7")
        outputs = [InferRequestedOutput(name, binary_data=binary) for name in ("prediction", "proba_yes")]
        two = client.infer("two", inputs, outputs=outputs)
        answers[f"number {binary}"] = number.as_numpy("prediction").tolist()
        answers[f"id {binary}"] = number.get_response()["id"]
        prediction = two.as_numpy("prediction")
        answers[f"two {binary}"] = [item.decode() if isinstance(item, bytes) else item for item in prediction.tolist()]
        answers[f"proba {binary}"] = two.as_numpy("proba_yes").tolist()
    version = answers["models"]["number"]["versions"][0]
    binary_answer = client.infer(
        "number", inputs_of(table, binary=True), model_version=version, parameters={"interval": 0.9}
    )
    answers["lower"] = binary_answer.as_numpy("lower_90").tolist()
    answers["errors"] = [
        _error(client, "other", inputs_of(table, binary=True)),
        _error(client, "number", inputs_of(table.drop("x"), binary=True)),
        _error(client, "number", inputs_of(table, binary=False), parameters={"temperature": 1}),
    ]
    print(json.dumps(answers))


def _error(client: InferenceServerClient, model: str, inputs: list[InferInput], **options: Any) -> tuple[str, str]:
    try:
        client.infer(model, inputs, **options)
    except InferenceServerException as error:
        return error.status(), error.message()
    raise AssertionError("no error")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`POST /predict`, and `POST /models/NAME/predict` for one of several models."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.data.io.formats import Format
from nncli.data.table import Table
from nncli.serving.answers import file_answer, json_answer
from nncli.serving.bodies import JsonRows, parse_json, table_of_file, table_of_rows
from nncli.serving.problem import Problem, ProblemError
from nncli.serving.served_model import ModelSlot, PredictionOptions, ServedModel
from nncli.serving.state import ServerState

MEDIA_TYPES = {
    "text/csv": Format.CSV,
    "application/x-ndjson": Format.JSONL,
    "application/jsonl": Format.JSONL,
    "application/vnd.apache.arrow.stream": Format.ARROW,
    "application/vnd.apache.arrow.file": Format.ARROW,
    "application/vnd.apache.parquet": Format.PARQUET,
}


@dataclass
class BodyRequest:
    """A prediction request whose rows are a body in a format; None is JSON."""

    body: bytes
    format: Format | None
    answer_format: Format | None
    options: PredictionOptions = field(default_factory=PredictionOptions)
    rows: JsonRows | None = None

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return len(self.body)

    def read(self, model: ServedModel) -> Table:
        """The rows of the body."""
        if self.format is not None:
            return table_of_file(self.body, self.format, model)
        self.rows = parse_json(self.body)
        return table_of_rows(self.rows.rows, model)

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame) -> bytes:
        """The body of the answer."""
        if self.answer_format is not None:
            return file_answer(predictions, self.answer_format)
        return json_answer(predictions, is_single=self.rows is not None and self.rows.is_single)


async def predict(request: Request) -> Response:
    """Predict the rows of the body."""
    state: ServerState = request.app.state.server
    slot = find_slot(state, request.path_params.get("model"))
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    format = MEDIA_TYPES.get(content_type)  # noqa: A001 - the option's name
    body = await request.body()
    answer = await state.batcher.answer(slot, BodyRequest(body, format, format))
    return Response(answer, media_type="application/json" if format is None else content_type)


def find_slot(state: ServerState, name: str | None) -> ModelSlot:
    """The slot of a model; a ProblemError if there is none of this name."""
    slot = state.slots.find(name)
    if slot is None:
        names = ", ".join(one.name for one in state.slots.all)
        raise ProblemError(Problem(HTTPStatus.NOT_FOUND, f"there is no model {name}", f"The models are {names}."))
    return slot


ROUTES = [
    Route("/predict", predict, methods=["POST"]),
    Route("/models/{model}/predict", predict, methods=["POST"]),
]

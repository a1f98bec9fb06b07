"""`POST /predict`, and `POST /models/NAME/predict` for one of several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.table import Table
from nncli.serving.answers import dump_json, json_answer, json_rows, notes_header, write_answer
from nncli.serving.bodies.body_hints import form_hint
from nncli.serving.bodies.body_size import check_encoding, gunzip
from nncli.serving.bodies.json_body import read_json
from nncli.serving.bodies.media_types import (
    SUPPORTED,
    ContentType,
    MediaType,
    is_form,
    negotiate,
    parse_content_type,
    unsupported,
)
from nncli.serving.bodies.table_body import read_file
from nncli.serving.columns.row_reader import MAX_NAME
from nncli.serving.models.effects import json_effects
from nncli.serving.models.reload import ModelSlot
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.parameters import check_effects, check_options, parse_parameters
from nncli.serving.problems import Problem, ProblemError, bad_request
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState


@dataclass(frozen=True)
class RequestBody:
    """The bytes of a body, perhaps compressed by gzip."""

    content: bytes
    options: ServerOptions
    is_gzip: bool = False

    @classmethod
    async def of(cls, request: Request) -> RequestBody:
        """The body of a request.

        Raises:
            ProblemError: its Content-Encoding is not supported.
        """
        state: ServerState = request.app.state.server
        is_gzip = check_encoding(request.headers.get("content-encoding"))
        return cls(await request.body(), state.options, is_gzip)

    @property
    def size(self) -> int:
        """The bytes of the body as it was sent."""
        return len(self.content)

    def decompressed(self) -> bytes:
        """The body as it was before it was compressed.

        Raises:
            ProblemError: it is not gzip, or too large once it is decompressed.
        """
        return gunzip(self.content, self.options.max_body) if self.is_gzip else self.content


@dataclass
class PredictRequest:
    """A request to `/predict`."""

    body: RequestBody
    content_type: ContentType
    answer_type: MediaType
    options: PredictionOptions
    is_single: bool = False
    header_notes: Sequence[str] = ()

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return self.body.size

    @property
    def may_be_large(self) -> bool:
        """Whether it may take long however small the body is."""
        return self.body.is_gzip or self.options.effects

    def read(self, model: ServedModel) -> Table:
        """The rows of the body."""
        check_options(self.options, model)
        body, max_rows = self.body.decompressed(), self.body.options.max_rows
        if not body.strip():
            raise bad_request("the body is empty", "Send the rows to predict.")
        if self.content_type.media_type in (MediaType.JSON, MediaType.JSON_LINES):
            table, rows = read_json(body, self.content_type.media_type, model, max_rows)
            self.is_single = rows.is_single
        else:
            table = read_file(body, self.content_type, model, max_rows)
        check_effects(self.options, len(table), model)
        return table

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame, notes: Sequence[str]) -> bytes:
        """The body of the answer; in JSON, the effects of a row are a list, the largest first."""
        if self.answer_type is not MediaType.JSON:
            self.header_notes = notes
            return write_answer(predictions, self.answer_type)
        if not self.options.effects:
            return json_answer(predictions, is_single=self.is_single, notes=notes)
        columns = model.effect_columns
        titles = [column.title for column in columns]
        rows = json_rows(predictions[[name for name in predictions.columns if name not in titles]])
        effects = json_effects(columns, table, predictions[titles], model.explained_classes(predictions))
        rows = [{**row, "effects": of_row} for row, of_row in zip(rows, effects, strict=True)]
        return dump_json(rows, is_single=self.is_single, notes=notes)


async def predict(request: Request) -> Response:
    """Predict the rows of the body."""
    state: ServerState = request.app.state.server
    slot = find_slot(state, request.path_params.get("model"))
    await refuse_form(request, SUPPORTED)
    content_type = parse_content_type(request.headers.get("content-type"))
    answer_type = negotiate(request.headers.get("accept"), content_type)
    options = parse_parameters(request.query_params.multi_items())
    predict_request = PredictRequest(await RequestBody.of(request), content_type, answer_type.media_type, options)
    answer = await state.batcher.answer(slot, predict_request, request.scope)
    return Response(answer, headers=notes_header(predict_request.header_notes), media_type=answer_type.name)


async def refuse_form(request: Request, supported: str) -> None:
    """Raise a ProblemError if the body is sent as a form, whose hint fits what it is."""
    name = request.headers.get("content-type")
    if is_form(name):
        hint = form_hint(str(name).lower(), await request.body())
        raise unsupported(f"the body has the Content-Type {quote(name)}", f"{hint} {supported}")


def find_slot(state: ServerState, name: str | None) -> ModelSlot:
    """The slot of a model; a ProblemError if there is none of this name."""
    slot = state.slots.find(name)
    if slot is None:
        names = [slot.name for slot in state.slots.all]
        close = closest_match(str(name)[:MAX_NAME], names)
        hint = f"The models are {join_quoted(names)}." if len(names) > 1 else f"The model is {quote(names[0])}."
        hint = f"Did you mean {quote(close)}? {hint}" if close else hint
        raise ProblemError(Problem(HTTPStatus.NOT_FOUND, f"there is no model {quote(name)}", hint))
    return slot


ROUTES = [
    Route("/predict", predict, methods=["POST"]),
    Route("/models/{model}/predict", predict, methods=["POST"]),
]

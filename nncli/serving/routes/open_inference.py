"""The addresses of the Open Inference Protocol V2, as KServe and Triton have them, below `/v2`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import polars as pl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nncli.base.text import join_quoted
from nncli.data.table import Table
from nncli.serving.bodies.json_body import one_at_a_time, parse_document
from nncli.serving.bodies.table_body import table_of_columns
from nncli.serving.models.reload import ModelSlot
from nncli.serving.models.served_model import PredictionOptions, ServedModel, default_options
from nncli.serving.open_inference import (
    InferRequest,
    infer_answer,
    model_metadata,
    parse_infer_request,
    server_metadata,
    split_body,
)
from nncli.serving.parameters import check_effects, json_options, may_take_long
from nncli.serving.problems import Problem, ProblemError, bad_request
from nncli.serving.routes import status
from nncli.serving.routes.predict import RequestBody, find_slot
from nncli.serving.state import ServerState

HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass
class TensorsRequest:
    """A request to `infer`; once it is answered, `json_length` is how much of the answer is JSON, None if all is."""

    body: RequestBody
    header_length: str | None = None
    options: PredictionOptions = field(default_factory=PredictionOptions)
    request: InferRequest | None = None
    json_length: int | None = None

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return self.body.size

    @property
    def may_be_large(self) -> bool:
        """Whether it may take long however small the body is."""
        return self.body.is_gzip or may_take_long(self.body.content)

    def read(self, model: ServedModel) -> Table:
        """The tensors of the body as a table."""
        text, binary = split_body(self.body.decompressed(), self.header_length)
        max_rows = self.body.options.max_rows
        with one_at_a_time(text):
            document = parse_document(text, model, max_rows)
            request = parse_infer_request(document, binary, model.schema)
            self.request, self.options = request, _options(model, request)
            check_effects(self.options, request.rows, model)
            return table_of_columns(request.columns, request.names, request.rows, model, max_rows)

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame, notes: Sequence[str]) -> bytes:
        """The body of the answer."""
        assert self.request is not None
        body, self.json_length = infer_answer(model, self.request, predictions, notes)
        return body


def _options(model: ServedModel, request: InferRequest) -> PredictionOptions:
    """What a request asks for: probabilities if an output is one, or if nothing is said."""
    options = json_options(request.parameters, model)
    if "proba" in request.parameters:
        return options
    default = default_options(model).proba
    has_proba = request.outputs is None or any(map(model.model.spec.target.is_probability, request.outputs))
    return replace(options, proba=default and has_proba)


async def infer(request: Request) -> Response:
    """Predict the rows of the tensors."""
    slot = _slot(request)
    if request.query_params:
        names = join_quoted(sorted(request.query_params))
        hint = 'Put it into the body: {"inputs": […], "parameters": {"effects": true}}.'
        raise bad_request(f"the address has the parameter {names}, which this protocol does not have", hint)
    tensors = TensorsRequest(await RequestBody.of(request), request.headers.get(HEADER_LENGTH))
    state: ServerState = request.app.state.server
    answer = await state.batcher.answer(slot, tensors, request.scope)
    if tensors.json_length is None:
        return Response(answer, media_type="application/json")
    headers = {HEADER_LENGTH: str(tensors.json_length)}
    return Response(answer, headers=headers, media_type="application/octet-stream")


async def server(request: Request) -> Response:
    """The name, the version and the extensions of the server."""
    return JSONResponse(server_metadata())


async def model_of(request: Request) -> Response:
    """The inputs and outputs of a model."""
    return JSONResponse(await run_in_threadpool(model_metadata, _slot(request).current))


async def model_ready(request: Request) -> Response:
    """Whether a model predicts."""
    slot = _slot(request)
    await status.ready(request)
    return JSONResponse({"name": slot.name, "ready": True})


def _slot(request: Request) -> ModelSlot:
    """The model of an address; a ProblemError if there is none of this name and version."""
    state: ServerState = request.app.state.server
    slot = find_slot(state, request.path_params["model"])
    version, loaded_version = request.path_params.get("version"), slot.current.version
    if version not in (None, loaded_version):
        detail = f"the model {slot.name} has no version {version}"
        raise ProblemError(Problem(HTTPStatus.NOT_FOUND, detail, f"It has the version {loaded_version}."))
    return slot


def _of_model(end: str) -> list[str]:
    """The addresses of a model, with a version and without."""
    return [f"/v2/models/{{model}}{end}", f"/v2/models/{{model}}/versions/{{version}}{end}"]


ROUTES = [
    Route("/v2", server),
    Route("/v2/health/live", status.live),
    Route("/v2/health/ready", status.ready),
    *[Route(path, model_of) for path in _of_model("")],
    *[Route(path, model_ready) for path in _of_model("/ready")],
    *[Route(path, infer, methods=["POST"]) for path in _of_model("/infer")],
]

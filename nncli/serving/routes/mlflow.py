"""The addresses of MLflow's scoring server: `/invocations`, `/ping`, `/health` and `/version`.

`/models/NAME/invocations` is that of one of several models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.base.text import join_quoted, quote
from nncli.data.table import Table
from nncli.serving.answers import dump, json_rows
from nncli.serving.bodies.body_size import check_rows
from nncli.serving.bodies.json_body import one_at_a_time, parse_document, parse_invocation
from nncli.serving.bodies.media_types import UTF_8, ContentType, MediaType, split_content_type, unsupported
from nncli.serving.bodies.table_body import read_file
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.parameters import check_effects, check_options, json_options, may_take_long, parse_parameters
from nncli.serving.routes.predict import RequestBody, find_slot, refuse_form
from nncli.serving.routes.status import ready
from nncli.serving.state import ServerState
from nncli.version import __version__

FORMATS = (MediaType.JSON, MediaType.CSV)
"""The formats of MLflow."""
SUPPORTED = f"Send one of {join_quoted(FORMATS)}, text in UTF-8."


@dataclass
class InvocationRequest:
    """A request to `/invocations`."""

    body: RequestBody
    media_type: MediaType
    parameters: Sequence[tuple[str, str]] = ()
    options: PredictionOptions = field(init=False)

    def __post_init__(self) -> None:
        self.options = parse_parameters(self.parameters)

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return self.body.size

    @property
    def may_be_large(self) -> bool:
        """Whether it may take long however small the body is."""
        if self.body.is_gzip or self.parameters:
            return True
        return may_take_long(self.body.content)

    def read(self, model: ServedModel) -> Table:
        """The rows of the body."""
        body, max_rows = self.body.decompressed(), self.body.options.max_rows
        if self.media_type is not MediaType.JSON:
            check_options(self.options, model)
            table = read_file(body, ContentType(self.media_type, self.media_type), model, max_rows)
            check_effects(self.options, len(table), model)
            return table
        with one_at_a_time(body):
            invocation = parse_invocation(parse_document(body, model, max_rows), model.schema)
            self.options = json_options(invocation.params, model, self.parameters)
            check_rows(len(invocation.rows), max_rows)
            check_effects(self.options, len(invocation.rows), model)
            return model.rows.table(invocation.rows)

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame, notes: Sequence[str]) -> bytes:
        """`{"predictions": […]}`: numbers or classes if there is one column, else an object for each row."""
        rows = json_rows(predictions)
        cells = rows if predictions.width > 1 else [value for row in rows for value in row.values()]
        return dump({"predictions": cells, **({"notes": list(notes)} if notes else {})})


async def invocations(request: Request) -> Response:
    """Predict the rows of the body."""
    state: ServerState = request.app.state.server
    slot = find_slot(state, request.path_params.get("model"))
    await refuse_form(request, SUPPORTED)
    media_type = _format(request.headers.get("content-type", "application/json"))
    invocation = InvocationRequest(await RequestBody.of(request), media_type, request.query_params.multi_items())
    answer = await state.batcher.answer(slot, invocation, request.scope)
    return Response(answer, media_type="application/json")


def _format(content_type: str) -> MediaType:
    """The format of a body by its Content-Type; a ProblemError if it is another, or not in UTF-8."""
    name, parameters = split_content_type(content_type)
    if name in FORMATS and parameters.get("charset", "") in ("", *UTF_8):
        return MediaType(name)
    raise unsupported(f"the body has the Content-Type {quote(content_type)}", SUPPORTED)


async def version(request: Request) -> Response:
    """The version of nncli, as text."""
    return Response(__version__, media_type="application/json")


async def ping(request: Request) -> Response:
    """Whether requests should be sent here."""
    await ready(request)
    return Response("\n", media_type="application/json")


ROUTES = [
    Route("/invocations", invocations, methods=["POST"]),
    Route("/models/{model}/invocations", invocations, methods=["POST"]),
    Route("/ping", ping),
    Route("/health", ping),
    Route("/version", version),
]

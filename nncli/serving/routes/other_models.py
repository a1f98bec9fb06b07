"""Predictions of a request, and a hint if its rows have the columns of another model."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from nncli.base.text import quote
from nncli.serving.batching import PredictionRequest
from nncli.serving.models.reload import ModelSlot
from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi.operations import model_path
from nncli.serving.problems import Problem, ProblemError
from nncli.serving.state import ServerState


async def answer_of(request: Request, slot: ModelSlot, asked: PredictionRequest, endpoint: str) -> bytes:
    """The body of the response; the `endpoint` is a path of a model, with braces in place of `/models/NAME`.

    Raises:
        ProblemError: the request cannot be answered.
    """
    state: ServerState = request.app.state.server
    try:
        return await state.batcher.answer(slot, asked, request.scope)
    except ProblemError as error:
        raise ProblemError(with_other_model(error.problem, state, slot, endpoint)) from None


def with_other_model(problem: Problem, state: ServerState, slot: ModelSlot, endpoint: str) -> Problem:
    """The problem, with the path of another model in its hint if that model has the columns of the request."""
    if not problem.names:
        return problem
    for other in state.slots.all:
        if other is not slot and has_columns(other.current, problem.names):
            found = f"The model {quote(other.name)} has exactly these columns"
            return replace(problem, hint=f"{found}: POST {endpoint.format(model_path(other.name))}.")
    return problem


def has_columns(model: ServedModel, names: frozenset[str]) -> bool:
    """Whether names are the columns of a model, perhaps with its targets."""
    features = model.schema.by_name.keys()
    return features <= names and names - features <= {*model.model.spec.target.names}

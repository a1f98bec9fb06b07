"""The answer to a request, with the model that was meant if its rows are those of another one."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote as url_quote

from starlette.requests import Request

from nncli.serving.batching.job import PredictionRequest
from nncli.serving.models.served_model import ModelSlot, ServedModel
from nncli.serving.problems.problem import Problem, ProblemError
from nncli.serving.state import ServerState
from nncli.text import quote


async def answer_of(request: Request, slot: ModelSlot, asked: PredictionRequest, address: str) -> bytes:
    """The body of the answer to what is `asked`; the `address` is that of a model, with braces in place of its name.

    Raises:
        ProblemError: the request cannot be answered.
    """
    state: ServerState = request.app.state.server
    try:
        return await state.batcher.answer(slot, asked, request.scope)
    except ProblemError as error:
        raise ProblemError(with_other_model(error.problem, state, slot, address)) from None


def with_other_model(problem: Problem, state: ServerState, slot: ModelSlot, address: str) -> Problem:
    """The problem, with the address of another model in its hint if that model has the columns of the request."""
    if not problem.names:
        return problem
    for other in state.slots.all:
        if other is not slot and has_columns(other.current, problem.names):
            found = f"The model {quote(other.name)} has exactly these columns"
            path = address.format(url_quote(other.name, safe=""))
            return replace(problem, hint=f"{found}: POST {path}.")
    return problem


def has_columns(model: ServedModel, names: frozenset[str]) -> bool:
    """Whether names are the columns of a model, perhaps with its targets."""
    features = model.schema.by_name.keys()
    return features <= names and names - features <= {*model.model.spec.target.names}

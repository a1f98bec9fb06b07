"""A request that waits for its predictions, and its answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol, TypeAlias

import polars as pl
from starlette.types import Scope

from nncli.base.errors import NncliError, RunError
from nncli.data.table import Table
from nncli.serving.models.prediction_options import PredictionOptions
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems.problem import Problem, ProblemError, problem_of

FAILURES = (Exception, pl.exceptions.PanicException)
"""What may be raised while a request is answered; an internal error of Polars is not a subclass of Exception."""
PREDICTED = "predicted"
Result: TypeAlias = bytes | ProblemError
"""The body of an answer, or why there is none."""


class PredictionRequest(Protocol):
    """A request of a batcher: its rows, what is predicted for them, and how the answer is written."""

    @property
    def options(self) -> PredictionOptions:
        """What is predicted."""

    @property
    def size(self) -> int:
        """The bytes of the body; a request is small or large by them."""

    @property
    def may_be_large(self) -> bool:
        """Whether it may take long however small it is: a compressed body, or effects, which predict a row often."""

    def read(self, model: ServedModel) -> Table:
        """The rows of the body.

        Raises:
            ProblemError, NncliError: the body is not a table, or not one of this model.
        """

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame, notes: Sequence[str]) -> bytes:
        """The body of the answer; `notes` say how the table was read, and which cells differ from all training rows."""


@dataclass(frozen=True)
class Predicted:
    """The model that a request asked, the version that answered, and the number of rows if they could be read."""

    model: str
    version: str
    rows: int | None


def predicted_of(scope: Scope) -> Predicted | None:
    """What was predicted for a request; None if nothing was."""
    predicted = scope.get("state", {}).get(PREDICTED)
    assert predicted is None or isinstance(predicted, Predicted)
    return predicted


def set_predicted(scope: Scope, predicted: Predicted) -> None:
    """Note what was predicted for a request, for its headers and the access log."""
    scope.setdefault("state", {})[PREDICTED] = predicted


@dataclass(eq=False)
class Job:
    """A request that waits; made in the event loop that waits for it.

    `model_version` is that of its answer, `rows` the number of its rows once they are read.
    """

    request: PredictionRequest
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    future: asyncio.Future[bytes] = field(init=False)
    model_version: str = ""
    rows: int | None = None

    def __post_init__(self) -> None:
        self.future = self.loop.create_future()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more: it is answered, its client has left, or its time is over."""
        return self.future.done()


Answers: TypeAlias = Sequence[tuple[Job, Result]]


def deliver(answers: Answers) -> None:
    """Give jobs their answers, from any thread. An event loop is woken once for all of its jobs."""
    for loop in dict.fromkeys(job.loop for job, _ in answers):
        try:
            loop.call_soon_threadsafe(_set_results, [(job, result) for job, result in answers if job.loop is loop])
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _set_results(answers: Answers) -> None:
    for job, result in answers:
        if job.is_over:
            continue
        if isinstance(result, ProblemError):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)


def as_problem(error: BaseException) -> Problem:
    """The error as a problem; what is not an error of the request is a fault of the server, which the log shows."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, RunError):
        logging.getLogger(__name__).error("a request failed: %s: %s", error.location, error.message)
    if isinstance(error, NncliError):
        return problem_of(error)
    logging.getLogger(__name__).error("a request failed", exc_info=error)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; see its log")

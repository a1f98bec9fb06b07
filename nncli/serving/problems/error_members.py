"""What clients of other protocols read in the body of an error, beside the members of RFC 9457."""

from __future__ import annotations

import re
from http import HTTPStatus

from nncli.base.text import quote
from nncli.serving.problems.problem import Problem

MLFLOW_PATHS = re.compile(r"(/models/[^/]+)?/(invocations|ping|version)|/health")
OPEN_INFERENCE_PATHS = re.compile(r"/v2(/.*)?")
MLFLOW_CODES = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.NOT_FOUND: "RESOURCE_DOES_NOT_EXIST",
    HTTPStatus.UNPROCESSABLE_ENTITY: "INVALID_PARAMETER_VALUE",
    HTTPStatus.SERVICE_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
}
"""MLflow's codes; any other error of the client is a BAD_REQUEST, and of the server an INTERNAL_ERROR."""


def error_members(path: str, problem: Problem) -> dict[str, str]:
    """`error_code` and `message` for MLflow's addresses, `error` for those of the Open Inference Protocol."""
    if MLFLOW_PATHS.fullmatch(path):
        other = "INTERNAL_ERROR" if problem.status >= 500 else "BAD_REQUEST"
        return {"error_code": MLFLOW_CODES.get(problem.status, other), "message": message_of(problem)}
    if OPEN_INFERENCE_PATHS.fullmatch(path):
        return {"error": message_of(problem)}
    return {}


def message_of(problem: Problem) -> str:
    """The whole problem as one line: where, what, and how to fix it."""
    place = [
        "" if problem.row is None else f"row {problem.row:,}",
        "" if problem.column is None else f"column {quote(problem.column)}",
    ]
    where = ", ".join(filter(None, place))
    text = f"{where}: {problem.detail}" if where else problem.detail
    return text if problem.hint is None else f"{text.rstrip('.')}. {problem.hint}"

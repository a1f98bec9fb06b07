from http import HTTPStatus

import pytest

from nncli.serving.problems import Problem, error_members, message_of
from tests.serving.asgi_client import AsgiClient


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/invocations", HTTPStatus.BAD_REQUEST, "BAD_REQUEST"),
        ("/models/a/invocations", HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_PARAMETER_VALUE"),
        ("/ping", HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
        ("/health", HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED"),
        ("/invocations", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "BAD_REQUEST"),
        ("/invocations", HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    ],
)
def test_errors_of_mlflow_have_its_code(path: str, status: HTTPStatus, code: str) -> None:
    assert error_members(path, Problem(status, "it is wrong")) == {"error_code": code, "message": "it is wrong"}


@pytest.mark.parametrize("path", ["/predict", "/models/a/predict", "/health/live", "/"])
def test_other_errors_have_no_more_members(path: str) -> None:
    assert error_members(path, Problem(HTTPStatus.NOT_FOUND, "it is not here")) == {}


def test_a_message_says_the_place_and_how_to_fix_it() -> None:
    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "'a' is not a number.", "Send one.", 1200, "x\n")
    assert message_of(problem) == r"row 1,200, column 'x\n': 'a' is not a number. Send one."


def test_an_address_that_is_not_there_answers_in_the_form_of_its_protocol(client: AsgiClient) -> None:
    assert client.get("/invocations").problem(405)["message"]
    assert "message" not in client.get("/nothing").problem(404)

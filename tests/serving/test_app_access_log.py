"""One line of JSON for each request."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from http import HTTPStatus

import pytest

from nncli.serving.app import access_record, log_access
from nncli.serving.batching import PredictedBatch, set_predicted
from nncli.serving.connections import HttpLimits, RequestResponse
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems import Problem, problem_response
from tests.serving.http_server import serving


@pytest.fixture
def slots(models: Mapping[str, ServedModel]) -> ModelSlots:
    """Two models."""
    return ModelSlots([ModelSlot(models[name].run.path, models[name]) for name in ("number", "two")])


def answered() -> RequestResponse:
    """An served of a client that has left."""
    cycles: list[RequestResponse] = []
    with serving(HttpLimits()) as server:
        server.connections.on_answer = lambda served, _: cycles.append(served)
        server.answer(b"POST /p?q=secret HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    return cycles[0]


def test_a_record_has_what_is_known(slots: ModelSlots) -> None:
    served = answered()
    expected = {
        "time": "1970-01-01T00:00:00.000+00:00",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/p",
        "status": 200,
        "milliseconds": 12.346,
        "request_bytes": 3,
        "parameters": [],
        "reason": None,
    }
    assert access_record(served, 0.0123456, 0.0, slots) == {**expected, "model": None, "rows": None}
    set_predicted(served.scope, PredictedBatch("reg", "1", 7))
    assert access_record(served, 0.0123456, 0.0, slots) == {**expected, "model": "reg", "rows": 7}


def test_a_log_that_cannot_be_written_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch, slots: ModelSlots) -> None:
    served = answered()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log_access(served, 1.0, slots)
    assert json.loads(stream.getvalue())["path"] == "/p"
    stream.close()
    log_access(served, 1.0, slots)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/predict", "number"),
        ("/invocations", "number"),
        ("/models/two/predict", "two"),
        ("/models/two/invocations", "two"),
        ("/models/secret/predict", None),
        ("/metrics", None),
    ],
)
def test_the_model_of_a_refused_request_is_that_of_its_address(slots: ModelSlots, path: str, model: str | None) -> None:
    served = answered()
    served.scope["path"] = path
    assert access_record(served, 1.0, 0.0, slots)["model"] == model


def test_a_path_that_looks_like_an_address_is_written_without_its_password(slots: ModelSlots) -> None:
    served = answered()
    for path in ("/models/https:/user:hemligt@h/predict", "/user:hemligt@h", "/x;password=hemligt/y"):
        served.scope["path"] = path
        assert "hemligt" not in str(access_record(served, 1.0, 0.0, slots))


def test_of_parameters_the_names_are_written(slots: ModelSlots) -> None:
    served = answered()
    served.scope["query_string"] = b"interval=0.95&proba&secret=1&prediction_set=secret&%FF"
    assert access_record(served, 1.0, 0.0, slots)["parameters"] == ["proba", "interval", "prediction_set"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (HTTPStatus.SERVICE_UNAVAILABLE, "why 'x'"),
        (HTTPStatus.UNAUTHORIZED, "why 'x'"),
        (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.UNPROCESSABLE_ENTITY.phrase),
        (HTTPStatus.BAD_REQUEST, "Bad Request"),
    ],
)
def test_a_reason_quotes_nothing_of_a_body(slots: ModelSlots, status: HTTPStatus, reason: str) -> None:
    cycles: list[RequestResponse] = []
    with serving(HttpLimits()) as server:
        server.connections.app = problem_response(Problem(status, "why 'x'"), "/")
        server.connections.on_answer = lambda served, _: cycles.append(served)
        server.answer(b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n")
    assert access_record(cycles[0], 1.0, 0.0, slots)["reason"] == reason


@pytest.mark.parametrize(
    ("host", "client"),
    [("203.0.113.9", "203.0.113.9"), ("2001:db8::9", "2001:db8::9"), ("fe80::9%secret", "fe80::9"), ("secret", None)],
)
def test_the_client_that_a_proxy_names_is_an_address_or_null(slots: ModelSlots, host: str, client: str | None) -> None:
    served = answered()
    served.scope["client"] = (host, 0)  # of the header X-Forwarded-For
    assert access_record(served, 1.0, 0.0, slots)["client"] == client

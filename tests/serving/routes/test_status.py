"""Probes: a server that stops is alive and not ready."""

from __future__ import annotations

import pytest

from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlots
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient


@pytest.fixture
def state() -> ServerState:
    return ServerState(ModelSlots([]))


def test_a_server_is_alive_and_ready(state: ServerState) -> None:
    client = AsgiClient(build_app(state))
    assert client.get("/health/live").status == 200
    assert client.get("/health/ready").status == 200


def test_a_server_that_stops_is_alive_and_not_ready(state: ServerState) -> None:
    client = AsgiClient(build_app(state))
    state.is_ready = False
    assert client.get("/health/live").status == 200
    answer = client.get("/health/ready")
    assert answer.problem(503)
    assert int(answer.headers["retry-after"]) > 0


def test_a_server_that_stops_says_so_in_the_form_of_each_protocol(state: ServerState) -> None:
    client = AsgiClient(build_app(state))
    state.is_ready = False
    assert client.get("/ping").problem(503)["error_code"] == "TEMPORARILY_UNAVAILABLE"

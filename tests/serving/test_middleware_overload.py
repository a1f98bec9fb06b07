"""A full queue: what is refused, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import BearerToken, ServerOptions
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient

PATHS = ("/predict", "/models/number/predict", "/invocations")


@pytest.fixture(scope="module")
def state(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> ServerState:
    """A server in which no request may wait."""
    options = ServerOptions(queue=0)
    return ServerState(ModelSlots([ModelSlot(runs["number"], models["number"])]), options)


@pytest.fixture(scope="module")
def full(state: ServerState) -> AsgiClient:
    return AsgiClient(build_app(state))


@pytest.mark.parametrize("path", PATHS)
def test_predictions_are_refused(full: AsgiClient, path: str) -> None:
    answer = full.post_json(path, {"a": 1})
    assert answer.problem(503)["detail"] == "too many requests wait"
    assert answer.headers["retry-after"] == "1"
    assert ("error_code" in answer.json) == ("invocations" in path)


def test_other_requests_are_answered(full: AsgiClient) -> None:
    assert full.get("/health/live").status == 200
    assert full.get("/predict").status == 405
    assert full.post_json("/models/missing/predict", {}).status == 404
    assert full.post_json("/missing", {}).status == 404


def test_the_token_is_asked_for_before(state: ServerState, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a" * 32)
    options = ServerOptions(queue=0, token=BearerToken(tmp_path / "token"))
    client = AsgiClient(build_app(ServerState(state.slots, options)))
    assert client.post_json("/predict", {}).status == 401

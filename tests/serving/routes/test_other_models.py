from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from nncli.serving.app import build_app
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient

DATA = {"rows": [{"x": 1.0, "count": 2}]}


@pytest.fixture
def two(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> Iterator[AsgiClient]:
    """A client of a server of two models, the second with the columns x and count alone."""
    schema = models["many"].schema
    few = InputSchema(tuple(feature for feature in schema.features if feature.name in ("x", "count")))
    all_models = [models["two"], replace(models["many"], name="few columns", schema=few)]
    slots = ModelSlots([ModelSlot(runs["two"], model) for model in all_models])
    state = ServerState(slots)
    yield AsgiClient(build_app(state))
    state.batcher.close()


def test_the_model_that_has_the_columns_is_named(two: AsgiClient) -> None:
    for body, media_type in ((b'{"x": 1.0, "count": 2}', "application/json"), (b"x,count,many\n1,2,a\n", "text/csv")):
        problem = two.post("/predict", body, media_type).problem(422)
        assert "'two'" in problem["detail"]
        assert "/models/few%20columns/predict" in problem["hint"]


def test_it_is_named_in_the_address_of_the_protocol(two: AsgiClient) -> None:
    problem = two.post_json("/invocations", {"dataframe_records": DATA["rows"]}).problem(422)
    assert "/models/few%20columns/invocations" in problem["message"]
    inputs = [{"name": name, "datatype": "FP64", "shape": [1], "data": [1.0]} for name in ("x", "count")]
    problem = two.post_json("/v2/models/two/infer", {"inputs": inputs}).problem(422)
    assert "/v2/models/few%20columns/infer" in problem["error"]


def test_no_model_is_named_if_none_has_the_columns(two: AsgiClient) -> None:
    assert "few" not in two.post_json("/predict", {"x": 1.0}).problem(422)["hint"]

"""The list of models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from nncli.serving.models.served_model import ServedModel
from tests.serving.asgi_client import AsgiClient


def test_models_are_listed_in_order_with_their_versions(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    result = client.get("/models").json["models"]
    assert [item["name"] for item in result] == list(models)
    assert [item["version"] for item in result] == [model.version for model in models.values()]
    assert [item["target"] for item in result] == [list(model.model.spec.target.names) for model in models.values()]
    assert all(item["is_latest"] for item in result)
    assert datetime.now(UTC) - datetime.fromisoformat(result[0]["loaded"]) < timedelta(hours=1)

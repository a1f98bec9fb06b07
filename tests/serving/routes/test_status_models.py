"""The list of models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from nncli.serving.models.served_model import ServedModel
from tests.serving.asgi_client import AsgiClient


def test_models_are_listed_in_order_with_their_versions(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    found = client.get("/models").json["models"]
    assert [one["name"] for one in found] == list(models)
    assert [one["version"] for one in found] == [model.version for model in models.values()]
    assert [one["target"] for one in found] == [list(model.model.spec.target.names) for model in models.values()]
    assert all(one["is_latest"] for one in found)
    assert datetime.now(UTC) - datetime.fromisoformat(found[0]["loaded"]) < timedelta(hours=1)

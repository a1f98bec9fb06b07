"""Answers say which version of a model they are of."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from nncli.serving.models.served_model import ServedModel
from tests.serving.asgi_client import AsgiClient


@pytest.mark.slow
def test_predictions_and_errors_of_rows_have_the_version_of_their_model(
    client: AsgiClient, models: Mapping[str, ServedModel]
) -> None:
    for name in ("number", "two"):
        for row in ({}, {feature.name: feature.example for feature in models[name].schema.features}):
            answer = client.post_json(f"/models/{name}/predict", row)
            assert answer.status == (200 if row else 422)
            assert answer.headers["x-model-version"] == models[name].version


def test_other_answers_have_none(client: AsgiClient) -> None:
    for target in ("/health/live", "/models", "/missing"):
        assert "x-model-version" not in client.get(target).headers

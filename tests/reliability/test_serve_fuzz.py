"""What reliability/serve_fuzz.py has found, each as a test of its own."""

from __future__ import annotations

from tests.serving.asgi_client import AsgiClient
from tests.serving.conftest import client, models, runs


def test_a_text_without_records_by_one_separator_is_a_problem_of_the_body(client: AsgiClient) -> None:
    """By the comma it is a quotation that never ends; by two other separators it is a header."""
    client.post("/predict", b', ";|', "text/csv").problem(400)


__all__ = ["client", "models", "runs"]

import pytest

from tests.serving.asgi_client import AsgiClient


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_another_method_is_refused_with_the_one_that_is_meant(client: AsgiClient, path: str) -> None:
    problem = client.get(path).problem(405)
    assert problem["hint"].startswith("Use POST; GET /docs")
    assert client.post("/docs", b"").problem(405)["hint"].startswith("Use GET; ")


@pytest.mark.parametrize("path", ["/models/twoo/predict", "/models/twoo/invocations"])
def test_the_closest_model_is_named(client: AsgiClient, path: str) -> None:
    assert "'two'" in client.post(path, b"{}").problem(404)["hint"].partition("?")[0]

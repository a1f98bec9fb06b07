import json

import pytest

from tests.serving.asgi_client import AsgiClient
from tests.serving.bodies.test_table_body import ROW


@pytest.mark.parametrize("path", ["/predict", "/models/two/predict", "/invocations"])
def test_a_post_with_a_slash_at_the_end_is_answered(client: AsgiClient, path: str) -> None:
    wanted, answer = client.post_json(path, ROW), client.post_json(f"{path}/", ROW)
    assert (answer.status, answer.body) == (wanted.status, wanted.body)
    assert json.loads(answer.body)


def test_a_page_with_a_slash_at_the_end_is_redirected(client: AsgiClient) -> None:
    answer = client.get("/docs/")
    assert answer.status == 307
    assert answer.headers["location"].endswith("/docs")

from __future__ import annotations

import gzip

import pytest

from nncli.serving.problems import ProblemError
from nncli.serving.routes.predict import RequestBody
from nncli.serving.server_options import ServerOptions
from tests.serving.asgi_client import AsgiClient

LIMITS = ServerOptions(max_body=100, max_rows=3)


def test_a_body_is_decompressed_within_its_limits() -> None:
    assert RequestBody(b"abc", LIMITS).decompressed() == b"abc"
    body = RequestBody(gzip.compress(b"a" * 100), LIMITS, is_gzip=True)
    assert (body.size, body.decompressed()) == (len(body.content), b"a" * 100)
    with pytest.raises(ProblemError) as error:
        RequestBody(gzip.compress(b"a" * 101), LIMITS, is_gzip=True).decompressed()
    assert error.value.problem.status == 413


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_another_encoding_is_refused(client: AsgiClient, path: str) -> None:
    assert client.post(path, b"{}", "application/json", {"content-encoding": "br"}).status == 415

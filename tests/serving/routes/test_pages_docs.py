import base64
import hashlib
import re

import pytest

from tests.serving.asgi_client import AsgiClient


def test_the_policy_allows_the_style_of_the_page_and_nothing_else(client: AsgiClient) -> None:
    answer = client.get("/docs")
    assert (answer.status, answer.media_type) == (200, "text/html")
    style = re.search(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "script" not in policy


@pytest.mark.parametrize("host", ["localhost:81", "127.0.0.1", "[::1]:80"])
def test_commands_name_the_host_of_the_request(client: AsgiClient, host: str) -> None:
    assert f"curl http://{host}/models/" in client.get("/docs", {"host": host}).body.decode()


@pytest.mark.parametrize(("told", "scheme"), [("https", "https"), ("http", "http"), ("gopher'", "http")])
def test_commands_have_the_scheme_that_a_proxy_tells(client: AsgiClient, told: str, scheme: str) -> None:
    page = client.get("/docs", {"host": "localhost:9", "x-forwarded-proto": told}).body.decode()
    assert f"curl {scheme}://localhost:9/models/" in page


def test_the_link_to_the_page_of_a_model_leads_there(client: AsgiClient) -> None:
    links = re.findall(r'href="(models/[^"]+)"', client.get("/docs").body.decode())
    assert links
    assert {client.get(f"/{link}").status for link in links} == {200}

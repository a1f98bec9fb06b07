"""Who may use a server: the token, CORS, and what browsers do on behalf of pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from nncli.serving.middleware import AccessControl, cors_of, refusal
from nncli.serving.server_options import BearerToken, ServerOptions
from tests.serving.asgi_client import Answer, AsgiClient, Call

SECRET = "0123456789abcdef"
PAGE = "https://example.org"


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def token(tmp_path: Path) -> BearerToken:
    (tmp_path / "token").write_text(SECRET)
    return BearerToken(tmp_path / "token")


def asked(options: ServerOptions, target: str, method: str = "GET", **headers: str) -> Answer:
    """The answer to a request; the names of headers have _ for -."""
    app: ASGIApp = AccessControl(ok, options)
    app = app if options.cors is None else cors_of(options.cors)(app)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return AsgiClient(app).call(Call(method, target, headers=named))


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
def test_the_token_opens_every_address(token: BearerToken, scheme: str) -> None:
    options = ServerOptions(token=token)
    for method, target in (("POST", "/predict"), ("GET", "/metrics"), ("GET", "/nothing")):
        assert asked(options, target, method, authorization=scheme + SECRET).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {SECRET}"},
        {"authorization": SECRET},
        {"authorization": f"Bearer {SECRET}x"},
        {"authorization": f"Bearer {SECRET[:-1]}"},
        {"authorization": f"Bearer {SECRET}, Bearer {SECRET}"},
        {"authorization": f"Bearer \xe9{SECRET}"},
        {"x_token": SECRET},
    ],
)
@pytest.mark.parametrize(
    "target", ["/predict", "/metrics", "/models", "/openapi.json", "/health/", "//health/live", "/models/a"]
)
def test_without_the_token_no_address_tells_anything(
    token: BearerToken, headers: Mapping[str, str], target: str
) -> None:
    answer = asked(ServerOptions(token=token), target, **headers)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert SECRET not in str(answer.problem(401))


@pytest.mark.parametrize("target", ["/health/live", "/health/ready", "/health", "/ping", "/"])
def test_probes_and_the_page_need_no_token(token: BearerToken, target: str) -> None:
    assert asked(ServerOptions(token=token), target).status == 200
    assert asked(ServerOptions(token=token), target, "POST").status == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("localhost:8000, evil.example", 421),
    ],
)
def test_on_loopback_a_name_that_leads_here_is_not_enough(host: str, status: int, token: BearerToken) -> None:
    assert asked(ServerOptions(), "/predict", "POST", host=host).status == status
    assert asked(ServerOptions(host="0.0.0.0"), "/predict", "POST", host=host).status == 200
    opened = asked(ServerOptions(token=token), "/", host=host, authorization=f"Bearer {SECRET}")
    assert opened.status == 200


@pytest.mark.parametrize(
    ("site", "method", "status"),
    [
        ("cross-site", "POST", 403),
        ("same-site", "POST", 403),
        ("cross-site", "DELETE", 403),
        ("same-origin", "POST", 200),
        ("none", "POST", 403),
        ("cross-site", "GET", 200),
    ],
)
def test_on_loopback_pages_of_others_do_not_compute(site: str, method: str, status: int) -> None:
    answer = asked(ServerOptions(), "/predict", method, sec_fetch_site=site, origin=PAGE, host="localhost")
    assert answer.status == status
    allowed = ServerOptions(cors=PAGE)
    assert asked(allowed, "/predict", method, sec_fetch_site=site, origin=PAGE, host="localhost").status == 200


OWN = [
    ("http://localhost:8000", {"host": "localhost:8000"}),
    ("http://LOCALHOST", {"host": "localhost"}),
    ("http://localhost", {"host": "localhost:80"}),
    ("https://localhost:443", {"host": "localhost"}),
    ("http://[::1]:8000", {"host": "[::1]:8000"}),
    ("https://predict.example", {"host": "localhost", "x_forwarded_host": "predict.example"}),
    ("https://predict.example:8443", {"host": "localhost", "x_forwarded_host": "predict.example:8443, proxy.internal"}),
]
FOREIGN = [
    "null",
    "",
    PAGE,
    "https://localhost.example.org",
    "http://localhost:8001",
    "http://localhost",
    "https://localhost",
    "http://127.0.0.1:8000",
    "http://localhost:8000/",
    "http://localhost:8000 ",
    "http://localhost:8000.example.org",
    "file://",
    "http://",
    "chrome-extension://localhost:8000",
]


@pytest.mark.parametrize("options", [ServerOptions(), ServerOptions(host="0.0.0.0")])
@pytest.mark.parametrize(("origin", "headers"), OWN)
def test_a_browser_without_fetch_metadata_may_use_the_own_page(
    origin: str, headers: Mapping[str, str], options: ServerOptions
) -> None:
    assert asked(options, "/predict", "POST", origin=origin, **headers).status == 200


@pytest.mark.parametrize("options", [ServerOptions(), ServerOptions(host="0.0.0.0")])
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_browser_without_fetch_metadata_may_not_compute_for_pages_of_others(
    origin: str, options: ServerOptions, token: BearerToken
) -> None:
    for method in ("POST", "DELETE", "PUT"):
        for more in ({}, {"sec_fetch_site": "none"}):
            answer = asked(options, "/predict", method, origin=origin, host="localhost:8000", **more)
            answer.problem(403)
    assert asked(options, "/models", origin=origin, host="localhost:8000").status == 200
    allowed = replace(options, cors="*")
    assert asked(allowed, "/predict", "POST", origin=origin, host="localhost:8000").status == 200
    other = replace(options, cors="https://example.com")
    assert asked(other, "/predict", "POST", origin=origin, host="localhost:8000").status == 403
    opened = replace(options, token=token)
    assert asked(opened, "/predict", "POST", origin=origin, authorization=f"Bearer {SECRET}").status == 200


def test_a_second_origin_does_not_hide_the_first() -> None:
    headers = [(b"host", b"localhost"), (b"origin", PAGE.encode()), (b"origin", b"http://localhost")]
    scope = {"path": "/predict", "method": "POST", "headers": headers}
    for options in (ServerOptions(), ServerOptions(cors="http://localhost")):
        problem = refusal(scope, options)
        assert problem is not None
        assert problem.status == 403


def test_a_program_needs_no_origin() -> None:
    assert asked(ServerOptions(), "/predict", "POST", host="localhost").status == 200


@pytest.mark.parametrize(("cors", "named"), [(PAGE, PAGE), ("*", "*")])
def test_the_origin_may_read_answers_and_errors(token: BearerToken, cors: str, named: str) -> None:
    options = ServerOptions(cors=cors, token=token)
    for answer in (
        asked(options, "/predict", "POST", origin=PAGE),
        asked(options, "/predict", "POST", origin=PAGE, authorization=f"Bearer {SECRET}"),
    ):
        assert answer.headers["access-control-allow-origin"] == named
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers.get("vary") in ("Origin", None if cors == "*" else "Origin")
        assert {"X-Model-Version", "X-Notes"} <= set(answer.headers["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize(
    "origin", ["https://example.com", "http://example.org", f"{PAGE}:8443", f"{PAGE}.evil", "null"]
)
def test_another_origin_may_not(origin: str) -> None:
    answer = asked(ServerOptions(host="0.0.0.0", cors=PAGE), "/predict", "POST", origin=origin)
    assert "access-control-allow-origin" not in answer.headers


def test_without_cors_no_answer_has_its_headers() -> None:
    answer = asked(ServerOptions(host="0.0.0.0"), "/predict", "POST", origin=PAGE)
    assert [name for name in answer.headers if name.startswith("access-control")] == []


def test_a_preflight_needs_no_token(token: BearerToken) -> None:
    options = ServerOptions(cors=PAGE, token=token)
    asks = {"access_control_request_method": "POST", "access_control_request_headers": "authorization,content-type"}
    answer = asked(options, "/predict", "OPTIONS", origin=PAGE, **asks)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert {"Authorization", "Content-Encoding", "Inference-Header-Content-Length"} <= set(allowed.split(", "))
    refused = asked(options, "/predict", "OPTIONS", origin="https://example.com", **asks)
    assert refused.status == 400
    assert "access-control-allow-origin" not in refused.headers

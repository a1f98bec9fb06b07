"""The connections of a server, with its application behind them: what is counted, logged and decorated."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from nncli.serving.app import connections_of
from nncli.serving.connections import HttpConnection
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import BearerToken, ServerOptions
from nncli.serving.state import ServerState

SECRET = "0123456789abcdef"
HOST = b"Host: localhost\r\n"
ROWS = (
    b"x,rate,count,price,size,color,flag,day,note\n"
    b"1,,5,$2.50,1,mauve,true,2020-02-03,good\n2,,6,$3,1,teal,false,2020-02-04,bad\n"
)


@dataclass
class Talk:
    """What a server answered to bytes, each sent on a connection of its own."""

    answers: list[bytes] = field(default_factory=list)
    metrics: str = ""


@pytest.fixture
def state(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> ServerState:
    name = next(iter(models))
    return ServerState(ModelSlots([ModelSlot(runs[name], models[name])]), ServerOptions(access_log=True))


def talk(state: ServerState, options: ServerOptions, *requests: bytes) -> Talk:
    state.options = options

    async def run() -> Talk:
        make, done = partial(HttpConnection, connections_of(state)), Talk()
        async with asyncio.timeout(20), await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
            for request in requests:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(request)
                writer.write_eof()
                done.answers.append(await reader.read())
                writer.close()
        done.metrics = state.metrics.exposition("")[0].decode()
        return done

    try:
        return asyncio.run(run())
    finally:
        state.batcher.close()


def records(err: str) -> list[dict[str, object]]:
    assert err.isascii()
    return [json.loads(line) for line in err.splitlines()]


def test_each_request_is_a_line_without_its_secrets(
    state: ServerState, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(SECRET)
    options = ServerOptions(access_log=True, token=BearerToken(tmp_path / "token"), max_body=1000)
    head = b"POST /predict?interval=0.9 HTTP/1.1\r\n" + HOST + b"X-Secret: secret\r\n"
    authorization = b"Authorization: Bearer " + SECRET.encode() + b"\r\n"
    body = b"Content-Type: text/csv\r\nContent-Length: %d\r\n\r\n%s" % (len(ROWS), ROWS)
    done = talk(
        state,
        options,
        head + authorization + body,
        head + body,
        b"GET /a%0a%22%1b[31m%e2%80%ae" + b"z" * 2000 + b" HTTP/1.1\r\n" + HOST + authorization + b"\r\n",
        b"secret\r\n\r\n",
        head + b"Content-Length: 9999\r\n\r\n",
    )
    err = capsys.readouterr().err
    assert not any(word in err for word in ("secret", SECRET, "mauve", "teal"))
    result = records(err)
    assert [item["status"] for item in result] == [200, 401, 404, 400, 413]
    assert [item["method"] for item in result] == ["POST", "POST", "GET", "", "POST"]
    assert (result[0]["path"], result[0]["client"], result[0]["request_bytes"]) == ("/predict", "127.0.0.1", len(ROWS))
    assert result[0]["model"] == state.slots.all[0].name
    assert result[1]["rows"] is None
    assert re.fullmatch(r"/a%0A%22%1B%5B31m%E2%80%AEz*", str(result[2]["path"]))
    assert len(str(result[2]["path"])) == 500
    assert all(isinstance(item["milliseconds"], float) for item in result)
    assert [int(answer.split()[1]) for answer in done.answers] == [item["status"] for item in result]


def test_what_the_application_never_sees_is_counted_and_has_the_headers_of_cors(state: ServerState) -> None:
    origin = b"Origin: https://example.org\r\n"
    options = ServerOptions(cors="https://example.org", max_body=10)
    large = b"POST /predict HTTP/1.1\r\n" + HOST + origin + b"Content-Length: 11\r\n\r\n"
    done = talk(state, options, large, b"\0\r\n\r\n", b"GET /health/live HTTP/1.1\r\n" + HOST + origin + b"\r\n")
    assert [b"access-control-allow-origin: https://example.org\r\n" in answer for answer in done.answers] == [
        True,
        False,
        True,
    ]
    for method, status in (("POST", 413), ("other", 400)):
        assert re.search(f'requests_total{{[^}}]*"other"[^}}]*"{method}"[^}}]*"{status}"[^}}]*}} 1.0', done.metrics)


def test_without_the_option_nothing_is_logged(state: ServerState, capsys: pytest.CaptureFixture[str]) -> None:
    talk(state, ServerOptions(), b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n")
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_counted_as_what_the_client_gets(
    state: ServerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer_never(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(state.batcher, "answer", answer_never)
    post = b"POST /predict HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n" % len(ROWS)
    done = talk(state, ServerOptions(timeout=0.3), post + HOST + b"\r\n" + ROWS)
    assert done.answers[0].startswith(b"HTTP/1.1 503 ")
    assert re.findall(r"nncli_requests_total\{(.*)\} 1.0", done.metrics) == [
        'address="/predict",method="POST",status="503"'
    ]


def test_an_answer_tells_nothing_of_the_one_before_it(state: ServerState, capsys: pytest.CaptureFixture[str]) -> None:
    row = {feature.name: feature.example for feature in state.slots.all[0].current.schema.features}
    body = json.dumps({"rows": [row, row]}).encode()
    head = b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body)
    live = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
    answer = talk(state, ServerOptions(access_log=True), head + body + live).answers[0]
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.lower().count(b"x-model-version") == 1
    assert [record["rows"] for record in records(capsys.readouterr().err)] == [2, None]


def test_the_client_is_the_one_that_a_proxy_on_this_machine_names(
    state: ServerState, capsys: pytest.CaptureFixture[str]
) -> None:
    request = b"GET /health/live HTTP/1.1\r\n" + HOST + b"X-Forwarded-For: %s\r\n\r\n"
    talk(state, ServerOptions(access_log=True), request % b"198.51.100.7, 203.0.113.9", request % b"secret")
    assert [record["client"] for record in records(capsys.readouterr().err)] == ["203.0.113.9", None]

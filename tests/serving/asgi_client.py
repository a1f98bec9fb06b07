"""A client that calls an ASGI application in this process, and takes down what it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

from nncli.serving.problems import PROBLEM_JSON


@dataclass(frozen=True)
class Call:
    """A request: `target` is its path, with parameters; the body is sent in `pieces`."""

    method: str
    target: str
    pieces: Sequence[bytes] = (b"",)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The answer to a request; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    def problem(self, status: int) -> dict[str, Any]:
        """The problem that the body describes, once it is known to be one of this status."""
        assert self.status == status, (self.status, self.body)
        assert self.media_type == PROBLEM_JSON
        problem: dict[str, Any] = self.json
        assert problem["status"] == status
        return problem


@dataclass(frozen=True)
class AsgiClient:
    """Calls an application."""

    app: ASGIApp

    def get(self, target: str, headers: Mapping[str, str] = {}) -> Answer:
        """The answer to a GET."""
        return self.call(Call("GET", target, headers=headers))

    def post(
        self, target: str, body: bytes | str, content_type: str | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        """The answer to a POST of a body."""
        body = body.encode() if isinstance(body, str) else body
        of_type = {} if content_type is None else {"content-type": content_type}
        return self.call(Call("POST", target, (body,), {**of_type, **headers}))

    def post_json(self, target: str, document: Any, headers: Mapping[str, str] = {}) -> Answer:
        """The answer to a POST of JSON."""
        return self.post(target, json.dumps(document), "application/json", headers)

    def call(self, call: Call) -> Answer:
        """The answer to a request."""
        return self.call_all([call])[0]

    def call_all(self, calls: Sequence[Call]) -> list[Answer]:
        """The answers to requests that are made at the same time."""

        async def answers() -> list[Answer]:
            return await asyncio.gather(*(_answer(self.app, call) for call in calls))

        return asyncio.run(answers())


async def _answer(app: ASGIApp, call: Call) -> Answer:
    path, _, query = call.target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": call.method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in call.headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
    }
    ends = len(call.pieces)
    received = iter(
        [{"type": "http.request", "body": piece, "more_body": k < ends} for k, piece in enumerate(call.pieces, start=1)]
    )
    start: Message = {}
    pieces: list[bytes] = []

    async def receive() -> Message:
        if (message := next(received, None)) is not None:
            return message
        await asyncio.Event().wait()  # the client stays
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            pieces.append(message.get("body", b""))

    await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(pieces))

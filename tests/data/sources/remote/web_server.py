"""A web server on loopback whose answers can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias


@dataclass
class Site:
    """What the server has, and what it was asked. Each request uses up one of `faults`, as long as there are some."""

    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    requests: list[Handler] = field(default_factory=list)
    has_ranges: bool = True
    host: str = "127.0.0.1"
    port: int = 0

    def url(self, path: str, login: str = "") -> str:
        return f"http://{login}{self.host}:{self.port}{path}"

    def asked(self, header: str) -> list[str | None]:
        return [request.headers[header] for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    """Answers GET with a file of the site; there is no HEAD, as on many servers."""

    site: Site

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.site.requests.append(self)
        fault = self.site.faults.pop(0) if self.site.faults else None
        if fault is not None:
            fault(self)
            return
        path = self.path.partition("?")[0]
        if path not in self.site.files:
            self.send_error(404)
            return
        self.answer(self.site.files[path], self.site.etags.get(path))

    def do_PUT(self) -> None:
        self.site.requests.append(self)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.site.faults.pop(0) if self.site.faults else None
        if fault is not None:
            fault(self)
            return
        self.site.files[self.path] = body
        self.send_response(200)
        self.send_header("ETag", '"new"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body: bytes, etag: str | None, *, sent: int | None = None) -> None:
        """Send a file, or the range that was asked for; only `sent` bytes of it."""
        start, wanted = 0, self.headers["Range"]
        if wanted and self.site.has_ranges and self.headers["If-Range"] == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        if etag:
            self.send_header("ETag", etag)
        for name, value in self.site.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[start:] if sent is None else body[start : start + sent])


Fault: TypeAlias = Callable[[Handler], None]


def status(number: int) -> Fault:
    """Answers with a status alone."""
    return lambda handler: handler.send_error(number)


def redirect(target: str, number: int = 302) -> Fault:
    """Redirects to another address."""

    def fault(handler: Handler) -> None:
        handler.send_response(number)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault


def cut(body: bytes, sent: int, etag: str | None = None) -> Fault:
    """Promises a file and closes the connection after `sent` bytes."""
    return lambda handler: handler.answer(body, etag, sent=sent)


def raw(content: bytes) -> Fault:
    """Sends bytes as they are and closes the connection."""

    def fault(handler: Handler) -> None:
        handler.wfile.write(content)
        handler.close_connection = True

    return fault


@contextmanager
def web_server(host: str = "127.0.0.1") -> Iterator[Site]:
    """A running server of an empty site."""
    site = Site(host=host)
    handler = type("SiteHandler", (Handler,), {"site": site})
    with ThreadingHTTPServer((host, 0), handler) as server:
        site.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()

"""What is done with every request before its route: access, overload, the version of the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from http import HTTPStatus

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nncli.serving.answers import NOTES_HEADER
from nncli.serving.batching import TOO_MANY, Batcher, predicted_of
from nncli.serving.models.reload import ModelSlots
from nncli.serving.problems import Problem, ProblemError, problem_response
from nncli.serving.server_options import BearerToken, ServerOptions

WITHOUT_TOKEN = re.compile(r"/(health(/live|/ready)?|ping|docs|(models/[^/]+/)?)")
"""Paths that need no token: probes, which say nothing about the models, and pages, which ask for it themselves."""
LOCAL_HOST = re.compile(rb"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]*)?", re.IGNORECASE)
ORIGIN = re.compile(rb"(https?)://([^/]+)", re.IGNORECASE)
DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
SHOWN_HEADERS = ("Inference-Header-Content-Length", "Retry-After", "WWW-Authenticate", "X-Model-Version", NOTES_HEADER)

Headers = Iterable[tuple[bytes, bytes]]


def cors_of(origin: str) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that names the origin whose pages may read the answers, and answers preflight requests."""
    return partial(
        CORSMiddleware,
        allow_origins=[origin],
        allow_methods=["GET", "HEAD", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Encoding", "Inference-Header-Content-Length"],
        expose_headers=SHOWN_HEADERS,
    )


class AccessControl:
    """Middleware that refuses requests without the token, or, if there is none, those of pages of other origins."""

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self._app, self._options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request if it may be."""
        problem = None if scope["type"] != "http" else refusal(scope, self._options)
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem, scope["path"])(scope, receive, send)


def refusal(scope: Scope, options: ServerOptions) -> Problem | None:
    """Why a request may not be answered.

    Without a token, a server trusts everything that reaches it, browsers included, which also run pages of others. So
    a page of another origin may not ask to compute something. On a loopback address, moreover, the name of the host
    must be one of this machine, which that of a page is not although it may lead here (DNS rebinding).
    """
    if options.token is not None:
        needs_none = WITHOUT_TOKEN.fullmatch(scope["path"]) and scope["method"] in SAFE_METHODS
        return None if needs_none else _token_problem(scope["headers"], options.token)
    host = dict(scope["headers"]).get(b"host", b"localhost")
    if options.is_loopback and not LOCAL_HOST.fullmatch(host):
        return Problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            "the header Host is not an address of this machine, where alone the server can be reached",
            "Call it as localhost, let the proxy send that as Host, or have the server ask for a token.",
        )
    if scope["method"] not in SAFE_METHODS and _is_foreign(scope["headers"], options.cors):
        return Problem(
            HTTPStatus.FORBIDDEN,
            "a page of another origin may not call the server",
            "The server must be started so that pages of this origin may call it (CORS). "
            "A proxy must pass on the header Host, or send X-Forwarded-Host.",
        )
    return None


def _is_foreign(headers: Headers, cors: str | None) -> bool:
    """Whether a browser says that a page of another origin makes the request, and that origin is not allowed.

    No page can set Sec-Fetch-Site or Origin. The first is not sent by older browsers, nor to a server that is reached
    by HTTP over the network. A page cannot set X-Forwarded-Host either without asking before, which is refused.
    """
    headers = list(headers)
    origins = [value for name, value in headers if name == b"origin"]
    if cors is not None and len(origins) == 1 and allows(cors.encode("ascii"), origins[0]):
        return False
    site = dict(headers).get(b"sec-fetch-site")
    if site in (b"cross-site", b"same-site"):
        return True
    hosts = [value.partition(b",")[0].strip() for name, value in headers if name in (b"host", b"x-forwarded-host")]
    return site != b"same-origin" and not all(_is_of(origin, hosts) for origin in origins)


def _is_of(origin: bytes, hosts: Iterable[bytes]) -> bool:
    """Whether an origin is that of one of the hosts. Its scheme may be that of a proxy, so any will do."""
    match = ORIGIN.fullmatch(origin)
    if match is None:  # such as null, the origin of a file or of a frame that is cut off from its page
        return False
    port = DEFAULT_PORTS[match[1].lower()]
    return match[2].lower().removesuffix(port) in {host.lower().removesuffix(port) for host in hosts}


def allows(allowed: bytes, origin: bytes) -> bool:
    """Whether an origin is the one that is allowed."""
    return allowed in (b"*", origin.lower())


def has_token(headers: Headers, token: BearerToken) -> bool:
    """Whether the headers of a request have `Authorization: Bearer TOKEN`, once."""
    values = [value for name, value in headers if name == b"authorization"]
    scheme, _, credentials = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
    return token.matches(credentials.strip(b" ")) and scheme.lower() == b"bearer"


def _token_problem(headers: Headers, token: BearerToken) -> Problem | None:
    if has_token(headers, token):
        return None
    is_missing = all(name != b"authorization" for name, _ in headers)
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "the request has no token" if is_missing else "the request does not have the token of the server",
        "Send the header `Authorization: Bearer TOKEN`, with the token that the server was started with: "
        "curl -H 'Authorization: Bearer TOKEN' ….",
        headers={"WWW-Authenticate": "Bearer" if is_missing else 'Bearer error="invalid_token"'},
    )


class OverloadControl:
    """Middleware that answers 503 to requests to `routes`, which predict, if the queue of their model is full."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route], slots: ModelSlots, batcher: Batcher) -> None:
        self._app, self._routes, self._slots, self._batcher = app, routes, slots, batcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it once its body has arrived, so that its connection can go on."""
        if not self._is_refused(scope):
            await self._app(scope, receive, send)
            return
        response = _refusal(scope["path"])
        try:
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
        except ProblemError as error:  # the body is too large, or too slow
            response = problem_response(error.problem, scope["path"])
        await response(scope, receive, send)

    def _is_refused(self, scope: Scope) -> bool:
        if scope["type"] != "http" or self._batcher.waiting < self._batcher.limit:
            return False
        for route in self._routes:
            match, more = route.matches(scope)
            if match is Match.FULL:
                slot = self._slots.find(more["path_params"].get("model"))
                if slot is None or not self._batcher.is_full(slot):
                    return False
                scope.update(more)  # by which the request is counted
                return True
        return False


@lru_cache(256)
def _refusal(path: str) -> Response:
    """The answer at a path; a response has no state, so it is sent again."""
    return problem_response(TOO_MANY, path)


HEADER = b"x-model-version"


class ModelVersionHeader:
    """Adds X-Model-Version to answers of a model, also to those that say what is wrong with the rows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_version(message: Message) -> None:
            predicted = predicted_of(scope) if message["type"] == "http.response.start" else None
            if predicted is not None and predicted.version:
                message = {**message, "headers": [*message["headers"], (HEADER, predicted.version.encode())]}
            await send(message)

        await self._app(scope, receive, send_with_version)


class WithoutTrailingSlash:
    """Middleware that answers a POST to `/predict/` as one to `/predict`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        await self._app(scope, receive, send)

"""Requests that a server should refuse or survive, as bytes for a connection."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from hostile_json import hostile_json
from hostile_tables import TYPES, Row, bombs, hostile_table
from mutate_inputs import bytes_mutated
from naughty_strings import naughty_strings

SHARES = {"raw": 10, "mutated": 25, "json": 22, "strings": 20, "framing": 8, "tables": 15}
POSTS = (
    *("/predict", "/predict", "/models/reg/predict", "/models/cls/predict", "/invocations", "/models/cls/invocations"),
)
GETS = (
    *(
        "/",
        "/models",
        "/models/reg/",
        "/health/live",
        "/health/ready",
        "/health",
        "/ping",
        "/version",
        "/metrics",
        "/docs",
    ),
    *(
        "/openapi.json",
        "/models/reg/profile",
        "/nothing",
    ),
)
QUERIES = (
    "proba",
    "interval",
    "prediction_set",
    "effects",
    "by",
    "conformity_score",
    "per_class",
    "format",
    "on_error",
    "model",
    "a[]",
    "",
)
ANSWERS = (
    "application/json",
    "text/csv",
    "application/vnd.apache.parquet",
    "*/*",
    "text/html;q=0.1, */*;q=0",
    "x",
    "",
    "a/b;q=",
)
METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "PURGE",
    "M-SEARCH",
    "PRI",
    "GOT",
    "",
)


@dataclass(frozen=True)
class Hostile:
    """What is sent on a connection: `pieces` one after the other; then the client ends its side, or waits."""

    kind: str
    pieces: tuple[bytes, ...]
    waits: bool = False


def hostile_request(rng: Random, row: Row) -> Hostile:
    """One of all kinds."""
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    match kind:
        case "raw":
            data = _raw(rng)
        case "mutated":
            data = bytes_mutated(valid_request(rng, row), rng)
        case "json":
            data = request(
                rng, hostile_json(rng, row), rng.choice(("application/json", "application/json", "text/csv", ""))
            )
        case "strings":
            data = _with_strings(rng, row)
        case "framing":
            data = _framing(rng, row)
        case _:
            data = _table(rng, row)
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((0, 0, 0, 1, 4)))) if data else []
    pieces = tuple(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))
    return Hostile(kind, pieces, waits=rng.random() < 0.002)


def valid_request(rng: Random, row: Row) -> bytes:
    """A request that is answered with 200, or nearly so."""
    if rng.random() < 0.25:
        return request(rng, b"", path=rng.choice(GETS), method="GET")
    import json

    names, values = list(row), list(row.values())
    bodies = (
        ("application/json", json.dumps(row)),
        ("application/json", json.dumps({"rows": [row, row]})),
        ("application/json", json.dumps({"dataframe_split": {"columns": names, "data": [values]}})),
        ("application/json", json.dumps({"instances": [row]})),
        ("text/csv", ",".join(names) + "\n" + ",".join(map(str, values)) + "\n"),
        ("application/x-ndjson", json.dumps(row) + "\n"),
    )
    media_type, body = rng.choice(bodies)
    return request(rng, body.encode(), media_type)


def request(
    rng: Random,
    body: bytes,
    media_type: str = "",
    *,
    path: str | None = None,
    method: str = "POST",
    lines: tuple[bytes, ...] = (),
) -> bytes:
    """A request with a body, in one piece or in chunks."""
    target = (path or rng.choice(POSTS)).encode()
    if rng.random() < 0.2:
        target += (
            b"?"
            + rng.choice(
                ("proba=true", "interval=0.9", "prediction_set=0.9", "effects=true", "proba=x", "interval=2")
            ).encode()
        )
    head = [b"%s %s HTTP/1.1" % (method.encode(), target), b"Host: localhost", *lines]
    if media_type:
        head.append(b"Content-Type: " + media_type.encode())
    if rng.random() < 0.2:
        head.append(b"Accept: " + rng.choice(ANSWERS).encode())
    if method == "GET":
        return b"\r\n".join([*head, b"", b""])
    if rng.random() < 0.2:
        return b"\r\n".join([*head, b"Transfer-Encoding: chunked", b"", chunked(body, rng)])
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


def chunked(body: bytes, rng: Random) -> bytes:
    """A body in chunks, of one byte too."""
    size = rng.choice((1, 7, 1000, 100_000)) if len(body) < 5000 else 100_000
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _raw(rng: Random) -> bytes:
    """No HTTP, or another version of it."""
    greetings = (
        *(
            b"",
            b"\r\n" * 50,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET /\r\n",
        ),
        *(
            b"EHLO x\r\n",
            b"SSH-2.0-x\r\n",
            b"\x05\x01\x00",
            b"*1\r\n$4\r\nPING\r\n",
            b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        ),
    )
    if rng.random() < 0.3:
        return rng.choice(greetings) + rng.randbytes(rng.choice((0, 5, 300)))
    return rng.randbytes(rng.choice((1, 20, 300, 5000, 50_000)))


def _table(rng: Random, row: Row) -> bytes:
    """A table, also compressed, or with the media type of another format."""
    media_type, body = hostile_table(rng, row)
    lines: tuple[bytes, ...] = ()
    match rng.randrange(10):
        case 0:
            lines, body = (b"Content-Encoding: gzip",), rng.choice(bombs())
        case 1:
            lines, body = (b"Content-Encoding: gzip",), gzip.compress(body)
        case 2:
            media_type = rng.choice(ANSWERS)
    path = rng.choice(("/predict", "/models/cls/predict", "/invocations"))
    return request(rng, body, media_type, path=path, lines=lines)


def _with_strings(rng: Random, row: Row) -> bytes:
    """Strings in the path, the parameters, the headers or the body."""
    text = rng.choice(naughty_strings())
    raw = text.encode("utf-8", "surrogatepass")
    escaped = quote(raw[:2500], safe="")
    match rng.randrange(7):
        case 0:
            return request(rng, b"", path="/" + rng.choice(("", "models/")) + escaped, method="GET")
        case 1:
            query = f"{rng.choice(QUERIES)}={escaped}&{escaped}={rng.choice(('1', 'true', '0.9'))}"
            return request(rng, b"{}", "application/json", path=f"{rng.choice(POSTS)}?{query}")
        case 2:
            line = (
                rng.choice(
                    (b"X: ", b"Accept: ", b"Content-Type: ", b"Authorization: Bearer ", b"Origin: ", b"Cookie: ")
                )
                + raw
            )
            return request(rng, b"{}", path=rng.choice((*GETS, *POSTS)), lines=(line,))
        case 3:
            return request(rng, b"", path=f"/models/{escaped}/predict")
        case 4:
            return b"%s /%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (rng.choice(METHODS).encode(), raw[:500], raw[:500])
        case _:
            media_type, body = hostile_table(rng, {**row, rng.choice(list(row)): text, text: text})
            return request(rng, body, media_type)


def _framing(rng: Random, row: Row) -> bytes:
    """Wrong lengths, abused chunks, several requests, other methods, large heads."""
    head = b"%s %s HTTP/1.%d\r\nHost: localhost\r\n" % (
        rng.choice(METHODS).encode(),
        rng.choice(
            (*GETS, *POSTS, "*", "http://localhost/predict", "//", "/%00", "/%ff", "?", "/../..", "/" + "a" * 9000)
        ).encode(),
        rng.choice((1, 1, 1, 0, 2)),
    )
    good = valid_request(rng, row)
    lengths = (
        b"0",
        b"1",
        b"-1",
        b"+1",
        b"1e3",
        b"0x10",
        b"999999",
        b"1000001",
        b"9" * 19,
        b"9" * 40,
        b"1,1",
        b" 5",
        b"5 5",
        b"",
    )
    length = b"Content-Length: " + rng.choice(lengths) + b"\r\n"
    coding = (
        b"Transfer-Encoding: "
        + rng.choice((b"chunked", b"gzip, chunked", b"chunked, x", b"identity", b"\x0bchunked"))
        + b"\r\n"
    )
    sizes = (
        b"5",
        b"0",
        b"g",
        b"-1",
        b"0x5",
        b"f" * 15,
        b"f" * 17,
        b"5;a=b",
        b"5;" + b"x" * 20_000,
        b"5 ",
        b" 5",
        b"",
        b"00000005",
        b"5\n",
    )
    chunk = rng.choice(sizes) + rng.choice((b"\r\n", b"\n", b"\r", b"")) + b"abcde" + rng.choice((b"\r\n", b"\n", b""))
    trailers = rng.choice((b"0\r\n\r\n", b"0\r\nHost: x\r\n\r\n", b"0\r\n" + b"T: x\r\n" * 5000, b"0\r\n", b""))
    wishes = (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
    )
    forms = (
        head + length + b"\r\n" + rng.randbytes(rng.choice((0, 1, 5, 2000))),
        head + coding + b"\r\n" + chunk * rng.choice((1, 3)) + trailers,
        head + length + coding + b"\r\n" + chunk + trailers,
        head + length + length + b"\r\nabcde",
        head + rng.choice(wishes) + length + b"\r\nabcde" + good,
        head + b"X: y\r\n" * rng.choice((90, 101, 5000)) + b"\r\n",
        head + b"X: " + b"y" * rng.choice((1000, 17_000, 200_000)) + b"\r\n\r\n",
        head + b"X: a\r\n b\r\n\r\n" + good,
        head.replace(b"\r\n", b"\n") + b"\n" + good,
        good * rng.choice((2, 30)),
        good[: rng.randrange(len(good))] + good,
        good + rng.randbytes(30) + good,
    )
    return rng.choice(forms)


__all__ = ["TYPES", "Hostile", "hostile_request", "valid_request"]

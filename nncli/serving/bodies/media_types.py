"""The formats of bodies and answers, by Content-Type and Accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import cast, get_args

from nncli.base.text import closest_match, quote
from nncli.data.dialect import AUTO, Quote, validate_encoding
from nncli.serving.problems import Problem, ProblemError


class MediaType(StrEnum):
    """A format of bodies and answers, by its usual name; Arrow and Parquet are formats of answers alone."""

    JSON = "application/json"
    JSON_LINES = "application/jsonl"
    CSV = "text/csv"
    TSV = "text/tab-separated-values"
    ARROW_STREAM = "application/vnd.apache.arrow.stream"
    ARROW_FILE = "application/vnd.apache.arrow.file"
    PARQUET = "application/vnd.apache.parquet"

    @property
    def is_delimited(self) -> bool:
        """Whether it is text whose encoding a charset names."""
        return self in (MediaType.CSV, MediaType.TSV)


BODIES = (MediaType.JSON, MediaType.JSON_LINES, MediaType.CSV, MediaType.TSV)
NAMES = {
    **{media_type.value: media_type for media_type in BODIES},
    **dict.fromkeys(("application/x-ndjson", "application/ndjson", "application/x-jsonlines"), MediaType.JSON_LINES),
    "application/csv": MediaType.CSV,
}
"""All names of the formats of bodies."""
ANSWERS = {
    **NAMES,
    **{media_type.value: media_type for media_type in MediaType},
    "application/x-parquet": MediaType.PARQUET,
}
"""All names of the formats of answers."""
SUPPORTED = f"Supported are {', '.join(BODIES)}."
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
UTF_8 = ("utf-8", "utf8", "us-ascii", "ascii")


@dataclass(frozen=True)
class ContentType:
    """The format of a body: its `name` in lower case, the charset, and what quotes are; auto if it does not say."""

    media_type: MediaType
    name: str
    charset: str = AUTO
    quote: Quote = AUTO


def split_content_type(header: str) -> tuple[str, dict[str, str]]:
    """The media type and the parameters of a Content-Type, in lower case."""
    name, *parameters = [part.strip() for part in header.lower().split(";")]
    values = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
    return name, {key: value.strip("\"' ") for key, value in values.items()}


def is_form(header: str | None) -> bool:
    """Whether a Content-Type is that of a form."""
    return header is not None and split_content_type(header)[0] in (FORM, MULTIPART)


def parse_content_type(header: str | None) -> ContentType:
    """The format that a Content-Type names; JSON if there is none.

    Raises:
        ProblemError: it is not supported, or its charset or quote is unknown.
    """
    if header is None or not header.strip():
        return ContentType(MediaType.JSON, MediaType.JSON)
    name, parameters = split_content_type(header)
    media_type = NAMES.get(name)
    if media_type is None:
        close = closest_match(name[:100], NAMES)
        hint = f"Did you mean {close}? {SUPPORTED}" if close else SUPPORTED
        raise unsupported(f"the body has the Content-Type {quote(name)}", hint)
    return ContentType(media_type, name, _encoding(media_type, parameters.get("charset", "")), _quote(parameters))


def _encoding(media_type: MediaType, charset: str) -> str:
    """The encoding of a charset; auto if there is none."""
    if not charset:
        return AUTO
    if charset in UTF_8:
        return AUTO if media_type.is_delimited and charset not in UTF_8[:2] else "utf-8"
    if not media_type.is_delimited:
        raise unsupported(f"{media_type} in the charset {quote(charset)}", "JSON is always UTF-8.")
    try:
        return validate_encoding(charset)
    except ValueError:
        raise unsupported(f"the charset {quote(charset)} is unknown", "Send UTF-8, or latin-1.") from None


def _quote(parameters: Mapping[str, str]) -> Quote:
    """What quotes are by the parameters of a Content-Type; auto if these do not say."""
    value = parameters.get("quote", AUTO)
    if value not in get_args(Quote):
        raise unsupported(f"the quote {quote(value)} is unknown", "Write quote=double or quote=none.")
    return cast("Quote", value)


def unsupported(detail: str, hint: str) -> ProblemError:
    """The problem that a body is in a form that cannot be read."""
    return ProblemError(Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, hint))


def negotiate(accept: str | None, default: ContentType) -> ContentType:
    """The format of the answer that an Accept prefers; the own format of the request, if others are not preferred.

    RFC 9110, section 12.5.1.

    Raises:
        ProblemError: none of the formats is acceptable.
    """
    if accept is None or not accept.strip() or accept.strip() == "*/*":
        return default
    ranges = _ranges(accept)
    candidates = [
        default,
        *(ContentType(media_type, name) for name, media_type in ANSWERS.items() if name != default.name),
    ]
    best = max(candidates, key=lambda candidate: _quality(candidate.name, ranges))  # the first of equals
    if _quality(best.name, ranges) <= 0.0:
        raise ProblemError(
            Problem(
                HTTPStatus.NOT_ACCEPTABLE,
                f"none of the media types in Accept can be written: {quote(accept)}",
                f"Supported are {', '.join(MediaType)}.",
            )
        )
    return best


def _ranges(accept: str) -> dict[str, float]:
    """The quality of each media range."""
    qualities = {}
    for part in accept.lower().split(","):
        name, *parameters = [word.strip() for word in part.split(";")]
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            qualities[name] = min(max(float(quality), 0.0), 1.0)
        except ValueError:
            qualities[name] = 1.0
    return qualities


def _quality(name: str, ranges: dict[str, float]) -> float:
    """The quality of a media type by the most specific range that it is in; 0 if it is in none."""
    for key in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if key in ranges:
            return ranges[key]
    return 0.0

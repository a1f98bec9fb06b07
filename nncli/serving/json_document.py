"""A body as a JSON document that may hold NaN, which pandas and the clients of other protocols write."""

from __future__ import annotations

from typing import Any

from nncli.serving.strict_json import parse_json_text


def parse_document(body: bytes) -> Any:
    """The document of a body.

    Raises:
        ProblemError: it is not JSON.
    """
    return parse_json_text(body, accepts_nan=True)

"""A body as a JSON document that may hold NaN, which pandas and the clients of other protocols write."""

from __future__ import annotations

import json
from typing import Any

from nncli.serving.bodies import bad_request


def parse_document(body: bytes) -> Any:
    """The document of a body.

    Raises:
        ProblemError: it is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}") from None

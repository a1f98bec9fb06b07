"""A body as a JSON document that may hold NaN, which pandas and the clients of other protocols write."""

from __future__ import annotations

from typing import Any

from nncli.serving.bodies.body_size import BodyLimits
from nncli.serving.bodies.strict_json import parse_json_text
from nncli.serving.models.served_model import ServedModel


def parse_document(body: bytes, model: ServedModel, limits: BodyLimits) -> Any:
    """The document of a body.

    Raises:
        ProblemError: it is not JSON, or has more lists and objects than the rows and columns of a request need.
    """
    return parse_json_text(body, accepts_nan=True, most=4 * (limits.max_rows + len(model.model.names)))

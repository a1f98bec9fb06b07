"""The parameters of a prediction in a JSON document, as the query of `/predict` has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nncli.conformal.options import UncertaintyOptions
from nncli.serving.bodies import bad_request
from nncli.serving.served_model import PredictionOptions
from nncli.text import closest_match, join_quoted, quote

NAMES = ("proba", "interval", "set")


def prediction_options(parameters: Mapping[str, Any]) -> PredictionOptions:
    """`proba` is true or false; `interval` and `set` are a level, or a list of levels.

    Raises:
        ProblemError: there are others, or a value is of another type.
    """
    for name in parameters:
        if name not in NAMES:
            close = closest_match(name, NAMES)
            hint = f"Did you mean {quote(close)}?" if close else f"The parameters are {join_quoted(NAMES)}."
            raise bad_request(f"there is no parameter {quote(name)}", hint)
    proba = parameters.get("proba", False)
    if not isinstance(proba, bool):
        raise bad_request("the parameter 'proba' is neither true nor false", 'Send "proba": true.')
    levels = {name: _levels(name, parameters.get(name)) for name in ("interval", "set")}
    return PredictionOptions(proba, uncertainty=UncertaintyOptions.of(levels["interval"], levels["set"]))


def _levels(name: str, value: Any) -> tuple[float, ...]:
    levels = [] if value is None else value if isinstance(value, list) else [value]
    for level in levels:
        if isinstance(level, bool) or not isinstance(level, (int, float)):
            raise bad_request(f"the parameter {quote(name)} is no level", f'Send "{name}": 0.9.')
    return tuple(levels)

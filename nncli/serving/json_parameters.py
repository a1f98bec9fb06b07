"""The parameters of a prediction in a JSON document, as those of an address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nncli.base.text import quote
from nncli.serving.models.prediction_options import PredictionOptions
from nncli.serving.models.served_model import ServedModel
from nncli.serving.parameters import check_options, parse_parameters
from nncli.serving.problems.problem import bad_request

SLOW = re.compile(rb'"(?:explain|interval|set)"|\\u00[2-7]')
"""The names of slow parameters, and the escape of a character that needs none, which may hide a name."""


def json_options(
    parameters: Mapping[str, Any], model: ServedModel, of_address: Sequence[tuple[str, str]] = ()
) -> PredictionOptions:
    """What is predicted: `{"interval": [0.9, 0.5]}` is `?interval=0.9&interval=0.5`; with those of the address.

    Raises:
        ProblemError: a parameter is unknown, has a bad value, or is for another kind of model.
    """
    options = parse_parameters([*of_address, *_pairs(parameters)])
    check_options(options, model.model.spec.target)
    return options


def may_take_long(body: bytes) -> bool:
    """Whether a JSON body may ask for effects or levels, which is also true of some that do not: it is not parsed."""
    return SLOW.search(body) is not None


def _pairs(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, values in parameters.items():
        if values == []:
            raise bad_request(f"the parameter {quote(name)} is an empty list", "Leave it out, or name a level.")
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, bool):
                yield name, str(value).lower()
            elif isinstance(value, (int, float, str)):
                yield name, str(value)
            else:
                raise bad_request(f"the parameter {quote(name)} must be a number, text, true or false")

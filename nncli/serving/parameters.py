"""The parameters of an address, such as `?proba=true&interval=0.9`, as what is predicted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nncli.base.errors import UsageError
from nncli.base.option import DeclaredOption
from nncli.base.text import closest_match, join_quoted, quote
from nncli.serving.models.effects import check_rows
from nncli.serving.models.served_model import PARAMETERS, PredictionOptions, ServedModel
from nncli.serving.problems import bad_request

FLAGS = {"true": True, "1": True, "false": False, "0": False}
LEVEL = re.compile(r"0?\.[0-9]{1,3}")
"""Few digits: levels that differ have names of columns that differ, and there are few to calibrate for."""
MAX_LEVELS = 8


def parse_parameters(pairs: Iterable[tuple[str, str]]) -> PredictionOptions:
    """The options that the parameters of an address ask for.

    Raises:
        ProblemError: a parameter is unknown, is repeated, or has a bad value.
    """
    texts: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in PARAMETERS:
            close = closest_match(name[:100], PARAMETERS)
            hint = f"Did you mean {quote(close)}?" if close else f"The parameters are {join_quoted(PARAMETERS)}."
            raise bad_request(f"there is no parameter {quote(name)}", hint)
        texts.setdefault(name, []).append(value)
    if not texts:
        return PredictionOptions()
    for name, values in texts.items():
        is_list = PARAMETERS[name].item_type is not None
        if len(values) > (MAX_LEVELS if is_list else 1):
            most = f"more than {MAX_LEVELS} times" if is_list else "more than once"
            raise bad_request(f"the parameter {quote(name)} appears {most}", "Leave out some of them.")
    given = [declared for declared in PARAMETERS.values() if declared.name in texts]
    return PredictionOptions(**{declared.field: _value(declared, texts[declared.name]) for declared in given})


def _value(declared: DeclaredOption, texts: Sequence[str]) -> Any:
    """The value of a parameter: a list of levels, true or false, or one of a few texts."""
    if declared.option.parse is not None:
        try:
            return declared.option.parse(declared.name, ",".join(texts))
        except UsageError as error:
            raise bad_request(f"the parameter {error.message}", error.hint) from None
    if declared.item_type is not None:
        return [_level(declared.name, text) for text in texts]
    (text,) = texts
    if not declared.choices:
        return _flag(declared.name, text)
    if text not in declared.choices:
        raise bad_request(
            f"the parameter {quote(declared.name)} is {quote(text)}", f"Use {' or '.join(declared.choices)}."
        )
    return text


def check_options(options: PredictionOptions, model: ServedModel) -> None:
    """Raise a UsageError if a model does not have what the options ask for."""
    options.check(model.model.spec.target)
    options.check_columns(model.model)


def check_effects(options: PredictionOptions, rows: int, model: ServedModel) -> None:
    """Raise a ProblemError if the effects of so many rows take too long."""
    if options.effects:
        check_rows(rows, len(model.model.names))


def _flag(name: str, value: str) -> bool:
    if value.lower() not in FLAGS:
        raise bad_request(f"the parameter {quote(name)} is {quote(value)}", "Use true or false.")
    return FLAGS[value.lower()]


def _level(name: str, value: str) -> float:
    if not LEVEL.fullmatch(value) or not float(value):
        raise bad_request(
            f"the parameter {quote(name)} is {quote(value)}, not a level between 0 and 1",
            f"For 90 % use {name}=0.9; a level has at most three digits.",
        )
    return float(value)


SLOW = re.compile(rb'"(?:effects|interval|prediction_set)"|\\u00[2-7]')
"""The names of slow parameters, and the escape of a character that needs none, which may hide a name."""


def json_options(
    parameters: Mapping[str, Any], model: ServedModel, of_address: Sequence[tuple[str, str]] = ()
) -> PredictionOptions:
    """What is predicted: `{"interval": [0.9, 0.5]}` is `?interval=0.9&interval=0.5`; with those of the address.

    Raises:
        ProblemError: a parameter is unknown, or has a bad value.
        UsageError: a parameter is for another kind of model.
    """
    options = parse_parameters([*of_address, *_pairs(parameters)])
    check_options(options, model)
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

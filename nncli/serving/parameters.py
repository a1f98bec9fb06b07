"""The parameters of an address, such as `?proba=true&interval=0.9`, as what is predicted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast, get_args

from nncli.base.text import closest_match, join_quoted, quote
from nncli.models.conformal.options import SetScore, UncertaintyOptions
from nncli.serving.models.effects import check_rows
from nncli.serving.models.prediction_options import PredictionOptions
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems.problem import ProblemError, bad_request
from nncli.targets.target import Target

NAMES = ("proba", "interval", "set", "per_class", "score", "explain")
REPEATABLE = ("interval", "set")
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
        if name not in NAMES:
            close = closest_match(name[:100], NAMES)
            hint = f"Did you mean {quote(close)}?" if close else f"The parameters are {join_quoted(NAMES)}."
            raise bad_request(f"there is no parameter {quote(name)}", hint)
        texts.setdefault(name, []).append(value)
    if not texts:
        return PredictionOptions()
    for name, values in texts.items():
        if len(values) > (MAX_LEVELS if name in REPEATABLE else 1):
            most = f"more than {MAX_LEVELS} times" if name in REPEATABLE else "more than once"
            raise bad_request(f"the parameter {quote(name)} appears {most}", "Leave out some of them.")
    levels = {name: [_level(name, value) for value in texts.get(name, [])] for name in REPEATABLE}
    score = texts.get("score", ["lac"])[0]
    uncertainty = UncertaintyOptions.of(
        levels["interval"], levels["set"], per_class=_flag("per_class", texts), score=_score(score)
    )
    return PredictionOptions(_flag("proba", texts), _flag("explain", texts), uncertainty)


def check_options(options: PredictionOptions, target: Target) -> None:
    """Raise a ProblemError if a model with this target does not have what the options ask for."""
    uncertainty, is_regression = options.uncertainty, target.task == "regression"
    if options.proba and is_regression:
        raise _not_for("proba", "classification", "Leave it out.")
    if uncertainty.sets and is_regression:
        raise _not_for("set", "classification", "Use interval=0.9.")
    if uncertainty.intervals and not is_regression:
        raise _not_for("interval", "regression", "Use set=0.9.")
    if not uncertainty.sets and (uncertainty.per_class or uncertainty.score != "lac"):
        name = "per_class" if uncertainty.per_class else "score"
        raise bad_request(f"the parameter {quote(name)} is for prediction sets", "Add set=0.9, or leave it out.")


def check_effects(options: PredictionOptions, rows: int, model: ServedModel) -> None:
    """Raise a ProblemError if the effects of so many rows take too long."""
    if options.explain:
        check_rows(rows, len(model.model.names))


def _not_for(name: str, task: str, hint: str) -> ProblemError:
    return bad_request(f"the parameter {quote(name)} is for models of {task}, and this is not one", hint)


def _flag(name: str, texts: dict[str, list[str]]) -> bool:
    value = texts.get(name, ["false"])[0]
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


def _score(value: str) -> SetScore:
    for score in get_args(SetScore):
        if value == score:
            return cast("SetScore", score)
    raise bad_request(f"the parameter 'score' is {quote(value)}", f"Use {' or '.join(get_args(SetScore))}.")

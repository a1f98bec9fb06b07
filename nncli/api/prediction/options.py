"""What is predicted for a table, and whether that fits the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from nncli.base.errors import Location, UsageError
from nncli.data.encoders.invalid_cells import OnError
from nncli.data.formats.registry import Format
from nncli.models.conformal.options import UncertaintyOptions
from nncli.models.ensemble import AnyModel


@dataclass(frozen=True)
class AnswerOptions:
    """What is predicted for a table, and how it is written; the options of `predict_chunks` and `open_output`."""

    proba: bool = False
    keep: tuple[str, ...] = ()
    on_error: OnError = "fail"
    format: Format | None = None
    escape_formulas: bool = False
    append: bool = False
    uncertainty: UncertaintyOptions = field(default_factory=UncertaintyOptions)


def check_options(model: AnyModel, options: AnswerOptions) -> None:
    """Raise a UsageError if the options do not fit the model."""
    check_on_error(options.on_error)
    check_proba(model, options.proba)
    options.uncertainty.check(model.spec.target)


def check_on_error(on_error: str) -> None:
    """Raise a UsageError if `on_error` is not a known choice."""
    if on_error not in get_args(OnError):
        raise UsageError(f"on_error is {on_error!r}", hint="Use fail, missing or skip.")


def check_proba(model: AnyModel, proba: bool) -> None:
    """Raise a UsageError if probabilities are asked for that the model does not have."""
    if proba and model.spec.target.task == "regression":
        raise UsageError("--proba needs a classification model; this one is for regression")


def check_errors_option(path: Path, on_error: OnError) -> None:
    """Raise a UsageError if a file of errors is named although every invalid cell is an error."""
    if on_error == "fail":
        raise UsageError(
            "a file of errors needs cells that are not errors",
            location=Location(source=str(path)),
            hint="Add --on-error missing or --on-error skip (in Python on_error).",
        )

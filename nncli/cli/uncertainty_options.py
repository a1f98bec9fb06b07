"""The options for prediction intervals and prediction sets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.cli.help import UNCERTAINTY

if TYPE_CHECKING:
    from nncli.models.conformal.options import UncertaintyOptions


class ClassScore(StrEnum):
    """How improbable a class is for a row, for prediction sets."""

    LAC = "lac"
    APS = "aps"


IntervalLevels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--interval",
        metavar="LEVEL",
        help="Prediction intervals that cover this share of new rows, such as 0.9. Repeatable.",
        rich_help_panel=UNCERTAINTY,
    ),
]
SetLevels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="LEVEL",
        help="Sets of classes that cover this share of new rows, such as 0.9. Repeatable.",
        rich_help_panel=UNCERTAINTY,
    ),
]
ByColumn: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Calibrate the rows of each value of a column separately.",
        rich_help_panel=UNCERTAINTY,
    ),
]
PerClass: TypeAlias = Annotated[
    bool, typer.Option("--per-class", help="Cover this share of the rows of each class.", rich_help_panel=UNCERTAINTY)
]
ScoreOfClass: TypeAlias = Annotated[
    ClassScore,
    typer.Option(
        "--score",
        help="Score of a class for --set. lac: 1 - its probability, the smallest sets; aps: adaptive prediction sets.",
        rich_help_panel=UNCERTAINTY,
    ),
]


def uncertainty(
    intervals: Sequence[str] | None,
    sets: Sequence[str] | None,
    by: str | None,
    *,
    per_class: bool,
    score: ClassScore,
) -> UncertaintyOptions:
    """The options as the commands take them.

    Raises:
        UsageError: a level is not a number.
    """
    from nncli.models.conformal.options import UncertaintyOptions

    of_intervals, of_sets = levels_of("--interval", intervals), levels_of("--set", sets)
    return UncertaintyOptions.of(of_intervals, of_sets, by, per_class=per_class, score=score.value)


def levels_of(option: str, texts: Sequence[str] | None) -> list[float]:
    """The levels that an option names.

    Raises:
        UsageError: one is not a number.
    """
    return [_level(option, text) for text in texts or ()]


def _level(option: str, text: str) -> float:
    """The number that a level is; a percentage or a decimal comma is refused with what to write."""
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    with suppress(ValueError):
        return float(text)
    hint = f"For 90 % write {option} 0.9."
    with suppress(ValueError):
        number = float(text.strip().removesuffix("%").replace(",", "."))
        number = number / 100 if "%" in text else number
        if 0.0 < number < 1.0:
            hint = f"Write {option} {number:g}."
    raise UsageError(f"{option} {quote(text)} is not a number", hint=hint)

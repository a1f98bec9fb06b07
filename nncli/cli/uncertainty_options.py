"""The options for prediction intervals and prediction sets."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.cli.help import UNCERTAINTY

if TYPE_CHECKING:
    from nncli.conformal.options import UncertaintyOptions


class ClassScore(StrEnum):
    """How improbable a class is for a row, for prediction sets."""

    LAC = "lac"
    APS = "aps"


IntervalLevels: TypeAlias = Annotated[
    list[float] | None,
    typer.Option(
        "--interval",
        metavar="LEVEL",
        help="Prediction intervals that cover this share of new rows, such as 0.9. Repeatable.",
        rich_help_panel=UNCERTAINTY,
    ),
]
SetLevels: TypeAlias = Annotated[
    list[float] | None,
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
    intervals: Sequence[float] | None,
    sets: Sequence[float] | None,
    by: str | None,
    *,
    per_class: bool,
    score: ClassScore,
) -> UncertaintyOptions:
    """The options as the commands take them."""
    from nncli.conformal.options import UncertaintyOptions

    return UncertaintyOptions.of(intervals or (), sets or (), by, per_class=per_class, score=score.value)

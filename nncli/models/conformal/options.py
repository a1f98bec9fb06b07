"""What is asked of a calibrated model: levels of intervals or sets, and the rows for which coverage holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from nncli.base.errors import UsageError
from nncli.base.text import percent_digits, quote
from nncli.targets.target import Target

SetScore: TypeAlias = Literal["lac", "aps"]
"""The score of a class: 1 - its probability, or the total probability of the classes that are more probable."""


@dataclass(frozen=True)
class UncertaintyOptions:
    """The levels of prediction intervals and of prediction sets, such as 0.9.

    Rows are calibrated separately for each value of the column `by`, or `per_class`. `score` is the score of a class.
    """

    intervals: tuple[float, ...] = ()
    sets: tuple[float, ...] = ()
    by: str | None = None
    per_class: bool = False
    score: SetScore = "lac"

    @classmethod
    def of(
        cls,
        intervals: float | Sequence[float] = (),
        sets: float | Sequence[float] = (),
        by: str | None = None,
        *,
        per_class: bool = False,
        score: SetScore = "lac",
    ) -> UncertaintyOptions:
        """The options of one or several levels."""
        return cls(_levels(intervals), _levels(sets), by, per_class, score)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels whose columns have distinct names, in the order given; a target has intervals or sets."""
        return tuple({percent_digits(level): level for level in self.intervals or self.sets}.values())

    def check(self, target: Target) -> None:
        """Raise a UsageError if the options do not fit each other or the target."""
        for option, levels in (("--interval", self.intervals), ("--set", self.sets)):
            for level in levels:
                if not 0.0 < level < 1.0:
                    raise UsageError(
                        f"{option} {level:g} is not a level: it must lie between 0 and 1",
                        hint=f"For {level:g} % write {option} {level / 100:g}."
                        if 1.0 < level < 100.0
                        else f"For 90 % write {option} 0.9.",
                    )
        if self.sets and target.task == "regression":
            raise UsageError("--set needs a classification model; this one is for regression", hint="Use --interval.")
        if self.intervals and target.task == "classification":
            raise UsageError("--interval needs a regression model; this one is for classification", hint="Use --set.")
        if self.score not in get_args(SetScore):
            raise UsageError(f"score is {self.score!r}", hint="Use lac or aps.")
        if self.per_class and self.by is not None:
            raise UsageError("--per-class and --by exclude each other", hint="Leave one of them out.")
        if not self.sets and (self.per_class or self.score != "lac"):
            option = "--per-class" if self.per_class else "--score"
            hint = f"Remove {option}." if target.task == "regression" else "Add --set 0.9."
            raise UsageError(f"{option} is for prediction sets of classes", hint=hint)
        if self.by in target.names:
            raise UsageError(
                f"--by {quote(self.by)} is the target, which new rows do not have",
                hint="Use --per-class." if target.task == "classification" else "Name another column.",
            )
        if not self.levels and self.by is not None:
            option = "--interval" if target.task == "regression" else "--set"
            raise UsageError("--by is for prediction intervals and sets", hint=f"Add {option} 0.9.")


def set_column(level: float) -> str:
    """The name of the column of the sets of a level."""
    return f"set_{percent_digits(level)}"


def _levels(levels: Any) -> tuple[float, ...]:
    """One or several levels, also of NumPy, as the numbers that they are printed as: 0.9 for np.float32(0.9)."""
    return tuple(float(str(one)) for one in ((levels,) if np.ndim(levels) == 0 else levels))

"""Which output of a model an explanation is of, in which words and on which scale: a part of a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import polars as pl

from nncli.base.errors import Advice, UsageError, UseOption
from nncli.base.text import closest_match, join_quoted, quote
from nncli.nn.arrays import Codes, Floats
from nncli.targets.decision import Decision

if TYPE_CHECKING:
    from nncli.targets.target_base import TargetBase

Shorten = Callable[..., str]
"""Makes a name fit for a page, by default cut after some hundred characters, or after so many as are given."""
MAX_NAME = 30
"""Characters of a name in a sentence."""


@dataclass(frozen=True)
class Explained:
    """Explained is a number: the first one, unless the user names another."""

    target: TargetBase
    option: ClassVar[Literal["class_label", "target"]] = "target"
    """The option that names the output."""

    @property
    def of_classes(self) -> str | None:
        """The target whose classes the outputs are; None where each output is of a target of its own."""
        return None

    @property
    def in_each_row(self) -> tuple[str, ...]:
        """The outputs that columns have effects on in each row; none where there is one for a row."""
        return self.target.output_names[self.target.shown_outputs] if self.target.n_outputs > 1 else ()

    @property
    def in_place(self) -> tuple[str, ...]:
        """The outputs that are explained in place of what is predicted; none where that is explained."""
        return ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets by name, of which a user may choose one."""
        return self.target.output_names

    def named(self, class_label: str | None, target: str | None) -> str | None:
        """The output that a user names by the options of these names; None for that of `of_rows`.

        Raises:
            UsageError: there is none of that name.
        """
        names = self.targets
        if class_label is not None:
            hint = ("Name one of several instead: ", UseOption("target", "target", names[0]), ".")
            raise UsageError(f"the model predicts {self.target.output_nouns} and has no classes", hint=Advice(*hint))
        check_target(target, names)
        return target

    def place(self, output: str) -> int:
        """The position of an output.

        Raises:
            UsageError: there is none of that name.
        """
        names = self.target.output_names
        if output not in names:
            close = closest_match(output, names)
            raise UsageError(
                f"the model has no {self.target.output_noun} {quote(output)}",
                hint=f"Did you mean {quote(close)}?" if close else f"The model predicts {join_quoted(names)}.",
            )
        return names.index(output)

    def of_rows(self, values: Floats, decision: Decision | None) -> Codes:
        """The position (rows,) of the output that is explained for each row, from predicted values (rows, outputs)."""
        return np.full(len(values), 0)

    def selection(self, values: Floats, decision: Decision | None) -> Callable[[Floats], Floats]:
        """What selects those that columns have effects on from values (…, rows, outputs) of rows with these values."""
        shown = self.target.shown_outputs
        return lambda each: each[..., shown]

    def labels(self, predictions: pl.DataFrame) -> list[str | None]:
        """The class whose probability is explained in each row of a frame of predictions; none without classes."""
        return []

    def scale(self, predict: Callable[[], Floats]) -> float:
        """The scale of what is explained, from that of some rows (rows,), if it is needed."""
        return float(np.std(predict()))

    def subject(self, shorten: Shorten) -> str:
        """What is explained, in a sentence."""
        several = len(self.target.names) > 1
        return f"prediction of {shorten(self.target.names[0], MAX_NAME)}" if several else "prediction"


@dataclass(frozen=True)
class ExplainedProbability(Explained):
    """Explained is a probability, whose scale is 1."""

    def scale(self, predict: Callable[[], Floats]) -> float:
        return 1.0

    def subject(self, shorten: Shorten) -> str:
        return f"probability of the {self.target.output_noun}"


def check_target(name: str | None, names: Sequence[str]) -> None:
    """Raise a UsageError if there is no target of this name."""
    if name is None or name in names:
        return
    close = closest_match(name, names)
    hint = f"Did you mean {quote(close)}?" if close else f"The model predicts {join_quoted(names)}."
    raise UsageError(f"the model has no target {quote(name)}", hint=hint)

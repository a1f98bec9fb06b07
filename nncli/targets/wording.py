"""The words of a kind of target in reports, notes and pages: a part of a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from nncli.base.errors import Advice, SetKey
from nncli.base.option import Needed
from nncli.base.text import quote
from nncli.targets.kind import Refusal

if TYPE_CHECKING:
    from nncli.targets.target_base import Predicted, TargetBase, Truth


@dataclass(frozen=True)
class Wording:
    """The words of numbers. Texts that have nothing to say are empty; `quoted` writes a name, or several."""

    target: TargetBase

    @property
    def added_by_proba(self) -> tuple[str, ...]:
        """What the option `proba` adds to predictions."""
        return ()

    def task(self, quoted: Callable[[str], str]) -> str:
        """What a model does."""
        first, *others = self.target.predicted_names
        return f"predicts {quoted(first)}" + (f" and {len(others):,} more" if others else "")

    def answer(self, quoted: Callable[[tuple[str, ...]], str]) -> str:
        """What is predicted."""
        return "numeric"

    def baseline(self, baseline: Predicted, quoted: Callable[[str], str]) -> str:
        """What the baseline predicts for every row."""
        return "the mean" if baseline.exposure is None else "the mean rate times the exposure"

    def decided_baseline(self, baseline: Predicted) -> str:
        """How a saved decision makes classes of the baseline, as a sentence."""
        return ""

    def without_errors(self, predictions: Predicted, y: Truth) -> str:
        """What scores of rows without any error do not tell."""
        return ""

    def error_axis(self, name: str) -> tuple[float, str]:
        """The factor by which errors of this name are drawn, and the title of their axis."""
        return 1.0, name

    def refusal(self, needed: Needed) -> Refusal:
        """Why an option cannot be used that needs what predictions do not have, after its name, and a hint, if any."""
        model = {"interval": "a regression model", "curve": "a model of the time to an event"}
        why = f"needs {model.get(needed, 'a classification model')}; this one is for {self.target.task}"
        return why, "" if needed == "classes" else "Leave it out."

    def empty_rows(self, frame: pl.DataFrame) -> int:
        """The number of rows without a prediction in a frame of predictions."""
        return 0

    def notes(self, rows: int, empty: int, times: Sequence[float]) -> list[str]:
        """What is said of predictions of so many rows, of which some are `empty`, and at some times."""
        return []


@dataclass(frozen=True)
class LabelWording(Wording):
    """The words of classes and labels, which have probabilities."""

    @property
    def added_by_proba(self) -> tuple[str, ...]:
        return ("probabilities",)

    def answer(self, quoted: Callable[[tuple[str, ...]], str]) -> str:
        labels = self.target.labels
        return f"{len(labels):,} {self.target.output_nouns}, {quoted(labels)}"

    def refusal(self, needed: Needed) -> Refusal:
        if needed == "order":
            why = f"is for ordered classes, and those of {quote(self.target.names[0])} have no order"
            return why, Advice("Train with ", SetKey("loss", "ordinal"), ".")
        why, instead = super().refusal(needed)
        each = f"Leave it out, and use the probability of each {self.target.output_noun}."
        return why, each if needed == "interval" else instead

    def error_axis(self, name: str) -> tuple[float, str]:
        return 100.0, f"{name}, %"

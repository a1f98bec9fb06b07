"""What drift of predictions is measured of, and the sums that their scores follow from: a part of a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import polars as pl

from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats
from nncli.targets.metrics.sums import ClassRows, TrueSums

if TYPE_CHECKING:
    from nncli.targets.target_base import Predicted, TargetBase, Truth


class TrackedNumbers(NamedTuple):
    """Predicted numbers or probabilities (rows,), NaN where there is none, with the name of what they are of."""

    name: str
    measure: Literal["prediction", "probability"]
    values: Floats


class TrackedClasses(NamedTuple):
    """The codes (rows,) of the most probable of the classes `labels`, -1 where there is none."""

    name: str
    labels: tuple[str, ...]
    codes: Codes


Tracked: TypeAlias = TrackedNumbers | TrackedClasses


class Binned(NamedTuple):
    """Predictions (rows,) by their bin, and the number of bins."""

    codes: Codes
    n_bins: int


@dataclass(frozen=True)
class Monitoring:
    """Tracked are the predicted values of the outputs that are shown; nothing is known of their truth."""

    target: TargetBase

    def tracked(self, predictions: Predicted) -> tuple[Tracked, ...]:
        """What of the predictions of rows has a distribution that may drift."""
        shown = self.target.shown_outputs
        named = zip(self.target.output_names[shown], predictions.values.T[shown], strict=True)
        return tuple(TrackedNumbers(name, "prediction", y) for name, y in named)

    def class_names(self, most: int) -> tuple[str, ...]:
        """The classes that predicted rows are counted by, at most so many; none without classes."""
        return ()

    def predicted_classes(self, frame: pl.DataFrame) -> tuple[pl.Series, ...]:
        """The columns of a frame of predictions that have classes."""
        return ()

    def truth(self, table: Table) -> Truth | None:
        """The true targets of a table, as far as they can be read; None without the columns of the target."""
        return None

    def estimates(self, predictions: Predicted, truth: Truth | None, tracked: Sequence[Binned]) -> ClassRows | None:
        """The summands of scores that are estimated without labels; None where none are.

        `tracked` are the bins of what is tracked of the predictions, empty without a reference.
        """
        return None

    def errors(self, predictions: Predicted, truth: Truth, rows: slice | Codes) -> TrueSums | None:
        """The sums over the rows at these positions that true scores follow from, beside `estimates`."""
        return None

"""Encoding options that apply to all columns of a table."""

from __future__ import annotations

from math import ceil
from typing import Literal

from pydantic import Field

from nncli.base.spec import NonNegativeInt, PositiveInt, Spec

NumericScaling = Literal["standard", "min_max", "robust", "quantile", "none"]
Clip = Literal["none", "smooth"]
FittedClip = Literal["none", "smooth", "ordered"]
"""The clip of a column: `ordered` is the smooth one without rounding that could change the order of values."""
OutOfRangeDates = Literal["extrapolate", "nearest_year"]


class CategoricalOptions(Spec):
    """The encoding of categorical columns."""

    max_one_hot: NonNegativeInt = Field(
        32, description="Largest number of categories for one-hot encoding; columns with more are embedded."
    )
    binary: Literal["one_hot", "sign"] = Field(
        "one_hot",
        description="Encoding of two categories: one_hot, or sign for one column of -1 and 1, where missing, rare and "
        "unseen values are 0.",
    )
    scaling: Literal["none", "robust"] = Field(
        "none",
        description="Scaling of one-hot and sign columns: none, or robust, as for numeric columns.",
    )
    embedding_width: Literal["auto"] | PositiveInt = Field(
        "auto", description="Width of the embedding. auto: 1.6 · c^0.56 for c categories, at most 50."
    )

    def width_for(self, c: int) -> int | None:
        """Embedding width of a column of `c` categories; None if it is encoded as 0/1 or ±1 columns."""
        if c <= self.max_one_hot or self.signs_for(c):
            return None
        return min(50, ceil(1.6 * c**0.56)) if self.embedding_width == "auto" else self.embedding_width

    def signs_for(self, c: int) -> bool:
        """Whether `c` categories become one column of ±1."""
        return self.binary == "sign" and c == 2


class EncodingOptions(Spec):
    """The encoding of features as numbers."""

    numeric: NumericScaling = Field(
        "standard",
        description="Scaling of numeric columns: standard, min_max, robust (median and quartiles), quantile (to a "
        "normal distribution) or none.",
    )
    clip: Clip = Field(
        "none", description="Clipping of scaled values: none, or smooth for x / √(1 + (x/3)²), which stays within ±3."
    )
    out_of_range_dates: OutOfRangeDates = Field(
        "extrapolate",
        description="Dates outside the training range. nearest_year: days and year become those of the same day in the "
        "nearest year of the range; those of a monotone column become the nearest end of the range, which keeps the "
        "order. Numbers in the column `data.time` are clipped to the range. extrapolate: unchanged.",
    )
    categories: CategoricalOptions = Field(CategoricalOptions(), description="The encoding of categorical columns.")
    max_text_features: PositiveInt = Field(
        64, description="Largest number of words and pairs of adjacent words that are features of a text column."
    )


DEFAULT_OPTIONS = EncodingOptions()

"""How columns become numbers: the options that are the same for all columns of a table."""

from __future__ import annotations

from math import ceil
from typing import Literal

from pydantic import Field

from nncli.spec import NonNegativeInt, PositiveInt, Spec

NumericScaling = Literal["standard", "min_max", "robust", "quantile", "none"]
Clip = Literal["none", "smooth"]


class CategoricalOptions(Spec):
    """How columns of categories become numbers."""

    max_one_hot: NonNegativeInt = Field(
        32, description="most categories that become a 0/1 column each; of more, codes to embed"
    )
    binary: Literal["one_hot", "sign"] = Field(
        "one_hot", description="sign: two categories become one column of -1 and 1; missing, rare or unseen is 0"
    )
    scaling: Literal["none", "robust"] = Field(
        "none", description="robust: each of these columns is scaled, and clipped, as numbers are by `robust`"
    )
    embedding_width: Literal["auto"] | PositiveInt = Field(
        "auto", description="numbers that embed a category; auto: 1.6 · c^0.56 for c categories, 50 at most"
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
    """How features become numbers."""

    numeric: NumericScaling = Field(
        "standard",
        description="scaling of numeric columns: standard, min_max, robust (median and quartiles), quantile (to the "
        "normal distribution) or none",
    )
    clip: Clip = Field("none", description="smooth: x / √(1 + (x/3)²) of what is scaled, never beyond ±3")
    categories: CategoricalOptions = Field(CategoricalOptions(), description="how columns of categories become numbers")
    max_text_features: PositiveInt = Field(
        64, description="most words, and pairs of neighbouring words, of a column of text that become a number"
    )


DEFAULT_OPTIONS = EncodingOptions()

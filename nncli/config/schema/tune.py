"""The section `tune`: how `nncli tune` searches, and the search space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from nncli.config.schema.training import Duration
from nncli.spec import PositiveFloat, PositiveInt, Spec, StrictBool, StrictStr

MAX_TRIALS = 100_000
MAX_FOLDS = 100

Number: TypeAlias = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A whole number or a fraction, as it is written."""


class Range(Spec):
    """Numbers from `from` to `to`, both included.

    They are whole numbers if both ends are, and the key takes no fractions.
    """

    low: Number = Field(alias="from", description="Lowest value.")
    high: Number = Field(alias="to", description="Highest value.")
    scale: Literal["linear", "log"] = Field(
        "linear", description="log: every factor is as likely as any other, as suits a learning rate."
    )
    step: Annotated[int, Field(strict=True, gt=0)] | PositiveFloat | None = Field(
        None, description="Distance of the values. null: any value."
    )

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        if self.low >= self.high:
            raise ValueError("`from` must be lower than `to`")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("with `scale: log`, `from` must be positive")
        if self.scale == "log" and self.step is not None:
            raise ValueError("`scale: log` and `step` exclude each other")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError("`step` is larger than the range")
        return self


class Choices(Spec):
    """One of several values; in a value with keys, a key may have a search space of its own."""

    choices: tuple[Any, ...] = Field(min_length=1, description="The values, each as the key itself takes it.")


def _form(value: object) -> str | None:
    if isinstance(value, Choices | Range):
        return "choices" if isinstance(value, Choices) else "range"
    if not isinstance(value, Mapping):
        return None
    return "choices" if "choices" in value else "range"


Domain: TypeAlias = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")],
    Discriminator(
        _form,
        custom_error_type="search_space",
        custom_error_message="expected a range such as {from: 0.001, to: 0.1, scale: log}, or {choices: [32, 64]}",
    ),
]
"""What a key is chosen from."""


class TuneSection(Spec):
    """How `nncli tune` searches for better hyperparameters. `nncli train` ignores it."""

    trials: Annotated[PositiveInt, Field(le=MAX_TRIALS)] = Field(
        30, description="Number of trials, besides trial 0, which is the configuration itself."
    )
    time: Duration | None = Field(
        None,
        description="Time after which no trial begins, such as 30m or 2h; the result then depends on the machine. "
        "null: none.",
        json_schema_extra={"examples": ["30m", "2h"]},
    )
    folds: Literal["holdout"] | Annotated[int, Field(strict=True, ge=2, le=MAX_FOLDS)] = Field(
        5,
        description="Number of folds of the cross-validation that scores each trial, the same for all; holdout: the "
        "validation rows.",
    )
    metric: StrictStr | None = Field(
        None,
        description="Metric of the held-out rows that is optimized. Default: the configuration's `metric`; for a loss, "
        "log_loss for classes, mae for the loss mae, pinball for quantiles, else rmse.",
    )
    sampler: Literal["tpe", "random", "gp", "grid", "cmaes"] = Field(
        "tpe",
        description="How values are chosen: tree-structured Parzen estimator, at random, Gaussian process (needs "
        "PyTorch), all combinations, or CMA-ES (numbers only).",
    )
    lag: Annotated[PositiveInt, Field(le=1_000)] = Field(
        4,
        description="A trial is chosen by the results of all trials up to this many before it, so that the result "
        "does not depend on the number of workers. Also the number of trials that may run at a time.",
    )
    prune: StrictBool = Field(
        True, description="Whether a trial ends after a fold that shows that it is worse than the best one."
    )
    search: dict[StrictStr, Domain] = Field(
        {},
        description="The search space: keys such as `learning_rate` or `layers.0.units` with a range or choices. "
        "Default: one for the preset.",
    )

"""The section `tune`: how `nncli tune` searches, and the search space. Only files that have it import this."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias, get_args

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from typing_extensions import TypeAliasType

from nncli.base import plugins
from nncli.base.spec import PathText, PositiveFloat, PositiveInt, Spec, StrictBool, StrictStr
from nncli.config.schema.config import Config
from nncli.config.schema.training import Duration

MAX_TRIALS = 100_000
MAX_FOLDS = 100
MAX_INTEGER = 2**53
"""Whole numbers up to this one are floating-point numbers too."""

NOT_COMPARABLE = "trials would be scored on other rows, or for another target"
NO_EFFECT = "it has no effect on the scores of trials"
UNSEARCHABLE: Mapping[str, str] = MappingProxyType(
    {
        "data": NOT_COMPARABLE,
        "positive_class": NOT_COMPARABLE,
        "seed": "the best of several seeds is best by chance",
        "members": "each trial trains one network for each fold",
        "bagging": "each trial trains one network for each fold",
        "teacher": "it was trained on the rows that trials are scored on",
        "preset": "the preset is beneath all trials",
        "quality": "the preset is beneath all trials",
        "tune": "a search cannot search itself",
        "code": "its files are loaded for all trials",
        **dict.fromkeys(
            ("workers", "output", "private", "memory_limit", "threads", "backend", "checkpoint", "time_limit"),
            NO_EFFECT,
        ),
    }
)
"""Keys that cannot be searched, and why."""
SEARCHABLE_DATA = ("features", "drop")
"""Keys of `data` that can be searched all the same: rows and target stay the same."""

SamplerName: TypeAlias = Literal["tpe", "random", "gp", "grid", "cmaes"]
"""The samplers, which choose the values of trials."""


def _of_plugin(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """The name of a sampler, which may be that of a plugin."""
    is_known = value in get_args(SamplerName) or plugins.find("samplers", value) is None
    return handler(value) if is_known else value


CHOICES_WORDS = frozenset({"choice", "values", "value", "options", "option", "one_of", "categories", "grid"})
"""Other names of the key `choices`."""

Integer: TypeAlias = Annotated[int, Field(strict=True, ge=-MAX_INTEGER, le=MAX_INTEGER)]
Number: TypeAlias = Integer | Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A whole number or a fraction, as it is written."""


class Range(Spec):
    """Numbers from `from` to `to`, both included.

    They are whole numbers if both ends are, and the key takes no fractions.
    """

    foreign_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "log": "Write scale: log.",
            "type": "Leave it out: numbers are whole if both ends are, and the key takes no fractions.",
            "distribution": "Write scale: log or scale: linear.",
        }
    )
    """Keys of other libraries, and what is written here."""

    low: Number = Field(alias="from", description="Lowest value.")
    high: Number = Field(alias="to", description="Highest value.")
    scale: Literal["linear", "log"] = Field(
        "linear", description="log: every factor is as likely as any other, as suits a learning rate."
    )
    step: Annotated[int, Field(strict=True, ge=1, le=MAX_INTEGER)] | PositiveFloat | None = Field(
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
        if not isfinite(float(self.high) - float(self.low)):
            raise ValueError("the range is too large")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError("`step` is larger than the range")
        if self.step is not None and (self.high - self.low) / self.step > MAX_INTEGER:
            raise ValueError("`step` is too small for the range")
        return self


class Choices(Spec):
    """One of several values; in a value with keys, a key may have a search space of its own."""

    foreign_keys: ClassVar[Mapping[str, str]] = MappingProxyType({"type": "Leave it out."})

    choices: tuple[Annotated[Choice, WithJsonSchema({})], ...] = Field(
        min_length=1, description="The values, each as the key itself takes it."
    )


def _form(value: object) -> str | None:
    """The name of the class of what a key is chosen from; None for what is no such thing."""
    if isinstance(value, Choices | Range):
        return type(value).__name__
    if not isinstance(value, Mapping):
        return None
    is_choices = "choices" in value or (CHOICES_WORDS & value.keys() and not {"from", "to"} & value.keys())
    return "Choices" if is_choices else "Range"


def _form_inside(value: object) -> str:
    """As `_form`, inside a choice: a value that has one of the keys of a range or of choices is one."""
    if isinstance(value, Choices | Range) or (isinstance(value, Mapping) and {"from", "to", "choices"} & value.keys()):
        return str(_form(value))
    if isinstance(value, Mapping):
        return "keys"
    return "items" if isinstance(value, list | tuple) else "value"


if TYPE_CHECKING:
    Choice: TypeAlias = Any
else:
    Choice = TypeAliasType(
        "Choice",
        Annotated[
            Annotated[Range, Tag("Range")]
            | Annotated[Choices, Tag("Choices")]
            | Annotated[dict[str, "Choice"], Tag("keys")]
            | Annotated[list["Choice"], Tag("items")]
            | Annotated[Any, Tag("value")],
            Discriminator(_form_inside),
        ],
    )
"""A value of a key, with search spaces inside it."""
Choices.model_rebuild()

Domain: TypeAlias = Annotated[
    Annotated[Range, Tag("Range")] | Annotated[Choices, Tag("Choices")],
    Discriminator(
        _form,
        custom_error_type="search_space",
        custom_error_message="expected a range such as {from: 0.001, to: 0.1, scale: log}, or {choices: [32, 64]}",
    ),
]
"""What a key is chosen from."""


class TuneSection(Spec):
    """How `nncli tune` searches for better hyperparameters. `nncli train` ignores it."""

    foreign_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            ("parameters", "params", "space", "search_space", "hyperparameters", "grid", "param_grid", "distributions"),
            "Write the search space as search, for example search: {learning_rate: {from: 1e-4, to: 0.1, scale: log}}.",
        )
    )
    """Keys of other libraries, and what is written here."""

    trials: Annotated[PositiveInt, Field(le=MAX_TRIALS)] = Field(
        30, description="Number of trials, besides trial 0, which is the configuration itself."
    )
    time_limit: Duration | None = Field(
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
    sampler: Annotated[SamplerName, WrapValidator(_of_plugin)] = Field(
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


class TuneFile(Spec):
    """A file of its own for `nncli tune`, which names the configuration that is searched around."""

    config: PathText = Field(description="The configuration, relative to the folder of this file.")
    tune: TuneSection = Field(TuneSection(), description="How `nncli tune` searches for better hyperparameters.")


class ConfigFile(Config):
    """A configuration file. `tune` is not part of the configuration of a run."""

    tune: TuneSection | None = Field(None, description="How `nncli tune` searches for better hyperparameters.")

    @property
    def config(self) -> Config:
        """The configuration without the section `tune`."""
        values = {name: getattr(self, name) for name in Config.model_fields}
        return Config.model_construct(self.model_fields_set - {"tune"}, **values)

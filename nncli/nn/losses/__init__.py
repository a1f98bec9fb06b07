"""The loss functions, and `Loss`, the union of the registries of all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field

from nncli.base import plugins
from nncli.base.spec import Shorthand, expand_name
from nncli.nn.losses.amounts import Gamma, LogNormal, NegativeBinomial, Poisson, Tweedie, ZeroInflatedPoisson
from nncli.nn.losses.base import MEDIAN, MIN_PROBABILITY, BoundLoss, LossBase
from nncli.nn.losses.classification import ClassificationLoss, ClassLoss, CrossEntropy, Hinge, Ordinal
from nncli.nn.losses.distributions import DistributionLoss, Normal, StudentT
from nncli.nn.losses.labels import BinaryCrossEntropy
from nncli.nn.losses.regression import (
    AMOUNT_LOSSES,
    MAE,
    MSE,
    Huber,
    Quantile,
    Quantiles,
    RegressionLoss,
)
from nncli.nn.losses.several import SeveralLosses, TargetLoss, fit_losses
from nncli.nn.losses.survival import Survival

__all__ = [
    "AMOUNT_LOSSES",
    "MAE",
    "MEDIAN",
    "MIN_PROBABILITY",
    "MSE",
    "BinaryCrossEntropy",
    "BoundLoss",
    "ClassificationLoss",
    "CrossEntropy",
    "DistributionLoss",
    "Gamma",
    "Hinge",
    "Huber",
    "LogNormal",
    "Loss",
    "LossBase",
    "NegativeBinomial",
    "Normal",
    "Ordinal",
    "Poisson",
    "Quantile",
    "Quantiles",
    "SeveralLosses",
    "StudentT",
    "Survival",
    "TargetLoss",
    "Tweedie",
    "ZeroInflatedPoisson",
    "fit_losses",
]


_TYPED = (*get_args(RegressionLoss), *get_args(ClassLoss), BinaryCrossEntropy)
_TYPES = frozenset(("auto", *(loss.model_fields["type"].default for loss in _TYPED)))
SETTINGS = frozenset(name for loss in _TYPED for name in loss.model_fields)
"""The keys of losses; no target in a mapping has such a name beside one that is named type."""


def _expand(value: object) -> object:
    """A name, or a mapping from targets to their losses, as a specification."""
    if isinstance(value, dict) and value and value.get("type") not in ("several", "survival") and not _has_event(value):
        name = value.get("type")
        is_loss = isinstance(name, str)  # or a target has the name type
        has_others = any(isinstance(loss, str | dict) for key, loss in value.items() if key not in SETTINGS)
        if not is_loss or (has_others and plugins.find("losses", name) is None):
            return {"type": "several", "losses": value}
    return expand_name(value)


def _has_event(value: Mapping[Any, object]) -> bool:
    """Whether a mapping has the keys of `Survival` with the names of columns, not targets with their losses."""
    columns = {key: value[key] for key in ("event", "start") if key in value}
    return (
        bool(columns)
        and value.keys() <= Survival.model_fields.keys()
        and not any(
            not isinstance(name, str) or name in _TYPES or plugins.find("losses", name) for name in columns.values()
        )
    )


Loss: TypeAlias = Annotated[
    Annotated[RegressionLoss | ClassLoss | BinaryCrossEntropy | Survival | SeveralLosses, Field(discriminator="type")],
    Shorthand(_expand, dict[str, TargetLoss | Literal["auto"]]),
]
"""Any loss, as the configuration names it, or a mapping from targets to their losses."""

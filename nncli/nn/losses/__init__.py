"""The loss functions, and `Loss`, the union of the registries of all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field

from nncli.base import plugins
from nncli.base.spec import Shorthand, expand_name
from nncli.nn.losses.amounts import (
    GammaLoss,
    LogNormalLoss,
    NegativeBinomialLoss,
    PoissonLoss,
    TweedieLoss,
    ZeroInflatedPoissonLoss,
)
from nncli.nn.losses.classification import ClassificationLoss, ClassLoss, CrossEntropyLoss, HingeLoss, OrdinalLoss
from nncli.nn.losses.distributions import DistributionLoss, LocationScaleLoss, NormalLoss, StudentTLoss
from nncli.nn.losses.labels import BinaryCrossEntropyLoss
from nncli.nn.losses.loss import MEDIAN, MIN_PROBABILITY, BoundLoss, LossBase
from nncli.nn.losses.mixture import MixtureLoss
from nncli.nn.losses.multitarget import MultiTargetLoss, TargetLoss, fit_losses
from nncli.nn.losses.regression import (
    AMOUNT_LOSSES,
    HuberLoss,
    MAELoss,
    MSELoss,
    QuantileLoss,
    QuantilesLoss,
    RegressionLoss,
)
from nncli.nn.losses.scaling import TargetScaling
from nncli.nn.losses.survival import CoxLoss, SurvivalLoss

__all__ = [
    "AMOUNT_LOSSES",
    "MEDIAN",
    "MIN_PROBABILITY",
    "BinaryCrossEntropyLoss",
    "BoundLoss",
    "ClassificationLoss",
    "CoxLoss",
    "CrossEntropyLoss",
    "DistributionLoss",
    "GammaLoss",
    "HingeLoss",
    "HuberLoss",
    "LocationScaleLoss",
    "LogNormalLoss",
    "Loss",
    "LossBase",
    "MAELoss",
    "MSELoss",
    "MixtureLoss",
    "MultiTargetLoss",
    "NegativeBinomialLoss",
    "NormalLoss",
    "OrdinalLoss",
    "PoissonLoss",
    "QuantileLoss",
    "QuantilesLoss",
    "StudentTLoss",
    "SurvivalLoss",
    "TargetLoss",
    "TargetScaling",
    "TweedieLoss",
    "ZeroInflatedPoissonLoss",
    "fit_losses",
    "target_keys",
]


_TYPED = (*get_args(RegressionLoss), *get_args(ClassLoss), BinaryCrossEntropyLoss)
_TYPES = frozenset(("auto", *(loss.model_fields["type"].default for loss in _TYPED)))
SETTINGS = frozenset(name for loss in _TYPED for name in loss.model_fields)
"""The keys of losses; no target in a mapping has such a name beside one that is named type."""
_BuiltIn: TypeAlias = RegressionLoss | ClassLoss | BinaryCrossEntropyLoss | SurvivalLoss | CoxLoss | MultiTargetLoss
_OF_COLUMNS: Mapping[object, type[LossBase]] = {
    loss.model_fields["type"].default: loss for loss in get_args(_BuiltIn) if loss.target_keys
}
"""The losses that name further columns of the target, by their types."""


def target_keys(name: object) -> tuple[str, ...]:
    """The keys of the loss of this name that name further columns of the target."""
    if not isinstance(name, str) or name in _TYPES or name == "several":
        return ()
    loss = _OF_COLUMNS.get(name) or plugins.find("losses", name)
    return () if loss is None else loss.target_keys


def _expand(value: object) -> object:
    """A name, or a mapping from targets to their losses, as a specification."""
    name = value.get("type") if isinstance(value, dict) else None
    if isinstance(value, dict) and value and name != "several" and not target_keys(name) and not _names_columns(value):
        is_loss = isinstance(name, str)  # or a target has the name type
        has_others = any(isinstance(loss, str | dict) for key, loss in value.items() if key not in SETTINGS)
        if not is_loss or (has_others and plugins.find("losses", name) is None):
            return {"type": "several", "losses": value}
    return expand_name(value)


def _names_columns(value: Mapping[Any, object]) -> bool:
    """Whether a mapping without a type has the keys of a loss with the names of columns, not targets with losses."""
    for loss in _OF_COLUMNS.values():
        columns = [value[key] for key in loss.target_keys if key in value]
        if columns and value.keys() <= loss.model_fields.keys():
            return not any(
                not isinstance(name, str) or name in _TYPES or plugins.find("losses", name) for name in columns
            )
    return False


Loss: TypeAlias = Annotated[
    Annotated[_BuiltIn, Field(discriminator="type")],
    Shorthand(_expand, dict[str, TargetLoss | Literal["auto"]]),
]
"""Any loss, as the configuration names it, or a mapping from targets to their losses."""

"""The loss functions, and `Loss`, the union of the registries of all tasks."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from nncli.base.spec import NameShorthand
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
    "StudentT",
    "Tweedie",
    "ZeroInflatedPoisson",
]

Loss: TypeAlias = Annotated[
    Annotated[RegressionLoss | ClassLoss | BinaryCrossEntropy, Field(discriminator="type")],
    NameShorthand,
]
"""Any loss, as the configuration names it."""

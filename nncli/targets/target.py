"""The kinds of targets: the union that saved models know them by, and the kind that a loss is for."""

from __future__ import annotations

from typing import Annotated, TypeAlias, get_args

from pydantic import Field

from nncli.nn.losses import Loss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.labels import MultilabelTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.ordinal import OrderedClasses

AnyTarget: TypeAlias = RegressionTarget | ClassificationTarget | MultilabelTarget | OrderedClasses
Target = Annotated[AnyTarget, Field(discriminator="task")]

TargetKind: TypeAlias = type[AnyTarget]
"""A kind of target before it is fitted."""

KINDS: dict[str, TargetKind] = {kind.model_fields["task"].default: kind for kind in get_args(AnyTarget)}
"""Each kind of target by the task of its losses."""


def kind_of(loss: Loss) -> TargetKind:
    """The kind of target that a loss is for."""
    return KINDS[loss.task]

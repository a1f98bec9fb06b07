"""The kinds of targets: the union that saved models know them by, and the kind that a loss is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias, cast, get_args

from pydantic import Field

from nncli.base import plugins
from nncli.base.errors import UsageError
from nncli.base.spec import Shorthand, unchanged
from nncli.base.text import quote
from nncli.nn.losses import LossBase
from nncli.targets.classes import ClassificationTarget
from nncli.targets.labels import MultilabelTarget
from nncli.targets.multitarget import MultiTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.ordinal import OrdinalTarget
from nncli.targets.survival import SurvivalTarget

AnyTarget: TypeAlias = (
    RegressionTarget | ClassificationTarget | MultilabelTarget | OrdinalTarget | SurvivalTarget | MultiTarget
)
Target = Annotated[AnyTarget, Field(discriminator="task"), Shorthand(unchanged, discriminator="task")]

TargetKind: TypeAlias = type[AnyTarget]
"""A kind of target before it is fitted."""

KINDS: dict[str, TargetKind] = {kind.model_fields["task"].default: kind for kind in get_args(AnyTarget)}
"""Each kind of target by the task of its losses."""


def class_targets(names: Sequence[str], loss: LossBase, *, ordered: bool = True) -> tuple[str, ...]:
    """Those of the targets `names` that a loss takes for classes, or for classes without an order."""
    kinds = [kind_of(part) for part in loss.of_each(len(names))]
    pairs = zip(names, kinds, strict=True)
    return tuple(column for name, kind in pairs for column in kind.class_columns((name,), ordered=ordered))


def number_targets(names: Sequence[str], loss: LossBase) -> tuple[str, ...]:
    """Those of the targets `names` that a loss takes for numbers."""
    kinds = [kind_of(part) for part in loss.of_each(len(names))]
    return tuple(column for name, kind in zip(names, kinds, strict=True) for column in kind.number_columns((name,)))


def kind_of(loss: LossBase) -> TargetKind:
    """The kind of target that a loss is for."""
    kind = kind_of_task(loss.task)
    if kind is None:
        raise UsageError(f"there is no kind of target {quote(loss.task)}, which {type(loss).__name__} is for")
    return kind


def kind_of_task(task: str) -> TargetKind | None:
    """The kind of target that losses of a task are for, also that of a plugin; None if there is none."""
    return cast("TargetKind | None", KINDS.get(task) or plugins.find("targets", task))

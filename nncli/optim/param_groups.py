"""What an optimizer makes of the groups of parameters: factors of the learning rate and of the weight decay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Literal, TypeAlias

from nncli.nn.parameters import DECAYED, ParamGroup
from nncli.spec import NonNegativeFloat, Spec

GroupName: TypeAlias = Literal["weight", "embedding", "numeric", "bias", "scale", "alpha"]
"""The trained groups, as the configuration writes them."""


class GroupOptions(Spec):
    """What a group multiplies the learning rate and the weight decay by.

    Without `decay` weights and embeddings decay as they are told, and the others not at all.
    """

    lr_multiplier: NonNegativeFloat = 1.0
    weight_decay_multiplier: NonNegativeFloat | None = None

    def decay_of(self, group: ParamGroup) -> float:
        """The factor of the weight decay."""
        return float(group in DECAYED) if self.weight_decay_multiplier is None else self.weight_decay_multiplier


def merge_groups(
    factors: Mapping[GroupName, GroupOptions], groups: Mapping[ParamGroup, slice]
) -> Iterator[tuple[slice, float, float]]:
    """The stretches of theta with the same factors of rate and decay; `groups` lie in order and without a gap."""
    named: dict[str, GroupOptions] = dict(factors.items())

    def of(group: ParamGroup) -> tuple[float, float]:
        own = named.get(group.name.lower(), GroupOptions())
        return own.lr_multiplier, own.decay_of(group)

    for (rate, decay), run in groupby(groups, key=of):
        spans = [groups[group] for group in run]
        yield slice(spans[0].start, spans[-1].stop), rate, decay

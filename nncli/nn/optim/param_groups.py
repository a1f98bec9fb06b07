"""Multipliers of the learning rate and the weight decay for groups of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Literal, TypeAlias

from nncli.base.spec import NonNegativeFloat, Spec
from nncli.nn.parameters import DECAYED, ParamGroup

GroupName: TypeAlias = Literal["weight", "embedding", "numeric", "bias", "scale", "alpha"]
"""The trained groups, as the configuration names them."""


class GroupOptions(Spec):
    """Multipliers of the learning rate and the weight decay for one group.

    Without `weight_decay_multiplier` it is 1 for weights and embeddings, and 0 for the others.
    """

    lr_multiplier: NonNegativeFloat = 1.0
    weight_decay_multiplier: NonNegativeFloat | None = None

    def decay_of(self, group: ParamGroup) -> float:
        """The multiplier of the weight decay."""
        return float(group in DECAYED) if self.weight_decay_multiplier is None else self.weight_decay_multiplier


def merge_groups(
    options: Mapping[GroupName, GroupOptions], groups: Mapping[ParamGroup, slice]
) -> Iterator[tuple[slice, float, float]]:
    """The slices of theta with the same multipliers of rate and decay; `groups` are in order and without a gap."""
    by_name: dict[str, GroupOptions] = dict(options.items())

    def multipliers(group: ParamGroup) -> tuple[float, float]:
        options = by_name.get(group.name.lower(), GroupOptions())
        return options.lr_multiplier, options.decay_of(group)

    for (rate, decay), run in groupby(groups, key=multipliers):
        spans = [groups[group] for group in run]
        yield slice(spans[0].start, spans[-1].stop), rate, decay

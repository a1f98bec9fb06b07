"""What an optimizer makes of the groups of parameters: factors of the learning rate and of the weight decay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Literal, TypeAlias

from nncli.nn.parameters import DECAYED, Group
from nncli.spec import NonNegative, Specification

GroupName: TypeAlias = Literal["weight", "embedding", "numeric", "bias", "scale", "alpha"]
"""The trained groups, as the configuration writes them."""


class Factors(Specification):
    """What a group multiplies the learning rate and the weight decay by.

    Without `decay` weights and embeddings decay as they are told, and the others not at all.
    """

    rate: NonNegative = 1.0
    decay: NonNegative | None = None

    def decay_of(self, group: Group) -> float:
        """The factor of the weight decay."""
        return float(group in DECAYED) if self.decay is None else self.decay


def alike(factors: Mapping[GroupName, Factors], groups: Mapping[Group, slice]) -> Iterator[tuple[slice, float, float]]:
    """The stretches of theta with the same factors of rate and decay; `groups` lie in order and without a gap."""
    named: dict[str, Factors] = dict(factors.items())

    def of(group: Group) -> tuple[float, float]:
        own = named.get(group.name.lower(), Factors())
        return own.rate, own.decay_of(group)

    for (rate, decay), run in groupby(groups, key=of):
        spans = [groups[group] for group in run]
        yield slice(spans[0].start, spans[-1].stop), rate, decay

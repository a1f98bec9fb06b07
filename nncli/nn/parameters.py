"""theta and its gradient: two flat vectors, and named views into them.

One flat vector makes optimizers, clipping, weight decay, checkpoints and gradient checks one-dimensional code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from math import prod

import numpy as np

from nncli.nn.arrays import Array, Precision, zeros_aligned
from nncli.nn.initializers import InitializerBase

ParamViews = Mapping[str, Array]


@dataclass(frozen=True)
class ParameterBounds:
    """The lowest and the highest value of each parameter, by its name: infinite where it is free."""

    low: ParamViews
    high: ParamViews

    def within(self, prefix: str) -> ParameterBounds:
        """The bounds of the parameters whose names begin with `prefix.`, by the rest of their names."""
        return ParameterBounds(with_prefix(self.low, prefix), with_prefix(self.high, prefix))


class ParamGroup(IntEnum):
    """The role of a parameter. theta is laid out in this order, so that each group is one contiguous slice."""

    WEIGHT = 0
    EMBEDDING = 1  # of categories
    NUMERIC = 2  # of numeric embeddings
    BIAS = 3
    SCALE = 4
    ALPHA = 5  # of parametric activations
    STATISTIC = 6  # running means and variances: saved with the weights, but never touched by an optimizer


DECAYED = (ParamGroup.WEIGHT, ParamGroup.EMBEDDING)
"""The groups that l1, l2 and, by default, weight decay apply to."""


@dataclass(frozen=True)
class ParamSpec:
    """One named parameter: its full name such as `layers.0.weight`, its shape, its group and its initializer."""

    name: str
    shape: tuple[int, ...]
    group: ParamGroup
    init: InitializerBase

    def with_prefix(self, prefix: str) -> ParamSpec:
        """The same parameter with `prefix.` before its name."""
        return ParamSpec(f"{prefix}.{self.name}", self.shape, self.group, self.init)


@dataclass(frozen=True)
class ParamLayout:
    """The position of each parameter in the flat vectors."""

    specs: tuple[ParamSpec, ...]

    @cached_property
    def spans(self) -> dict[str, tuple[slice, tuple[int, ...]]]:
        """Name to (slice, shape), group by group; the statistics are in a vector of their own."""
        spans: dict[str, tuple[slice, tuple[int, ...]]] = {}
        for trained in (True, False):
            start = 0
            for spec in sorted(self._of(trained), key=lambda spec: spec.group):  # stable within a group
                stop = start + prod(spec.shape)
                spans[spec.name] = (slice(start, stop), spec.shape)
                start = stop
        return spans

    def _of(self, trained: bool) -> Iterator[ParamSpec]:
        return (spec for spec in self.specs if (spec.group is not ParamGroup.STATISTIC) == trained)

    @cached_property
    def size(self) -> int:
        """The number of trained parameters."""
        return sum(prod(spec.shape) for spec in self._of(True))

    @cached_property
    def groups(self) -> dict[ParamGroup, slice]:
        """The slice of theta of each group, in order; without the groups that are empty."""
        groups: dict[ParamGroup, slice] = {}
        start = 0
        for group in sorted({spec.group for spec in self._of(True)}):
            stop = start + sum(prod(spec.shape) for spec in self.specs if spec.group is group)
            groups[group] = slice(start, stop)
            start = stop
        return groups

    @cached_property
    def n_decayed(self) -> int:
        """theta[:n_decayed] are the weights and embeddings, to which the penalties l1 and l2 apply."""
        return sum(prod(spec.shape) for spec in self.specs if spec.group in DECAYED)

    def empty(self, precision: Precision) -> Parameters:
        """Parameters that are all zero."""
        statistics = sum(prod(spec.shape) for spec in self._of(False))
        return Parameters(
            self,
            zeros_aligned(self.size, precision),
            zeros_aligned(self.size, precision),
            zeros_aligned(statistics, precision),
        )

    def initialize(self, rng: np.random.Generator, precision: Precision) -> Parameters:
        """New parameters, each drawn from its own initializer, in the order of the network."""
        parameters = self.empty(precision)
        for spec in self.specs:
            parameters.by_name[spec.name][...] = spec.init.sample(rng, spec.shape)
        return parameters


@dataclass(frozen=True)
class Parameters:
    """All parameters of a network: `theta` and `grad` (size,), and `statistics`, which are saved but not trained."""

    layout: ParamLayout
    theta: Array
    grad: Array
    statistics: Array

    def _view(self, vector: Array, name: str) -> Array:
        span, shape = self.layout.spans[name]
        return vector[span].reshape(shape)

    @cached_property
    def by_name(self) -> dict[str, Array]:
        """Every parameter and statistic by its full name: views, so writing to one writes to theta."""
        return {
            spec.name: self._view(self.statistics if spec.group is ParamGroup.STATISTIC else self.theta, spec.name)
            for spec in self.layout.specs
        }

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """The gradient of every trained parameter by its full name: views into `grad`."""
        return {s.name: self._view(self.grad, s.name) for s in self.layout.specs if s.group is not ParamGroup.STATISTIC}

    def copy_from(self, source: Parameters) -> None:
        """Copy the values of `source`, which has the same layout."""
        np.copyto(self.theta, source.theta)
        np.copyto(self.statistics, source.statistics)


def by_prefix(views: ParamViews, prefixes: Iterable[str]) -> dict[str, dict[str, Array]]:
    """The views of each prefix by the rest of their names: `with_prefix` for all of many layers at once."""
    parts: dict[str, dict[str, Array]] = {prefix: {} for prefix in prefixes}
    for name, view in views.items():
        end = name.find(".")
        while end >= 0 and name[:end] not in parts:
            end = name.find(".", end + 1)
        if end >= 0:
            parts[name[:end]][name[end + 1 :]] = view
    return parts


def with_prefix(views: ParamViews, prefix: str) -> dict[str, Array]:
    """The views whose names begin with `prefix.`, by the rest of their names."""
    start = prefix + "."
    return {name.removeprefix(start): view for name, view in views.items() if name.startswith(start)}

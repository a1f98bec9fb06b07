"""The columns of a program, made from the nodes of what it computes of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nncli.base.text import percent_digits
from nncli.nn.program.program import OutputColumn, Role

BOUNDS: tuple[Role, Role] = ("lower", "upper")


@dataclass(frozen=True)
class IntervalNodes:
    """The nodes of the bounds (rows, targets) of prediction intervals of a level; `upper` is None if unknown."""

    level: float
    lower: int
    upper: int | None = None

    def columns(self, targets: Sequence[str]) -> list[OutputColumn]:
        """`lower_90` and `upper_90`, with _TARGET for several targets."""
        digits, ends = percent_digits(self.level), [*zip(BOUNDS, (self.lower, self.upper), strict=True)]
        return [
            OutputColumn(f"{role}_{digits}{suffix}", role, node, j, name, self.level)
            for j, name, suffix in _suffixed(targets)
            for role, node in ends
            if node is not None
        ]


@dataclass(frozen=True)
class OutputNodes:
    """The nodes of what a program computes of a model.

    `values` are numbers or probabilities (rows, outputs), and `codes` what `lower_codes` makes of them. `quantiles` are
    (rows, targets · levels), `standard_deviations` (rows, targets).
    """

    values: int
    codes: int
    quantiles: int | None = None
    levels: tuple[float, ...] = ()
    standard_deviations: int | None = None
    bounds: tuple[IntervalNodes, ...] = ()


def number_columns(targets: Sequence[str], nodes: OutputNodes) -> tuple[OutputColumn, ...]:
    """`prediction`, or `prediction_TARGET`, then `quantile_05`, `sd` and bounds, as far as there are nodes of them."""
    ends = _suffixed(targets)
    columns = [OutputColumn(f"prediction{end}", "value", nodes.values, j, name) for j, name, end in ends]
    if nodes.quantiles is not None:
        levels, node = nodes.levels, nodes.quantiles
        columns += [
            OutputColumn(f"quantile_{percent_digits(a)}{end}", "quantile", node, j * len(levels) + k, name, a)
            for j, name, end in ends
            for k, a in enumerate(levels)
        ]
    if nodes.standard_deviations is not None:
        columns += [OutputColumn(f"sd{end}", "sd", nodes.standard_deviations, j, name) for j, name, end in ends]
    return (*columns, *(column for bounds in nodes.bounds for column in bounds.columns(targets)))


def _suffixed(targets: Sequence[str]) -> list[tuple[int, str, str]]:
    """The place and name of each target, and the end of its titles."""
    return [(j, name, f"_{name}" if len(targets) > 1 else "") for j, name in enumerate(targets)]

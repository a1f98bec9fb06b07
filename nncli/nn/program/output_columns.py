"""The columns that `nncli predict` prints of the outputs of a program."""

from __future__ import annotations

from typing import NamedTuple

from nncli.base.text import percent_digits
from nncli.nn.program.program import ClassOutputs, NumberOutputs


class OutputColumn(NamedTuple):
    """A column of predictions: its title, its node, and its place there."""

    title: str
    node: int
    place: int


def number_columns(outputs: NumberOutputs) -> list[OutputColumn]:
    """The columns of predicted numbers, in order."""
    suffixes = [""] if len(outputs.names) == 1 else [f"_{name}" for name in outputs.names]
    found = [OutputColumn(f"prediction{suffix}", outputs.values, j) for j, suffix in enumerate(suffixes)]
    if outputs.quantiles is not None:
        n = len(outputs.levels)
        for j, suffix in enumerate(suffixes):
            for k, level in enumerate(outputs.levels):
                found.append(OutputColumn(f"quantile_{percent_digits(level)}{suffix}", outputs.quantiles, j * n + k))
    for bounds in outputs.bounds:
        digits = percent_digits(bounds.level)
        for j, suffix in enumerate(suffixes):
            found.append(OutputColumn(f"lower_{digits}{suffix}", bounds.lower, j))
            found.append(OutputColumn(f"upper_{digits}{suffix}", bounds.upper, j))
    return found


def probability_columns(outputs: ClassOutputs) -> list[OutputColumn]:
    """The columns of probabilities, in order."""
    if outputs.probabilities is None:
        return []
    return [OutputColumn(f"proba_{label}", outputs.probabilities, j) for j, label in enumerate(outputs.labels)]

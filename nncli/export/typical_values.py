"""Typical values of columns: the median or the most frequent category of the training rows, by the reference profile.

Encoders do not know how often a category or a missing cell occurs, and the median of a member is that of its own rows.
A column that is mostly missing has no typical value: what most rows have is a missing cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import Program
from nncli.runs.monitoring.bins import Bins, CategoryBins, NumberBins
from nncli.runs.monitoring.reference import Reference


def with_typical_values(program: Program, reference: Reference | None) -> Program:
    """The program whose inputs know the typical value of the training rows, as far as the reference profile does."""
    return replace(program, inputs=typical_inputs(program.inputs, reference))


def typical_inputs(inputs: Iterable[ProgramInput], reference: Reference | None) -> tuple[ProgramInput, ...]:
    """The inputs with the typical values of the training rows, as far as the reference profile knows them."""
    bins = {} if reference is None else {one.name: one for one in reference.columns}
    return tuple(_with_typical(column, bins.get(column.name)) for column in inputs)


def _with_typical(column: ProgramInput, bins: Bins | None) -> ProgramInput:
    match column, bins:
        case CategoryInput(), CategoryBins():
            return replace(column, typical=most_frequent(column.categories, bins))
        case (NumberInput() | DateInput(), NumberBins()):
            return replace(column, typical=median(bins))
        case _:
            return column


def most_frequent(categories: Iterable[str], bins: CategoryBins) -> str | None:
    """The most frequent of the categories that a model knows; None if more rows are missing."""
    known = {*categories}
    counts = zip(bins.categories, bins.counts[1:].tolist(), strict=False)
    return next((text for text, count in counts if text in known and count >= bins.counts[0]), None)


def median(bins: NumberBins) -> float | None:
    """The end of the interval that the median is in, which is a value of the reference; None if most are missing."""
    missing, present = bins.counts[0], bins.counts[1:].sum()
    if missing > present or not present:
        return None
    below = np.cumsum(bins.counts[1:])
    return float(bins.edges[np.searchsorted(below, below[-1] / 2.0)])

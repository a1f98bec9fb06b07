"""Typical values of columns: the median or the most frequent category of the training rows, by the reference profile.

Encoders do not know how often a category occurs, and the median of an ensemble's member is that of its own rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nncli.monitoring.bins import Bins, CategoryBins, NumberBins
from nncli.monitoring.reference import Reference
from nncli.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.program.program import Program


def with_typical_values(program: Program, reference: Reference | None) -> Program:
    """The program whose inputs know the typical value of the training rows, as far as the reference profile does."""
    bins = {} if reference is None else {one.name: one for one in reference.columns}
    return replace(program, inputs=tuple(_with_typical(column, bins.get(column.name)) for column in program.inputs))


def _with_typical(column: ProgramInput, bins: Bins | None) -> ProgramInput:
    match column, bins:
        case CategoryInput(), CategoryBins():
            known = {*column.categories}
            return replace(column, typical=next((text for text in bins.categories if text in known), None))
        case ((NumberInput() | DateInput()), NumberBins()) if bins.counts[1:].any():
            return replace(column, typical=_median(bins))
        case _:
            return column


def _median(bins: NumberBins) -> float:
    """The end of the interval that the median of the reference is in, which is a value of it."""
    below = np.cumsum(bins.counts[1:])
    return float(bins.edges[np.searchsorted(below, below[-1] / 2.0)])

"""The typical value of each column of categories, of which an encoder does not know how often they occur."""

from __future__ import annotations

from dataclasses import replace

from nncli.monitoring.bins import CategoryBins
from nncli.monitoring.reference import Reference
from nncli.program.inputs import CategoryInput, ProgramInput
from nncli.program.program import Program


def with_typical_categories(program: Program, reference: Reference | None) -> Program:
    """The program whose inputs know the most frequent category of the training rows, if the reference profile does."""
    if reference is None:
        return program
    bins = {one.name: one for one in reference.columns if isinstance(one, CategoryBins)}
    return replace(program, inputs=tuple(_with_typical(column, bins.get(column.name)) for column in program.inputs))


def _with_typical(column: ProgramInput, bins: CategoryBins | None) -> ProgramInput:
    if not isinstance(column, CategoryInput) or bins is None:
        return column
    known = {*column.categories}
    return replace(column, typical=next((text for text in bins.categories if text in known), None))

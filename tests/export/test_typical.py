from __future__ import annotations

import numpy as np
import polars as pl

from nncli.export.typical import with_typical_categories
from nncli.monitoring.bins import CategoryBins, NumberBins
from nncli.monitoring.reference import Reference
from nncli.program.inputs import CategoryInput, NumberInput
from nncli.program.program import Program
from tests.runtimes.hostile import category_input, program_of


def program() -> Program:
    return program_of([NumberInput("x"), category_input("color", ["blue", "red"]), category_input("size", ["L"])])


def typical_of(found: Program) -> list[str | None]:
    return [column.typical for column in found.inputs if isinstance(column, CategoryInput)]


def test_the_most_frequent_category_that_the_model_knows_is_typical() -> None:
    cells = pl.Series(["rare", "rare", "rare", "red", "red", "blue", None])
    columns = (
        NumberBins.fit("x", "number", np.arange(7.0), 3),
        CategoryBins.fit("color", cells, 10, 100),
    )
    assert typical_of(with_typical_categories(program(), Reference(7, 7, columns, ()))) == ["red", None]


def test_without_a_profile_no_category_is_typical() -> None:
    assert typical_of(with_typical_categories(program(), None)) == [None, None]

"""The file of a reference profile: the same when read again, refused when damaged, and of bounded size."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nncli.run_directory.monitoring.reference import CategoryBins, NumberBins, Reference, n_categories, n_quantiles


def some_reference() -> Reference:
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    x[:7] = np.nan
    cells = pl.Series(rng.choice(["red", "green", "blue"], 500))
    columns = (NumberBins.fit("x", "number", x, 21), CategoryBins.fit("ü", cells, 2, 100))
    classes = CategoryBins.of_classes("y", ("no", "yes"), np.array([0, 1]))
    return Reference(
        500, 9_000, columns, (classes, NumberBins.fit("yes", "probability", np.array([0.2, 0.7]), 3)), (0, 2)
    )


def test_a_reference_is_the_same_when_it_is_read_again() -> None:
    reference = some_reference()
    again = Reference.from_bytes(reference.to_bytes())
    assert (again.rows, again.total, again.checksum) == (500, 9_000, reference.checksum)
    assert (again.members, again.held_out) == ((0, 2), 2)
    for a, b in zip(reference.bins, again.bins, strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a.counts, b.counts)
    number, category = again.columns
    assert isinstance(number, NumberBins)
    assert isinstance(category, CategoryBins)
    assert (number.name, number.measure, category.name, category.n_others) == ("x", "number", "ü", 1)


def test_references_differ_by_their_checksums() -> None:
    a = some_reference()
    assert a.checksum != Reference(500, 9_001, a.columns, a.predictions).checksum


@pytest.mark.parametrize("cut", [0, 7, 300, -1])
def test_a_cut_file_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        Reference.from_bytes(some_reference().to_bytes()[:cut])


def test_other_counts_are_refused() -> None:
    reference = some_reference()
    wrong = Reference(499, 9_000, reference.columns, reference.predictions)
    with pytest.raises(ValueError, match="add up"):
        Reference.from_bytes(wrong.to_bytes())


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "most"), [(10, 100_000), (30, 100_000), (100, 110_000), (3_000, 1_500_000)])
def test_the_size_of_the_file_is_bounded(columns: int, most: int) -> None:
    x = np.random.default_rng(0).normal(size=400)
    numbers = [NumberBins.fit(f"x{i}", "number", x + i, n_quantiles(columns)) for i in range(columns)]
    assert len(Reference(400, 400, tuple(numbers), ()).to_bytes()) < most
    cells = pl.Series([f"category number {i}" for i in range(400)])
    result = [
        CategoryBins.fit(f"c{i}", cells, n_categories(columns), 20 * n_categories(columns)) for i in range(columns)
    ]
    assert len(Reference(400, 400, tuple(result), ()).to_bytes()) < max(most, 700 * columns)

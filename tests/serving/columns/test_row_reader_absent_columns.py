from __future__ import annotations

import pytest

from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.columns.row_reader import MAX_NAMES, AbsentColumns, unused_names
from nncli.serving.problems import ProblemError
from tests.serving.features import column_of

SCHEMA = InputSchema(
    (
        column_of("age", "number", False),
        column_of("bill_length_mm", "number", True),
        column_of("bill_depth_mm", "number", True),
    )
)
PENGUINS = AbsentColumns("penguins", SCHEMA)


def check(*names: str) -> None:
    absent = [name for name in SCHEMA.by_name if name not in names]
    AbsentColumns("penguins", SCHEMA).check_row(names, absent, 3)


@pytest.mark.parametrize(
    ("names", "column", "mentions"),
    [
        (("age", "bill_lenght_mm", "bill_depth_mm"), "bill_length_mm", "bill_lenght_mm"),
        (("age", "Bill Length mm"), "bill_length_mm", "Bill Length mm"),
        (("Age", "bill_length_mm"), "age", "Age"),
        (("id", "bill_length_mm"), "age", "id"),
    ],
)
def test_a_name_of_similar_spelling_is_not_ignored(names: tuple[str, ...], column: str, mentions: str) -> None:
    with pytest.raises(ProblemError) as caught:
        check(*names)
    problem = caught.value.problem
    assert (problem.status, problem.row, problem.column) == (422, 3, column)
    assert mentions in f"{problem.detail} {problem.hint}"
    assert "'penguins'" in problem.detail


def test_other_names_are_ignored() -> None:
    check("age", "id", "island")
    check("age", "bill_length_mm", "bill_length_mm_2")  # closer to the column that is there


def test_a_row_without_any_column_is_refused() -> None:
    optional = InputSchema((column_of("x", "number", True), column_of("color", "category", True)))
    with pytest.raises(ProblemError):
        AbsentColumns("m", optional).check_row(["when"], ["x", "color"], 1)


def test_a_table_has_every_column() -> None:
    PENGUINS.check_table(["bill_depth_mm", "other", "bill_length_mm", "age"])
    with pytest.raises(ProblemError):
        PENGUINS.check_table(["age", "bill_depth_mm"])


def test_many_names_are_not_compared() -> None:
    names = [f"n{i}" for i in range(100_000)]
    assert len(unused_names(names, {"n3"})) == MAX_NAMES
    assert unused_names(["a" * 1_000, "b", "c"], {"c"}) == ["b"]
    wide = AbsentColumns("wide", InputSchema(tuple(column_of(f"c{i}", "number", i > 0) for i in range(2_000))))
    for i in range(1_000):
        wide.check_row([f"c0 x{i}y{k}" for k in range(99)] + ["c0"], ["c1"])

"""Tables of costs, and what is wrong with some of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.api.threshold import read_costs
from nncli.base.errors import DataError, Location

LABELS = ("a", "b", "c")


def costs(here: Path, text: str) -> Path:
    (here / "costs.csv").write_text(text)
    return here / "costs.csv"


def test_classes_may_be_in_any_order(here: Path) -> None:
    table = costs(here, "actual,c,a,b\nb,3,1,0\nc,0,4,5\na,2,0,1.5\n")
    assert read_costs(table, LABELS).costs == ((0.0, 1.5, 2.0), (1.0, 0.0, 3.0), (4.0, 5.0, 0.0))


def test_a_decimal_comma_is_read(here: Path) -> None:
    assert read_costs(costs(here, "actual;a;b\na;0;1,5\nb;2,5;0\n"), ("a", "b")).costs == ((0.0, 1.5), (2.5, 0.0))


@pytest.mark.parametrize(
    ("text", "row", "column"),
    [
        ("actual,a,b\na,0,1\nb,1,0\nc,1,1\n", None, None),
        ("actual,a,b,c,d\na,0,1,1,1\nb,1,0,1,1\nc,1,1,0,1\n", None, None),
        ("actual,a,b,c\na,0,1,1\nb,1,0,1\n", None, None),
        ("actual,a,b,c\na,0,1,1\nb,1,0,1\nb,1,1,0\n", 3, None),
        ("actual,a,b,c\na,0,1,1\nx,1,0,1\nc,1,1,0\n", 2, None),
        ("actual,a,b,c\na,0,1,1\nb,1,0,-2\nc,1,1,0\n", 2, "c"),
        ("actual,a,b,c\na,0,much,1\nb,1,0,2\nc,1,1,0\n", 1, "b"),
        ("actual,a,b,c\na,0,,1\nb,1,0,2\nc,1,1,0\n", 1, "b"),
        ("actual,a,b,c\na,0,inf,1\nb,1,0,2\nc,1,1,0\n", 1, "b"),
        ("actual,a,b,c\na,0,nan,1\nb,1,0,2\nc,1,1,0\n", 1, "b"),
        ("actual,a,b,c\na,0,0,0\nb,0,0,0\nc,0,0,0\n", None, None),
        ("actual,a,b,c\n", None, None),
    ],
)
def test_a_table_that_is_wrong_is_refused_where_it_is(
    here: Path, text: str, row: int | None, column: str | None
) -> None:
    path = costs(here, text)
    with pytest.raises(DataError) as caught:
        read_costs(path, LABELS)
    assert r"\\" not in caught.value.message
    assert caught.value.location == Location(source=str(path), row=row, column=column)
    assert caught.value.hint


def test_a_class_that_is_missing_is_named_beside_one_that_is_there_twice(here: Path) -> None:
    with pytest.raises(DataError, match="more than one row for 'b'") as caught:
        read_costs(costs(here, "actual,a,b,c|d,e\\f\nb,0,1,1,1\nb,1,0,1,1\n"), ("a", "b", "c|d", r"e\f"))
    assert caught.value.message.endswith(r"no row for 'a', 'c|d' and 'e\f'")
    assert caught.value.location is not None
    assert caught.value.location.row == 2

from __future__ import annotations

import pytest

from nncli.data.formats.csv.header import body_width, can_be_header, find_header, is_title, is_value, value_columns


@pytest.mark.parametrize(
    "cell", ["1", "-1.5", "1e5", "2024-01-31", "12:30", "€ 5", "5 %", "1,234.5", " 7 ", "+49 30 123"]
)
def test_numbers_and_dates_are_values(cell: str) -> None:
    assert is_value(cell)


@pytest.mark.parametrize("cell", ["", "a", "x1", "5 kg", "-", "Q1 2024"])
def test_words_are_no_values(cell: str) -> None:
    assert not is_value(cell)


@pytest.mark.parametrize(
    ("cells", "width", "title"),
    [
        (["Report"], 3, True),
        (["Report", "", ""], 3, True),
        (["", "", ""], 3, True),
        (["name", ""], 2, False),  # a table of two columns, one without a name
        (["", "price"], 2, False),
        (["a", "b"], 3, False),
        (["a"], 1, False),
    ],
)
def test_a_title_has_one_cell(cells: list[str], width: int, title: bool) -> None:
    assert is_title(cells, width) == title


@pytest.mark.parametrize(
    ("cells", "can_be"),
    [
        (["name", "age"], True),
        (["region", "2019", "2020"], True),
        (["name", "3"], False),
        (["name"], False),
        (["2019", "2020"], False),
        (["name", "", "", "", "age"], False),
        (["", "price", "size"], True),
    ],
)
def test_a_header_has_names(cells: list[str], can_be: bool) -> None:
    assert can_be_header(cells) == can_be


def test_the_width_is_that_of_most_records() -> None:
    assert body_width([["a"], ["1", "2"], ["1", "2"]]) == 2
    assert body_width([["a"], ["1", "2"]]) == 2
    assert body_width([]) == 0


def test_columns_of_numbers_may_have_missing_cells() -> None:
    body = [
        ["x", "1", "", "2024-01-01"],
        ["y", "NA", "b", "2024-01-02"],
        ["z", "3", "7", "2024-01-03"],
        ["z", "5", "c", ""],
    ]
    assert value_columns(body, 4) == {1, 3}


def test_titles_of_the_same_width_need_evidence() -> None:
    body = [["ann", "oslo", "no"], ["bob", "rome", "it"]]
    result = find_header([["Report", "", ""], ["name", "city", "land"], *body], has_blank_lines=False)
    assert (result.at, result.instead) == (1, 0)
    result = find_header([["A report", "", ""], ["", "", ""], ["name", "city", "land"], *body], has_blank_lines=False)
    assert (result.at, result.instead) == (2, 0)
    numbers = [["ann", "oslo", str(i)] for i in range(3)]
    result = find_header([["Report", "", ""], ["name", "city", "age"], *numbers], has_blank_lines=False)
    assert (result.at, result.instead) == (1, None)

"""The order of classes by what their names tell, and none where it would be a guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.orders import SCALES, evident_order, label_order, word_order


@pytest.mark.parametrize(
    "labels",
    [
        ["Low", "Medium", "High"],
        ["very low", "low", "normal"],
        ["XS", "S", "M", "L", "XL"],
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        ["january", "march", "december"],
        ["Primary", "High School", "Bachelor's", "Master's", "PhD"],
        ["never", "sometimes", "always"],
        ["strongly_disagree", "disagree", "neutral", "agree", "strongly_agree"],
        ["Poor", "Average", "Excellent"],
        ["Fair", "Good", "Very Good", "Premium", "Ideal"],
        ["None", "Some", "Marked"],
        ["Too Little", "About Right", "Too Much"],
        ["Very Low", "Fairly Low", "Average", "Fairly High", "Very High"],
        ["II", "III", "IV"],
        ["Stage I", "Stage II", "Stage IV"],
        ["low risk", "medium risk", "very high risk"],
    ],
)
def test_words_of_a_scale_are_in_its_order(labels: list[str]) -> None:
    assert word_order(sorted(labels)) == labels
    assert label_order(labels[::-1]) == labels


@pytest.mark.parametrize(
    "labels", [["red", "green", "blue"], ["low", "high", "blue"], ["a", "b", "c"], ["medium", "middle", "low"]]
)
def test_other_words_have_no_order(labels: list[str]) -> None:
    assert label_order(labels) is None


@pytest.mark.slow
@given(data=st.data())
def test_a_subset_of_a_scale_keeps_its_order(data: st.DataObject) -> None:
    levels = [level.split("/") for level in data.draw(st.sampled_from(SCALES)).split(", ")]
    kept = data.draw(st.lists(st.sampled_from(range(len(levels))), min_size=3, unique=True)) if len(levels) > 3 else []
    labels = [data.draw(st.sampled_from(levels[i])) for i in sorted(kept)]
    if labels:
        order = word_order(labels)
        assert order in (labels, word_order(labels[::-1]))
        assert order is not None


def test_no_word_stands_twice_in_a_scale() -> None:
    for scale in SCALES:
        words = [word for level in scale.split(", ") for word in level.split("/")]
        assert len(words) == len(set(words)), scale
        assert words == [" ".join(word.casefold().split()) for word in words]


YEARS = range(1998, 2031)
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
"""Those whose first three letters are their short form."""
PERIODS: dict[str, tuple[int, Callable[[int, int], str]]] = {
    "Q1 2023": (4, lambda year, part: f"Q{part} {year}"),
    "2023-Q1": (4, lambda year, part: f"{year}-Q{part}"),
    "2023Q1": (4, lambda year, part: f"{year}Q{part}"),
    "1Q23": (4, lambda year, part: f"{part}Q{year % 100:02}"),
    "Q1'23": (4, lambda year, part: f"Q{part}'{year % 100:02}"),
    "FY23 Q1": (4, lambda year, part: f"FY{year % 100:02} Q{part}"),
    "1st quarter 2023": (4, lambda year, part: f"{part}{('st', 'nd', 'rd', 'th')[part - 1]} quarter {year}"),
    "H1 2023": (2, lambda year, part: f"H{part} {year}"),
    "Jan 2023": (10, lambda year, part: f"{MONTHS[part - 1][:3]} {year}"),
    "January 2023": (10, lambda year, part: f"{MONTHS[part - 1]} {year}"),
    "Jan-23": (10, lambda year, part: f"{MONTHS[part - 1][:3]}-{year % 100:02}"),
    "2023 Jan": (10, lambda year, part: f"{year} {MONTHS[part - 1][:3]}"),
    "2023-01": (12, lambda year, part: f"{year}-{part:02}"),
    "01/2023": (12, lambda year, part: f"{part:02}/{year}"),
    "2023M1": (12, lambda year, part: f"{year}M{part}"),
    "W05 2023": (53, lambda year, part: f"W{part:02} {year}"),
    "2023-W05": (53, lambda year, part: f"{year}-W{part:02}"),
    "Week 5, 2023": (53, lambda year, part: f"Week {part}, {year}"),
    "2023-05-09": (28, lambda year, part: f"{year}-05-{part:02}"),
}


@given(data=st.data())
def test_periods_are_in_the_order_of_time(data: st.DataObject) -> None:
    parts, write = PERIODS[data.draw(st.sampled_from([*PERIODS]))]
    drawn = data.draw(st.sets(st.tuples(st.sampled_from(YEARS), st.integers(1, parts)), min_size=2, max_size=8))
    in_time = [write(year, part) for year, part in sorted(drawn)]
    assert label_order(data.draw(st.permutations(in_time))) == in_time


GRADES = ["F", "E", *(f"{letter}{mark}" for letter in "DCBA" for mark in ("-", "", "+"))]
LETTERS = (
    *("D", "C", "CC", "CCC-", "CCC", "CCC+", "B-", "B", "B+", "BB-", "BB", "BB+", "BBB-", "BBB", "BBB+"),
    *("A-", "A", "A+", "AA-", "AA", "AA+", "AAA"),
)
MIXED = (
    *("C", "Ca", "Caa3", "Caa2", "Caa1", "B3", "B2", "B1", "Ba3", "Ba2", "Ba1", "Baa3", "Baa2", "Baa1"),
    *("A3", "A2", "A1", "Aa3", "Aa2", "Aa1", "Aaa"),
)
ENERGY = ("G", "F", "E", "D", "C", "B", "A", "A+", "A++", "A+++")


@pytest.mark.slow
@given(data=st.data())
def test_grades_and_ratings_are_from_the_worst_to_the_best(data: st.DataObject) -> None:
    family: Sequence[str] = data.draw(st.sampled_from([GRADES, LETTERS, MIXED, ENERGY]))
    write = data.draw(st.sampled_from(["{}", "Grade {}"]))
    marks = data.draw(st.sampled_from(["-", "\u2212"]))  # a minus sign, too
    drawn = data.draw(st.sets(st.sampled_from(range(len(family))), min_size=2))
    if family is MIXED and not any(family[rank][1:2] == "a" for rank in drawn):
        drawn |= {len(MIXED) - 1}
    names = [write.format(family[rank].replace("-", marks)) for rank in sorted(drawn)]
    assert label_order(data.draw(st.permutations(names))) == names


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "c"],  # may be mere names
        ["A1", "A2", "B1", "C2"],  # the levels of languages begin with A1, ratings end with it
        ["A", "B", "AB", "O"],
        ["S", "A", "B"],
        ["AAA", "Baa1"],
        ["AAA", "NR"],
        ["Q1", "Q2 2023"],
        ["Q1 2023", "Jan 2023"],
        ["Q1 2023", "2023"],
        ["01.02.2023", "02.01.2023"],
        ["2023-02-30", "2023-02-01"],
        ["Jan 22", "Jan 23", "Feb 22"],  # years or days
        ["low", "5-10"],
        ["Low", "low"],
        ["5-10", "5–10"],
        ["1 - low", "2 - high", "3 - medium"],
        ["1 high", "2 low"],
        ["Low (11-20)", "High (0-10)"],
    ],
)
def test_names_that_do_not_agree_on_an_order_have_none(labels: list[str]) -> None:
    assert label_order(labels) is None
    assert label_order(labels[::-1]) is None


@pytest.mark.parametrize(
    "labels",
    [
        ["1 - low", "2 - medium", "3 - high"],
        ["1. oak", "2. ash", "10. elm"],
        ["0 none", "1 mild", "2 severe"],
        ["1: <18", "2: 18-24", "3: 25+"],
        ["Low (0-10)", "Medium (11-20)", "High (21+)"],
        ["Tin (0-10)", "Bronze (11-20)", "Gold (21+)"],
    ],
)
def test_labels_that_tell_their_order_twice_have_it_if_both_agree(labels: list[str]) -> None:
    assert label_order(labels[::-1]) == labels


MEMBERS = (
    ["Q1 2023", "Q2 2023"],
    ["Jan 2023", "Mar 2023"],
    ["2023-W05", "2023-W06"],
    ["A+", "B-"],
    ["Aaa", "Baa1"],
    ["low", "medium"],
    ["Mon", "Tue"],
    ["<5 kg", "5-10 kg"],
    ["1 day", "2 weeks"],
    ["10%", "20%"],
    ["$5", "$10"],
    ["stage 1", "stage 2"],
)


@given(data=st.data())
def test_mixtures_of_families_have_no_order(data: st.DataObject) -> None:
    first, second = data.draw(st.permutations(MEMBERS).map(lambda families: families[:2]))
    mixture = [*first, *data.draw(st.lists(st.sampled_from(second), min_size=1, unique=True))]
    assert label_order(data.draw(st.permutations(mixture))) is None


@pytest.mark.parametrize(
    ("labels", "is_evident"),
    [
        (["<18", "18-24", "65+"], True),
        (["B-", "A", "A+"], True),
        (["Q4 2022", "Q1 2023"], True),
        (["never", "always"], True),
        (["group 1", "group 2"], False),
        (["1 star", "2 stars"], False),
        (["C", "B", "A"], False),
    ],
)
def test_names_that_may_be_mere_names_have_no_evident_order(labels: list[str], *, is_evident: bool) -> None:
    assert label_order(labels[::-1]) == labels
    assert evident_order(labels[::-1]) == (labels if is_evident else None)

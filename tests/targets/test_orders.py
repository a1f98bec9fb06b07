"""The order of classes by words and numbers, and none where it would be a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.orders import SCALES, label_order, word_order


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


@pytest.mark.parametrize(
    "labels",
    [
        ["<18", "18-24", "25-64", "65+"],
        ["under 5", "5 to 9", "10 or more", "over 20"],
        ["1 star", "2 stars", "10 stars"],
        ["grade 9", "grade 10"],
        ["0.5", "1", "1.5"],
        ["0–3", "3–5", "5–7"],
    ],
)
def test_words_with_numbers_are_in_the_order_of_the_numbers(labels: list[str]) -> None:
    assert label_order(sorted(labels)) == labels


@pytest.mark.parametrize("labels", [["route 5", "line 7"], ["5 a", "5 b"], ["1", "x"]])
def test_numbers_behind_different_words_or_equal_ones_have_no_order(labels: list[str]) -> None:
    assert label_order(labels) is None


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

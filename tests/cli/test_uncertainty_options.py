"""The options for prediction intervals and prediction sets on the command line."""

from __future__ import annotations

import pytest

from nncli.base.errors import UsageError
from nncli.cli.uncertainty_options import ClassScore, uncertainty


def test_levels_are_read_as_numbers() -> None:
    options = uncertainty(["0.9", " 5e-1 "], None, "city", per_class=False, score=ClassScore.LAC)
    assert (options.intervals, options.sets, options.by) == ((0.9, 0.5), (), "city")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("90%", "--set 0.9"),
        ("97.5 %", "--set 0.975"),
        ("0,9", "--set 0.9"),
        ("abc", "--set 0.9"),
        ("900%", "--set 0.9"),
        ("", "--set 0.9"),
    ],
)
def test_a_level_that_is_no_number_is_refused_with_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        uncertainty(None, [text], None, per_class=False, score=ClassScore.APS)
    assert caught.value.hint is not None
    assert f"{advice}." in caught.value.hint

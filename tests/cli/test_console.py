"""What is shown to people."""

from __future__ import annotations

from nncli.cli.console import table


def test_a_table_has_names_on_the_left_and_numbers_on_the_right() -> None:
    lines = table([["", "training", "trivial"], ["rmse", "0.35", "1"], ["median", "-0.021", "12.5"]]).splitlines()
    assert lines == [
        "          training    trivial",
        "rmse          0.35          1",
        "median      -0.021       12.5",
    ]


def test_wide_characters_count_as_what_they_take_on_a_terminal() -> None:
    assert table([["氷", "x"], ["ice", "y"]]).splitlines() == ["氷     x", "ice    y"]

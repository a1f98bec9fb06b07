from __future__ import annotations

from nncli.exporters.form import effects_text, explanation, form_scripts, title_of
from nncli.nn.program.inputs import NumberInput


def test_the_title_names_three_targets() -> None:
    assert title_of(["a"]) == "Prediction of a"
    assert title_of(["a", "b", "c", "d", "e"]) == "Prediction of a, b, c and 2 more"


def test_effects_on_classes_are_in_percentage_points() -> None:
    assert "percentage points" in effects_text([NumberInput("x")], are_classes=True)
    assert "percentage points" not in effects_text([NumberInput("x")], are_classes=False)


def test_the_explanation_says_how_effects_are_computed() -> None:
    assert "the median of a column of numbers" in explanation([NumberInput("x")], are_classes=False)


def test_the_scripts_are_files_of_the_package() -> None:
    assert form_scripts().startswith("/**")

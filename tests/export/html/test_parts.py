from __future__ import annotations

import pytest

from nncli.export.html.parts import effects_text, safe_script, source_hash, template, title_of
from nncli.program.inputs import NumberInput


@pytest.mark.parametrize("word", ["</script>", "</SCRIPT\n>", "<!--", "<script", "<sCrIpT>"])
def test_a_string_does_not_end_the_script(word: str) -> None:
    assert safe_script(f'"{word}"') == f'"\\x3c{word[1:]}"'


def test_operators_of_a_script_are_as_they_were() -> None:
    assert safe_script("a < b && c <= !d && e<f") == "a < b && c <= !d && e<f"


def test_the_hash_of_a_text_is_that_of_a_policy() -> None:
    assert source_hash("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_the_title_names_three_targets() -> None:
    assert title_of(["a"]) == "Prediction of a"
    assert title_of(["a", "b", "c", "d", "e"]) == "Prediction of a, b, c and 2 more"


def test_effects_on_classes_are_in_percentage_points() -> None:
    assert "percentage points" in effects_text([NumberInput("x")], are_classes=True)
    assert "percentage points" not in effects_text([NumberInput("x")], are_classes=False)


def test_templates_are_files_of_the_package() -> None:
    assert template("form.js").startswith("/**")

from __future__ import annotations

import pytest

from nncli.exporters.html.page import document, effects_text, explanation, safe_script, source_hash, template, title_of
from nncli.nn.program.inputs import NumberInput


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


def test_a_document_escapes_its_title_and_has_a_script_only_if_there_is_one() -> None:
    page = document("<a> & $b", "p {}", "<p>$c</p>\n", script="1 < 2", metadata='<meta name="x">\n')
    assert "<title>&lt;a&gt; &amp; $b</title>\n<style>p {}</style>" in page
    assert page.endswith('<body>\n<p>$c</p>\n<script type="module">1 < 2</script>\n</body>\n</html>\n')
    assert '<meta charset="utf-8">\n<meta name="x">\n<meta name="viewport"' in page
    assert "<script" not in document("a", "", "<p>b</p>")


def test_the_explanation_says_how_effects_are_computed() -> None:
    assert "the median of a column of numbers" in explanation([NumberInput("x")], are_classes=False)

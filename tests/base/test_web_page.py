from __future__ import annotations

import json

import pytest

from nncli.base.web_page import as_literal, document, offline_document, safe_script, source_hash, template


@pytest.mark.parametrize("word", ["</script>", "</SCRIPT\n>", "<!--", "<script", "<sCrIpT>"])
def test_a_string_does_not_end_the_script(word: str) -> None:
    assert safe_script(f'"{word}"') == f'"\\x3c{word[1:]}"'


def test_operators_of_a_script_are_as_they_were() -> None:
    assert safe_script("a < b && c <= !d && e<f") == "a < b && c <= !d && e<f"


def test_the_hash_of_a_text_is_that_of_a_policy() -> None:
    assert source_hash("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_a_document_escapes_its_title_and_has_a_script_only_if_there_is_one() -> None:
    page = document("<a> & $b", "p {}", "<p>$c</p>\n", script="1 < 2", metadata='<meta name="x">\n')
    assert "<title>&lt;a&gt; &amp; $b</title>\n<style>p {}</style>" in page
    assert page.endswith('<body>\n<p>$c</p>\n<script type="module">1 < 2</script>\n</body>\n</html>\n')
    assert '<meta charset="utf-8">\n<meta name="x">\n<meta name="viewport"' in page
    assert "<script" not in document("a", "", "<p>b</p>")


def test_templates_are_files_of_the_package() -> None:
    assert template("base.css").startswith(":root")


def test_a_page_in_a_file_may_run_its_own_script_and_load_nothing() -> None:
    page = offline_document("a", "p {}", "<p>b</p>", script="1", version="1.0 <")
    assert f"script-src '{source_hash('1')}'; style-src '{source_hash('p {}')}'" in page.replace("&#x27;", "'")
    assert "default-src 'none'" in page
    assert 'content="nncli 1.0 &lt;"' in page


@pytest.mark.parametrize("text", ["</script><!--", "\u2028\ufeff\u202e\x7f", "\ud800", "\U000e0001", "é日😀"])
def test_a_literal_is_json_and_can_be_printed(text: str) -> None:
    literal = as_literal(text)
    assert json.loads(literal) == text
    assert literal.isprintable()
    assert "<" not in literal

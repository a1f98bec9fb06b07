from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from nncli.exporters.formats import ModelInfo
from nncli.integrations.html.page import page_of, to_html
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program
from tests.exporters.test_form import Elements
from tests.runtimes.hostile import category_input, program_of, texts

INFO = ModelInfo("penguins", "ab12" * 16, "1.0")
COLUMNS: list[ProgramInput] = [
    NumberInput("mass", None, False, 2700.0, 6300.0, 4050.0),
    category_input("island", ["Biscoe", "Dream"]),
    DateInput("day", ("iso",), 0.0, 2.0, 1.0),
    TextInput("note", ("good",)),
]
CLASSES = program_of(COLUMNS, ["a", "b"], ["species"])
NUMBERS = program_of(COLUMNS, (), ["weight"])


def policy_of(page: str) -> dict[str, list[str]]:
    """The content security policy, by directive."""
    (policy,) = [
        str(attributes["content"])
        for attributes in Elements(page).attributes("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    return {words[0]: words[1:] for words in (part.split() for part in policy.split(";"))}


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def inner(page: str, tag: str) -> str:
    (result,) = re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", page, re.DOTALL)
    return str(result)


def test_only_the_script_and_the_style_of_the_page_are_allowed() -> None:
    page = to_html(CLASSES, INFO)
    policy = policy_of(page)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert policy["script-src"] == [hash_of(inner(page, "script"))]
    assert policy["style-src"] == [hash_of(inner(page, "style"))]
    assert "\r" not in page


def test_the_page_loads_nothing() -> None:
    for program in (CLASSES, NUMBERS):
        result = Elements(to_html(program, INFO))
        addresses = [
            value for _, attributes in result.elements for key, value in attributes.items() if key in ("src", "href")
        ]
        assert addresses == ["data:,", "#answer", "#answer"]
        assert not result.attributes("style")[0]
        assert not [
            1 for _, attributes in result.elements for key in attributes if key.startswith("on") or key == "style"
        ]


def test_every_control_has_a_label_and_every_id_is_unique() -> None:
    result = Elements(to_html(CLASSES, INFO))
    ids = [attributes["id"] for _, attributes in result.elements if "id" in attributes]
    assert len({*ids}) == len(ids)
    labels = {attributes.get("for") for attributes in result.attributes("label")}
    assert labels >= {f"i{i}" for i in range(len(COLUMNS))}
    for _, attributes in result.elements:
        described = str(attributes.get("aria-describedby", "")).split()
        assert {*described, *str(attributes.get("aria-labelledby", "")).split()} <= {*ids}


def test_the_page_names_the_target_the_run_and_its_checksum() -> None:
    page = to_html(CLASSES, INFO)
    assert inner(page, "title") == "Prediction of species"
    assert "penguins" in page
    assert INFO.checksum in page


def test_how_the_effects_are_computed_names_the_kinds_that_there_are() -> None:
    numbers = to_html(program_of(COLUMNS[:1], (), ["weight"]), INFO)
    assert "the median of a column of numbers" in numbers
    assert "the most frequent category" not in numbers
    assert "percentage points" not in numbers
    assert "percentage points" in to_html(CLASSES, INFO)


class Skeleton(HTMLParser):
    """The opening and closing tags of a page, without attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


def hostile(names: list[str]) -> Program:
    columns: list[ProgramInput] = [NumberInput(name, name) for name in names[:200]]
    columns += [category_input("menu", names[200:230]), category_input("list", names[230:600])]
    return program_of(columns, names[600:], [names[0]])


@pytest.mark.slow
def test_hostile_names_and_labels_change_no_element() -> None:
    plain = Skeleton(to_html(hostile([f"n{i}" for i in range(1000)]), INFO)).tags
    result = texts(4000)
    for start in range(0, len(result), 1000):
        names = result[start : start + 1000]
        page = to_html(hostile(names), ModelInfo(names[7], names[8], names[9]))
        assert Skeleton(page).tags == plain


@pytest.mark.parametrize("word", ["</script>", "</SCRIPT\n>", "<!--", "<script", "<sCrIpT>"])
def test_a_string_of_the_module_does_not_end_the_script(word: str) -> None:
    page = page_of(CLASSES, INFO, f'export const inputs = ["{word}"];')
    assert Skeleton(page).tags == Skeleton(page_of(CLASSES, INFO, "")).tags

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nncli.base.web_page import html_text, readable_text
from nncli.data.columns.datetimes import date_text
from nncli.exporters.form import MAX_OPTIONS, field, start_text
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program
from tests.runtimes.hostile import category_input, program_of, texts


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.texts.append((self.elements[-1][0] if self.elements else "", data))

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def program(*columns: ProgramInput) -> Program:
    return program_of(columns)


def elements(*columns: ProgramInput, i: int = 0) -> Elements:
    return Elements(field(program(*columns), i))


def test_a_number_starts_at_its_median_with_the_training_range_below() -> None:
    result = elements(NumberInput("mass", None, False, 2700.0, 6300.5, 4050.0))
    (control,) = result.attributes("input")
    assert control["value"] == "4050"
    assert control["inputmode"] == "decimal"
    assert ("p", "2700 to 6300.5 in training") in result.texts
    assert ("bdi", "mass") in result.texts
    (label,) = result.attributes("label")
    assert label["for"] == control["id"] == "i0"


def test_a_column_with_negative_numbers_has_a_keyboard_with_a_minus_sign() -> None:
    assert elements(NumberInput("t", None, False, -1.0, 1.0, 0.0)).attributes("input")[0]["inputmode"] == "text"


def test_a_number_has_the_decimal_mark_of_the_model_and_its_unit() -> None:
    column = NumberInput("price", "€", False, 0.5, 10.25, 2.5)
    result = Elements(field(replace(program(column), decimal=","), 0))
    assert result.attributes("input")[0]["value"] == "2,5"
    assert ("p", "0,5 to 10,25 in training") in result.texts
    assert ("span", "€") in result.texts


def test_rounding_errors_of_the_median_are_not_shown() -> None:
    assert start_text(program(NumberInput("x")), NumberInput("x", None, False, 0.0, 1.0, 0.1 + 0.2)) == "0.3"


def test_a_column_without_values_starts_as_missing() -> None:
    result = elements(NumberInput("x"), DateInput("d", ("iso",)), category_input("c", ["a"]))
    assert result.attributes("input")[0]["value"] == ""
    assert start_text(program(NumberInput("x")), DateInput("d", ("iso",))) == "missing"
    options = elements(NumberInput("x"), category_input("c", ["a"]), i=1).attributes("option")
    assert [(option["value"], "selected" in option) for option in options] == [
        *[("0", False), ("missing", True), ("other", False)]
    ]


@pytest.mark.parametrize(
    ("typical", "shown"),
    [
        (1.0, [("1", True), ("2.5", False), ("missing", False)]),
        (None, [("1", False), ("2.5", False), ("missing", True)]),
        (1.75, [("1", False), ("1.75", True), ("2.5", False), ("missing", False)]),  # the median of two members
    ],
)
def test_a_column_of_two_numbers_is_a_menu_of_them(typical: float | None, shown: list[tuple[str, bool]]) -> None:
    result = elements(NumberInput("x", None, False, 1.0, 2.5, typical, is_binary=True))
    texts = [text for tag, text in result.texts if tag == "option"]
    options = result.attributes("option")
    assert [(text, "selected" in option) for text, option in zip(texts, options, strict=True)] == shown
    assert [option.get("value") for option in options] == [*[None] * (len(shown) - 1), ""]
    assert ("p", "1 or 2.5 in training") in result.texts
    assert not result.attributes("input")


def test_few_categories_are_a_menu_with_the_typical_one_chosen() -> None:
    result = elements(replace(category_input("c", ["a", "b"]), typical="b"))
    assert [option["value"] for option in result.attributes("option") if "selected" in option] == ["1"]
    assert [text for tag, text in result.texts if tag == "option"] == ["a", "b", "missing", "another category"]


def test_many_categories_are_suggestions_of_a_text_field() -> None:
    names = [f"c{i}" for i in range(MAX_OPTIONS + 1)]
    result = elements(replace(category_input("c", names), typical="c7"))
    (control,) = result.attributes("input")
    assert (control["value"], control["list"]) == ("c7", result.attributes("datalist")[0]["id"])
    assert [option["value"] for option in result.attributes("option")] == names


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        (DateInput("d", ("iso",), 0.0, 2.0, 1.0), "date", "1970-01-02"),
        (DateInput("d", ("iso",), -719162.0, 2932896.0, -719162.0), "date", "0001-01-01"),
        (DateInput("d", ("iso",), 0.0, 2.0, 1.75), "date", "1970-01-02"),
        (DateInput("d", ("iso",), 0.0, 2.5, 1.0), "datetime-local", "1970-01-02T00:00"),
        (DateInput("d", ("%d.%m.%Y %H:%M",), 0.0, 2.0, 1.75), "datetime-local", "1970-01-02T18:00"),
    ],
)
def test_a_date_has_a_time_of_day_if_the_training_rows_have(column: DateInput, kind: str, value: str) -> None:
    (control,) = elements(column).attributes("input")
    assert (control["type"], control["value"]) == (kind, value)


def test_the_time_of_day_is_rounded_to_the_minute() -> None:
    assert date_text(1.0 - 1e-9, "minutes") == "1970-01-02 00:00"


def test_free_text_is_an_area() -> None:
    assert len(elements(TextInput("note", ("good",))).attributes("textarea")) == 1


@pytest.mark.slow
def test_hostile_names_and_categories_make_no_elements() -> None:
    for text in texts(2000):
        number = elements(NumberInput(text, text))
        assert [tag for tag, _ in number.elements] == ["div", "label", "bdi", "div", "input", "span", "p", "p"]
        assert "".join(part for tag, part in number.texts if tag == "bdi") == readable_text(text)
        menu = elements(replace(category_input("c", [text, "x"]), typical=text))
        assert [tag for tag, _ in menu.elements if tag == "option"] == ["option"] * 4
        assert {key for _, attributes in menu.elements for key in attributes} <= {
            *("class", "for", "id", "aria-describedby", "value", "selected", "hidden")
        }


def test_what_cannot_be_seen_is_escaped() -> None:
    assert readable_text("a\u202eb\n") == r"a\u202eb\n"
    assert readable_text(" ") == "“ ”"
    assert readable_text("👩\u200d👧") == "👩\u200d👧"
    assert html_text('<a href="x">\0') == r"&lt;a href=&quot;x&quot;&gt;\x00"

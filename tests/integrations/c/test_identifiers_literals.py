from __future__ import annotations

import re

import numpy as np
import pytest

from nncli.integrations.c.identifiers import array, comment, number, string
from tests.runtimes.hostile import texts


def value_of(literal: str) -> bytes:
    """The bytes of a C string literal."""
    assert literal[0] == literal[-1] == '"'
    return re.sub(rb"\\([0-7]{3})", lambda result: bytes([int(result[1], 8)]), literal[1:-1].encode())


def test_strings_are_ascii_without_trigraphs_and_have_the_bytes_of_the_text() -> None:
    for text in texts(3000):
        literal = string(text)
        assert re.fullmatch(r'"(?:[ !#->@-\[\]-~]|\\[0-7]{3})*"', literal)
        assert value_of(literal) == text.encode()


def test_a_long_string_is_an_array_of_characters() -> None:
    assert string("ab" * 2500) == "(const char[]){" + r"'\141','\142'," * 2500 + "0}"


def test_a_comment_is_one_line_that_ends_nowhere() -> None:
    for text in texts(3000):
        shown = comment(text)
        assert "*/" not in shown
        assert "/*" not in shown
        assert "??" not in shown
        assert not shown.endswith("\\")
        assert shown.isprintable()


@pytest.mark.parametrize(
    ("x", "literal"), [(0.1, "0.1"), (-0.0, "-0.0"), (1e300, "1e+300"), (np.nan, "NAN"), (-np.inf, "-INFINITY")]
)
def test_a_number_is_its_shortest_decimal(x: float, literal: str) -> None:
    assert number(x) == literal


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_is_read_as_the_same_bits(dtype: type[np.floating]) -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(dtype) * np.logspace(-45, 37, 1000).astype(dtype)
    text = array("w1", values).split("{")[1].split("}")[0]
    result = np.array([cell.strip().rstrip("f") for cell in text.split(",")]).astype(dtype)
    np.testing.assert_array_equal(result, values)


def test_numbers_of_an_array_that_are_not_finite_are_macros() -> None:
    text = array("w1", np.array([1.5, np.nan, np.inf, -np.inf], np.float32))
    assert text == "static const float w1[4] = {\n    1.5f, NAN, INFINITY, -INFINITY\n};\n"

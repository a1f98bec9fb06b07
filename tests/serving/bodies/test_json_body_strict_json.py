from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.serving.bodies.json_body import parse_json_text
from nncli.serving.problems import ProblemError

documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
)


@pytest.mark.slow
@given(documents, st.booleans())
def test_what_python_writes_is_read(document: Any, ascii_only: bool) -> None:
    if "Infinity" in (text := json.dumps(document, ensure_ascii=ascii_only)) and "inf" in repr(document):
        return
    assert parse_json_text(text.encode()) == document


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', '[{"a": {"b": 1, "b": 1}}]', "NaN", "[Infinity]", '"\\ud800"', '{"\\udc00": 1}', "1" * 5_000],
)
def test_what_other_readers_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_json_text(text.encode())
    assert caught.value.problem.status == 400


def test_nan_is_accepted_where_it_says_so() -> None:
    assert math.isnan(parse_json_text(b"NaN", accepts_nan=True))
    assert parse_json_text(b"[-Infinity]", accepts_nan=True) == [-math.inf]


@pytest.mark.parametrize("text", ["[[], [], []]", '[{}, {}, {"a": "}"}]', '["' + "\\" * 3, '["\\"{{{{{'])
def test_objects_and_lists_are_counted_outside_of_texts(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_json_text(text.encode(), most=2)
    assert caught.value.problem.status == (413 if text.endswith("]") else 400)
    assert parse_json_text(b'["{{{{[[[["]', most=2) == ["{{{{[[[["]


def test_counting_takes_time_in_proportion_to_the_text() -> None:
    with pytest.raises(ProblemError):
        parse_json_text(b'["' + b'\\"{' * 300_000, most=2)

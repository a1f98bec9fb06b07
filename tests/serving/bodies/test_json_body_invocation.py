import json
import math
from typing import Any

import pytest

from nncli.serving.bodies.json_body import parse_invocation
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.problems import ProblemError
from tests.serving.features import column_of


def schema_of(*names: str) -> InputSchema:
    """Columns of numbers, each with the example 1."""
    return InputSchema(tuple(column_of(name, "number", False, typical=1) for name in names))


ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": ["a", "b"], "index": [7, 9], "data": [[1, "x"], [2, None]]}},
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, math.nan]]}},
        {"dataframe_records": ROWS},
        {"instances": ROWS},
        {"instances": {"a": [1, 2], "b": ["x", None]}},
        {"inputs": ROWS},
        {"inputs": {"a": [1, 2], "b": ["x", math.nan]}},
    ],
)
def test_every_form_gives_the_same_rows(document: dict[str, Any]) -> None:
    result = parse_invocation({**document, "params": {"proba": True}}, schema_of("a", "b"))
    assert (result.rows, result.params) == (ROWS, {"proba": True})


def test_columns_of_single_values_are_one_row() -> None:
    assert parse_invocation({"inputs": {"a": 1, "b": "x"}}, schema_of("a", "b")).rows == [{"a": 1, "b": "x"}]


def test_columns_without_a_name_have_the_numbers_of_pandas() -> None:
    document = {"dataframe_split": {"columns": [0, 1], "data": [[5, 6]]}}
    assert parse_invocation(document, schema_of("0", "1")).rows == [{"0": 5, "1": 6}]


@pytest.mark.parametrize("form", ["instances", "inputs", "dataframe_records"])
def test_rows_that_do_not_name_their_columns_are_refused_with_the_names(form: str) -> None:
    with pytest.raises(ProblemError) as error:
        parse_invocation({form: [{"a": 1}, [2]]}, schema_of("a", "b"))
    assert "row 2" in error.value.problem.detail
    assert "'a' and 'b'" in str(error.value.problem.hint)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        [{"a": 1}],
        "text",
        {},
        {"rows": [{"a": 1}]},
        {"inputs": [{"a": 1}], "instances": [{"a": 1}]},
        {"inputs": [{"a": 1}], "signature_name": "x"},
        {"inputs": [{"a": 1}], "params": [1]},
        {"inputs": 3},
        {"inputs": None},
        {"inputs": [1, 2]},
        {"inputs": {"a": [1], "b": 2}},
        {"inputs": {"a": [1, 2], "b": [1]}},
        {"dataframe_records": {"a": [1]}},
        {"dataframe_split": [[1]]},
        {"dataframe_split": {"columns": ["a"]}},
        {"dataframe_split": {"columns": "a", "data": [[1]]}},
        {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": ["a"], "data": [1]}},
        {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": [["a"]], "data": [[1]]}},
        {"dataframe_split": {"columns": [True], "data": [[1]]}},
        {"dataframe_split": {"columns": ["a"], "data": [[1]], "dtypes": []}},
    ],
)
def test_other_documents_are_refused(document: object) -> None:
    with pytest.raises(ProblemError) as error:
        parse_invocation(document, schema_of("a"))
    assert error.value.problem.status == 400
    assert error.value.problem.detail


@pytest.mark.parametrize("document", [3, {"instances": 3}, {"inputs": {"a": [1], "b": 2}}, {"dataframe_split": 3}])
def test_the_hint_has_columns_of_the_model_in_a_body_that_can_be_sent(document: object) -> None:
    with pytest.raises(ProblemError) as error:
        parse_invocation(document, schema_of("a", "b", "c"))
    example = str(error.value.problem.hint).removeprefix("Send ").rstrip(".").replace(", …", "")
    assert parse_invocation(json.loads(example), schema_of("a", "b", "c")).rows == [{"a": 1, "b": 1}]

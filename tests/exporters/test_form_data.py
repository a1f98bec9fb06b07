from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nncli.base.web_page import as_literal
from nncli.exporters.form import _unseen_category, form_data
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput
from nncli.nn.program.program import OutputColumn, Program
from nncli.targets.output_columns import IntervalNodes, OutputNodes, number_columns
from tests.runtimes.hostile import category_input, key_of, program_of, words


def data_of(program: Program) -> Any:
    literal = as_literal(form_data(program, program.outputs))
    assert "<" not in literal
    return json.loads(literal)


def test_intervals_and_pairs_of_quantiles_are_ranges_of_each_target() -> None:
    program = program_of([NumberInput("x")], (), ["a", "b"])
    nodes = OutputNodes(0, 0, 3, (0.05, 0.25, 0.5, 0.75, 0.95), bounds=(IntervalNodes(0.9, 1, 2),))
    outputs = number_columns(("a", "b"), nodes)
    first, second = data_of(replace(program, outputs=outputs))["output"]["targets"]
    assert first == {
        "column": "prediction_a",
        "shown": "a",
        "ranges": [
            ["90 % interval", "lower_90_a", "upper_90_a"],
            ["5 % to 95 % quantile", "quantile_05_a", "quantile_95_a"],
            ["25 % to 75 % quantile", "quantile_25_a", "quantile_75_a"],
        ],
    }
    assert second["column"] == "prediction_b"


def test_a_range_without_an_upper_bound_is_a_lower_bound() -> None:
    program = program_of([NumberInput("x")], (), ["a"])
    outputs = number_columns(("a",), OutputNodes(0, 0, bounds=(IntervalNodes(0.9, 1),)))
    assert [column.title for column in outputs] == ["prediction", "lower_90"]
    (target,) = data_of(replace(program, outputs=outputs))["output"]["targets"]
    assert target["ranges"] == [["90 % lower bound", "lower_90", None]]


def test_columns_with_titles_of_their_own_are_shown_by_them() -> None:
    outputs = (OutputColumn("east", "value", 0, 0, "wind"), OutputColumn("north", "value", 0, 1, "wind"))
    shown = data_of(replace(program_of([NumberInput("x")]), outputs=outputs))["output"]["targets"]
    assert [(target["column"], target["shown"]) for target in shown] == [("east", "east"), ("north", "north")]


def test_one_target_has_no_name_of_its_own() -> None:
    (target,) = data_of(program_of([NumberInput("x")], (), ["a"]))["output"]["targets"]
    assert target == {"column": "prediction", "shown": None, "ranges": []}


def test_a_plain_number_of_a_column_in_percent_is_in_percent() -> None:
    columns = [NumberInput("x", "%"), NumberInput("y", "€"), NumberInput("z")]
    assert [item.get("percent") for item in data_of(program_of(columns))["inputs"]] == ["%", None, None]


def test_the_training_range_of_dates_is_in_days() -> None:
    (date,) = data_of(program_of([DateInput("d", ("iso",), 1.0, 3.0, 2.0)]))["inputs"]
    assert date == {"start": "1970-01-03", "complete": True, "lowest": 1.0, "highest": 3.0}


@given(st.lists(words, unique=True, min_size=1, max_size=6), st.lists(words, max_size=3))
def test_the_other_category_is_none_of_the_categories_and_not_missing(
    categories: list[str], missing: list[str]
) -> None:
    columns = [category_input("c", categories), category_input("d", ["another category", "ANOTHER CATEGORY x"])]
    program = replace(program_of(columns), missing_values=("", *missing))
    for column in columns:
        text = _unseen_category(program, column)
        assert text not in program.missing_values
        assert code_of(column, text) == 1


def code_of(column: CategoryInput, text: str) -> int:
    result = dict(column.texts).get(text, dict(column.keys).get(key_of(text)))
    return dict(column.folded_keys).get(key_of(text.lower()), 1) if result is None else result


@given(words, words)
def test_names_and_labels_are_values_of_json(name: str, label: str) -> None:
    program = program_of(
        [category_input(name, [name, label] if name != label else [name])], [label, f"{label}2"], [name]
    )
    assert data_of(program)["output"]["kind"] == "class"

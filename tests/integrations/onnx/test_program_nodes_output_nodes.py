from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.base.errors import UsageError
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import LabelType, Program, build, select_outputs
from nncli.nn.program.values import Builder, join, select
from nncli.targets.output_columns import IntervalNodes, OutputNodes, number_columns
from tests.integrations.onnx.support import evaluate
from tests.nn.program.support import classes


def classifier(labels: tuple[str, ...], label_type: LabelType, name: str = "x") -> Program:
    builder = Builder()
    x = builder.input(NumberInput(name))
    probabilities = join([x, 1.0 - x])
    codes = select(x > 1.0, -1.0, probabilities.argmax())
    return build(builder, classes("y", labels, codes.position, probabilities.position, label_type), "float32")


@pytest.mark.parametrize(
    ("labels", "label_type", "wanted"),
    [
        (("a\n", ""), "text", ["a\n", "", ""]),
        (("3", "-1"), "integer", [3, -1, -(2**63)]),
        (("3", str(2**64)), "integer", ["3", str(2**64), ""]),
        (("1.0", "0.5"), "float", [1.0, 0.5, None]),
        (("true", "false"), "boolean", ["true", "false", ""]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_labels_have_their_type_and_a_label_of_their_own_for_infinite_numbers(
    labels: tuple[str, ...], label_type: LabelType, wanted: list[Any]
) -> None:
    result = evaluate(classifier(labels, label_type), x=[0.75, 0.25, 2.0])
    assert [None if label != label else label for label in result["prediction"].tolist()] == wanted
    assert result["probabilities"].dtype == np.float32
    assert result["probabilities"].tolist() == [[0.75, 0.25], [0.25, 0.75], [2.0, -1.0]]


@pytest.mark.parametrize("name", ["prediction", "probabilities"])
def test_an_output_does_not_have_the_name_of_a_column(name: str) -> None:
    result = evaluate(classifier(("a", "b"), "text", name), **{name: [0.75]})
    assert set(result) == {"prediction", "probabilities"} - {name} | {f"{name}_"}


def test_labels_or_probabilities_may_be_left_out() -> None:
    program = classifier(("a", "b"), "text")
    assert list(evaluate(select_outputs(program, "class"), x=[0.5])) == ["prediction"]
    assert list(evaluate(select_outputs(program, "probability"), x=[0.5])) == ["probabilities"]


def test_numbers_have_the_names_and_the_order_of_predict() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    values, quantiles = join([x, x + 1.0]), join([x - 2.0, x, x - 1.0, x + 1.0])
    lower, upper = values - 3.0, values + 3.0
    bounds = (IntervalNodes(0.9, lower.position, upper.position),)
    nodes = OutputNodes(values.position, values.position, quantiles.position, (0.05, 0.5), bounds=bounds)
    outputs = number_columns(("a", "b"), nodes)
    result = evaluate(build(builder, outputs, "float64"), x=[10.0])
    assert [(name, *column) for name, column in result.items()] == [
        *(("prediction_a", 10.0), ("prediction_b", 11.0)),
        *(("quantile_05_a", 8.0), ("quantile_50_a", 10.0), ("quantile_05_b", 9.0), ("quantile_50_b", 11.0)),
        *(("lower_90_a", 7.0), ("upper_90_a", 13.0), ("lower_90_b", 8.0), ("upper_90_b", 14.0)),
    ]


def test_a_class_with_a_nul_is_refused_but_not_its_probability() -> None:
    program = classifier(("a\0", "a"), "text")
    with pytest.raises(UsageError, match="NUL"):
        evaluate(program, x=[0.5])
    assert list(evaluate(select_outputs(program, "probability"), x=[0.5])) == ["probabilities"]

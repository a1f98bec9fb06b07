from __future__ import annotations

from collections.abc import Sequence

import pytest

from nncli.base.errors import UsageError
from nncli.integrations.c.identifiers import Identifiers
from nncli.integrations.c.source_file import cell, header_line, prediction_of
from nncli.nn.program.program import OutputColumn
from nncli.targets.output_columns import IntervalNodes, OutputNodes, number_columns
from tests.nn.program.support import classes

SEVERAL = number_columns(("y", "z"), OutputNodes(3, 3, 4, (0.05, 0.5), bounds=(IntervalNodes(0.9, 5, 6),)))
ONE = number_columns(("y",), OutputNodes(0, 0))
CLASSES = classes("kind", ("a", "b"), 0, 1)


@pytest.mark.parametrize(
    ("outputs", "prototype"),
    [
        (ONE, "double predict(const struct row *row)"),
        (SEVERAL, "void predict(const struct row *row, struct prediction *all)"),
        (
            (*ONE, *IntervalNodes(0.9, 1, 2).columns(["y"])),
            "double predict(const struct row *row, struct prediction *all)",
        ),
        (CLASSES, "enum class_kind predict(const struct row *row, double probabilities[2])"),
        (CLASSES[:1], "enum class_kind predict(const struct row *row)"),
        (CLASSES[1:], "void predict(const struct row *row, double probabilities[2])"),
    ],
)
def test_predict_returns_the_prediction_and_fills_the_rest(outputs: Sequence[OutputColumn], prototype: str) -> None:
    assert prediction_of(outputs, Identifiers()).prototype == prototype


def test_a_number_beside_a_class_is_refused() -> None:
    with pytest.raises(UsageError, match="together"):
        prediction_of([*CLASSES, *ONE], Identifiers())


def test_texts_are_cells_as_predict_writes_them() -> None:
    assert [cell(text) for text in ("a", "a,b", 'a"b', "")] == ["a", '"a,b"', '"a""b"', '""']
    assert header_line(["prediction", "proba_a,b"]) == '"prediction","proba_a,b"'

from __future__ import annotations

import pytest

from nncli.exporters.c.identifiers import Identifiers
from nncli.exporters.c.source_file import cell, header_line, prediction_of
from nncli.nn.program.program import Bounds, Outputs

SEVERAL = Outputs(("y", "z"), 3, 4, (0.05, 0.5), (Bounds(0.9, 5, 6),))


@pytest.mark.parametrize(
    ("outputs", "prototype"),
    [
        (Outputs(("y",), 0), "double predict(const struct row *row)"),
        (SEVERAL, "void predict(const struct row *row, struct prediction *all)"),
        (
            Outputs(("y",), 0, bounds=(Bounds(0.9, 1, 2),)),
            "double predict(const struct row *row, struct prediction *all)",
        ),
        (
            Outputs(("kind",), 1, labels=("a", "b"), codes=0),
            "enum class_kind predict(const struct row *row, double probabilities[2])",
        ),
        (Outputs(("kind",), None, labels=("a", "b"), codes=0), "enum class_kind predict(const struct row *row)"),
        (
            Outputs(("kind",), 0, labels=("a", "b"), codes=None),
            "void predict(const struct row *row, double probabilities[2])",
        ),
    ],
)
def test_predict_returns_the_prediction_and_fills_the_rest(outputs: Outputs, prototype: str) -> None:
    assert prediction_of(outputs, Identifiers()).prototype == prototype


def test_texts_are_cells_as_predict_writes_them() -> None:
    assert [cell(text) for text in ("a", "a,b", 'a"b', "")] == ["a", '"a,b"', '"a""b"', '""']
    assert header_line(["prediction", "proba_a,b"]) == '"prediction","proba_a,b"'

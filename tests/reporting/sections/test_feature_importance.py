"""The feature importance section."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.evaluation.held_out import predict_held_out
from nncli.inspection.partial_dependence import PartialDependence
from nncli.reporting.sections import feature_importance as module
from nncli.reporting.sections.feature_importance import attributions, compute_importance


def test_the_most_important_column_comes_first(line: Path) -> None:
    held_out = predict_held_out(line)
    found = compute_importance(held_out)
    assert set(found.columns) == {"x1", "x2"}
    assert found.importances[0].loss_increase > 0
    assert found.rows == len(held_out)
    again = compute_importance(held_out)
    assert again.importances == found.importances


def test_the_largest_attributions_of_a_row_are_text(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    texts = attributions(held_out, compute_importance(held_out), np.array([0, 5]))
    assert len(texts) == 2
    for words in texts:
        label, _, columns = words.partition(": ")
        assert label in held_out.predictions.target.labels  # type: ignore[union-attr]
        assert 1 <= len(columns.split(", ")) <= 4


def test_a_slow_model_gets_a_note_instead_of_importances(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = predict_held_out(penguins)
    many = replace(held_out, manifest=held_out.manifest.model_copy(update={"parameters": 10**12}))
    monkeypatch.setattr(module, "MIN_ROWS", 10)
    found = compute_importance(many)
    assert found.importances == ()
    assert "nncli explain" in found.reason
    section = module.feature_importance(many, found)
    assert section.parts[0].kind == "notice"
    assert attributions(many, found, np.array([0])) == ()


def test_categories_of_a_single_output_are_drawn_as_points() -> None:
    curve = PartialDependence("c", None, ("a", None), ("1",), np.array([[0.25], [0.75]]), "survived")
    figure = module._dependence_figure(curve, {0: "first"})
    assert figure is not None
    assert figure.table.caption == "Mean probability that survived is 1, by c"
    assert figure.table.rows == (("a", "0.25"), ("missing", "0.75"))
    assert "Dotted line: their mean" in figure.description
    assert "mean probability" in figure.svg


def test_without_finite_means_there_is_no_chart() -> None:
    for values, means in ((("a", "b"), np.full((2, 1), np.nan)), (("a",), np.ones((1, 1)))):
        curve = PartialDependence("c", None, values, ("y",), means)
        assert module._dependence_figure(curve, {0: "first"}) is None


def test_a_class_has_one_color_in_all_charts() -> None:
    x, labels = np.array([0.0, 1.0]), ("a", "b", "c", "d")
    curves = [
        PartialDependence("x", x, None, labels, np.array([[0.0, 0.1, 0.5, 0.4], [0.4, 0.1, 0.0, 0.5]]), "y"),
        PartialDependence("z", x, None, labels, np.array([[0.0, 0.1, 0.5, 0.4], [0.1, 0.1, 0.3, 0.5]]), "y"),
    ]
    colors = module._drawn_outputs(curves)
    assert colors == {0: "first", 2: "second", 3: "third"}
    figures = [module._dependence_figure(curve, colors) for curve in curves]
    assert all(figure is not None and "most over all charts" in figure.description for figure in figures)


def test_rows_count_by_their_weights(line: Path) -> None:
    held_out = predict_held_out(line)
    w = np.where(np.arange(len(held_out)) < 2, 1.0, 0.0)
    found = compute_importance(replace(held_out, weights=w))
    assert found.encoded is not None
    assert found.encoded.weights is not None
    assert found.importances != compute_importance(held_out).importances

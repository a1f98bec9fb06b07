"""The feature importance section."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli import explain
from nncli.analysis.evaluation import explanation
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.inspection.permutation_importance import PartialDependence
from nncli.analysis.report.charts import DEPTH
from nncli.analysis.report.page import Gallery
from nncli.analysis.report.sections import feature_importance as module
from nncli.analysis.report.sections.errors import contributions
from nncli.analysis.report.sections.feature_importance import compute_importance


def test_the_most_important_column_comes_first(line: Path) -> None:
    held_out = predict_held_out(line)
    result = compute_importance(held_out)
    assert set(result.columns) == {"x1", "x2"}
    assert result.importances[0].loss_increase > 0
    assert result.explanation is not None
    assert len(result.explanation.table) == len(held_out)
    again = compute_importance(held_out)
    assert again.importances == result.importances


def test_report_and_explain_have_the_same_numbers(penguins: Path) -> None:
    held_out, result = predict_held_out(penguins), explain(penguins)
    importance = compute_importance(held_out)
    assert importance.importances == result.importances
    assert importance.explanation is not None
    assert importance.explanation.metric == result.metric
    for item, other in zip(importance.explanation.partial_dependence, result.partial_dependence, strict=True):
        assert item.column == other.column
        np.testing.assert_array_equal(item.means, other.means)


def test_a_slow_model_gets_a_note_instead_of_importances(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = predict_held_out(penguins)
    monkeypatch.setattr(explanation, "MULTIPLICATIONS", 1e4)
    monkeypatch.setattr(module, "MIN_ROWS", 10)
    result = compute_importance(held_out)
    assert result.importances == ()
    assert "nncli explain" in result.reason
    section = module.feature_importance(result)
    assert section.parts[0].kind == "notice"
    assert contributions(held_out, result, np.array([0])) == ()


def test_categories_of_a_single_output_are_drawn_as_points() -> None:
    curve = PartialDependence("c", None, ("a", None), ("1",), np.array([[0.25], [0.75]]), "survived")
    figure = module._dependence_figure(curve, {0: "first"}, None)
    assert figure is not None
    assert figure.table.caption == "Mean probability that survived is 1, by c"
    assert figure.table.rows == (("a", "0.25"), ("missing", "0.75"))
    assert "Dotted line: their mean" in figure.description
    assert "mean probability" in figure.svg


def test_without_finite_means_there_is_no_chart() -> None:
    for values, means in ((("a", "b"), np.full((2, 1), np.nan)), (("a",), np.ones((1, 1)))):
        curve = PartialDependence("c", None, values, ("y",), means)
        assert module._dependence_figure(curve, {0: "first"}, None) is None


def test_a_class_has_one_color_in_all_charts() -> None:
    x, labels = np.array([0.0, 1.0]), ("a", "b", "c", "d")
    curves = [
        PartialDependence("x", x, None, labels, np.array([[0.0, 0.1, 0.5, 0.4], [0.4, 0.1, 0.0, 0.5]]), "y"),
        PartialDependence("z", x, None, labels, np.array([[0.0, 0.1, 0.5, 0.4], [0.1, 0.1, 0.3, 0.5]]), "y"),
    ]
    colors = module._drawn_outputs(curves)
    assert colors == {0: "first", 2: "second", 3: "third"}
    figures = [module._dependence_figure(curve, colors, None) for curve in curves]
    assert all(figure is not None and "most over all charts" in figure.description for figure in figures)


def test_rows_count_by_their_weights(line: Path) -> None:
    held_out = predict_held_out(line)
    w = np.where(np.arange(len(held_out)) < 2, 1.0, 0.0)
    result = compute_importance(replace(held_out, weights=w))
    assert result.explanation is not None
    assert result.explanation.encoded.weights is not None
    assert result.importances != compute_importance(held_out).importances


def test_all_charts_of_partial_dependence_have_one_scale() -> None:
    x = np.array([0.0, 1.0])
    curves = [
        PartialDependence("x", x, None, ("y",), np.array([[0.0], [10.0]])),
        PartialDependence("z", x, None, ("y",), np.array([[5.0], [5.5]])),
        PartialDependence("one point", x[:1], None, ("y",), np.array([[99.0]])),
    ]
    assert module._limits(curves, {0: "first"}) == (-15 * DEPTH, 10.5)
    assert module._limits(curves, {}) is None
    flat = PartialDependence("flat", x, None, ("y",), np.array([[1.0], [1.0]]))
    assert module._limits([flat], {0: "first"}) is None
    figures = [module._dependence_figure(curve, {0: "first"}, (-0.5, 10.5)) for curve in curves[:2]]
    assert all(figure is not None and ">10<" in figure.svg for figure in figures)


@pytest.mark.slow
def test_importance_for_numbers_is_the_increase_of_the_rmse(line: Path) -> None:
    held_out = predict_held_out(line)
    section = module.feature_importance(compute_importance(held_out))
    (gallery,) = (part for part in section.parts if isinstance(part, Gallery))
    table = gallery.figures[0].table
    assert table.columns == ("column", "RMSE increase", "95 % CI")
    spread = float(np.std(held_out.y))
    assert all(abs(float(str(row[1]).replace(",", "").replace("−", "-"))) < 3 * spread for row in table.rows)

"""scikit-learn's own checks of an estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data, parametrize_with_checks

from nncli.sklearn import NNClassifier, NNRegressor

QUICK: dict[str, Any] = {"layers": [16], "epochs": 60, "learning_rate": 0.01, "batch_size": 16}
WEIGHTS = "batches, validation rows and the scales of columns are of rows, however much these count"


def expected(estimator: Any) -> dict[str, str]:
    return {"check_sample_weight_equivalence_on_dense_data": WEIGHTS}


@parametrize_with_checks(  # type: ignore[untyped-decorator]  # scikit-learn has no types
    [NNClassifier(**QUICK), NNRegressor(**QUICK)], expected_failed_checks=expected
)
def test_it_is_an_estimator_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("kind", [NNClassifier, NNRegressor])
def test_where_nothing_is_drawn_or_scaled_by_rows_a_weight_is_as_good_as_so_many_rows(kind: type[Any]) -> None:
    raw = {"precision": "float64", "encoding": {"numeric": "none", "target": "none"}}
    estimator = kind(layers=[16], epochs=60, batch_size="full", validation=0.0, config=raw)
    check_sample_weight_equivalence_on_dense_data(kind.__name__, estimator)

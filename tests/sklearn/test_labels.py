"""NNClassifier on indicator matrices: any number of labels of a row, as MLPClassifier takes them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.utils.estimator_checks import check_classifier_multioutput

from nncli.sklearn import NNClassifier

X, Y = make_multilabel_classification(120, 6, n_classes=3, random_state=0)
OPTIONS: dict[str, Any] = {"layers": [8], "epochs": 20, "random_state": 0}


def test_an_indicator_matrix_is_predicted_in_its_shape() -> None:
    ours, theirs = NNClassifier(**OPTIONS).fit(X, Y), MLPClassifier(early_stopping=True, random_state=0).fit(X, Y)
    assert ours.predict(X).shape == theirs.predict(X).shape == Y.shape
    assert ours.predict_proba(X).shape == theirs.predict_proba(X).shape
    assert ours.classes_.tolist() == theirs.classes_.tolist() == [0, 1, 2]
    assert (ours.predict(X) == (ours.predict_proba(X) >= 0.5)).all()
    assert ours.score(X, Y) == (ours.predict(X) == Y).all(axis=1).mean()
    assert np.array_equal(pickle.loads(pickle.dumps(ours)).predict_proba(X), ours.predict_proba(X))
    assert np.array_equal(NNClassifier(**OPTIONS).fit(X, csr_matrix(Y)).predict_proba(X), ours.predict_proba(X))


def test_missing_labels_are_not_learned() -> None:
    y = Y.astype(float)
    y[::3, 1] = np.nan
    fitted = NNClassifier(**OPTIONS).fit(X, y)
    assert any("40 of 360 cells are empty" in note for note in fitted.notes_)
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_a_matrix_that_is_no_indicator_is_refused() -> None:
    with pytest.raises(ValueError, match="indicator matrix"):
        NNClassifier(**OPTIONS).fit(X, X[:, :2])
    with pytest.raises(ValueError, match="any number of"):
        NNClassifier(**OPTIONS).fit(X, Y).predict_set(X)


def test_scikit_learn_scores_labels() -> None:
    check_classifier_multioutput("NNClassifier", NNClassifier(layers=[4], epochs=2, random_state=0))
    assert len(cross_val_score(NNClassifier(**OPTIONS), X, Y, scoring="f1_micro", cv=2)) == 2

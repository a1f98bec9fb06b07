"""Networks as estimators of scikit-learn: `from nncli.sklearn import NNClassifier, NNRegressor`."""

from __future__ import annotations

try:
    import sklearn as sklearn
except ImportError as error:
    raise ImportError("nncli.sklearn needs scikit-learn: pip install 'nncli-train[sklearn]'") from error

from nncli.sklearn.estimators import NNClassifier, NNRegressor

__all__ = ["NNClassifier", "NNRegressor"]

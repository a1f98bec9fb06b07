"""Networks as estimators of scikit-learn: NNClassifier, NNRegressor and NNSurvivalAnalysis."""

from __future__ import annotations

try:
    import sklearn as sklearn
except ImportError as error:
    raise ImportError("nncli.sklearn needs scikit-learn: pip install 'nncli-train[sklearn]'") from error

from nncli.sklearn.estimators import NNClassifier, NNRegressor, NNSurvivalAnalysis

__all__ = ["NNClassifier", "NNRegressor", "NNSurvivalAnalysis"]

"""The predictions of CatBoost and LightGBM for monotone.py, with and without monotone columns or interactions.

    python benchmarks/monotone_job.py TRAIN TEST TARGET SHAPE

SHAPE is a JSON object with `monotone`, directions by column, or with `interactions`, sets of columns. Prints a JSON
object: the predictions of the test rows, or the probabilities of the second of two classes, by peer.
"""

from __future__ import annotations

import json
import sys

import catboost
import lightgbm
import pandas as pd


def main() -> None:
    """Print the predictions."""
    train, test = (pd.read_csv(path) for path in sys.argv[1:3])
    target, shape = sys.argv[3], json.loads(sys.argv[4])
    y, X, X_test = train[target], train.drop(columns=target), test.drop(columns=target)
    texts = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    coded, coded_test = X.copy(), X_test.copy()
    for column in texts:
        kinds = pd.CategoricalDtype(sorted(X[column].astype(str).unique()))
        coded[column], coded_test[column] = (part[column].astype(str).astype(kinds) for part in (X, X_test))
    coded.columns = coded_test.columns = [f"f{i}" for i in range(X.shape[1])]
    X_text, X_test_text = (part.astype(dict.fromkeys(texts, str)) for part in (X, X_test))
    is_class = y.nunique() == 2
    directions, names = shape.get("monotone"), list(X)
    held = {
        "monotone_constraints": directions
        and [{"increasing": 1, "decreasing": -1}.get(directions.get(c), 0) for c in X],
        "interaction_constraints": [[*map(names.index, columns)] for columns in shape.get("interactions", ())],
    }
    predictions: dict[str, list[float]] = {}
    for kind, options in (("free", {}), ("held", {key: value for key, value in held.items() if value})):
        booster = lightgbm.LGBMClassifier if is_class else lightgbm.LGBMRegressor
        fitted = booster(verbose=-1, n_jobs=1, **options).fit(coded, y)
        values = fitted.predict_proba(coded_test)[:, 1] if is_class else fitted.predict(coded_test)
        predictions[f"LightGBM {kind}"] = values.tolist()
        if "interaction_constraints" in options:
            continue
        trees = catboost.CatBoostClassifier if is_class else catboost.CatBoostRegressor
        model = trees(verbose=0, thread_count=1, allow_writing_files=False, cat_features=texts, **options)
        model.fit(X_text, y)
        values = model.predict_proba(X_test_text)[:, 1] if is_class else model.predict(X_test_text)
        predictions[f"CatBoost {kind}"] = values.tolist()
    print(json.dumps(predictions))


if __name__ == "__main__":
    main()

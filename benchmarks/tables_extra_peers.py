"""Scores of other libraries, at their defaults, on the tables that `tables_extra.py` wrote.

    python benchmarks/tables_extra_peers.py FOLDER --results tables_extra.csv

Wants `pip install catboost lightgbm xgboost scikit-learn pandas`. CatBoost, LightGBM and XGBoost get text columns as
categories and missing cells as they are. The linear models and the MLP of scikit-learn get medians and indicators for
missing numbers, standardized numbers and one-hot text; the MLP gets a standardized target. Seconds are those of the
processor, over all threads, for `fit` with the preparation, so that a busy machine changes them little. Rows are added
to the file one by one; an interrupted run continues where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tables_extra import Meta, score, tables
from timing import HERE

FIELDS = ("name", "split", "model", "error", "log_loss", "average_precision", "calibration_error", "seconds")
SMALL = 1000
"""Rows up to which a cross-validated logistic regression is measured too."""


def prepared(meta: Meta, model: Any, features: Sequence[str]) -> Any:
    """A pipeline of imputation, scaling and one-hot columns in front of a model of scikit-learn."""
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in features if name not in meta["categorical"]]
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
        (make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), one_hot), meta["categorical"]),
    )
    pipeline = make_pipeline(columns, model)
    if meta["task"] == "regression":
        return TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    return pipeline


def catboost(meta: Meta, threads: int, _: Sequence[str]) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    make = CatBoostRegressor if meta["task"] == "regression" else CatBoostClassifier
    settings = {"thread_count": threads, "verbose": False, "allow_writing_files": False}
    return make(cat_features=meta["categorical"], **settings)


def lightgbm(meta: Meta, threads: int, _: Sequence[str]) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    make = LGBMRegressor if meta["task"] == "regression" else LGBMClassifier
    return make(n_jobs=threads, verbose=-1)


def xgboost(meta: Meta, threads: int, _: Sequence[str]) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    make = XGBRegressor if meta["task"] == "regression" else XGBClassifier
    return make(n_jobs=threads, enable_categorical=True)


def linear(meta: Meta, _: int, features: Sequence[str]) -> Any:
    import numpy as np
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if meta["task"] == "regression":
        return prepared(meta, RidgeCV(np.logspace(-2, 4, 13)), features)
    return prepared(meta, LogisticRegression(max_iter=1000), features)


def linear_cv(meta: Meta, _: int, features: Sequence[str]) -> Any:
    from sklearn.linear_model import LogisticRegressionCV

    if meta["task"] == "regression" or meta["n"] > SMALL:
        return None
    return prepared(meta, LogisticRegressionCV(max_iter=1000, scoring="neg_log_loss"), features)


def sk_mlp(meta: Meta, _: int, features: Sequence[str]) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    make = MLPRegressor if meta["task"] == "regression" else MLPClassifier
    return prepared(meta, make(random_state=0), features)


MODELS: dict[str, Callable[[Meta, int, Sequence[str]], Any]] = {
    "catboost": catboost,
    "lightgbm": lightgbm,
    "linear": linear,
    "linear_cv": linear_cv,
    "sk_mlp": sk_mlp,
    "xgboost": xgboost,
}
"""None instead of a model: not measured on that table."""


def frames(place: Path, meta: Meta, model: str) -> tuple[Any, Any]:
    """Training and test rows, text columns in the form the model takes."""
    import pandas as pd

    words = meta["categorical"]
    types: dict[str, type] = dict.fromkeys(words, str)
    if meta["task"] != "regression":
        types[meta["target"]] = str
    read = {"dtype": types, "keep_default_na": False, "na_values": [""]}
    train, test = (pd.read_csv(place / name, **read) for name in ("train.csv", "test.csv"))
    for name in words:
        if model in {"lightgbm", "xgboost"}:
            levels = sorted(train[name].dropna().unique())
            train[name], test[name] = (pd.Categorical(frame[name], levels) for frame in (train, test))
        elif model == "catboost":
            train[name], test[name] = (frame[name].fillna("missing") for frame in (train, test))
    return train, test


def measure(place: Path, meta: Meta, name: str, threads: int) -> dict[str, Any] | None:
    """Fit one model on one split and score it."""
    from threadpoolctl import threadpool_limits

    features = [column for column in _header(place / "train.csv") if column != meta["target"]]
    model = MODELS[name](meta, threads, features)
    if model is None:
        return None
    train, test = frames(place, meta, name)
    codes = {label: code for code, label in enumerate(meta["classes"] or [])}
    y = train[meta["target"]].map(codes) if codes else train[meta["target"]]
    X, Z = train[features], test[features]
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - began
        actual = model.predict_proba(Z) if codes else model.predict(Z)
    result = score(meta, list(test[meta["target"]]), actual)
    return {"name": meta["name"], "split": meta["split"], "model": name, **vars(result), "seconds": seconds}


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=HERE / "tables_extra.csv")
    options = parser.parse_args()
    done = set()
    if options.results.exists():
        with options.results.open(newline="") as file:
            done = {(row["name"], row["split"], row["model"]) for row in csv.DictReader(file)}
    else:
        options.results.write_text(",".join(FIELDS) + "\n")
    work = sorted(tables(options.folder), key=lambda item: (item[2]["n"], item[1]))
    for model in options.models:
        for name, split, meta in work:
            if (name, str(split), model) in done:
                continue
            row = measure(options.folder / f"{name}-{split}", meta, model, options.threads)
            if row is None:
                continue
            with options.results.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(_short(row[field]) for field in FIELDS)
            print(f"{model} {name} {split}: {row['error']:.4f}, {row['seconds']:.1f} s", file=sys.stderr, flush=True)


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


if __name__ == "__main__":
    main()

"""The survival tables of answers.py from SurvSet, and the scores of its peers, by a Python that has these packages.

    python benchmarks/survival_job.py FOLDER SPLITS [NAMES]

Writes FOLDER/NAME-SPLIT-{train,test}.csv, and prints a JSON object: the concordance of Harrell and the integrated Brier
score of the test rows by name and peer. The peers are those of scikit-survival: Cox's proportional hazards, random
survival forests, and gradient boosting, with their defaults.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sksurv.ensemble import (  # type: ignore[import-not-found]
    GradientBoostingSurvivalAnalysis,
    RandomSurvivalForest,
)
from sksurv.linear_model import CoxPHSurvivalAnalysis  # type: ignore[import-not-found]
from sksurv.metrics import concordance_index_censored, integrated_brier_score  # type: ignore[import-not-found]
from sksurv.util import Surv  # type: ignore[import-not-found]
from SurvSet.data import SurvLoader  # type: ignore[import-not-found]

CHOSEN = "e1684 prostate LeukSurv Melanoma actg vlbw TRACE uis follic Aids2 cost pbc scania Unemployment diabetes"
HELD_OUT = "phpl04K8a cancer zinc rdata grace whas500 colon mgus ova retinopathy Pbc3 GBSG2 rott2 dataOvarian1 hepatoCellular dataDIVAT2"  # fmt: skip  # noqa: E501
"""Tables of 200 to 3,000 rows: those by which defaults were chosen, and those that took no part."""


def table_of(name: str) -> pd.DataFrame:
    """A table with the columns time and event besides its features; other events than the first are censored."""
    frame, _ = SurvLoader().load_dataset(ds_name=name).values()
    return frame.drop(columns="pid").reset_index(drop=True).assign(event=(frame["event"] == 1).astype(int).to_numpy())


def peers_of(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, list[float]]:
    """The concordance and the integrated Brier score of each peer for the test rows."""
    y, y_test = (Surv.from_arrays(part["event"] == 1, part["time"]) for part in (train, test))
    X, X_test = (part.drop(columns=["time", "event"]) for part in (train, test))
    numbers = [c for c in X if c.startswith("num_")]
    texts = [c for c in X if c not in numbers]
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
            ),
            texts,
        ),
    )
    dense, dense_test = encoder.fit_transform(X), encoder.transform(X_test)
    last = np.quantile(test["time"], 0.95)  # as nncli scores curves
    times = np.unique(test["time"][(test["event"] == 1) & (test["time"] < last)])
    scores = {}
    for peer, model in {
        "Cox": CoxPHSurvivalAnalysis(alpha=1e-2),
        "random survival forest": RandomSurvivalForest(100, random_state=0, n_jobs=1, low_memory=False),
        "gradient boosting": GradientBoostingSurvivalAnalysis(random_state=0),
    }.items():
        model.fit(dense, y)
        c = concordance_index_censored(y_test["event"], y_test["time"], model.predict(dense_test))[0]
        try:
            curves = model.predict_survival_function(dense_test)
            low, high = curves[0].domain
            S = np.array([curve(np.clip(times, low, high)) for curve in curves])
            brier = float(integrated_brier_score(y_test, y_test, S, times))
        except ValueError:
            brier = np.nan
        scores[peer] = [float(c), brier]
    return scores


def main() -> None:
    """Write the tables and print the scores."""
    folder, splits = Path(sys.argv[1]), int(sys.argv[2])
    scores: dict[str, dict[str, list[Any]]] = {}
    for name in sys.argv[3:] or [*CHOSEN.split(), *HELD_OUT.split()]:
        frame = table_of(name)
        for split in range(splits):
            test = frame.sample(frac=0.25, random_state=split)
            train = frame.drop(test.index)
            train.to_csv(folder / f"{name}-{split}-train.csv", index=False)
            test.to_csv(folder / f"{name}-{split}-test.csv", index=False)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for peer, values in peers_of(train, test).items():
                    scores.setdefault(name, {}).setdefault(peer, []).append(values)
        print(name, {peer: np.mean(values, axis=0).round(4) for peer, values in scores[name].items()}, file=sys.stderr)
    print(json.dumps(scores))


if __name__ == "__main__":
    main()

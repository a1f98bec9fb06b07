"""Prediction intervals by MAPIE's CV+ around CatBoost with its defaults, as a script that a person would write.

    python benchmarks/mapie_job.py FOLDER ANSWERS SEED LEVEL ...     # of FOLDER/test.csv, from FOLDER/train.csv

FOLDER has a meta.json with target and categorical columns. The answers are a CSV with the columns lower_LEVEL and
upper_LEVEL.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from catboost import CatBoostRegressor
from mapie.regression import CrossConformalRegressor

from catboost_job import read


def main(folder: Path, answers: Path, seed: int, levels: list[float]) -> None:
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    training, test = read(folder / "train.csv", meta), read(folder / "test.csv", meta)
    model = CatBoostRegressor(random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False)
    mapie = CrossConformalRegressor(model, confidence_level=levels, method="plus", cv=5, random_state=seed)
    features = training.drop(columns=meta["target"])
    mapie.fit_conformalize(features, training[meta["target"]], fit_params={"cat_features": meta["categorical"]})
    bounds = mapie.predict_interval(test.drop(columns=meta["target"]))[1]
    columns = {}
    for i, level in enumerate(levels):
        columns[f"lower_{level:g}"], columns[f"upper_{level:g}"] = bounds[:, 0, i], bounds[:, 1, i]
    pd.DataFrame(columns).to_csv(answers, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), list(map(float, sys.argv[4:])))

"""CatBoost with its defaults, as a script that a person would write.

    python benchmarks/catboost_job.py train FOLDER MODEL SEED THREADS     # from FOLDER/train.csv
    python benchmarks/catboost_job.py predict FOLDER MODEL ANSWERS        # of FOLDER/test.csv

FOLDER has a meta.json with target, task and categorical columns. The answers have the columns of `nncli predict`:
`prediction`, or `proba_` and the label of each class.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor


def read(path: Path, meta: dict[str, Any]) -> Any:
    """A table with text in the categorical columns, and in the target of classes."""
    words = [*meta["categorical"], *([] if meta["task"] == "regression" else [meta["target"]])]
    frame = pd.read_csv(path, dtype=dict.fromkeys(words, str), keep_default_na=False, na_values=[""])
    return frame.fillna(dict.fromkeys(meta["categorical"], "missing"))


def main(task: str, folder: Path, model: Path, *rest: str) -> None:
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    kind = CatBoostRegressor if meta["task"] == "regression" else CatBoostClassifier
    if task == "train":
        seed, threads = map(int, rest)
        frame = read(folder / "train.csv", meta)
        estimator = kind(
            cat_features=meta["categorical"],
            random_seed=seed,
            thread_count=threads,
            verbose=False,
            allow_writing_files=False,
        )
        estimator.fit(frame.drop(columns=meta["target"]), frame[meta["target"]])
        estimator.save_model(str(model))
        return
    result = kind().load_model(str(model))
    table = read(folder / "test.csv", meta).drop(columns=meta["target"])
    if meta["task"] == "regression":
        answers = pd.DataFrame({"prediction": result.predict(table)})
    else:
        answers = pd.DataFrame(result.predict_proba(table), columns=[f"proba_{label}" for label in result.classes_])
    answers.to_csv(rest[0], index=False)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])

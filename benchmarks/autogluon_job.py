"""AutoGluon's neural network for tables, tuned at random and bagged over five folds, for a number of seconds.

    python benchmarks/autogluon_job.py FOLDER TABLE MODEL SECONDS

TABLE has the training rows, FOLDER a meta.json with target, task and categorical columns, and test.csv. Prints the
out-of-fold score and the test score of the weighted ensemble of its models: the log loss, or the RMSE.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from autogluon.common import space
from autogluon.tabular import TabularPredictor

SEARCH = {
    "learning_rate": space.Real(1e-4, 3e-2, default=3e-4, log=True),
    "weight_decay": space.Real(1e-12, 0.1, default=1e-6, log=True),
    "dropout_prob": space.Categorical(0.1, 0.0, 0.5, 0.2, 0.3, 0.4),
    "num_layers": space.Categorical(2, 3, 4),
    "hidden_size": space.Categorical(128, 256, 512),
    "activation": space.Categorical("relu", "elu"),
}


def read(path: Path, meta: dict[str, Any]) -> Any:
    """A table with text in the categorical columns, and in the target of classes."""
    words = [*meta["categorical"], *([] if meta["task"] == "regression" else [meta["target"]])]
    return pd.read_csv(path, dtype=dict.fromkeys(words, str), keep_default_na=False, na_values=[""])


def main(folder: Path, table: Path, model: str, seconds: float) -> None:
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    metric = "root_mean_squared_error" if meta["task"] == "regression" else "log_loss"
    predictor = TabularPredictor(meta["target"], path=model, problem_type=meta["task"], eval_metric=metric, verbosity=0)
    predictor.fit(
        read(table, meta),
        time_limit=seconds,
        hyperparameters={"NN_TORCH": SEARCH},
        hyperparameter_tune_kwargs={"num_trials": 30, "scheduler": "local", "searcher": "random"},
        num_bag_folds=5,
        num_stack_levels=0,
        num_cpus=1,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
    )
    board = predictor.leaderboard(read(folder / "test.csv", meta))
    best = board[board.model == predictor.model_best].iloc[0]
    print(json.dumps([-float(best.score_val), -float(best.score_test)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))

"""A process that measures one model on one core: the time of one row, and the rows a second of many.

    python benchmarks/export_job.py onnx FILE TABLE
    python benchmarks/export_job.py nncli RUN TABLE
    python benchmarks/export_job.py catboost FOLDER      # trained here, with the defaults
    python benchmarks/export_job.py sklearn FOLDER       # the same, an MLP behind scaling and one-hot encoding

Prints [title, milliseconds, rows a second] as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ONE, MANY = 300, 20_000


def measure(title: str, single: Callable[[int], object], many: Callable[[], object], rows: int) -> None:
    """Print the speed: `one` predicts the row at a position, `many` predicts so many rows."""
    for i in range(20):
        single(i)
    times = []
    for i in range(ONE):
        start = time.process_time()
        single(i)
        times.append(time.process_time() - start)
    many()
    start = time.process_time()
    many()
    print(json.dumps([title, 1e3 * median(times), rows / (time.process_time() - start)]), flush=True)


def read(table: Path) -> Any:
    """The rows of a table, repeated to MANY."""
    import polars as pl

    frame = pl.read_csv(table)
    return pl.concat([frame] * (MANY // len(frame) + 1))[:MANY]


def session(content: str | bytes) -> Any:
    """A session of ONNX Runtime with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def onnx(file: str, table: str) -> None:
    """An exported file."""
    import numpy as np

    running, frame = session(file), read(Path(table))
    columns = {}
    for wanted in running.get_inputs():
        cells = frame[wanted.name]
        is_text = "string" in wanted.type
        values = np.array(cells.to_list(), object) if is_text else cells.cast(float).to_numpy()
        columns[wanted.name] = values.reshape((-1, 1)) if len(wanted.shape) == 2 else values
    rows = [{name: values[i : i + 1] for name, values in columns.items()} for i in range(ONE)]
    measure(
        "onnx in ONNX Runtime", lambda i: running.run(None, rows[i]), lambda: running.run(None, columns), len(frame)
    )


def nncli(run: str, table: str) -> None:
    """A run."""
    from nncli import load

    model, frame = load(run), read(Path(table))
    measure(
        "nncli, from a frame",
        lambda i: model.predict(frame[i : i + 1], proba=True),
        lambda: model.predict(frame, proba=True),
        len(frame),
    )


def _training(folder: str) -> tuple[Any, Any, list[str], str, Any]:
    import pandas as pd

    meta = json.loads(Path(folder, "meta.json").read_text())
    frame = pd.read_csv(Path(folder, "train.csv"))
    rows = pd.read_csv(Path(folder, "test.csv"))
    rows = pd.concat([rows] * (MANY // len(rows) + 1))[:MANY].drop(columns=meta["target"])
    return frame.drop(columns=meta["target"]), frame[meta["target"]], meta["categorical"], meta["target"], rows


def catboost(folder: str) -> None:
    """CatBoost with its defaults."""
    from catboost import CatBoostClassifier

    X, y, categorical, _, rows = _training(folder)
    model = CatBoostClassifier(cat_features=categorical, thread_count=1, verbose=False, allow_writing_files=False)
    model.fit(X, y)
    lists = rows[:ONE].to_numpy().tolist()
    measure(
        "CatBoost itself",
        lambda i: model.predict_proba([lists[i]], thread_count=1),
        lambda: model.predict_proba(rows, thread_count=1),
        len(rows),
    )


def sklearn(folder: str) -> None:
    """An MLP of scikit-learn with its defaults, by sklearn-onnx."""
    import numpy as np
    import skl2onnx
    from sklearn.compose import make_column_transformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X, y, categorical, _, rows = _training(folder)
    numeric = [name for name in X.columns if name not in categorical]
    encoded = make_column_transformer(
        (StandardScaler(), numeric), (OneHotEncoder(handle_unknown="ignore"), categorical)
    )
    model = make_pipeline(encoded, MLPClassifier(random_state=0)).fit(X, y)
    X = X.astype(dict.fromkeys(numeric, np.float32))
    to_onnx: Any = skl2onnx.to_onnx
    converted = to_onnx(model, X[:1], options={"zipmap": False})
    running = session(converted.SerializeToString())
    columns = {
        name: rows[[name]].to_numpy().astype(object if name in categorical else np.float32) for name in rows.columns
    }
    singles = [{name: values[i : i + 1] for name, values in columns.items()} for i in range(ONE)]
    measure(
        "scikit-learn's MLP in ONNX Runtime",
        lambda i: running.run(None, singles[i]),
        lambda: running.run(None, columns),
        len(rows),
    )


JOBS: dict[str, Callable[..., None]] = {"onnx": onnx, "nncli": nncli, "catboost": catboost, "sklearn": sklearn}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])

"""Make the golden run directories of the present format: python -m tests.golden.make

One is made with every change of the format and is never made again: whatever nncli could once read, it reads for
ever, to the same bits. An existing directory is left alone.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from nncli import predict, train
from nncli.config.loading import load_config
from nncli.models.model import FORMAT
from nncli.run_directory.manifest import CONFIG, Machine
from nncli.run_directory.run import Run

HERE = Path(__file__).parent

CONFIGS = {
    "classes": "data: {path: table.csv, target: label}\nlayers: [6, batch_norm, {type: residual, layers: [6]}]\n",
    "two-classes": "data: {path: table.csv, target: two}\nlayers: []\nloss: cross_entropy\n",
    "numbers": "data: {path: table.csv, target: [y, z], drop: [label]}\nlayers: [5, layer_norm]\nactivation: gelu\n",
    "embedding": "data: {path: table.csv, target: y}\nlayers: [4]\n",
    "double": "data: {path: table.csv, target: y, drop: [many]}\nlayers: [4]\nprecision: float64\n",
    "recipe": (
        "data: {path: table.csv, target: y}\nlayers: [4]\n"
        "encoding: {numeric: robust, clip: smooth, clip_target: true,"
        " categories: {max_one_hot: 8, binary: sign, scaling: robust, embedding_width: 3}}\n"
    ),
    "quantile": "data: {path: table.csv, target: two}\nencoding: {numeric: quantile}\nlayers: [4]\n",
    "dates": (
        "data: {path: table.csv, target: y, features: [x1, when, day]}\nlayers: [4]\n"
        "encoding: {numeric: quantile, clip: smooth}\nnumeric_embedding: piecewise_linear\n"
    ),
    "text": (
        "data: {path: table.csv, target: label, features: [x2, said]}\nencoding: {max_text_features: 8}\nlayers: [4]\n"
    ),
    "exposure": (  # of a version that clipped numbers, not rates, and added the logarithm of the exposure
        "data: {path: table.csv, target: count, exposure: years, features: [x1, few]}\nlayers: [4]\n"
        "loss: tweedie\nencoding: {clip_target: true}\n"
    ),
    "counts": "data: {path: table.csv, target: count}\nlayers: [4]\nactivation: mish\nloss: poisson\n",
}


def table() -> pl.DataFrame:
    """Numbers with missing cells, few and many categories, and a target of every kind."""
    rng = np.random.default_rng(7)
    n = 300
    x = rng.normal(size=(n, 2))
    words = [f"word {i:02}" for i in range(40)]
    few, many = rng.integers(0, 3, n), rng.integers(0, 40, n)
    y = x[:, 0] - 2.0 * x[:, 1] + 0.1 * many
    return pl.DataFrame(
        {
            "x1": [None if i % 17 == 0 else v for i, v in enumerate(x[:, 0].tolist())],
            "x2": x[:, 1],
            "few": [None if i % 23 == 0 else f"rare {i}" if i % 60 == 7 else "abc"[c] for i, c in enumerate(few)],
            "many": [words[c] for c in many],
            "label": [["café", "007", "NA "][int(v > 0) + int(v > 3)] for v in y],
            "two": ["yes" if v > 1 else "no" for v in y],
            "y": y,
            "z": 1e6 + 100.0 * y,
            "count": rng.poisson(np.exp(0.3 * x[:, 0])),
        }
    )


def with_dates_and_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Also dates in two forms, and free text, some of them missing."""
    rng = np.random.default_rng(8)
    hours = rng.integers(0, 24 * 900, len(frame)).tolist()
    moments = [datetime(2022, 3, 1) + timedelta(hours=h) for h in hours]
    said = [" ".join(rng.choice(["good", "bad", "große", "word", "no."], 4)) for _ in moments]
    return frame.with_columns(
        when=pl.Series([None if h % 19 == 0 else f"{m:%d.%m.%Y %H:%M}" for h, m in zip(hours, moments, strict=True)]),
        day=pl.Series([m.date() for m in moments]),
        said=pl.Series([None if i % 29 == 0 else f"{words} {i}" for i, words in enumerate(said)]),
    )


def with_exposure(frame: pl.DataFrame) -> pl.DataFrame:
    """Also how long each row was observed, for counts that depend on it."""
    rng = np.random.default_rng(9)
    years = np.round(rng.uniform(0.1, 5.0, len(frame)), 3)
    return frame.with_columns(years=pl.Series(years), count=pl.Series(rng.poisson(years * np.exp(frame["x2"]))))


def main() -> None:
    """Train a run for each configuration, and note what it predicts."""
    for name, text in CONFIGS.items():
        frame = with_dates_and_text(table()) if name in ("dates", "text") else table()
        frame = with_exposure(frame) if name == "exposure" else frame
        home = HERE / f"format-{FORMAT}-{name}"
        if home.exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            frame.write_csv(Path(folder) / "table.csv")
            (Path(folder) / "golden.yaml").write_text(f"{text}epochs: 5\nseed: 3\n")
            trained = train(Path(folder) / "golden.yaml", output=home / "run").run
            shutil.rmtree(trained / "checkpoints")
            (trained / ".lock").unlink(missing_ok=True)
            run = Run.open(trained)  # which machine made it, and where, is nobody's concern here
            run.save_config(load_config(trained / CONFIG).model_copy(update={"output": "run"}))
            manifest = run.load_manifest()
            nowhere = Machine(system="any", processor="any", cores=1)
            run.save_manifest(manifest.model_copy(update={"machine": nowhere}))
            frame.head(60).write_csv(home / "rows.csv")
            proba = name in ("classes", "two-classes", "quantile", "text")
            predict(trained, home / "rows.csv", proba=proba).write_csv(home / "expected.csv")


if __name__ == "__main__":
    main()

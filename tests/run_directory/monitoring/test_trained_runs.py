"""New rows of the training distribution have no drift of the predictions, whatever the run trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import drift, train

SEEDS = range(3)
DENSE = "epochs: 6\nbatch_size: 32\nlayers: [{type: dense, units: 32, activation: relu}]"
TRAINING = {
    "one network": "members: 1\nquality: fast\nepochs: 20\nbatch_size: 32",
    "folds": f"members: 3\nbagging: folds\n{DENSE}",
    "bootstrap": f"members: 3\nbagging: bootstrap\n{DENSE}",
}


def weak_signal(rows: int, seed: int) -> pl.DataFrame:
    """Rows whose class depends on one of eight columns, and little."""
    rng = np.random.default_rng([seed, 11])
    X = rng.normal(size=(rows, 8))
    is_positive = rng.uniform(size=rows) < 1.0 / (1.0 + np.exp(-0.5 * X[:, 0]))
    columns = {f"x{j}": X[:, j] for j in range(8)}
    return pl.DataFrame(
        {**columns, "y": np.where(is_positive, "yes", "no"), "z": X[:, 0] + 3.0 * rng.normal(size=rows)}
    )


@pytest.mark.slow
@pytest.mark.parametrize("target", ["y", "z"])
@pytest.mark.parametrize("training", list(TRAINING))
def test_new_rows_of_the_same_distribution_have_no_drift(tmp_path: Path, training: str, target: str) -> None:
    new, result = weak_signal(5_000, 99), []
    for seed in SEEDS:
        other = "z" if target == "y" else "y"
        weak_signal(600, seed).drop(other).write_csv(tmp_path / f"{seed}.csv")
        (tmp_path / "c.yaml").write_text(
            f"data: {{path: {tmp_path}/{seed}.csv, target: {target}}}\nworkers: 1\nseed: {seed}\n{TRAINING[training]}\n"
        )
        run = train(tmp_path / "c.yaml", output=tmp_path / f"run{seed}").run
        (batch,) = drift(run, new).batches
        assert batch.comparison.predictions
        result += [prediction.name for prediction in batch.comparison.predictions if prediction.drifted]
    assert result == []

"""Small runs to be served, one for each kind of target, and the table of all kinds of columns that they train on."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from nncli import train

ROWS = 120
COLORS, SIZES = ("red", "green", "Blue, dark", 'say "hi"'), (1, 2, 3, 10)
WORDS = ("good", "bad", "warm", "cold", "not", "very")
CONFIGS: dict[str, dict[str, Any]] = {
    "number": {"data": {"target": "y"}, "members": 2},
    "quantiles": {"data": {"target": "y"}, "loss": {"type": "quantiles", "levels": [0.1, 0.5, 0.9]}},
    "numbers": {"data": {"target": ["y", "z"]}},
    "two": {"data": {"target": "two"}},
    "many": {"data": {"target": "many"}, "members": 2},
}
"""The configuration of each run beside what all have in common."""
TARGETS = ("y", "z", "two", "many")


def table_of(seed: int = 0) -> pl.DataFrame:
    """The table that the runs train on; the columns rate, color, day and note have missing cells."""
    rng = random.Random(seed)
    x = [rng.gauss(1.0, 2.0) for _ in range(ROWS)]
    columns = {
        "x": x,
        "rate": [None if rng.random() < 0.1 else rng.uniform(0.0, 1e-3) for _ in range(ROWS)],
        "count": [rng.randrange(-50, 10_000) for _ in range(ROWS)],
        "price": [f"${rng.uniform(1, 90):.2f}" for _ in range(ROWS)],
        "size": [rng.choice(SIZES) for _ in range(ROWS)],
        "color": [None if rng.random() < 0.1 else rng.choice(COLORS) for _ in range(ROWS)],
        "flag": [rng.random() < 0.5 for _ in range(ROWS)],
        "day": [None if rng.random() < 0.05 else _day(rng) for _ in range(ROWS)],
        "note": [None if rng.random() < 0.05 else " ".join(rng.choices(WORDS, k=6)) for _ in range(ROWS)],
    }
    columns |= {"y": [3.0 * value + rng.gauss(0.0, 0.3) for value in x], "z": [rng.random() * 1e6 for _ in x]}
    columns |= {
        "two": ["yes" if value > 1.0 else "no" for value in x],
        "many": [f"class {max(0, min(4, int(value)))}" for value in x],
    }
    return pl.DataFrame(columns)


def _day(rng: random.Random) -> str:
    return (date(2020, 1, 1) + timedelta(days=rng.randrange(900))).isoformat()


def train_run(folder: Path, name: str) -> Path:
    """Train the run of a name in a folder."""
    config = CONFIGS[name]
    table_of().write_csv(folder / "table.csv")
    data = {"path": "table.csv", "columns": {"size": "categorical", "note": "text"}, **config["data"]}
    targets = data["target"] if isinstance(data["target"], list) else [data["target"]]
    data["drop"] = [name for name in TARGETS if name not in targets]
    common = {"epochs": 2, "layers": [8], "backend": "numpy", "workers": 1}
    (folder / "config.yaml").write_text(json.dumps({**common, **config, "data": data}))
    return train(folder / "config.yaml", output=folder / "run").run

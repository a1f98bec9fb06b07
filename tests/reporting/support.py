"""A table whose names and cells are as bad as they come, and runs trained on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from nncli import train

HOSTILE = (
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "العمر",
    "🐧 emoji",
    "two\nlines",
    "n" * 300,
    "$x_1$ {{ 7*7 }}",
    "'\"><img src=x onerror=alert(1)>",
)
"""Names of columns: HTML, turned text, right to left, emoji, a line end, very long, formulas and templates."""
LABELS = ("<b>yes</b>", "\u202eno", "ربما", "n" * 90, "|*_`&amp;")


def hostile_table(path: Path, n: int = 150) -> None:
    """Numbers and categories under the hostile names, and a target of the labels."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[object]] = {}
    for i, name in enumerate(HOSTILE):
        if i % 2:
            columns[name] = [None if k % 17 == 3 else LABELS[v] for k, v in enumerate(rng.integers(0, 5, n).tolist())]
        else:
            columns[name] = [None if k % 13 == 1 else v for k, v in enumerate(rng.normal(size=n).round(3).tolist())]
    first = np.nan_to_num(np.array(columns[HOSTILE[0]], np.float64))
    columns["<i>target</i>"] = [LABELS[int(v)] for v in np.digitize(first + rng.normal(0, 0.4, n), [-1, -0.3, 0.3, 1])]
    pl.DataFrame(columns).write_csv(path)


def hostile_run(folder: Path) -> Path:
    """A run trained on the hostile table."""
    hostile_table(folder / "t.csv")
    config = folder / "c.yaml"
    config.write_text('data: {path: t.csv, target: "<i>target</i>"}\nlayers: [4]\nepochs: 3\n')
    return train(config, output=folder / "run").run

"""Small tables, and the findings about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from nncli.base.findings import Finding
from nncli.config.schema import Config
from nncli.fitting.table_report import TableReport, check_table

ROWS = 300


def sound(rows: int = ROWS, seed: int = 0) -> dict[str, Sequence[object]]:
    """A table with two numeric features, a categorical one, a class `y` and a number `z`."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows)).round(6)
    word = rng.choice(["red", "green", "blue"], rows)
    z = a - b + (word == "red") + rng.normal(size=rows).round(6)
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "word": word.tolist(),
        "z": z.tolist(),
        "y": np.where(z > 0.3, "yes", "no").tolist(),
    }


def look(folder: Path, columns: Mapping[str, Sequence[object]], *, target: str = "y", **keys: object) -> TableReport:
    """Check a table of these columns; `y` and `z` are not features of each other."""
    pl.DataFrame(dict(columns), strict=False).write_csv(folder / "t.csv")
    data = {
        "path": str(folder / "t.csv"),
        "target": target,
        "drop": [name for name in "yz" if name in columns and name != target],
    }
    extra = keys.pop("data", {})
    assert isinstance(extra, dict)
    return check_table(Config.model_validate({"data": {**data, **extra}, "layers": [4], **keys}))


def found(folder: Path, columns: Mapping[str, Sequence[object]], *, target: str = "y", **keys: object) -> list[Finding]:
    """The findings about such a table."""
    return [*look(folder, columns, target=target, **keys).findings]


def codes(findings: Sequence[Finding]) -> list[str]:
    """The level and code of each finding."""
    return [f"{finding.level} {finding.code}" for finding in findings]

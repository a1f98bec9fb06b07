"""The walk of a cell in docs/architecture.md is the one that a prediction takes: a profiler looks for the cell."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import load, predict_to_file, train
from nncli.data.table import Table
from nncli.models.model import Model

PACKAGE = Path(__file__).parents[2] / "nncli"
PAGE = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
WALK = {*re.findall(r"`([\w/]+\.py)`", PAGE.partition("| name |")[2].partition("\n\n")[0])}
ONLY_LOOK = {
    "data/encoders/scaling.py": "the arithmetic of numeric.py, which gets the result back",
    "data/formats/csv/sniffer.py": "which separator the text has",
    "data/formats/prefetch.py": "runs the stages on threads",
    "data/formats/sinks.py": "whether the columns are those of the first chunk",
    "models/conformal/predictor.py": "whether a column has sets",
    "targets/wording.py": "whether a prediction is empty",
}
"""The files that see the cell on its way, and why; they do not hand it on as something else."""
CELL, ROWS = 43.21098, 900


def holds(value: Any, numbers: set[float], depth: int = 0) -> bool:
    """Whether a local variable holds the cell, or a number that was computed from it."""
    if isinstance(value, bytes):
        return str(CELL).encode() in value
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and bool(np.isin(value, [*numbers]).any())
    if isinstance(value, pl.DataFrame):
        return any(holds(column, numbers) for column in value)
    if isinstance(value, pl.Series):
        return value.dtype.is_float() and bool(value.is_in([*numbers]).any())
    if depth < 2 and isinstance(value, tuple):
        return any(holds(item, numbers, depth + 1) for item in value[:9])
    if depth < 2 and hasattr(value, "__dataclass_fields__"):
        return any(holds(getattr(value, name, None), numbers, depth + 1) for name in value.__dataclass_fields__)
    return False


def numbers_of(model: Model) -> set[float]:
    """The cell, the scaled cell, the raw output of its row and the prediction."""
    row = Table(pl.DataFrame({"a": [CELL]}), "row")
    X, codes, _, _ = model.encode(row)
    Z, points = model._run(X, codes, 1), model.predict(row).points
    return {CELL, *(float(x) for numbers in (X, Z, points) for x in numbers.ravel())}


@pytest.mark.slow
def test_the_files_that_hold_a_cell_are_those_of_the_page(tmp_path: Path) -> None:
    cells = np.random.default_rng(0).normal(50.0, 10.0, ROWS).round(3)
    training = pl.DataFrame({"a": cells, "y": 2.0 * cells + 1.0})
    training.write_csv(tmp_path / "training.csv")
    new = training.select("a")
    new[ROWS // 2, "a"] = CELL
    new.write_csv(tmp_path / "new.csv")
    run = train(tmp_path / "training.csv", target="y", set=["layers=[4]", "epochs=2"], output=tmp_path / "run").run
    model = load(run).model
    assert isinstance(model, Model)
    numbers, held, busy = numbers_of(model), set[str](), threading.local()

    def look(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event != "return" or not file.is_relative_to(PACKAGE) or getattr(busy, "now", False):
            return
        busy.now, name = True, file.relative_to(PACKAGE).as_posix()
        if name not in held and any(holds(value, numbers) for value in frame.f_locals.values()):
            held.add(name)
        busy.now = False

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        predict_to_file(run, tmp_path / "new.csv", tmp_path / "predictions.csv")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert held - {*ONLY_LOOK} == WALK

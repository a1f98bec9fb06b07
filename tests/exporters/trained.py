"""Tables of many kinds of columns, models that are trained on them for one epoch, and new rows for these."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from nncli import train
from nncli.models.ensemble import AnyModel
from nncli.run_directory.run import Run
from tests.runtimes.hostile import texts

ROWS = 90
WORDS = ("good", "not", "very", "bad", "été", "日本", "Don't", "2024", "ok", "a_b", "WARM", "x")
HOSTILE = texts(400)[100:]


def table_of(seed: int, target: str, names: list[str]) -> pl.DataFrame:
    """A table to train on: a column of each kind under these names, and the targets y, and z if it is `numbers`."""
    rng = random.Random(seed)
    makers = (_numbers, _counts, _amounts, _percent, _few, _many, _truths, _iso, _days, _moments, _phrases, _integers)
    columns = {}
    for name, make in zip(names, rng.sample(makers, len(makers)), strict=False):
        cells = make(rng)
        if rng.random() < 0.5:
            cells = [None if rng.random() < 0.1 else cell for cell in cells]
        columns[name] = cells
    y = [rng.gauss(3.0, 2.0) for _ in range(ROWS)]
    if target == "number":
        columns["y"] = y
    elif target == "numbers":
        columns |= {"y": y, "z": [100.0 * value + rng.random() for value in y]}
    elif target == "labels":
        columns["y"] = ["|".join(name for name in ("é, x", "b", "proba_b") if rng.random() < 0.4) for _ in range(ROWS)]
    elif target == "counts":
        columns["y"] = [int(abs(value)) for value in y]
    else:
        labels = {"two": ("no", "yes"), "three": tuple(rng.sample(HOSTILE, 3)), "codes": (1, 5, 12)}[target]
        columns["y"] = [labels[i % len(labels)] for i in range(ROWS)]
    return pl.DataFrame(columns)


def _numbers(rng: random.Random) -> list[Any]:
    scale = 10.0 ** rng.uniform(-9.0, 9.0)
    return [rng.gauss(1.0, 2.0) * scale for _ in range(ROWS)]


def _counts(rng: random.Random) -> list[Any]:
    return [rng.choice((0, 0, 1, 2, 9)) for _ in range(ROWS)]


def _integers(rng: random.Random) -> list[Any]:
    return [rng.randrange(-(10**9), 10**9) for _ in range(ROWS)]


def _amounts(rng: random.Random) -> list[Any]:
    return [f"${rng.uniform(0, 90):.2f}" for _ in range(ROWS)]


def _percent(rng: random.Random) -> list[Any]:
    return [f"{rng.uniform(-5, 90):.1f} %" for _ in range(ROWS)]


def _few(rng: random.Random) -> list[Any]:
    words = rng.sample(HOSTILE, 4)
    return [rng.choice(words) for _ in range(ROWS - 2)] + rng.sample(HOSTILE, 2)


def _many(rng: random.Random) -> list[Any]:
    words = rng.sample(HOSTILE, 20)
    return [rng.choice(words) for _ in range(ROWS)]


def _truths(rng: random.Random) -> list[Any]:
    pair = rng.choice((("yes", "No"), (True, False), ("TRUE", "FALSE"), ("3.0", "4")))
    return [rng.choice(pair) for _ in range(ROWS)]


def _iso(rng: random.Random) -> list[Any]:
    return [f"{_moment(rng):%Y-%m-%d %H:%M}" for _ in range(ROWS)]


def _days(rng: random.Random) -> list[Any]:
    return [f"{_moment(rng):%d.%m.%Y}" for _ in range(ROWS)]


def _moments(rng: random.Random) -> list[Any]:
    is_date = rng.random() < 0.5
    return [_moment(rng).date() if is_date else _moment(rng) for _ in range(ROWS)]


def _moment(rng: random.Random) -> datetime:
    return datetime(1965, 1, 1) + timedelta(days=rng.uniform(0, 6000))


def _phrases(rng: random.Random) -> list[Any]:
    return [" ".join(rng.choices(WORDS[:6], k=4) + rng.choices(WORDS, k=rng.randrange(4))) for _ in range(ROWS)]


def trained(folder: Path, table: pl.DataFrame, **options: Any) -> AnyModel:
    """A model that is trained on a table for one epoch."""
    table.write_parquet(folder / "table.parquet")
    targets = [name for name in ("y", "z") if name in table.columns]
    data = {"path": "table.parquet", "target": targets if len(targets) > 1 else targets[0], **options.pop("data", {})}
    config = {"data": data, "epochs": 1, "backend": "numpy", "workers": 1, **options}
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")
    return Run(train(folder / "config.yaml", output=folder / "run").run).load_model()


def new_rows(seed: int, table: pl.DataFrame) -> pl.DataFrame:
    """Rows to predict: cells of the table in another order, some of them missing, spelled otherwise or never seen."""
    rng = random.Random(seed)
    columns = []
    for cells in table.drop("y", "z", strict=False):
        values = [_changed(rng, cell) for cell in rng.sample(cells.to_list(), len(cells))]
        columns.append(pl.Series(cells.name, values, dtype=cells.dtype))
    return pl.DataFrame(columns)


def _changed(rng: random.Random, cell: Any) -> Any:
    """The cell, mostly; else a cell of its type."""
    if rng.random() < 0.6:
        return cell
    if rng.random() < 0.2:
        return None
    match cell:
        case bool() | None:
            return None
        case float():
            return rng.choice((-0.0, 5e-324, cell * 1e3, -cell, cell + 1e-3))
        case int():
            return rng.choice((0, -1, 2**40, cell + 1))
        case datetime() | date():
            return cell.replace(year=rng.choice((1, 1969, 1970, 2020, 9999)), day=1)
        case str() if cell[:1] == "$":
            return rng.choice((cell.replace("$", "$ "), cell[1:], "$1,234.50", f"({cell})"))
        case str() if cell[-1:] == "%":
            return rng.choice((cell.replace(" ", ""), "-0%", "1,234.5 %"))
        case str() if cell[:2] in ("19", "20") or cell[2:3] == ".":
            return rng.choice(("1969-12-31", "0001-01-01", "9999-12-31 23:59", "2020-02-29T12:00:01.5Z", "5 May 1950"))
        case _:
            return rng.choice((f" {cell}\t", cell.upper(), "", "unseen", rng.choice(HOSTILE), f"{cell} not good 日本"))

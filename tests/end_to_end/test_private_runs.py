"""No file of a private run or a shared one holds a training cell beyond those that docs/run-directory.md lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any
from zipfile import ZipFile

import numpy as np
import polars as pl
import pytest
import safetensors.numpy

from nncli import predict, share, train
from nncli.nn.losses import Loss
from nncli.run_directory.filenames import MODEL, WEIGHTS
from tests.unions import members, tag

ROWS = 240
SECRET = "secretword"
"""A word of `data.missing_values`."""
Columns = Mapping[str, list[str]]
LISTED = re.compile(r"encoder\.columns\.\d+\.(lowest|highest|center|fill_value)|target\.(lowest|highest)\.\d+")
"""The places of model.json with the smallest, the largest and the median number of a column, or of the target."""
EDGES = "numeric.edges"
"""The quantiles of numeric embeddings, scaled, in model.safetensors."""
random = Random(8)


def numbers(low: float, high: float) -> list[str]:
    """Cells with so many digits that no other number is the same."""
    return [f"{random.uniform(low, high):.9f}" for _ in range(ROWS)]


def cells(*values: str) -> list[str]:
    return [random.choice(values) for _ in range(ROWS)]


FEATURES: Columns = {
    "number": numbers(1.0, 1000.0),
    "gaps": [SECRET if i % 9 == 0 else text for i, text in enumerate(numbers(0.0, 1.0))],
    "code": [f"rarecode{i:04}" if i % 30 == 0 else f"code{i % 3}" for i in range(ROWS)],
    "notes": [f"often seen{i % 4} solo{random.randrange(10**9):09}" for i in range(ROWS)],
    "at": [f"20{random.randrange(10, 24)}-03-{1 + i % 28:02} 0{i % 10}:{i % 59:02}:{i % 53:02}" for i in range(ROWS)],
}
AMOUNT, COUNTS = numbers(5.0, 500.0), cells(*"0123456789")
TIMES: Columns = {
    "days": numbers(1.0, 900.0),
    "event": cells("yes", "no"),
    "entry": numbers(0.0, 0.9),
}
Case = tuple[Columns, list[str], list[str]]
CASES: dict[str, Case] = {
    **{
        loss: ({"y": AMOUNT}, ["y"], [f"loss={loss}"])
        for loss in (
            *("mse", "mae", "huber", "quantile", "quantiles", "normal", "student_t", "mixture"),
            *("gamma", "tweedie", "log_normal"),
        )
    },
    **{
        loss: ({"y": COUNTS, "years": numbers(0.1, 3.0)}, ["y"], [f"loss={loss}", "data.exposure=years"])
        for loss in ("poisson", "negative_binomial", "zero_inflated_poisson")
    },
    **{
        loss: ({"y": ["rareclass" if i % 40 == 0 else f"class{i % 2}" for i in range(ROWS)]}, ["y"], [f"loss={loss}"])
        for loss in ("cross_entropy", "hinge")
    },
    "two members": ({"y": AMOUNT}, ["y"], ["members=2"]),
    "ordinal": ({"y": cells("low", "middle", "high")}, ["y"], ["loss=ordinal", "data.order=[low,middle,high]"]),
    "binary_cross_entropy": ({"a": cells("0", "1"), "b": cells("0", "1")}, ["a", "b"], ["loss=binary_cross_entropy"]),
    **{loss: (TIMES, ["days"], [f"loss={{type: {loss}, event: event, start: entry}}"]) for loss in ("survival", "cox")},
    "several": ({"y": AMOUNT, "z": cells("class0", "class1")}, ["y", "z"], []),
    "two numbers": ({"y": AMOUNT, "z": numbers(0.0, 1.0)}, ["y", "z"], []),
    "weights": ({"y": AMOUNT, "weight": numbers(0.5, 2.0)}, ["y"], ["data.sample_weight=weight"]),
    "groups": ({"y": AMOUNT, "of": [f"group{i // 2:05}" for i in range(ROWS)]}, ["y"], ["data.group=of"]),
    "quantiles of columns": ({"y": AMOUNT}, ["y"], ["encoding.numeric=quantile"]),
    "robust": ({"y": AMOUNT}, ["y"], ["encoding.numeric=robust"]),
    "embeddings": ({"y": AMOUNT}, ["y"], ["numeric_embedding=piecewise_linear"]),
    "the default": ({"y": AMOUNT}, ["y"], ["preset=tabular", "members=2"]),
}
QUICK = ["preset=textbook", "epochs=1", "layers=[4]", "members=1", f"data.missing_values=[{SECRET}]"]


def test_every_loss_has_a_case() -> None:
    assert {tag(loss) for loss in members(Loss)} <= {*CASES}


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """The numbers of a JSON value, each with its place."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, str(key)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield ".".join(path), float(value)


def found_in(name: str, content: bytes, columns: Columns, numbers_of: set[float]) -> set[str]:
    """The places of a file that hold a cell, a word of one row or a category of few, beyond those that are listed."""
    words = {word for text in columns["notes"] for word in text.split() if word.startswith("solo")}
    words |= {*columns["at"]} | {"rarecode", "rareclass", "group0"}
    found = {f"{name}: {word}" for word in words if word.encode() in content}
    if name.endswith(".json"):
        values = [*places(json.loads(content))]
        listed = {value for place, value in values if name.endswith(MODEL) and LISTED.search(place)}
        found |= {f"{name}: {place}" for place, value in values if value in numbers_of - listed}
    elif name.endswith(".safetensors"):
        for array, weights in safetensors.numpy.load(content).items():
            is_listed = name.endswith(WEIGHTS) and array.endswith(EDGES)
            if not is_listed and numbers_of & {*weights.astype(float).ravel().tolist()}:
                found.add(f"{name}: {array}")
    else:
        texts = re.findall(rb"\d+\.\d{6,}", content)
        found |= {f"{name}: {text.decode()}" for text in texts if float(text) in numbers_of}
    return found


def numbers_in(columns: Columns) -> set[float]:
    """Every cell that is a number of many digits, in both precisions, and every date as a number."""
    texts = {text for name, column in columns.items() if name != "at" for text in column if re.search(r"\.\d{6}", text)}
    dates = pl.Series(columns["at"]).str.to_datetime("%Y-%m-%d %H:%M:%S")
    seconds = dates.dt.timestamp("ms").to_numpy() / 1000.0
    values = np.array([float(text) for text in texts])
    every = [values, seconds, seconds * 1e3, seconds * 1e6, seconds / 86_400.0]
    return {float(x) for part in every for x in (*part, *part.astype(np.float32))}


@pytest.mark.parametrize("case", CASES)
def test_no_cell_is_in_a_private_or_a_shared_run_that_is_not_listed(tmp_path: Path, case: str) -> None:
    more, target, settings = CASES[case]
    columns = {**FEATURES, **more}
    table = tmp_path / "table.csv"
    pl.DataFrame(columns).write_csv(table)
    known = numbers_in(columns)
    changes = [*QUICK, *settings]
    run = train(table, target=target, set=changes, output=tmp_path / "run").run
    shared = [share(run, tmp_path / "shared.zip").path] if case != "several" else []
    if case == "several":
        shared = [share(run / "targets" / name, tmp_path / f"{name}.zip").path for name in target]
    files = {f"{file.stem}/{info}": ZipFile(file).read(info) for file in shared for info in ZipFile(file).namelist()}
    if case != "several":  # its runs are shared one by one
        private = train(table, target=target, set=changes, output=tmp_path / "private", private=True).run
        files |= {
            path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in private.rglob("*") if path.is_file()
        }
        assert len(predict(private, pl.read_csv(table))) == ROWS

    assert len(files) > 5
    assert not set().union(*(found_in(name, content, columns, known) for name, content in files.items()))


def test_rounded_quantiles_and_times_change_predictions_little(tmp_path: Path) -> None:
    for case in ("survival", "quantiles of columns"):
        more, target, settings = CASES[case]
        table = tmp_path / f"{case}.csv"
        pl.DataFrame({**FEATURES, **more}).write_csv(table)
        run = train(table, target=target, set=[*QUICK, *settings, "epochs=20"], output=tmp_path / case).run
        with ZipFile(share(run, tmp_path / f"{case}.zip").path) as archive:
            archive.extractall(tmp_path / "shared")

        exact, rounded = (
            predict(of, pl.read_csv(table))["prediction"].to_numpy() for of in (run, tmp_path / "shared" / case)
        )

        spread = np.std(exact) + 0.01 * np.abs(exact).mean()
        assert np.abs(exact - rounded).max() <= 0.02 * spread, case

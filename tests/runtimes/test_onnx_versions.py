"""ONNX models in older versions of ONNX Runtime, installed in pytest's cache where the package index has them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from filelock import FileLock

from nncli.data.encoders.column_types import Column
from nncli.data.table import Table
from nncli.exporters.lowering import lower_model
from nncli.exporters.runtimes import onnxruntime as runner
from nncli.integrations.onnx.model import to_onnx
from nncli.nn.layers.dense import Dense
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import Program
from nncli.nn.program.values import Builder
from tests.api.explained import CITY, COLOR, DATE, NUMBER, WORDS, X1, X2, ensemble_of, model_of, table_of
from tests.exporters.test_lowering import CLIPPED, THREE
from tests.integrations.onnx.support import INFO, number_program
from tests.integrations.onnx.test_program_nodes_operations import CASES
from tests.runtimes.hostile import category_input, program_of, texts
from tests.runtimes.test_models import MODELS

VERSIONS = {"1.17.3": "numpy==1.26.4", "1.20.1": "numpy==2.2.6"}
"""The versions of ONNX Runtime, and the NumPy that each needs."""
SCRIPT = """
import json, sys
import numpy as np, onnxruntime
assert onnxruntime.__version__ == sys.argv[1]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
for name in sys.argv[2:]:
    session = onnxruntime.InferenceSession(name + ".onnx", options, providers=["CPUExecutionProvider"])
    cells = json.load(open(name + ".json"))
    inputs = {key: np.array(one, object if isinstance(one[0][0], str) else float) for key, one in cells.items()}
    for _ in range(3):
        found = session.run(None, inputs)
        part = session.run(None, {key: one[:7] for key, one in inputs.items()})
        for a, b in zip(found, part):
            if a.dtype.kind == "f":
                np.testing.assert_allclose(a[:7], b, 1e-6)
            else:
                np.testing.assert_array_equal(a[:7], b)
    json.dump([one.tolist() for one in found], open(name + ".out", "w"))
"""


def operations() -> Program:
    """All operations in one program."""
    builder = Builder()
    x, y = builder.input(NumberInput("x1")), builder.input(NumberInput("x2"))
    return number_program(builder, *(case(x, y) for case in CASES.values()))


def programs() -> Iterator[tuple[str, Program, pl.DataFrame]]:
    """Programs with their tables."""
    rows, hidden = table_of(300).frame, Dense(units=6, activation="tanh")
    numbers = np.random.default_rng(0).normal(size=(300, 2)) * 3.0
    yield "operations", operations(), pl.DataFrame({"x1": numbers[:, 0], "x2": numbers[:, 1]})
    for name, model in MODELS.items():
        yield name, lower_model(model()), rows
    columns: list[Column] = [X1, X2, COLOR, CITY, DATE, WORDS]
    for name, target in (("numbers", NUMBER), ("targets", CLIPPED), ("classes", THREE)):
        alike = [model_of(hidden, hidden, columns=columns, target=target, seed=seed) for seed in range(6)]
        unlike = [model_of(hidden, hidden, columns=columns[2:], target=target, seed=seed) for seed in range(3)]
        yield name, lower_model(ensemble_of(*alike, *unlike, target=target)), rows
    words = texts(500)
    yield "texts", program_of([category_input("c", words)], words[:50]), pl.DataFrame({"c": words})


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A version, and the folder where it is installed."""
    name: str = request.param
    assert request.config.cache is not None
    folder = request.config.cache.mkdir(f"onnxruntime-{name}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", str(folder)]
    with FileLock(f"{folder}.lock"):
        if not (folder / "installed").exists():
            wanted = [f"onnxruntime=={name}", VERSIONS[name]]
            done = subprocess.run([*command, *wanted], capture_output=True, text=True, timeout=600, check=False)
            if done.returncode != 0:
                pytest.skip(f"ONNX Runtime {name} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
            (folder / "installed").touch()
    return name, folder


def test_an_older_version_gives_the_answers_of_the_newest(version: tuple[str, Path], tmp_path: Path) -> None:
    number, folder = version
    wanted: dict[str, list[Any]] = {}
    for name, program, rows in programs():
        (tmp_path / f"{name}.onnx").write_bytes(to_onnx(program, INFO))
        session = runner.Session(tmp_path / f"{name}.onnx")
        inputs = session.tensors(Table(rows, name))
        (tmp_path / f"{name}.json").write_text(
            json.dumps({key: item.tolist() for key, item in inputs.items()}), "utf-8"
        )
        wanted[name] = list(session.run(inputs).values())
    subprocess.run(
        [sys.executable, "-c", SCRIPT, number, *wanted],
        cwd=tmp_path,
        env={"PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"},
        check=True,
        timeout=300,
    )
    for name, arrays in wanted.items():
        result = json.loads((tmp_path / f"{name}.out").read_text("utf-8"))
        for mine, other in zip(arrays, result, strict=True):
            if mine.dtype.kind == "f":
                np.testing.assert_array_max_ulp(mine.astype(np.float32), np.array(other, np.float32), maxulp=1)
            else:
                assert mine.tolist() == other, name

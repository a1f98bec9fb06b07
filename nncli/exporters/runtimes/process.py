"""Programs of other runtimes, which run an exported file: Node, compilers, Python, a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from nncli.base.errors import NncliError

SECONDS = 600.0
"""Longest time that a program may take."""
MAX_LINES = 5
"""Lines of a program's messages that an error shows."""


class ExportedFileError(NncliError):
    """An exported file that a runtime refused, or that ended with an error."""


def run_program(
    command: Sequence[str | Path], *, stdin: bytes = b"", folder: Path | None = None, seconds: float = SECONDS
) -> bytes:
    """The standard output of a program that reads `stdin`, in the working directory `folder`.

    Raises:
        ExportedFileError: it did not start, ended with an error, or took too long.
    """
    name = os.path.basename(command[0])  # noqa: PTH119 - of a name or a path
    try:
        done = subprocess.run(
            [str(word) for word in command], input=stdin, capture_output=True, cwd=folder, timeout=seconds, check=False
        )
    except OSError as error:
        raise ExportedFileError(f"{name} did not start: {error.strerror or error}") from error
    except subprocess.TimeoutExpired:
        raise ExportedFileError(f"{name} took more than {seconds:g} seconds") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        message = "\n".join(f"    {line}" for line in lines[:MAX_LINES]) or "    it printed no message"
        raise ExportedFileError(f"{name} ended with code {done.returncode}:\n{message}")
    return done.stdout


DRIVER = """
import importlib.abc, json, sys
from datetime import datetime, timedelta
from types import ModuleType

folder, file = sys.argv[1:]
sys.tracebacklimit = 0
sys.path += [folder] if folder else []
allowed = {"numpy", *sys.stdlib_module_names}


class NumPyAlone(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"{name} is not NumPy", name=name)


sys.meta_path.insert(0, NumPyAlone())
exported = sys.modules["exported"] = ModuleType("exported")
with open(file, "rb") as source:
    exec(compile(source.read(), file, "exec"), exported.__dict__)
columns = json.load(sys.stdin)
for name, is_moment, cells in columns:
    if is_moment:
        cells[:] = [None if us is None else datetime(1970, 1, 1) + timedelta(microseconds=us) for us in cells]
answers = exported.predict({name: cells for name, _, cells in columns})
json.dump([(title, str(values.dtype), values.tolist()) for title, values in answers.items()], sys.stdout)
"""
"""Predicts the columns that it reads as JSON, and imports no other package than NumPy.

It compiles the file itself: an import would write byte code beside it, and would take a file that was written anew in
the same second, with the same size, for the one before.
"""


def missing() -> str | None:
    """Nothing: the running interpreter has NumPy."""
    return None


def run(file: Path, rows: pl.DataFrame, python: str | None = None) -> pl.DataFrame:
    """The outputs of a file for rows, with the columns that `nncli predict` prints.

    The interpreter is the running one without its other packages, or `python`, which has a NumPy of its own.

    Raises:
        ExportedFileError: it refused the file, or a row.
    """
    columns = [(cells.name, cells.dtype.is_temporal(), _plain(cells)) for cells in rows]
    interpreter: list[str | Path] = [sys.executable, "-S"] if python is None else [python]
    folder = "" if python else Path(np.__file__).parent.parent
    command = [*interpreter, "-I", "-c", DRIVER, folder, file]
    answers = json.loads(run_program(command, stdin=json.dumps(columns).encode()))
    dtypes = {"float32": pl.Float32}
    return pl.DataFrame([pl.Series(title, values, dtypes.get(dtype)) for title, dtype, values in answers])


def _plain(cells: pl.Series) -> list[object]:
    """Cells as values of JSON: dates and times are microseconds since 1970."""
    return cells.cast(pl.Datetime("us")).to_physical().to_list() if cells.dtype.is_temporal() else cells.to_list()

"""A target whose files are run by the interpreter of programs, for tests of what is the same for all targets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base import plugins
from nncli.data.table import Table
from nncli.exporters.formats import ExportFormat, ModelInfo
from nncli.exporters.read_inputs import read_inputs
from nncli.nn.program.program import Program, run_nodes
from tests.nn.program.support import answers_of

TARGET = ExportFormat("referee", (".ref",), "the interpreter", 2, f"{__name__}.print_program", __name__)

printed: dict[str, Program] = {}
"""The programs by the names of their runs."""
state: dict[str, str | None] = {"missing": None, "fault": None}
"""What the runtime lacks, and how it computes wrongly: `number`, `class` or `column`."""


@contextmanager
def referee(
    monkeypatch: pytest.MonkeyPatch, *, missing: str | None = None, fault: str | None = None
) -> Iterator[ExportFormat]:
    """The list of targets with this one alone."""
    with monkeypatch.context() as patch:
        patch.setattr(plugins, "load_integrations", lambda kind: {TARGET.name: TARGET})
        patch.setitem(state, "missing", missing)
        patch.setitem(state, "fault", fault)
        yield TARGET


def print_program(program: Program, info: ModelInfo) -> str:
    """The printer: the name of the run, by which the program is found."""
    printed[info.name] = program
    return info.name


def missing() -> str | None:
    """What the runtime lacks."""
    return state["missing"]


def run(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The runner."""
    program = printed[file.read_text()]
    result = answers(program, rows)
    if state["fault"] == "column":
        return result.rename({result.columns[0]: "other"})
    if state["fault"] == "number":
        name = result.columns[-1]
        wrong = result[name].to_numpy().copy()
        wrong[2] = np.nextafter(wrong[2].astype(np.float32), np.float32(np.inf)) * (1.0 + 1e-6)
        return result.with_columns(pl.Series(name, wrong))
    if state["fault"] == "class":
        first, second, *_ = program.outputs[0].labels
        label = result["prediction"][3]
        return result.with_columns(result["prediction"].scatter(3, second if label == first else first))
    return result


def answers(program: Program, rows: pl.DataFrame) -> pl.DataFrame:
    """The outputs of a program with the columns that `nncli predict` prints."""
    return pl.DataFrame(answers_of(program, run_nodes(program, read_inputs(program, Table(rows, "rows")))))

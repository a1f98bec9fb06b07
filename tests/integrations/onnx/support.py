"""Programs as ONNX models, computed by the reference evaluator of the onnx package."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

from nncli.exporters.formats import ModelInfo
from nncli.integrations.onnx.model import to_onnx
from nncli.nn.program.program import Program, build
from nncli.nn.program.values import Builder, Value, join
from tests.nn.program.support import target_numbers

INFO = ModelInfo("penguins", "ab" * 32, "1.2.3")


def number_program(builder: Builder, *values: Value) -> Program:
    """The program that predicts the columns of these values."""
    joined = join(values)
    names = tuple(f"y{j}" for j in range(joined.width))
    return build(builder, target_numbers(names, joined), "float64")


def model_of(program: Program) -> Any:
    """The checked model of a program."""
    model = onnx.load_from_string(to_onnx(program, INFO))
    onnx.checker.check_model(model, full_check=True)
    return model


def evaluate(program: Program, **inputs: npt.ArrayLike) -> dict[str, npt.NDArray[Any]]:
    """The outputs of a program's model for columns (rows,), or for words (rows, words)."""
    model = model_of(program)
    arrays = {name: np.array(cells) for name, cells in inputs.items()}
    columns = {name: cells if cells.ndim > 1 else cells[:, None] for name, cells in arrays.items()}
    names = [output.name for output in model.graph.output]
    with np.errstate(all="ignore"):
        return dict(zip(names, ReferenceEvaluator(model).run(names, columns), strict=True))


def numbers(program: Program, **inputs: npt.ArrayLike) -> list[list[float]]:
    """The predictions of each row."""
    result: list[list[float]] = np.stack(list(evaluate(program, **inputs).values()), axis=1).tolist()
    return result

"""A program as an ONNX model, which ONNX Runtime computes in Python, C, C++, Java, C# and browsers."""

from nncli.export.targets import ModelInfo
from nncli.nn.program.program import Program


def to_onnx(program: Program, info: ModelInfo) -> bytes:
    """The file of an ONNX model that ONNX Runtime reads from 1.13 on; the same bytes for the same program.

    Raises:
        ModuleNotFoundError: the package onnx is not installed.
        UsageError: a class has a NUL character.
    """
    from nncli.export.onnx.model import model_bytes

    return model_bytes(program, info)

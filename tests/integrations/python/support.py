"""Exported Python files as modules of the tests' own process."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_loader
from typing import Any

from nncli.exporters.formats import ModelInfo
from nncli.integrations.python.source_file import to_python
from nncli.nn.program.program import Program

INFO = ModelInfo("penguins", "0123abcd", "1.0")


def imported(program: Program, info: ModelInfo = INFO) -> Any:
    """The module of an exported program."""
    spec = spec_from_loader("exported", loader=None)
    assert spec is not None
    module = module_from_spec(spec)
    exec(compile(to_python(program, info), "exported.py", "exec"), module.__dict__)
    return module

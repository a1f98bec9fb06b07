from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from nncli.base.errors import UsageError
from nncli.exporters.formats import ExportFormat, ModelInfo
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import Program
from nncli.nn.program.values import Builder
from tests.exporters.support import EXPORT_FORMATS
from tests.nn.program.support import number

INFO = ModelInfo("penguins", "0" * 64, "1.0")


def doubled() -> Program:
    builder = Builder()
    y = 2.0 * builder.input(NumberInput("x"))
    outputs = number(y)
    return Program(tuple(builder.inputs), tuple(builder.nodes), tuple(builder.widths), outputs, "float64")


def print_widths(program: Program, info: ModelInfo) -> str:
    return f"{info.name} µ {program.widths}"


def test_the_content_is_that_of_the_printer() -> None:
    target = replace(EXPORT_FORMATS[0], printer=f"{__name__}.print_widths")
    assert target.content(doubled(), INFO) == "penguins µ (1, 1, 1)".encode()


def test_names_and_suffixes_differ() -> None:
    assert len({target.name for target in EXPORT_FORMATS}) == len(EXPORT_FORMATS)
    suffixes = [suffix for target in EXPORT_FORMATS for suffix in target.suffixes]
    assert len({*suffixes}) == len(suffixes)


@pytest.mark.parametrize("target", EXPORT_FORMATS, ids=lambda target: target.name)
def test_a_runner_says_what_is_missing(target: ExportFormat) -> None:
    missing = target.load_runner().missing()
    assert missing is None or missing


def test_a_package_that_is_missing_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncli.integrations.onnx.model", None)
    with pytest.raises(UsageError, match="onnx") as missing:
        next(target for target in EXPORT_FORMATS if target.extra).content(doubled(), INFO)
    assert missing.value.hint is not None
    assert "export" in str(missing.value.hint)

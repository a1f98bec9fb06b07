from __future__ import annotations

import ast

from nncli.integrations.python import source_file as module_source
from nncli.integrations.python import standalone
from nncli.integrations.python.source_file import ModulePart, join_parts
from nncli.integrations.python.standalone import cells, predictions


def names_in(code: str) -> list[str]:
    return [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_a_part_has_the_definitions_without_imports_and_docstring() -> None:
    code = ModulePart(cells).code
    assert names_in(code) == names_in(ast.unparse(ast.parse(ModulePart(cells)._text)))
    assert not [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert code.startswith("# Cells as text")


def test_definitions_are_selected_by_name_with_their_decorators() -> None:
    code = ModulePart(cells, only=("_unambiguous",)).code
    assert names_in(code) == ["_unambiguous"]
    assert code.startswith("@lru_cache")
    assert "@lru_cache" not in ModulePart(cells, without=("_unambiguous",)).code
    assert list(ModulePart(cells, only=("_unambiguous",)).imports()) == []


def test_imports_are_those_of_other_libraries_once() -> None:
    code = join_parts([ModulePart(cells), ModulePart(predictions)], ("json", ""))
    lines = code.splitlines()
    assert lines.count("from datetime import date, datetime, timedelta") == 1
    assert "import json" in lines
    assert "import numpy as np" in lines
    assert "nncli." not in "".join(line for line in lines if "import" in line)


def test_a_package_of_a_docstring_alone_is_a_comment() -> None:
    assert ModulePart(standalone).code.startswith("# What an exported Python file has")
    assert len(list(ModulePart(module_source).imports())) > 5

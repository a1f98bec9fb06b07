"""Names and files in docstrings are those of the code: what was renamed is renamed there, too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import nncli
from tests.test_architecture import trees

PACKAGE = Path(nncli.__file__).parent
EXAMPLES = frozenset(("sales", "opt", "val_accuracy"))
"""Names of columns, beginnings of names, and metrics that docstrings have as examples."""
OF_LIBRARIES = frozenset(("model_copy", "average_precision_score"))


def docstrings(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Constant]]:
    """All strings that are statements, with what they are in."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield node, statement.value


def names_of(tree: ast.Module) -> set[str]:
    """The identifiers of a module, and the words of its strings but docstrings."""
    documentation = {id(constant) for _, constant in docstrings(tree)}
    names = set[str]()
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(value := getattr(node, field, None), str):
                names.add(value.rpartition(".")[2])
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            names.update(re.findall(r"\w+", node.value))
    return names


def definitions(tree: ast.Module) -> Iterator[str]:
    """The functions, classes and fields of a module, and the strings that are one word."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
                yield from (target.id for target in targets if isinstance(target, ast.Name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value


@pytest.mark.slow
def test_names_in_docstrings_of_functions_are_those_of_their_module_or_are_defined_elsewhere() -> None:
    defined = {name for tree in trees().values() for name in definitions(tree)} | EXAMPLES | OF_LIBRARIES
    unknown = [
        f"{path.relative_to(PACKAGE)}:{constant.lineno} {name}"
        for path, tree in trees().items()
        for names in [names_of(tree) | defined]
        for node, constant in docstrings(tree)
        if isinstance(node, ast.FunctionDef)
        for name in re.findall(r"`([a-z_]+)`", str(constant.value))
        if name not in names
    ]
    assert unknown == []


@pytest.mark.slow
def test_names_of_examples_are_needed() -> None:
    defined = {name for tree in trees().values() for name in definitions(tree)}
    text = "".join(str(constant.value) for tree in trees().values() for _, constant in docstrings(tree))
    assert [name for name in EXAMPLES | OF_LIBRARIES if name in defined or f"`{name}`" not in text] == []


@pytest.mark.slow
def test_files_that_docstrings_name_are_there() -> None:
    files = [*trees(), *(PACKAGE.parent / folder for folder in ("tests", "benchmarks", "reliability", "docs"))]
    files += [file for folder in files[len(trees()) :] for file in folder.rglob("*.py")]
    missing = [
        f"{path.relative_to(PACKAGE)}:{constant.lineno} {name}"
        for path, tree in trees().items()
        for _, constant in docstrings(tree)
        for name in re.findall(r"(?<![\w/.<-])((?:\w+/)+[a-z]\w*\.py)\b", str(constant.value))
        if not any(str(other).endswith(f"/{name}") for other in files)
    ]
    assert missing == []

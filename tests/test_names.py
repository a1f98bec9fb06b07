"""One name for one thing: no public class of the package has the name of another one."""

from __future__ import annotations

import ast
import json
from collections import Counter

from nncli.config.json_schema import json_schema
from nncli.nn import arrays
from tests.test_architecture import name_of, trees

COPIED = "nncli/integrations/python/standalone/"
"""What exported files consist of, beside modules of nncli."""
SELF_CONTAINED = {"nncli/nn/program/nodes.py", "nncli/nn/program/program.py"}
"""Exported Python files have these modules, and none that they import."""


def test_no_two_public_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for path, tree in trees().items()
        if not name_of(path).startswith(COPIED)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert sum(names.values()) > 500  # the classes were found
    assert [name for name, count in names.items() if count > 1] == []


def test_the_definitions_of_the_json_schema_have_names_without_their_module() -> None:
    assert [name for name in json.loads(json_schema())["$defs"] if "__" in name] == []


def test_types_of_arrays_are_defined_in_one_module() -> None:
    aliases = {name for name in vars(arrays) if name[0].isupper() and not name.isupper()}
    elsewhere = {
        f"{name_of(path)}: {target.id}"
        for path, tree in trees().items()
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in aliases
        if name_of(path) != "nncli/nn/arrays.py" and name_of(path) not in SELF_CONTAINED
    }
    assert elsewhere == set()

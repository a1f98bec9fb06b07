"""The rules of the architecture: imports go downwards, files and functions stay short, nothing hidden is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from nncli.targets.target import KINDS
from tests.cli.support import ROOT

SOURCES = {path: path.read_text("utf-8") for path in sorted((ROOT / "nncli").rglob("*.py"))}
STARTS_PROCESSES = {"nncli/fitting/parallel/task_stream.py", "nncli/exporters/runtimes/process.py"}


@cache
def trees() -> dict[Path, ast.Module]:
    """The syntax trees of all modules, which only the tests that read them wait for."""
    return {path: ast.parse(text) for path, text in SOURCES.items()}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(module: str, tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """The modules of nncli that a module imports, also inside functions, but not for types only."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.slow
def test_packages_import_downwards_only() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = {module_of(path) for path in SOURCES}
    graph = {
        module: {target for target in imports_of(module, tree, modules) if target in modules and target != module}
        for module, tree in ((module_of(path), tree) for path, tree in trees().items())
    }
    assert sum(map(len, graph.values())) > len(graph)  # the imports were found
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_every_module_has_a_docstring() -> None:
    assert [name_of(path) for path, tree in trees().items() if tree.body and not ast.get_docstring(tree)] == []


@pytest.mark.slow
def test_nothing_is_pickled_evaluated_or_drawn_from_a_global_generator() -> None:
    forbidden = r"\bpickle\b|np\.random\.(seed|rand|randn|random)\(|allow_pickle=True|\beval\(|\bexec\("
    code = {path: re.sub(r'""".*?"""', "", text, flags=re.DOTALL) for path, text in SOURCES.items()}
    executes_files = ["nncli/base/plugins.py"]  # files of code that a person names
    assert [name_of(path) for path, text in code.items() if re.search(forbidden, text)] == executes_files


@pytest.mark.slow
def test_other_rooms_ask_a_target_for_what_it_can_do_and_never_for_its_class() -> None:
    kinds = {kind.__name__ for kind in KINDS.values()}
    asked = {
        path.name
        for path, tree in trees().items()
        if "targets" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        for name in ast.walk(node.args[1])
        if isinstance(name, ast.Name) and name.id in kinds
    }
    assert not asked


def test_processes_are_started_in_two_modules() -> None:
    pattern = re.compile(r"^\s*(import|from) (subprocess|multiprocessing)|ProcessPool|os\.fork", re.MULTILINE)
    assert {name_of(path) for path, text in SOURCES.items() if pattern.search(text)} <= STARTS_PROCESSES


@pytest.mark.slow
def test_the_commands_import_no_terminal_library() -> None:
    program = "import sys, nncli; nncli.train, nncli.predict, nncli.evaluate\n"
    program += "assert not {'rich', 'typer', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


BY_NAME = {"col", "exclude", "select", "drop", "with_columns", "group_by", "sort", "unique", "over", "explode", "pivot"}
"""Methods of Polars to which a name such as `*` or `^x.*$` is a pattern."""
NOT_POLARS = {"np", "random"}
NOT_NAMES = {("nncli/data/encoders/text.py", "row"), ("nncli/data/formats/csv/numeric_columns.py", "polars.String")}
"""Arguments that are an expression or a type, not a name."""


def patterns(path: Path) -> Iterator[str]:
    """The calls in which a name of a column that is not written in the source may be read as a pattern."""
    for node in ast.walk(trees()[path]):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in BY_NAME):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id in NOT_POLARS:
            continue
        for argument in node.args:
            for name in argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]:
                if isinstance(name, ast.Constant | ast.Call | ast.GeneratorExp):
                    continue
                if node.func.attr == "with_columns" or (name_of(path), ast.unparse(name)) in NOT_NAMES:
                    continue  # with_columns takes series and expressions here, which are called as they are
                yield f"{name_of(path)}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.slow
def test_columns_are_selected_by_literal_names() -> None:
    assert [call for path in SOURCES for call in patterns(path)] == []


def test_a_name_from_the_data_in_a_polars_expression_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "nncli/x.py"
    for text in ("frame.select(name)", "pl.col(names)", "frame.sort(['a', name])", "frame.drop(*names)"):
        monkeypatch.setitem(trees(), path, ast.parse(text))
        assert len(list(patterns(path))) == 1


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OWN_FLAGS = {
    "analysis/report/sections/training_health.py": "a command in a report, which people read",
    "api/options.py": "words of a command that is started again, or of the one that a note names",
    "base/errors.py": "in_terminal, which words actions for the command line",
    "config/errors/messages.py": "the source of a value that is set on the command line",
    "config/overrides.py": "the source of a value that is set on the command line",
    "integrations/python/standalone/script.py": "the help of an exported file, which is a program",
    "exporters/runtimes/chromium.py": "options of Chromium",
    "exporters/runtimes/node.py": "an option of Node",
    "fitting/checks/training_rules.py": "remedies, which are commands",
    "fitting/checks/training_problem.py": "remedies, which are commands",
    "run_directory/disclosure.py": "a command in a table of the documentation",
    "run_directory/remedies.py": "remedies, which are commands",
    "serving/bodies/body_hints.py": "options of curl",
    "serving/pages/docs_page.py": "options of curl",
    "tuning/space/load_search.py": "the source of a range that is given on the command line",
}
"""The files outside of cli/ with literal options, and why; advice names options by actions, which surfaces word."""


@pytest.mark.slow
def test_no_message_outside_of_the_command_line_names_its_options() -> None:
    found = {
        name_of(path).removeprefix("nncli/")
        for path, tree in trees().items()
        if not name_of(path).startswith("nncli/cli/") and any(map(FLAG.search, _texts(tree)))
    }
    assert found == set(OWN_FLAGS)


def _texts(tree: ast.AST) -> Iterator[str]:
    """The strings of a module besides docstrings and what is declared of options, which the command line shows."""
    left_out = set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(id(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Option":
            left_out.update(map(id, ast.walk(node)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.value

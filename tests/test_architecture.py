"""The arrows of the design hold, and so do the rules that no tool checks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import ROOT

MODULES = sorted((ROOT / "nncli").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_room_imports_from_above_or_beside() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for_and_stays_short(path: Path) -> None:
    text = path.read_text()
    if path.name != "__init__.py" or text:
        assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_pickled_or_drawn_from_a_hidden_generator(path: Path) -> None:
    code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"\bpickle\b|np\.random\.(seed|rand|randn|random)\(|allow_pickle=True|\beval\(|\bexec\(", code)


def test_importing_the_commands_brings_no_screen(tmp_path: Path) -> None:
    program = "import sys, nncli; nncli.train, nncli.predict, nncli.evaluate\n"
    program += "assert not {'rich', 'typer', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "executor.py"], ids=name_of)
def test_one_module_alone_starts_processes(path: Path) -> None:
    assert not re.search(r"^\s*(import|from) (subprocess|multiprocessing)|ProcessPool|os\.fork", path.read_text(), re.M)

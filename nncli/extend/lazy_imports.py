"""Names that a module imports when they are first used (PEP 562): importing the module itself costs nothing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_names(module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module for what it imports under `if TYPE_CHECKING:`.

    The names and their homes are read from its source, so that type checkers and Python know the same ones.
    """
    this = sys.modules[module]
    homes = dict[str, str]()
    for block in ast.parse(Path(this.__file__ or "").read_text("utf-8")).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                assert isinstance(statement, ast.ImportFrom)
                homes |= dict.fromkeys((alias.name for alias in statement.names), statement.module or "")

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home = import_module(homes[name])
        value = getattr(home, name) if hasattr(home, name) else import_module(f"{homes[name]}.{name}")
        setattr(this, name, value)
        return value

    return get, lambda: sorted({*vars(this), *homes})

"""The source of modules as parts of one file."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from types import ModuleType

IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class ModulePart:
    """A module of nncli, or the definitions called `only` of it, without those called `without`."""

    module: ModuleType
    only: Collection[str] | None = None
    without: Collection[str] = ()
    _text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_text", inspect.getsource(self.module))

    @cached_property
    def code(self) -> str:
        """The code without the imports. The docstring becomes a comment."""
        lines, tree = self._text.splitlines(), ast.parse(self._text)
        if self.only is not None:
            return "\n\n\n".join("\n".join(lines[_span(node)]) for node in tree.body if _name_of(node) in self.only)
        removed = set[int]()
        for node in tree.body:
            if node is tree.body[0] or isinstance(node, IMPORTS) or _name_of(node) in self.without:
                removed.update(range(len(lines))[_span(node)])
        kept = "\n".join(line for row, line in enumerate(lines) if row not in removed)
        title = (ast.get_docstring(tree) or "").splitlines()[0]
        return f"# {title}\n\n" + re.sub(r"\n{3,}", "\n\n\n", kept).strip()

    def imports(self) -> Iterator[tuple[str, str]]:
        """The imported modules that are not of nncli, each with an imported name, empty for the module itself."""
        for node in ast.parse(self._text).body if self.only is None else ():
            if isinstance(node, ast.Import):
                yield from ((ast.unparse(alias), "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if module.partition(".")[0] not in ("nncli", "__future__"):
                    yield from ((module, ast.unparse(alias)) for alias in node.names)


def join_parts(parts: Sequence[ModulePart], *imports: tuple[str, str]) -> str:
    """The imports of all parts and these, and the code of the parts."""
    found = sorted({*imports, *(pair for part in parts for pair in part.imports())})
    lines = [f"import {module}" for module, name in found if not name]
    by_module = groupby((pair for pair in found if pair[1]), key=lambda pair: pair[0])
    lines += [f"from {module} import {', '.join(name for _, name in pairs)}" for module, pairs in by_module]
    return "\n\n\n".join(["\n".join(lines), *(part.code for part in parts)])


def _name_of(node: ast.stmt) -> str:
    return getattr(node, "name", "")


def _span(node: ast.stmt) -> slice:
    """The lines of a statement, with its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return slice(min([node.lineno, *(line.lineno for line in decorators)]) - 1, node.end_lineno)

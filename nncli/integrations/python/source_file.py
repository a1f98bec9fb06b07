"""Print a program as one Python file that needs NumPy alone.

The file consists of the modules that run a program here: the operations, what runs them, and the readers of cells in
nncli/integrations/python/standalone/. The program follows as the expressions that build it, its weights in base64.
"""

from __future__ import annotations

import ast
import inspect
import re
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from textwrap import wrap
from types import ModuleType

from nncli.extend import CategoryInput, DateInput, ModelInfo, NumberInput, Program, ProgramInput
from nncli.extend.programs import date_text, inputs, nodes, number_and_date_forms, program, targets_of
from nncli.integrations.python.standalone import cells, classes, predictions, script

UNUSED = (
    *("build", "without_unused_nodes", "select_outputs", "_needed"),
    *("OutputGroups", "groups_of", "targets_of"),
)
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
                    names = (ast.unparse(alias) for alias in node.names)
                    yield from ((module, name) for name in names if name != classes.dataclass.__name__)


def join_parts(parts: Sequence[ModulePart], *imports: tuple[str, str]) -> str:
    """The imports of all parts and these, and the code of the parts."""
    imported = sorted({*imports, *(pair for part in parts for pair in part.imports())})
    lines = [f"import {module}" for module, name in imported if not name]
    by_module = groupby((pair for pair in imported if pair[1]), key=lambda pair: pair[0])
    lines += [f"from {module} import {', '.join(name for _, name in pairs)}" for module, pairs in by_module]
    return "\n\n\n".join(["\n".join(lines), *(part.code for part in parts)])


def _name_of(node: ast.stmt) -> str:
    return getattr(node, "name", "")


def _span(node: ast.stmt) -> slice:
    """The lines of a statement, with its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return slice(min([node.lineno, *(line.lineno for line in decorators)]) - 1, node.end_lineno)


PARTS = (
    ModulePart(classes),
    *map(ModulePart, (number_and_date_forms, inputs, nodes)),
    ModulePart(program, without=UNUSED),
    *map(ModulePart, (cells, predictions, script)),
)
"""The parts of a file in their order."""
MAX_LITERAL = 16
"""Numbers of a constant up to which they are written as they are."""
LINE = 120
"""Characters of a line of base64."""

BEGINNING = '''#!/usr/bin/env python3
"""{description}"""

from __future__ import annotations

{code}
'''
END = '''
# The weights, in base64.
WEIGHTS = base64.b64decode("""
{weights}
""")


def _constant(dtype, start, *shape):
    """The constant of this type and shape at a position of the weights."""
    count = int(np.prod(shape))
    return ConstantNode(np.frombuffer(WEIGHTS, dtype, count, start).astype(np.float64).reshape(shape))


PREDICTOR = Predictor(
    Program(
        inputs=(
{inputs}        ),
        nodes=(
{nodes}        ),
        widths={widths},
        outputs={outputs},
        precision={precision},
        missing_values={missing_values},
        decimal={decimal},
        thousands={thousands},
    )
)


def predict(rows):
    """The predictions of rows, under the names that `nncli predict` prints.

    A row is a dict of its cells by column, and its predictions are a dict. A list of rows becomes a list of dicts;
    columns, in a dict of lists or arrays or as a frame of pandas or Polars, become a dict of arrays. None is a missing
    cell. A ValueError names the row, the column and the cell that cannot be read.
    """
    return PREDICTOR.predict(rows)


if __name__ == "__main__":
    sys.exit(main(PREDICTOR, sys.argv[1:], __doc__))
'''


def to_python(program: Program, info: ModelInfo) -> str:
    """The text of a Python file that predicts as a function and as a script."""
    weights, lines = _print_nodes(program.nodes)
    code = join_parts(PARTS, ("base64", ""), ("math", "inf"), ("math", "nan"))
    head = BEGINNING.format(description=_describe(program, info).replace("\\", "\\\\").replace('"', '\\"'), code=code)
    end = END.format(
        weights="\n".join(wrap(b64encode(weights).decode(), LINE)),
        inputs=_indented(ascii(_for_file(column)) for column in program.inputs),
        nodes=_indented(lines),
        **{
            name: ascii(getattr(program, name))
            for name in ("widths", "outputs", "precision", "missing_values", "decimal", "thousands")
        },
    )
    return f"{head}\n{end}"


def _for_file(column: ProgramInput) -> ProgramInput:
    """The input without what a Python file does not need."""
    return replace(column, representatives=()) if isinstance(column, CategoryInput) else column


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"            {line},\n" for line in lines)


def _print_nodes(program_nodes: tuple[nodes.Node, ...]) -> tuple[bytes, list[str]]:
    """The bytes of the large constants, and the expression of each node."""
    weights, lines = bytearray(), []
    for node in program_nodes:
        if not isinstance(node, nodes.ConstantNode):
            lines.append(ascii(node))
        elif node.values.size <= MAX_LITERAL:
            lines.append(f"ConstantNode(np.array({node.values.tolist()!r}, np.float64))")
        else:
            values = node.values.astype(node.values.dtype.newbyteorder("<"))
            shape = ", ".join(map(str, values.shape))
            lines.append(f'_constant("{values.dtype.str}", {len(weights)}, {shape})')
            weights += values.tobytes()
    return bytes(weights), lines


def _describe(program: Program, info: ModelInfo) -> str:
    """The first comment of a file: the model, what it needs, and examples."""
    example = "{" + ", ".join(f"{column.name!r}: {_example(column)}" for column in program.inputs) + "}"
    names = ", ".join(map(repr, targets_of(program.outputs)))
    title = f"Predicts {names}: the model {info.name!r}, exported by nncli {info.nncli_version}."
    return f"""{title}

    python THIS_FILE.py new.csv > predictions.csv
    predict({example})

It needs Python 3.10 and NumPy 1.22, or newer. The checksum of the run's manifest is {info.checksum}.
"""


def _example(column: ProgramInput) -> str:
    """A cell of a column, as an expression."""
    match column:
        case NumberInput():
            return repr(0.0 if column.typical is None else column.typical)
        case CategoryInput():
            typical = column.categories[0] if column.typical is None and column.categories else column.typical
            return repr(typical)
        case DateInput():
            days = 0.0 if column.typical is None else column.typical
            return repr(date_text(days))
    return repr("some words")

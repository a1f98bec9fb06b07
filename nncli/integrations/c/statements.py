"""The operations of a program as statements of C: a number is `v7`, the numbers of a row are `v7[j]`.

Constants are `w7`, or written out. Each product of other sizes has a function of its own, whose loops have constant
limits: compilers then use vector instructions even at -O2.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nncli.extend import CategoryInput, Program, TextInput
from nncli.extend.programs import nodes as op
from nncli.integrations.c.identifiers import array, number

BINARY = {
    "add": "{x} + {y}",
    "subtract": "{x} - {y}",
    "multiply": "{x} * {y}",
    "divide": "{x} / {y}",
    "minimum": "minimum({x}, {y})",
    "maximum": "maximum({x}, {y})",
    "greater": "{x} > {y}",
    "greater_equal": "{x} >= {y}",
}
UNARY = {
    **{name: f"{name}({{x}})" for name in ("exp", "log", "sqrt", "tanh", "sin", "cos", "floor")},
    "abs": "fabs({x})",
    "is_nan": "isnan({x}) != 0",
    "round_to_float32": "(double)(float){x}",
}
PRODUCT = """\
/* y = x W, for x of {n} numbers */
static void {name}(const double *restrict x, const {kind} *restrict W, double *restrict y)
{{
    for (int j = 0; j < {m}; j++)
        y[j] = 0.0;
{loops}}}
"""
ROWS_AT_ONCE = """\
    for (int i = 0; i < {whole}; i += 4, W += {step}) {{
        for (int j = 0; j < {m}; j++)
            y[j] += x[i] * W[j] + x[i + 1] * W[j + {m}] + x[i + 2] * W[j + {two}] + x[i + 3] * W[j + {three}];
    }}
"""
ROW_BY_ROW = """\
    for (int i = {whole}; i < {n}; i++, W += {m}) {{
        for (int j = 0; j < {m}; j++)
            y[j] += x[i] * W[j];
    }}
"""


@dataclass
class Statements:
    """Prints the operations of a program. `fields` are the members of the row, `vocabularies` those of text columns."""

    program: Program
    fields: tuple[str, ...]
    vocabularies: dict[int, str]
    lines: list[str] = field(default_factory=list)
    products: dict[str, str] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    position_tables: dict[tuple[int, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places, self.memory = allocate(self.program)
        self.doubles = {
            node.edges if isinstance(node, op.CountUpTo) else node.scores
            for node in self.program.nodes
            if isinstance(node, op.CountUpTo | op.SmallestSum)
        }
        self.arrays = self._arrays()
        for position in range(len(self.program.nodes)):
            self._print(position)

    def _arrays(self) -> set[int]:
        """The constants that are not written out where they are used."""
        arrays = {i for i, node in self.program.constants if node.values.size > 1}
        for node in self.program.nodes:
            if isinstance(node, op.MatMul | op.GroupedMatMul | op.LookUp | op.CountUpTo | op.SmallestSum):
                arrays.add(op.operands(node)[1] if not isinstance(node, op.SmallestSum) else node.scores)
        return arrays

    @property
    def constants(self) -> str:
        """The definitions of all constants."""
        texts = []
        for position, node in self.program.constants:
            if position in self.arrays:
                values = node.values.astype(np.float64) if position in self.doubles else node.values
                texts.append(array(f"w{position}", values))
        return "\n".join([*self.tables, *texts])

    def element(self, position: int) -> str:
        """The number j of a value, as an expression."""
        node = self.program.nodes[position]
        if isinstance(node, op.ConstantNode):
            return f"w{position}[j]" if position in self.arrays else _signed(number(float(node.values.reshape(-1)[0])))
        return f"v{position}[j]" if self.program.widths[position] > 1 else self.scalar(position)

    def scalar(self, position: int) -> str:
        """The only number of a value, as an expression."""
        if is_array(self.program, position):
            return f"v{position}[0]"
        return self.element(position) if isinstance(self.program.nodes[position], op.ConstantNode) else f"v{position}"

    def pointer(self, position: int) -> str:
        """The address of the first number of a value."""
        return f"v{position}" if is_array(self.program, position) else f"&v{position}"

    def _print(self, position: int) -> None:
        node = self.program.nodes[position]
        if isinstance(node, op.ConstantNode):
            return
        if is_array(self.program, position):
            self.lines.append(f"double *const v{position} = memory + {self.places[position]};")
        match node:
            case op.InputNode():
                self._input(position, node)
            case op.Unary():
                self._each(position, UNARY[node.function].format(x=self.element(node.x)))
            case op.Binary():
                x, y = self.element(node.x), self.element(node.y)
                self._each(position, BINARY[node.function].format(x=x, y=y))
            case op.Select():
                condition, x, y = (self.element(operand) for operand in (node.condition, node.x, node.y))
                self._each(position, f"{condition} != 0.0 ? {x} : {y}")
            case op.Join():
                self._join(position, node)
            case op.Gather():
                self._columns(position, node)
            case op.MatMul():
                x, w, y = self.pointer(node.x), f"w{node.weights}", self._declared(position)
                self.lines.append(f"{self._product(node.weights)}({x}, {w}, {y}); /* v{position} = v{node.x} W */")
            case op.GroupedMatMul():
                self._grouped(position, node)
            case op.LookUp():
                self._look_up(position, node)
            case op.RowReduction():
                name = "sum_of" if node.function == "sum" else "maximum_of"
                self._each(position, f"{name}({self.pointer(node.x)}, {self.program.widths[node.x]})")
            case op.ArgMax():
                self._each(position, f"position_of_maximum({self.pointer(node.x)}, {self.program.widths[node.x]})")
            case op.CountUpTo():
                size = self.program.constant(node.edges).size
                self._each(position, f"count_up_to(w{node.edges}, {size}, {self.scalar(node.x)})")
            case op.SmallestSum():
                self.tables.append(int_array(f"n{position}", node.sizes))
                scales = "NULL" if node.scales is None else self.pointer(node.scales)
                arguments = f"{self.pointer(node.shifts)}, {scales}, w{node.scores}, n{position}"
                self._each(position, f"smallest_sum({arguments}, {len(node.sizes)}, {node.rank})")
            case op.Sort():
                self._each(position, self.element(node.x))
                if node.size > 1:
                    self.lines.append(f"for (int j = 0; j < {self.program.widths[position]}; j += {node.size})")
                    self.lines.append(f"    sort(v{position} + j, {node.size});")

    def _each(self, position: int, expression: str) -> None:
        """Assign an expression of j to all numbers of a value."""
        width = self.program.widths[position]
        if is_array(self.program, position):
            self.lines += [f"for (int j = 0; j < {width}; j++)", f"    v{position}[j] = {expression};"]
        else:
            self.lines.append(f"const double v{position} = {expression};")

    def _declared(self, position: int) -> str:
        """The address of a value that a function computes."""
        if not is_array(self.program, position):
            self.lines.append(f"double v{position};")
        return self.pointer(position)

    def _input(self, position: int, node: op.InputNode) -> None:
        column, name = self.program.inputs[node.position], f"row->{self.fields[node.position]}"
        match column:
            case TextInput():
                self.lines.append(f"count_terms({name}, &{self.vocabularies[node.position]}, v{position});")
            case CategoryInput():
                self.lines.append(f"const double v{position} = code_of((int){name}, {column.n_codes});")
            case _:
                self.lines.append(f"const double v{position} = {name};")

    def _join(self, position: int, node: op.Join) -> None:
        start = 0
        for part in node.parts:
            width, to = self.program.widths[part], f"v{position}[{start}"
            if width > 1:
                self.lines.append(f"for (int j = 0; j < {width}; j++)")
                self.lines.append(f"    {to} + j] = {self.element(part)};")
            else:
                self.lines.append(f"{to}] = {self.scalar(part)};")
            start += width

    def _columns(self, position: int, node: op.Gather) -> None:
        x, columns = node.x, node.positions
        if len(columns) == 1 and not is_array(self.program, position):
            value = "0.0" if columns[0] < 0 else f"{self.pointer(x)}[{columns[0]}]".replace(f"&v{x}[0]", f"v{x}")
            self.lines.append(f"const double v{position} = {value};")
        elif columns == tuple(range(columns[0], columns[0] + len(columns))) and columns[0] >= 0:
            self._each(position, f"v{x}[j + {columns[0]}]")
        else:
            table = self.position_tables.get(columns, f"p{position}")
            place = f"{table}[j]"
            source = f"v{x}[{place}]" if is_array(self.program, x) else f"v{x}"
            source = f"{place} < 0 ? 0.0 : {source}" if min(columns) < 0 else source
            if place in source and columns not in self.position_tables:  # a compiler warns of a table nothing reads
                self.tables.append(int_array(table, columns))
                self.position_tables[columns] = table
            self._each(position, source)

    def _grouped(self, position: int, node: op.GroupedMatMul) -> None:
        groups, n, m = self.program.constant(node.weights).shape
        name, y = self._product(node.weights), self._declared(position)
        x = self.pointer(node.x)
        self.lines += [
            f"for (int g = 0; g < {groups}; g++) /* v{position} = v{node.x} W of each group */",
            f"    {name}({x} + {n} * g, w{node.weights} + {n * m} * g, {y} + {m} * g);",
        ]

    def _look_up(self, position: int, node: op.LookUp) -> None:
        codes, width = self.program.constant(node.table).shape
        place = f"place_of({self.scalar(node.x)}, {codes})"
        if is_array(self.program, position):
            self.lines.append(f"for (int j = 0, start = {width} * {place}; j < {width}; j++)")
            self.lines.append(f"    v{position}[j] = w{node.table}[start + j];")
        else:
            self.lines.append(f"const double v{position} = w{node.table}[{place}];")

    def _product(self, weights: int) -> str:
        """The name of the function of products with such weights."""
        values = self.program.constant(weights)
        n, m = values.shape[-2:]
        kind = "float" if values.dtype == np.float32 and weights not in self.doubles else "double"
        name, whole = f"product{n}x{m}{kind[0]}", n // 4 * 4
        loops = ROWS_AT_ONCE.format(whole=whole, step=4 * m, m=m, two=2 * m, three=3 * m) if whole else ""
        loops += ROW_BY_ROW.format(whole=whole, n=n, m=m) if n > whole else ""
        self.products[name] = PRODUCT.format(name=name, n=n, kind=kind, m=m, loops=loops)
        return name


def int_array(name: str, values: tuple[int, ...]) -> str:
    """The definition of a constant array of integers."""
    numbers = [str(value) for value in values]
    lines = [", ".join(numbers[start : start + 16]) for start in range(0, len(numbers), 16)]
    return f"static const int {name}[{len(numbers)}] = {{{(',' + chr(10) + '    ').join(lines)}}};\n"


def _signed(literal: str) -> str:
    return f"({literal})" if literal.startswith("-") else literal


def is_array(program: Program, position: int) -> bool:
    """Whether a value is a row of numbers in memory."""
    node = program.nodes[position]
    is_text = isinstance(node, op.InputNode) and isinstance(program.inputs[node.position], TextInput)
    return not isinstance(node, op.ConstantNode) and (is_text or program.widths[position] > 1)


def allocate(program: Program) -> tuple[dict[int, int], int]:
    """The place of each row of numbers, and the size of the memory. A place is free again after its last use."""
    last_use = dict.fromkeys(program.output_nodes, len(program.nodes))
    for position in reversed(range(len(program.nodes))):
        for operand in op.operands(program.nodes[position]):
            last_use.setdefault(operand, position)
    places: dict[int, int] = {}
    live: list[tuple[int, int, int]] = []
    size = 0
    for position in range(len(program.nodes)):
        if not is_array(program, position):
            continue
        live = [allocation for allocation in live if allocation[2] >= position]
        width, place = program.widths[position], 0
        for start, end, _ in sorted(live):
            if start - place >= width:
                break
            place = max(place, end)
        places[position] = place
        live.append((place, place + width, last_use.get(position, position)))
        size = max(size, place + width)
    return places, size

"""The columns of a program in C: their members of `struct row`, the enumerators of categories, and functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nncli.export.c.identifiers import LONGEST_FIELD, Identifiers
from nncli.export.c.literals import comment
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput


@dataclass(frozen=True)
class Column:
    """An input, its member of `struct row`, the function that reads its cells, and for categories their enumerators."""

    input: ProgramInput
    field: str
    reader: str
    enumerators: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The type of the member."""
        match self.input:
            case CategoryInput():
                return f"enum {self.field}"
            case TextInput():
                return "const char *"
            case _:
                return "double"

    @property
    def member(self) -> str:
        """The declaration of the member, with the name of the column."""
        space = "" if self.type.endswith("*") else " "
        return f"    {self.type}{space}{self.field}; /* {comment(self.input.name)}: {self._kind} */"

    @property
    def _kind(self) -> str:
        match self.input:
            case NumberInput(unit=unit):
                return "NAN if it is missing" + (f"; without the unit {comment(unit)}" if unit else "")
            case DateInput():
                return "days since 1970-01-01, the time of day as a fraction; NAN if it is missing"
            case TextInput():
                return "in UTF-8; NULL if it is missing"
            case CategoryInput():
                return f"see enum {self.field}"

    @property
    def enumeration(self) -> str:
        """The definition of the categories."""
        assert isinstance(self.input, CategoryInput)
        notes = ["", "any other text"]
        notes += [comment(text or "") for text in self.input.representatives[len(notes) :]]
        lines = [
            f"    {name} = {code}{',' if code + 1 < len(notes) else ''}{f' /* {note} */' if note else ''}"
            for code, (name, note) in enumerate(zip(self.enumerators, notes, strict=True))
        ]
        return enumeration(self.field, lines)

    @property
    def prototype(self) -> str:
        """The declaration of the function that reads a cell."""
        space = "" if self.type.endswith("*") else " "
        return f"int {self.reader}(const char *cell, {self.type}{space}*value)"

    @property
    def expected(self) -> str:
        """What is wrong with a cell that cannot be read."""
        match self.input:
            case NumberInput(unit=unit):
                return "is not a finite number" + (f" with {unit}" if unit else "")
            case DateInput(formats=formats):
                form = "ISO 8601, such as 2024-05-31" if formats[0] == "iso" else f"the format {formats[0]}"
                return f"is not a date in {form}"
            case _:
                return "cannot be read"


def enumeration(tag: str, lines: Sequence[str]) -> str:
    """The definition of an enumeration of these lines."""
    return f"enum {tag} {{\n" + "\n".join(lines) + "\n};\n"


def name_columns(inputs: Sequence[ProgramInput], ordinary: Identifiers) -> tuple[Column, ...]:
    """The columns with identifiers that differ; those of functions and enumerators are taken from `ordinary`."""
    fields = Identifiers(("row", "prediction"))
    columns = []
    for column in inputs:
        name = fields.of(column.name, fallback="column", longest=LONGEST_FIELD)
        reader = ordinary.of(name, prefix="read_", longest=LONGEST_FIELD + 6)
        enumerators: tuple[str, ...] = ()
        if isinstance(column, CategoryInput):
            texts = ["missing", "other", *(text or "" for text in column.representatives[2:])]
            enumerators = tuple(ordinary.of(text, prefix=f"{name}_", fallback="value") for text in texts)
        columns.append(Column(column, name, reader, enumerators))
    return tuple(columns)

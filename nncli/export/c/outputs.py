"""The function `predict` in C: what it returns, and how `main` writes that as the columns of `nncli predict`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from nncli.data.formats.csv.csv_format import header
from nncli.export.c.columns import enumeration
from nncli.export.c.identifiers import LONGEST_FIELD, Identifiers, comment, string
from nncli.nn.program.program import ClassOutputs, NumberOutputs, Outputs, number_columns, probability_columns


class Element(Protocol):
    """The number j of the value of a node, as an expression."""

    def __call__(self, position: int, j: int) -> str: ...


class Prediction(Protocol):
    """What `predict` returns."""

    types: str
    prototype: str
    note: str
    titles: Sequence[str]

    def statements(self, element: Element) -> list[str]:
        """The end of `predict`."""

    def writer(self, is_float: bool) -> str:
        """The function that writes a row, 0 if the row has no prediction."""


class NumberPrediction:
    """One number, or a structure of several."""

    def __init__(self, outputs: NumberOutputs) -> None:
        self._columns = number_columns(outputs)
        self.titles = [column.title for column in self._columns]
        fields = Identifiers()
        self._fields = [fields.of(title, longest=LONGEST_FIELD + 12) for title in self.titles]
        self._is_alone = len(self.titles) == 1
        self._returns = len(outputs.names) == 1
        self.types = "" if self._is_alone else self._structure()
        kind = "double" if self._returns else "void"
        self.prototype = f"{kind} predict(const struct row *row{'' if self._is_alone else ', struct prediction *all'})"
        self.note = f"The prediction of {comment(outputs.names[0])}." if self._returns else "The predictions."
        self.note += " NAN if a number of the row is infinite, or too far from those of the training rows."
        self.note += "" if self._is_alone or not self._returns else " `all` may be NULL."

    def _structure(self) -> str:
        lines = [
            f"    double {field}; /* {comment(title)} */"
            for field, title in zip(self._fields, self.titles, strict=True)
        ]
        return "struct prediction {\n" + "\n".join(lines) + "\n};\n"

    def statements(self, element: Element) -> list[str]:
        """The end of `predict`."""
        values = [element(column.node, column.place) for column in self._columns]
        if self._is_alone:
            return [f"return {values[0]};"]
        lines = [f"all->{field} = {value};" for field, value in zip(self._fields, values, strict=True)]
        if not self._returns:
            return lines
        return ["if (all != NULL) {", *(f"    {line}" for line in lines), "}", f"return {values[0]};"]

    def writer(self, is_float: bool) -> str:
        """The function that writes a row."""
        if self._is_alone:
            lines, values = ["double value = predict(row);"], ["value"]
        else:
            lines = ["struct prediction all;", "predict(row, &all);"]
            values = [f"all.{field}" for field in self._fields]
        lines += [f"if ({' || '.join(f'isnan({value})' for value in values)})", "    return 0;"]
        for j, value in enumerate(values):
            lines += [*["putchar(',');"] * (j > 0), f"write_number({value}, 0);"]
        return _writer(lines)


class ClassPrediction:
    """The code of a class as an enumeration, and an array of probabilities; or only one of the two."""

    def __init__(self, outputs: ClassOutputs, ordinary: Identifiers) -> None:
        self._outputs = outputs
        self._tag = Identifiers(("row", "prediction")).of(f"class_{outputs.name}", longest=LONGEST_FIELD)
        prefix = f"{Identifiers().of(outputs.name, fallback='class', longest=LONGEST_FIELD)}_"
        self._unknown = ordinary.of("unknown", prefix=prefix)
        self._names = [ordinary.of(label, prefix=prefix, fallback="value") for label in outputs.labels]
        self._has_code, self._has_probabilities = outputs.codes is not None, outputs.probabilities is not None
        self.types = self._enumeration() if self._has_code else ""
        n = len(outputs.labels)
        self._array = f"double probabilities[{n}]"
        kind = f"enum {self._tag}" if self._has_code else "void"
        self.prototype = f"{kind} predict(const struct row *row{f', {self._array}' if self._has_probabilities else ''})"
        order = "of the enumerators" if self._has_code else ", ".join(map(comment, outputs.labels))
        self.note = f"The class of {comment(outputs.name)}; {self._unknown} if" if self._has_code else "NAN if"
        self.note += " a number of the row is infinite, or too far from those of the training rows."
        if self._has_probabilities:
            self.note += f" The probabilities are in the order {order}."
            self.note += " `probabilities` may be NULL." if self._has_code else ""
        self.titles = ["prediction"] * self._has_code
        self.titles += [column.title for column in probability_columns(outputs)]

    def _enumeration(self) -> str:
        last = len(self._names) - 1
        lines = [f"    {self._unknown} = -1,"] + [
            f"    {name} = {code}{',' if code < last else ''} /* {comment(label)} */"
            for code, (name, label) in enumerate(zip(self._names, self._outputs.labels, strict=True))
        ]
        return enumeration(self._tag, lines)

    def statements(self, element: Element) -> list[str]:
        """The end of `predict`."""
        lines = []
        if self._outputs.probabilities is not None:
            n = len(self._names)
            lines = [f"probabilities[{j}] = {element(self._outputs.probabilities, j)};" for j in range(n)]
        if self._outputs.codes is None:
            return lines
        if lines:
            lines = ["if (probabilities != NULL) {", *(f"    {line}" for line in lines), "}"]
        return [*lines, f"return (enum {self._tag})(int){element(self._outputs.codes, 0)};"]

    def writer(self, is_float: bool) -> str:
        """The function that writes a row, after the table of the classes."""
        lines = [f"{self._array};"] * self._has_probabilities
        argument = ", probabilities" if self._has_probabilities else ""
        table = ""
        if self._has_code:
            texts = ",\n    ".join(string(cell(label)) for label in self._outputs.labels)
            table = f"static const char *const classes[] = {{\n    {texts}\n}};\n\n"
            table = f"/* Classes: {self._outputs.label_type} */\n{table}"
            lines += [f"int code = (int)predict(row{argument});", "if (code < 0)", "    return 0;"]
            lines.append("fputs(classes[code], stdout);")
        else:
            lines += [f"predict(row{argument});", "if (isnan(probabilities[0]))", "    return 0;"]
        if self._has_probabilities:
            lines.append(f"for (int j = 0; j < {len(self._names)}; j++) {{")
            lines.append(f"    {'' if self._has_code else 'if (j > 0)'}")
            lines += ["    putchar(',');", f"    write_number(probabilities[j], {int(is_float)});", "}"]
        return table + _writer([line for line in lines if line.strip()])


def _writer(lines: Sequence[str]) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"static int write_row(const struct row *row)\n{{\n{body}\n    return 1;\n}}\n"


def cell(text: str) -> str:
    """A text as a cell of CSV."""
    return pl.DataFrame([pl.Series("", [text])]).write_csv(include_header=False).removesuffix("\n")


def header_line(titles: Sequence[str]) -> str:
    """The header of CSV with these titles."""
    return header(list(titles), ",").decode().removesuffix("\n")


def prediction_of(outputs: Outputs, ordinary: Identifiers) -> NumberPrediction | ClassPrediction:
    """What `predict` returns for these outputs."""
    if isinstance(outputs, ClassOutputs):
        return ClassPrediction(outputs, ordinary)
    return NumberPrediction(outputs)

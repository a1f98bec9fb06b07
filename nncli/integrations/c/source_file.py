"""Print a program as one file of C99, which needs no library but that of mathematics.

The file declares `struct row` and `predict`, and a function for each column that reads its cells as nncli does. It
allocates nothing and has no variables that change, so threads may share it. The tree of the file: its head, the
declarations, the functions of the .c files of this folder that it uses, the constants, `predict`, and `main`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

import polars as pl

from nncli.extend import CategoryInput, ModelInfo, OutputColumn, Program, TextInput, UsageError, quote
from nncli.extend.programs import OutputGroups, csv_header, groups_of, targets_of
from nncli.integrations.c.columns import (
    StructMember,
    character_tables,
    enumeration,
    longest_folded_key,
    missing_values,
    name_columns,
    reader,
    vocabulary,
)
from nncli.integrations.c.identifiers import LONGEST_FIELD, Identifiers, comment, string, words_of
from nncli.integrations.c.statements import Statements, is_array

HEAD = """\
/* {name}: a model that nncli {version} exported.
 * The SHA-256 checksum of its run is {checksum}.
 *
 * A program that predicts the rows of a CSV file:
 *     cc -std=c99 -O2 -DMAIN model.c -o model -lm && ./model < rows.csv
 * A function of your own program: compile model.c with it, and in your file
 *     #define DECLARATIONS_ONLY
 *     #include "model.c"
 * The functions of this file change nothing but what they are given, so several threads may call them.
 */
"""
GUARD = """\
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__FAST_MATH__)
#error "-ffast-math ignores missing numbers: compile without it"
#endif
#if FLT_EVAL_METHOD == 2 || FLT_EVAL_METHOD == -1
#error "numbers must not have more than 53 bits: compile with -msse2 -mfpmath=sse"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* as gcc with -std=c99 does */
#endif
"""


def to_c(program: Program, info: ModelInfo) -> str:
    """The C file of a program.

    Raises:
        UsageError: a column, category or class has a NUL character.
    """
    _check_texts(program)
    ordinary = Identifiers(reserved_words())
    columns = name_columns(program.inputs, ordinary)
    prediction = prediction_of(program.outputs, ordinary)
    texts = {i: column for i, column in enumerate(program.inputs) if isinstance(column, TextInput)}
    vocabularies = {i: f"u{i}" for i in texts}
    statements = Statements(program, tuple(column.field for column in columns), vocabularies)
    predict = _predict(prediction, statements)
    # A text column without a term and without a missing cell is an input that the network does not read.
    read = {i: column for i, column in texts.items() if f"&{vocabularies[i]}," in predict}
    readers = "\n".join(reader(program, column, i) for i, column in enumerate(columns))
    main = _main(program, columns, prediction)
    code = f"{predict}\n{readers}"
    used = used_parts(code)
    of_check = check_parts(code, without=used)
    of_main = check_parts(main, without=[*used, *of_check])
    return "\n".join(
        [
            HEAD.format(name=comment(info.name), version=comment(info.nncli_version), checksum=comment(info.checksum)),
            _declarations(columns, prediction),
            "#ifndef DECLARATIONS_ONLY\n",
            GUARD,
            _tables(program, read),
            source_of(used, of_check),
            "/* ---- Cells of each column --- */\n",
            readers,
            *[vocabulary(vocabularies[i], column, i) for i, column in read.items()],
            "/* ---- The network --- */\n",
            statements.constants,
            *statements.products.values(),
            predict,
            f"#ifdef MAIN\n\n{source_of(of_main)}\n{main}\n#endif /* MAIN */\n",
            "#endif /* DECLARATIONS_ONLY */",
            "",
        ]
    )


def _check_texts(program: Program) -> None:
    """Raise a UsageError if a text that the file has to read or print has a NUL character."""
    labels = groups_of(program.outputs).labels
    texts = {f"column {quote(column.name)}": column.name for column in program.inputs}
    for column in program.inputs:
        for text, _ in column.texts if isinstance(column, CategoryInput) else ():
            texts[f"category {quote(text)} of the column {quote(column.name)}"] = text
    kind, names = ("class", labels) if labels else ("target", targets_of(program.outputs))
    texts |= {f"{kind} {quote(name)}": name for name in names}
    for title, text in texts.items():
        if "\0" in text:
            raise UsageError(
                f"the {title} has a NUL character, which no text of C has",
                hint="Use another target, such as python, or train on a table without the character.",
            )


def _declarations(columns: Sequence[StructMember], prediction: NumberPrediction | ClassPrediction) -> str:
    """The types, and the functions that other files may call."""
    enumerations = [column.enumeration for column in columns if isinstance(column.input, CategoryInput)]
    members = [column.member for column in columns] or ["    char unused;"]
    row = "struct row {\n" + "\n".join(members) + "\n};\n"
    readers = "\n".join(f"{column.prototype};" for column in columns)
    return "\n".join(
        [
            '#ifdef __cplusplus\nextern "C" {\n#endif\n',
            *enumerations,
            row,
            *[prediction.types] * bool(prediction.types),
            f"{_wrapped(prediction.note)}\n{prediction.prototype};\n",
            f"/* Read a cell of text as nncli does: 0 if it cannot be read. NULL is a missing cell. */\n{readers}\n",
            "#ifdef __cplusplus\n}\n#endif\n",
        ]
    )


def _wrapped(text: str) -> str:
    """A comment on lines of at most 118 columns."""
    return textwrap.fill(f"{text} */", 118, initial_indent="/* ", subsequent_indent=" * ", break_on_hyphens=False)


def _tables(program: Program, texts: Mapping[int, TextInput]) -> str:
    """The tables that the functions of cells use, with those of the `texts` that the network reads."""
    return "\n".join(
        [
            "struct entry {\n    const char *text;\n    int value;\n};\n",
            missing_values(program),
            f"#define LONGEST_FOLDED_KEY {longest_folded_key(program.inputs)}\n",
            *([character_tables(list(texts.values()))] if texts else []),
        ]
    )


def _predict(prediction: NumberPrediction | ClassPrediction, statements: Statements) -> str:
    """The function `predict`."""

    def element(position: int, j: int) -> str:
        if is_array(statements.program, position):
            return f"v{position}[{j}]"
        return statements.scalar(position).replace("[j]", f"[{j}]")

    memory = [f"double memory[{statements.memory}];"] * (statements.memory > 0)
    unused = ["(void)row;"] * ("row->" not in "".join(statements.lines))
    lines = [*memory, *unused, *statements.lines, *prediction.statements(element)]
    body = "\n".join(f"    {line}" for line in lines)
    return f"{prediction.prototype}\n{{\n{body}\n}}\n"


def _main(program: Program, columns: Sequence[StructMember], prediction: NumberPrediction | ClassPrediction) -> str:
    """What is compiled with -DMAIN alone."""
    titles = header_line([column.title for column in program.outputs])
    rows = [f"    {{{string(column.input.name)}, {string(column.expected)}}}," for column in columns]
    cases = [
        f"    case {i}:\n        return {column.reader}(cell, &row->{column.field});"
        for i, column in enumerate(columns)
    ]
    table = "\n".join(
        [
            f"#define N_COLUMNS {len(columns)}",
            "static const struct {\n    const char *name, *message;\n} columns[N_COLUMNS + 1] = {",
            *rows,
            "    {NULL, NULL}};",
            f"static const char *const output_header = {string(titles)};\n",
            "static int parse_cell(struct row *row, int column, const char *cell)\n{\n    switch (column) {",
            *cases,
            "    default:\n        return 0;\n    }\n}\n",
            "static int write_row(const struct row *row);\n",
        ]
    )
    writer = prediction.writer(is_float=program.precision == "float32")
    numbers = f"{template('write_number')}\n" if "write_number(" in writer else ""
    return f"{table}\n{template('main')}\n{numbers}{writer}"


Element: TypeAlias = Callable[[int, int], str]
"""The number j of the value of a node, as an expression."""


class NumberPrediction:
    """One number, or a structure of several."""

    def __init__(self, outputs: Sequence[OutputColumn]) -> None:
        self._columns, targets = outputs, targets_of(outputs)
        fields = Identifiers()
        self._fields = [fields.of(column.title, longest=LONGEST_FIELD + 12) for column in outputs]
        self._is_alone = len(outputs) == 1
        self._returns = len(targets) == 1
        self.types = "" if self._is_alone else self._structure()
        kind = "double" if self._returns else "void"
        self.prototype = f"{kind} predict(const struct row *row{'' if self._is_alone else ', struct prediction *all'})"
        self.note = f"The prediction of {comment(targets[0])}." if self._returns else "The predictions."
        self.note += " NAN if a number of the row is infinite, or too far from those of the training rows."
        self.note += "" if self._is_alone or not self._returns else " `all` may be NULL."

    def _structure(self) -> str:
        lines = [
            f"    double {field}; /* {comment(column.title)} */"
            for field, column in zip(self._fields, self._columns, strict=True)
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
        """The function that writes a row, 0 if the row has no prediction."""
        if self._is_alone:
            lines, values = ["double value = predict(row);"], ["value"]
        else:
            lines = ["struct prediction all;", "predict(row, &all);"]
            values = [f"all.{field}" for field in self._fields]
        lines += [f"if ({' || '.join(f'isnan({value})' for value in values)})", "    return 0;"]
        for j, (value, column) in enumerate(zip(values, self._columns, strict=True)):
            is_single = int(is_float and column.is_rounded)
            lines += [*["putchar(',');"] * (j > 0), f"write_number({value}, {is_single});"]
        return _writer(lines)


class ClassPrediction:
    """The code of a class as an enumeration, and an array of probabilities; or only one of the two."""

    def __init__(self, groups: OutputGroups, ordinary: Identifiers) -> None:
        self._groups = groups
        (target,) = targets_of(groups.classes or groups.probabilities)
        self._tag = Identifiers(("row", "prediction")).of(f"class_{target}", longest=LONGEST_FIELD)
        prefix = f"{Identifiers().of(target, fallback='class', longest=LONGEST_FIELD)}_"
        self._unknown = ordinary.of("unknown", prefix=prefix)
        self._names = [ordinary.of(label, prefix=prefix, fallback="value") for label in groups.labels]
        self._has_code, self._has_probabilities = bool(groups.classes), bool(groups.probabilities)
        self.types = self._enumeration() if self._has_code else ""
        self._array = f"double probabilities[{len(groups.labels)}]"
        kind = f"enum {self._tag}" if self._has_code else "void"
        self.prototype = f"{kind} predict(const struct row *row{f', {self._array}' if self._has_probabilities else ''})"
        order = "of the enumerators" if self._has_code else ", ".join(map(comment, groups.labels))
        self.note = f"The class of {comment(target)}; {self._unknown} if" if self._has_code else "NAN if"
        self.note += " a number of the row is infinite, or too far from those of the training rows."
        if self._has_probabilities:
            self.note += f" The probabilities are in the order {order}."
            self.note += " `probabilities` may be NULL." if self._has_code else ""

    def _enumeration(self) -> str:
        last = len(self._names) - 1
        lines = [f"    {self._unknown} = -1,"] + [
            f"    {name} = {code}{',' if code < last else ''} /* {comment(label)} */"
            for code, (name, label) in enumerate(zip(self._names, self._groups.labels, strict=True))
        ]
        return enumeration(self._tag, lines)

    def statements(self, element: Element) -> list[str]:
        """The end of `predict`."""
        shares = [element(column.node, column.place) for column in self._groups.probabilities]
        lines = [f"probabilities[{j}] = {share};" for j, share in enumerate(shares)]
        if not self._has_code:
            return lines
        if lines:
            lines = ["if (probabilities != NULL) {", *(f"    {line}" for line in lines), "}"]
        return [*lines, f"return (enum {self._tag})(int){element(self._groups.classes[0].node, 0)};"]

    def writer(self, is_float: bool) -> str:
        """The function that writes a row, after the table of the classes."""
        lines = [f"{self._array};"] * self._has_probabilities
        argument = ", probabilities" if self._has_probabilities else ""
        table = ""
        if self._has_code:
            texts = ",\n    ".join(string(cell(label)) for label in self._groups.labels)
            table = f"static const char *const classes[] = {{\n    {texts}\n}};\n\n"
            table = f"/* Classes: {self._groups.label_type} */\n{table}"
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
    return csv_header(list(titles), ",").decode().removesuffix("\n")


def prediction_of(outputs: Sequence[OutputColumn], ordinary: Identifiers) -> NumberPrediction | ClassPrediction:
    """What `predict` returns for these outputs.

    Raises:
        UsageError: there are numbers beside classes.
    """
    groups = groups_of(outputs)
    if groups.labels and groups.numbers:
        raise UsageError("numbers and classes together cannot be exported to C", hint="Use another target, such as js.")
    return ClassPrediction(groups, ordinary) if groups.labels else NumberPrediction(outputs)


FILES = ("cells", "categories", "numbers", "number_spellings", "dates", "date_formats", "text", "helpers")
"""In an order in which each follows what it uses."""
DEFINED = re.compile(
    r"^(?:static (?:\w++ )*+\**+(\w++)\(|static const [^\n\[]*\b(\w++)\[|struct (\w+) \{|#define (\w+))", re.MULTILINE
)


@dataclass(frozen=True)
class Declaration:
    """One function, structure or group of macros; or the title of a file, which defines nothing.

    `words` are the identifiers in it, `check_words` also those in what is compiled with -DCHECK alone.
    """

    text: str
    file: str
    defined: frozenset[str]
    words: frozenset[str]
    check_words: frozenset[str]


def template(name: str) -> str:
    """The text of a .c file of this folder."""
    return (files("nncli.integrations.c") / f"{name}.c").read_text(encoding="utf-8")


@cache
def parts() -> tuple[Declaration, ...]:
    """The parts of all files, which blank lines separate."""
    all_parts = []
    for name in FILES:
        for text in template(name).strip().split("\n\n"):
            code = re.sub(r"/\*.*?(?:\*/|\Z)", "", text, flags=re.DOTALL)
            defined = {word for groups in DEFINED.findall(code) for word in groups if word}
            always = re.sub(r"#ifdef CHECK.*?(?:#endif|\Z)", "", code, flags=re.DOTALL)
            words = frozenset(words_of(always)), frozenset(words_of(code))
            all_parts.append(Declaration(text, name, frozenset(defined), *words))
    return tuple(all_parts)


@cache
def reserved_words() -> frozenset[str]:
    """All identifiers of the files."""
    programs = [words_of(template(name)) for name in ("main", "write_number")]
    return frozenset().union(*(part.check_words for part in parts()), *programs)


def used_parts(source: str) -> list[Declaration]:
    """The parts that C source uses, in order, with all that these use."""
    return _used(source, (), lambda part: part.words)


def check_parts(source: str, *, without: Sequence[Declaration] = ()) -> list[Declaration]:
    """The parts as `used_parts` returns them, and those that are used with -DCHECK alone; no part of `without`."""
    return _used(source, without, lambda part: part.check_words)


def _used(
    source: str, without: Sequence[Declaration], words_in: Callable[[Declaration], frozenset[str]]
) -> list[Declaration]:
    words, used = words_of(source), set[Declaration]()
    defined = set(without)
    while needed := [part for part in parts() if part not in used and part.defined & words]:
        used.update(needed)
        words = words.union(*map(words_in, needed))
    return [part for part in parts() if part in used and part not in defined]


def source_of(used: Sequence[Declaration], of_check: Sequence[Declaration] = ()) -> str:
    """The text of parts, with the titles of their files; those of `of_check` are compiled with -DCHECK alone."""
    titles = {part.file: part for part in parts() if not part.defined}
    texts, last = [], ""
    for part in (part for part in parts() if part in {*used, *of_check}):
        if part.file != last and part.file in titles:
            texts.append(titles[part.file].text)
        texts.append(part.text if part in used else f"#ifdef CHECK\n{part.text}\n#endif")
        last = part.file
    return "\n\n".join(texts) + "\n" if texts else ""

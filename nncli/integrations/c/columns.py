"""The columns of a program in C: their members of `struct row`, the enumerators of categories, and functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from nncli.extend import CategoryInput, DateInput, NumberInput, Program, ProgramInput, TextInput
from nncli.extend.programs import ISO, ORDERS, PERCENT, WORD_PATTERN, YEAR_FIRST_OR_NAMED, orders_of
from nncli.integrations.c.identifiers import LONGEST_FIELD, NEVER, Identifiers, comment, string
from nncli.integrations.c.statements import int_array

READ_TEXT = """\
{prototype}
{{
    *value = is_missing(cell) ? NULL : text_of(cell).start;
    return 1;
}}
"""


def entries(name: str, pairs: Sequence[tuple[str, int]]) -> str:
    """The definition of a table of texts and numbers, in the order of their bytes; with none, an unused row."""
    ordered = sorted((text.encode().replace(b"\0", NEVER), text, value) for text, value in pairs)
    rows = [f"    {{{string(text)}, {value}}}" for _, text, value in ordered] or ["    {NULL, 0}"]
    return f"static const struct entry {name}[{len(rows)}] = {{\n" + ",\n".join(rows) + "\n};\n"


def missing_values(program: Program) -> str:
    """The table of the spellings of missing cells."""
    table = entries("missing_values", [(text, 0) for text in program.missing_values])
    return f"#define N_MISSING_VALUES {len(program.missing_values)}\n{table}"


def longest_folded_key(inputs: Sequence[ProgramInput]) -> int:
    """The bytes of the longest category that may be in any case."""
    keys = [key for column in inputs if isinstance(column, CategoryInput) for key, _ in column.folded_keys]
    return max((len(key.encode()) for key in keys), default=0)


def reader(program: Program, column: StructMember, position: int) -> str:
    """The function that reads a cell of a column, after its tables."""
    match column.input:
        case NumberInput():
            return _number_reader(program, column, column.input, position)
        case CategoryInput():
            return _category_reader(column, column.input, position)
        case DateInput():
            return _date_reader(column, column.input, position)
        case TextInput():
            return READ_TEXT.format(prototype=column.prototype)


def _number_reader(program: Program, column: StructMember, number: NumberInput, position: int) -> str:
    mark, separator = program.marks_of(number)
    decimal, unit, thousands = f"'{mark}'", string(number.unit or ""), string(separator or "")
    marks = f"{int(number.unit in PERCENT)}, {int(number.reads_booleans)}"
    words, cell = _missing_words(number, position)
    return (
        f"{words}static const struct number_format f{position} = {{{unit}, {thousands}, {decimal}, {marks}}};\n\n"
        f"{column.prototype}\n{{\n    return parse_number({cell}, &f{position}, value);\n}}\n"
    )


def _missing_words(column: ProgramInput, position: int) -> tuple[str, str]:
    """The table of the further spellings of a missing cell, and the cell, or NULL if it has one of them."""
    if not (words := column.missing_words):
        return "", "cell"
    table = entries(f"m{position}", [(word, 0) for word in words])
    return f"{table}\n", f"cell != NULL && find(m{position}, {len(words)}, span_of(cell)) >= 0 ? NULL : cell"


def _category_reader(column: StructMember, category: CategoryInput, position: int) -> str:
    tables, arguments = [], []
    for letter, pairs in (("t", category.texts), ("k", category.keys), ("l", category.folded_keys)):
        if pairs:
            tables.append(entries(f"{letter}{position}", pairs))
        arguments.append(f"{letter}{position}, {len(pairs)}" if pairs else "NULL, 0")
    return (
        "\n".join([*tables, column.prototype]) + "\n{\n"
        f"    *value = ({column.type})category_of(cell, {', '.join(arguments)});\n    return 1;\n}}\n"
    )


def _date_reader(column: StructMember, date: DateInput, position: int) -> str:
    forms, pairs = date_plan(date.formats)
    texts = ", ".join(string("" if form == ISO else form) for form in forms)
    twos = ", ".join(f"{{{string(first)}, {string(last)}}}" for first, last in pairs)
    words, cell = _missing_words(date, position)
    return (
        f"{words}static const char *const d{position}[] = {{{texts}}};\n"
        f"static const char *const e{position}[][2] = {{{twos}}};\n\n"
        f"{column.prototype}\n{{\n"
        f"    return parse_date({cell}, d{position}, {len(forms)}, e{position}, {len(pairs)}, value);\n}}\n"
    )


def date_plan(formats: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The formats to try in order, and the two orders of day and month of each separator: see datetimes.py."""
    orders = orders_of(formats)
    pairs = tuple((orders.get(mark, forms[0]), orders.get(mark, forms[-1])) for mark, forms in ORDERS.items())
    return tuple(dict.fromkeys((*formats, *YEAR_FIRST_OR_NAMED))), pairs


@dataclass(frozen=True)
class StructMember:
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


def name_columns(inputs: Sequence[ProgramInput], ordinary: Identifiers) -> tuple[StructMember, ...]:
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
        columns.append(StructMember(column, name, reader, enumerators))
    return tuple(columns)


SIGMA, FINAL_SIGMA = "σ", "ς"


@cache
def all_characters() -> pl.Series:
    """All characters of Unicode."""
    return pl.Series([chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000])


@cache
def in_lower_case() -> pl.Series:
    """Each character in lower case, as Polars has it."""
    return all_characters().str.to_lowercase()


def ranges(name: str, which: pl.Series) -> str:
    """The definition of the ranges of characters, and of their number."""
    points = np.array([ord(c) for c in all_characters().filter(which)], np.int64)
    starts = np.flatnonzero(np.diff(points, prepend=-2) != 1)
    ends = np.append(starts[1:], len(points))[: len(starts)] - 1
    return _ranges(name, list(zip(points[starts].tolist(), points[ends].tolist(), strict=True)))


def _ranges(name: str, pairs: Sequence[tuple[int, int]]) -> str:
    rows = [f"{{{first:#x}, {last:#x}}}" for first, last in pairs] or ["{1, 0}"]
    body = ",\n    ".join(", ".join(rows[start : start + 6]) for start in range(0, len(rows), 6))
    return f"#define N_{name.upper()} {len(pairs)}\nstatic const struct range {name}[] = {{\n    {body}\n}};\n"


def character_tables(inputs: Sequence[ProgramInput]) -> str:
    """The tables of characters, as far as the terms of these columns need them."""
    words = {word for column in inputs if isinstance(column, TextInput) for word in words_of_terms(column.terms)}
    letters = {c for word in words for c in word}
    longest = max((len(word.encode()) for word in words), default=0)
    lower = in_lower_case()
    has_all_letters = pl.Series([set(text) <= letters for text in lower]) | lower.is_in(
        [SIGMA] if FINAL_SIGMA in letters else []
    )
    small = lower.filter(has_all_letters)
    texts = ",\n    ".join(", ".join(map(string, small[i : i + 12])) for i in range(0, len(small), 12))
    has_sigma = bool({SIGMA, FINAL_SIGMA} & letters)
    nothing = pl.Series([False]).new_from_index(0, len(lower))
    return "\n".join(
        [
            f"#define LONGEST_WORD {longest}\n#define SIGMA 0x3A3\n",
            "struct range {\n    uint32_t first, last;\n};\n",
            ranges("word_characters", lower.str.contains(f"^{WORD_PATTERN}$")),
            _ranges("lower_case", [(ord(c), ord(c)) for c in all_characters().filter(has_all_letters)]),
            f"static const char *const lower_case_texts[] = {{\n    {texts or 'NULL'}\n}};\n",
            ranges("cased", _cased() if has_sigma else nothing),
            ranges("ignorable", _ignorable() if has_sigma else nothing),
        ]
    )


def _is_not_final(before: str, after: str) -> pl.Series:
    """For each character: whether a capital sigma between `before` and it is not the end of a word."""
    return (before + all_characters() + after).str.to_lowercase().str.contains(SIGMA, literal=True)


def _cased() -> pl.Series:
    """Which characters have a case, and are not ignored beside a sigma."""
    return _is_not_final("aΣ", "") & ~_ignorable()


def _ignorable() -> pl.Series:
    """Which characters are ignored beside a sigma."""
    return _is_not_final("aΣ", "a") & ~_is_not_final("aΣ", "")


def words_of_terms(terms: Collection[str]) -> list[str]:
    """The different words of terms, in the order of their bytes."""
    return sorted({word for term in terms for word in term.split(" ")}, key=str.encode)


def vocabulary(name: str, column: TextInput, position: int) -> str:
    """The definition of the words and pairs of a column."""
    words = words_of_terms(column.terms)
    number = {word: i for i, word in enumerate(words)}
    term = {text: i for i, text in enumerate(column.terms)}
    pairs = sorted((*(number[word] for word in text.split(" ")), i) for text, i in term.items() if " " in text)
    rows = ", ".join(f"{{{first}, {second}, {i}}}" for first, second, i in pairs) or "{0, 0, 0}"
    return "\n".join(
        [
            entries(f"t{position}", list(number.items())),
            int_array(f"i{position}", tuple(term.get(word, -1) for word in words) or (0,)),
            f"static const struct pair q{position}[] = {{{rows}}};\n",
            f"static const struct vocabulary {name} = {{\n    t{position}, i{position}, q{position}, {len(words)}, "
            f"{len(pairs)}, {len(term)}\n}};\n",
        ]
    )

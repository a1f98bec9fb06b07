"""Names, labels, programs and tables that printers of programs and their runtimes must survive.

`texts` makes many names and labels quickly, for a fuzz; `programs` and `frames` are strategies of hypothesis, and
`unreadable` lists cells that must be refused.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import polars as pl
from hypothesis import strategies as st

from nncli.data.columns.spellings import WHOLE_NUMBER
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import LabelType, Program
from nncli.nn.program.values import Builder, Value, exp, is_nan, join, round_to, select, tanh
from tests.nn.program.support import classes, target_numbers

KEYWORDS = (
    *("class", "constructor", "__proto__", "prototype", "toString", "default", "await", "null", "undefined", "NaN"),
    *("int", "double", "struct", "main", "predict", "row", "NULL", "INFINITY", "_Bool", "restrict", "errno", "printf"),
    *("import", "lambda", "None", "True", "self", "__import__", "__name__", "exec", "prediction", "missing", "other"),
)
SYNTAX = (
    *(
        '"',
        "'",
        "`",
        "\\",
        '\\"',
        "\\'",
        '"""',
        "'''",
        "${x}",
        "`${x}`",
        "{{x}}",
        "{x}",
        "%s",
        "%n",
        "$1",
        "#",
        "//",
        ";",
    ),
    *("*/", "/*", "-->", "<!--", "<![CDATA[", "]]>", "</script>", "</SCRIPT >", "<script>", "</style>", "</textarea>"),
    *("<img src=x onerror=alert(1)>", "&lt;", "&amp;quot;", '" onfocus="x', "javascript:x", '"); import os; ("', "??/"),
    *(
        "\\\n",
        "??=define",
        "\\u0022",
        "\\x22",
        "\\0",
        "\\x00",
        "\\u0000",
        "\\N{DIGIT ONE}",
        "%00",
        "&#0;",
        "=1+1",
        "@x",
    ),
)
SPACES = (
    "\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "\xa0",
    "\u2028",
    "\u2029",
    "\x0b",
    "\x0c",
    "\x85",
    "\u200b",
    "\ufeff",
    "\x1b[0m",
)
LETTERS = (
    *(
        "a",
        "Z",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "ı",
        "ſ",
        "Σ",
        "ς",
        "ǆ",
        "日本",
        "ع",
        "\u202e",
        "𝒳",
        "😀",
        "👩\u200d👩\u200d👧",
        "🏳️\u200d🌈",
        "٣",
        "½",
    ),
    *(
        "0",
        "1.0",
        "-0",
        "007",
        "1e5",
        "nan",
        "inf",
        "true",
        "FALSE",
        "a,b",
        "a;b",
        "a|b",
        "\x7f",
        "\x01",
        "\ud7ff",
        "\uffff",
        "\U0010ffff",
    ),
)
WHITE_SPACE = "".join(c for c in map(chr, range(0x3001)) if c.isspace() and not "\x1c" <= c <= "\x1f")
"""The white space of Unicode; Python's str.strip removes the separators of ASCII, too."""
FRAGMENTS = (*KEYWORDS, *SYNTAX, *SPACES, *LETTERS)
"""Pieces of hostile texts. None holds U+0000: a table may, but not every runtime can hold it in a text."""


def texts(count: int, seed: int = 0) -> list[str]:
    """`count` distinct texts that are not empty: each fragment by itself, then fragments beside each other."""
    generator = random.Random(seed)
    result = dict.fromkeys(FRAGMENTS)
    while len(result) < count:
        result["".join(generator.choices(FRAGMENTS, k=generator.randint(2, 5)))] = None
    return list(result)[:count]


def program_of(
    inputs: Sequence[ProgramInput],
    labels: Sequence[str] = (),
    targets: Sequence[str] = ("y",),
    *,
    label_type: LabelType = "text",
    overflow: bool = False,
) -> Program:
    """A small network of the inputs for classification, or without `labels` for regression.

    A number that is infinite, or with `overflow` one beyond float32, makes its outputs NaN, and the code of its class
    -1, as in a program of a trained model.
    """
    builder, generator = Builder(), np.random.default_rng(5)
    features = join([_feature(builder.input(column), column, generator) for column in inputs])
    bad = is_nan((round_to("float32", features) if overflow else features).sum() * 0.0)
    hidden = tanh(_layer(features, 4, generator))
    if labels:
        logits = _layer(hidden, len(labels), generator)
        odds = exp(logits - logits.max())
        probabilities = select(bad, np.nan, odds / odds.sum())
        codes = select(bad, -1.0, odds.argmax())
        outputs = classes(targets[0], labels, codes.position, probabilities.position, label_type)
    else:
        values = select(bad, np.nan, _layer(hidden, len(targets), generator))
        outputs = target_numbers(targets, values)
    return Program(
        *(tuple(inputs), tuple(builder.nodes), tuple(builder.widths), outputs, "float64"),
        missing_values=("", "NA"),
    )


def titles_of(program: Program) -> list[str]:
    """The titles of the columns that `nncli predict` prints of the program's outputs."""
    return [column.title for column in program.outputs]


def _feature(value: Value, column: ProgramInput, generator: np.random.Generator) -> Value:
    """The features of an input without NaN."""
    match column:
        case NumberInput() | DateInput():
            return join([select(is_nan(value), 0.5, value / 1000.0), is_nan(value)])
        case CategoryInput():
            return value.look_up(generator.normal(size=(column.n_codes, 2)).astype(np.float32))
        case TextInput():
            return value


def _layer(x: Value, units: int, generator: np.random.Generator) -> Value:
    W = generator.normal(size=(x.width, units)).astype(np.float32) / 2
    return x @ W + generator.normal(size=units)


def category_input(name: str, categories: Sequence[str], rare: Sequence[str] = ()) -> CategoryInput:
    """The input of a column with these categories; the rare ones share the code of unseen categories."""
    texts = [*categories, *rare]
    codes = [*range(2, 2 + len(categories)), *[1] * len(rare)]
    folds = {text.strip(WHITE_SPACE).lower() for text in texts} in ({"true", "false"}, {"yes", "no"})
    keys = [key_of(text) for text in texts]
    folded = [key.lower() for key in keys]
    pairs = [*zip(keys, codes, strict=True)], [*zip(folded, codes, strict=True)]
    return CategoryInput(
        name,
        tuple(categories),
        tuple(zip(texts, codes, strict=True)),
        () if folds else tuple(pair for pair in pairs[0] if keys.count(pair[0]) == 1),
        tuple(pair for pair in pairs[1] if folded.count(pair[0]) == 1) if folds else (),
        2 + len(categories),
        (None, None, *categories),
    )


def key_of(text: str) -> str:
    """The text without white space around it, and without the zeros of a whole number."""
    bare = text.strip(WHITE_SPACE)
    return re.sub(r"\.0+\Z", "", bare) if re.fullmatch(WHOLE_NUMBER.strip("^$"), bare) else bare


words = st.one_of(
    st.sampled_from(FRAGMENTS),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map("".join),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6),
)
"""Hostile names, categories and labels."""

numbers = st.one_of(
    st.none(),
    st.sampled_from((0.0, -0.0, 1.0, -1.5, 5e-324, 1e-300, 1e300, -1e300, 1.7976931348623157e308, 3.5e38, 2.0**53)),
    st.floats(allow_nan=False, allow_infinity=False),
)
dates = st.one_of(
    st.none(),
    st.sampled_from((date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(2000, 2, 29), date(9999, 12, 31))),
    st.dates(),
)
moments = st.one_of(
    st.none(),
    st.sampled_from(
        (datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(9999, 12, 31, 23, 59, 59))
    ),
    st.datetimes(),
)


@st.composite
def inputs(draw: st.DrawFn, name: str) -> ProgramInput:
    """Any input with this name."""
    kind = draw(st.sampled_from((NumberInput, CategoryInput, DateInput, TextInput)))
    if kind is NumberInput:
        return NumberInput(
            name, draw(st.sampled_from((None, None, "$", "%", "EUR", "()"))), draw(st.booleans()), -2.0, 9.0
        )
    if kind is DateInput:
        return DateInput(name, draw(st.sampled_from((("iso",), ("%d.%m.%Y",), ("%m/%d/%Y", "iso")))), -365.0, 20000.0)
    if kind is TextInput:
        terms = draw(
            st.lists(st.sampled_from(("good", "not good", "été", "日本", "class", "2024")), unique=True, min_size=1)
        )
        return TextInput(name, tuple(terms))
    texts = draw(st.lists(words, unique=True, min_size=1, max_size=6))
    n_rare = draw(st.integers(0, len(texts) - 1))
    return category_input(name, texts[n_rare:], texts[:n_rare])


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Small networks whose names, categories, labels and missing values are hostile."""
    names = draw(st.lists(words, unique=True, min_size=1, max_size=4))
    columns = [draw(inputs(name)) for name in names]
    missing = draw(st.lists(words, unique=True, max_size=3))
    decimal, thousands = draw(st.sampled_from(((".", None), (",", None), (",", "."), (".", " "))))
    if draw(st.booleans()):
        program = program_of(columns, (), draw(st.lists(words, unique=True, min_size=1, max_size=3)))
    else:
        program = program_of(columns, draw(st.lists(words, unique=True, min_size=2, max_size=4)), [draw(words)])
    return replace(program, missing_values=("", *missing), decimal=decimal, thousands=thousands)


@st.composite
def frames(draw: st.DrawFn, program: Program, min_rows: int = 1) -> pl.DataFrame:
    """Rows that the program can read, as `nncli predict` has them: a missing cell is null."""
    height = draw(st.integers(min_rows, 8))
    columns = []
    for column in program.inputs:
        dtype, cells = _cells(draw, column)
        values = draw(st.lists(cells, min_size=height, max_size=height))
        if dtype == pl.String:
            values = [None if cell in program.missing_values else cell for cell in values]
        columns.append(pl.Series(column.name, values, dtype=dtype))
    return pl.DataFrame(columns)


def _cells(draw: st.DrawFn, column: ProgramInput) -> tuple[pl.DataType, st.SearchStrategy[object]]:
    """A type of the column's cells, and a strategy of them."""
    match column:
        case NumberInput():
            return pl.Float64(), numbers
        case DateInput():
            dtypes = (
                (pl.Date(), dates),
                (pl.Datetime("us"), moments),
                (pl.String(), dates.map(lambda day: day and day.isoformat())),
            )
            return draw(st.sampled_from(dtypes))
        case CategoryInput():
            texts = [text for text, _ in column.texts]
            spaced = st.sampled_from(texts).map(lambda text: f" {text}\t")
            return pl.String(), st.one_of(st.none(), st.just(""), st.sampled_from(texts), spaced, words)
        case TextInput():
            phrase = st.lists(st.one_of(words, st.sampled_from(column.terms)), max_size=8).map(" ".join)
            return pl.String(), st.one_of(st.none(), phrase)


def unreadable(column: ProgramInput) -> list[object]:
    """Cells that a runtime which reads cells must refuse, not as missing: it names the column and the cell."""
    match column:
        case NumberInput():
            return [
                float("inf"),
                float("-inf"),
                "1e999",
                "-inf",
                "12abc",
                "1,2,3",
                "0x10",
                "١٢",
                "1 2",
                "--1",
                "😀",
                "</script>",
            ]
        case DateInput():
            return [
                "2024-02-30",
                "2024-13-01",
                "31/31/2024",
                "yesterday",
                "0000-01-01",
                "10000-01-01",
                "24",
                "</script>",
            ]
        case CategoryInput() | TextInput():
            return []

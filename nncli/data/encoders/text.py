"""Encoder of text columns: log counts of the words and word pairs that are common in the training rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import AfterValidator

from nncli.base.spec import StrictBool, StrictStr
from nncli.base.text import quote
from nncli.data.columns.parsing import read_text
from nncli.data.columns.raw_column import RawColumn
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.column_encoder import ColumnEncoder
from nncli.data.encoders.encoding_options import DEFAULT_OPTIONS, EncodingOptions
from nncli.data.table import Table
from nncli.nn.arrays import Floats, Mask, Matrix
from nncli.nn.program.inputs import ProgramInput, TextInput
from nncli.nn.program.values import Value, join, log

MIN_WORDS, MIN_DISTINCT = 3, 32
"""Words in the median cell of a text column, and distinct cells, of which it has more: fewer make categories."""
MIN_ROWS = 20
"""Training rows that a term must occur in, and rows it must be absent from. From fewer mostly noise is learned."""
WORD_PATTERN = r"[\p{L}\p{M}\p{N}]+"
LETTER = r"\p{L}"
"""Most cells of a text column have one; phone numbers in groups of digits do not."""
MAX_CHARACTERS = 100_000
"""Characters of a cell that are read; the rest is ignored."""
PIECE_BYTES = 1 << 22
"""Bytes of text, and number of counts, up to which cells are encoded at a time."""


def _words_and_pairs(terms: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(terms)) < len(terms) or any(len(term.split(" ")) > 2 for term in terms):
        raise ValueError("the vocabulary must hold words and pairs of words, each once")
    return terms


def are_phrases(cells: pl.Series, distinct: int) -> bool:
    """Whether cells of text, `distinct` different ones, are phrases of several words, most of which occur only once."""
    present = len(cells) - cells.null_count()
    if distinct <= MIN_DISTINCT or 2 * distinct <= present or 2 * cells.str.contains(LETTER).sum() <= present:
        return False
    words = cells.str.count_matches(r"\S+").median()
    return isinstance(words, float) and words >= MIN_WORDS


class TextColumn(ColumnEncoder):
    """A text column, encoded as log₂(1 + count) for each term of its `vocabulary`: words, and pairs like `not good`.

    A term that occurs once is therefore 1, as in a one-hot column. `has_missing` adds a 0/1 column for missing cells.
    """

    profiles_at_once: ClassVar[bool] = True

    type: Literal["text"] = "text"
    name: StrictStr
    vocabulary: Annotated[tuple[StrictStr, ...], AfterValidator(_words_and_pairs)]
    has_missing: StrictBool

    @classmethod
    def matches(cls, column: RawColumn) -> bool:
        """Whether cells are phrases of several words, most of which occur only once.

        Raises:
            DataError: most cells are numbers, and some are not, or most are durations.
        """
        if not column.is_text:
            return False
        column.check_not_numbers()
        return are_phrases(column.cells, column.present.n_unique())

    @classmethod
    def fit(cls, table: Table, name: str, options: EncodingOptions = DEFAULT_OPTIONS) -> TextColumn:
        """Fit on `table`, the training rows: the most common terms, in descending order, ties in alphabetical order.

        Only pairs of common words can be common: Agrawal and Srikant, "Fast algorithms for mining association rules",
        1994. A pair that occurs in as many rows as one of its words adds nothing and is left out.
        """
        cells = read_text(table, name)
        words = _common(unigrams(piece) for piece in pieces(cells))
        pairs = _common(bigrams(unigrams(piece), words.keys()) for piece in pieces(cells)) if words else {}
        informative = {pair: n for pair, n in pairs.items() if n not in {words[word] for word in pair.split(" ")}}
        rows = {term: n for term, n in (words | informative).items() if cells.count() - n >= MIN_ROWS}
        terms = sorted(rows, key=lambda term: (-rows[term], term))[: options.max_text_features]
        return cls(name=name, vocabulary=tuple(terms), has_missing=cells.has_nulls())

    @property
    def is_uninformative(self) -> bool:
        """Whether no word is common enough to become a feature."""
        return not self.vocabulary

    @classmethod
    def uninformative_note(cls, name: str) -> tuple[str, str]:
        """A note about a column of text without a common word."""
        return f"no word of {quote(name)} is in {MIN_ROWS} or more training rows, so it gives no feature", ""

    @classmethod
    def program_input(cls, columns: Sequence[Self]) -> TextInput:
        terms = dict.fromkeys(term for column in columns for term in column.vocabulary)
        return TextInput(columns[0].name, tuple(terms), any(column.has_missing for column in columns))

    def lower(self, x: Value, column: ProgramInput) -> Value:
        assert isinstance(column, TextInput)
        missing = [x.columns([len(column.terms)])] if self.has_missing else []
        if not self.vocabulary:
            return join(missing)
        counts = x.columns([column.terms.index(term) for term in self.vocabulary])
        return join([log(counts + 1.0) / np.log(2.0), *missing])

    @property
    def width(self) -> int:
        """Number of columns of the matrix."""
        return len(self.vocabulary) + self.has_missing

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each column of the matrix."""
        return (
            *(f"{self.name}: {term}" for term in self.vocabulary),
            *[f"{self.name} is missing"] * self.has_missing,
        )

    def comparable_cells(self, table: Table) -> Floats:
        """The number of characters of each text (rows,)."""
        lengths: Floats = read_text(table, self.name).str.len_chars().cast(pl.Float64).fill_null(np.nan).to_numpy()
        return lengths

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, width), and count the anomalies among the cells."""
        cells = read_text(table, self.name)
        k, start = len(self.vocabulary), 0
        for piece in pieces(cells, PIECE_BYTES // max(1, k)):
            out[start : start + len(piece), :k] = np.log2(1.0 + count_terms(piece, self.vocabulary))
            start += len(piece)
        if self.has_missing:
            out[:, -1] = cells.is_null().to_numpy()
        return ColumnAnomalies(missing=0 if self.has_missing else cells.null_count())

    def unusual_cells(self, table: Table) -> Mask:
        is_missing: Mask = read_text(table, self.name).is_null().to_numpy()
        return np.zeros_like(is_missing) if self.has_missing else is_missing


def count_terms(cells: pl.Series, vocabulary: Sequence[str]) -> npt.NDArray[np.int64]:
    """How often each term of a vocabulary occurs in each cell (rows, terms)."""
    k, words_of_terms = len(vocabulary), {word for term in vocabulary for word in term.split(" ")}
    words = unigrams(cells)
    terms = pl.concat([words, bigrams(words, words_of_terms)])
    place = terms["term"].replace_strict(vocabulary, range(k), default=-1, return_dtype=pl.Int64).to_numpy()
    at = terms["row"].to_numpy() * k + place
    return np.bincount(at[place >= 0], minlength=len(cells) * k).reshape(len(cells), k)


def pieces(cells: pl.Series, most_rows: int = PIECE_BYTES) -> Iterator[pl.Series]:
    """Yield the cells in pieces of at most PIECE_BYTES of text, each of at least one cell."""
    ends = cells.str.len_bytes().fill_null(0).cast(pl.Int64).cum_sum().to_numpy()
    start = 0
    while start < len(cells):
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + PIECE_BYTES, "right"))
        stop = max(start + 1, min(start + most_rows, stop))
        yield cells[start:stop]
        start = stop


def unigrams(cells: pl.Series) -> pl.DataFrame:
    """All words in lower case, in order: columns `row` (position of the cell) and `term`."""
    lists = cells.str.slice(0, MAX_CHARACTERS).str.to_lowercase().str.extract_all(WORD_PATTERN)
    rows = pl.int_range(len(cells), dtype=pl.Int64, eager=True)
    return pl.DataFrame({"row": rows, "term": lists}).explode("term").drop_nulls()


def bigrams(words: pl.DataFrame, words_of_terms: Collection[str]) -> pl.DataFrame:
    """All pairs of adjacent words that are both in `words_of_terms`, in the columns of `unigrams`."""
    row, word = pl.col("row"), pl.when(pl.col("term").is_in(list(words_of_terms))).then("term")
    both = pl.when(row == row.shift(-1)).then(pl.concat_str(word, word.shift(-1), separator=" "))
    return words.select(row, both.alias("term")).drop_nulls()


def _common(frames: Iterator[pl.DataFrame]) -> dict[str, int]:
    """The terms that occur in at least MIN_ROWS rows, and in how many."""
    counts = [piece.unique().group_by("term").len("rows") for piece in frames]
    rows = pl.concat(counts).group_by("term").sum() if counts else pl.DataFrame({"term": [], "rows": []})
    return dict(rows.filter(pl.col("rows") >= MIN_ROWS).iter_rows())

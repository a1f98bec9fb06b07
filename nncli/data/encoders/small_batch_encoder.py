"""Encoding few rows: the bits and the anomalies of `Encoder.encode`, in fewer calls of NumPy and Polars.

The time of a row is what NumPy and Polars need for their calls. So constants are computed once for a fitted encoder,
all numeric columns are encoded together, categories and words are looked up in dictionaries, and the members of an
ensemble share the cells that one of them has read (`Table.once`). Cells that are refused are left to `Encoder.encode`,
which raises the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl

from nncli.base.errors import DataError
from nncli.data.columns.parsing import numbers_and_errors, read_text
from nncli.data.columns.spellings import category_keys, folds_case, unique_keys
from nncli.data.encoders.anomalies import Anomalies, ColumnAnomalies
from nncli.data.encoders.categorical import FIRST_CATEGORY, UNSEEN, CategoricalColumn
from nncli.data.encoders.encoder import Encoded, Encoder
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.scaling import CLIPS, MIN_SHARE, normal_quantile, quantile_cdf
from nncli.data.encoders.text import TextColumn, unigrams
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Matrix
from nncli.nn.program.inputs import MISSING_CODE, OTHER_CODE

MAX_TEXT_BYTES = 1 << 18
"""Bytes of a text column whose words are counted in Python: each word is an object, of many times its bytes."""

AnomaliesByColumn = list[tuple[str, ColumnAnomalies]]


class SmallBatchEncoder:
    """A fitted encoder with its constants, for X of `dtype`. Threads may share it."""

    def __init__(self, encoder: Encoder, dtype: str) -> None:
        self._encoder, self._dtype = encoder, dtype
        self._width = encoder.width
        places = encoder.places
        numbers = [(place.start, column) for place, column in places if isinstance(column, NumericColumn)]
        self._numbers = SmallBatchNumbers(numbers, dtype)
        self._embedded = [CategoryCodes(column) for column in encoder.embedded]
        self._categories = [
            (place, CategoryCodes(column), column.code_table.astype(dtype))
            for place, column in places
            if isinstance(column, CategoricalColumn) and column.width
        ]
        self._rest = [
            (place, WordCounts(column) if isinstance(column, TextColumn) else column)
            for place, column in places
            if not isinstance(column, NumericColumn | CategoricalColumn) and column.width
        ]

    def encode(self, table: Table) -> Encoded:
        """X, codes, and the anomalies among the rows, as of `Encoder.encode`, which raises the errors."""
        rows = len(table)
        X, codes = np.empty((rows, self._width), self._dtype), np.empty((rows, len(self._embedded)), np.int64)
        try:
            anomalies = self._encode(table, X, codes) if rows else None
        except DataError:
            anomalies = None
        if anomalies is None:
            return self._encoder.encode(table, self._dtype)
        return Encoded(X, codes, Anomalies.from_columns(anomalies) if anomalies else Anomalies())

    def _encode(self, table: Table, X: Matrix, codes: Codes) -> AnomaliesByColumn | None:
        """Fill X and codes and return the anomalies; None if a cell is to be refused."""
        anomalies = self._numbers.encode(table, X)
        if anomalies is None:
            return None
        for place, lookup, rows_of_codes in self._categories:
            column_codes, of_column = lookup.read(table)
            X[:, place] = rows_of_codes[column_codes]
            anomalies += of_column
        for j, lookup in enumerate(self._embedded):
            codes[:, j], of_column = lookup.read(table)
            anomalies += of_column
        anomalies += [(column.name, column.encode(table, X[:, place])) for place, column in self._rest]
        return anomalies


class CategoryCodes:
    """The codes of a categorical column by the texts of cells."""

    def __init__(self, column: CategoricalColumn) -> None:
        self._column = column
        self._code: dict[str | None, int] = dict.fromkeys(column.seen_texts, OTHER_CODE)
        self._code.update((text, FIRST_CATEGORY + i) for i, text in enumerate(column.categories))
        self._code[None] = MISSING_CODE
        self._folds = folds_case(column.seen_texts)
        self._code_of_key: dict[str, int] | None = None

    def read(self, table: Table) -> tuple[list[int], AnomaliesByColumn]:
        """The code of each row, and the anomalies of the column in a list, if there are any."""
        name = self._column.name
        texts = table.once(("texts", name), lambda: read_text(table, name).to_list())
        code = self._code
        codes = [code.get(text, UNSEEN) for text in texts]
        unseen = 0
        if UNSEEN in codes:
            codes = self._with_other_spellings(table, codes)
            unseen = codes.count(UNSEEN)
            codes = [OTHER_CODE if code == UNSEEN else code for code in codes]
        missing = 0 if self._column.has_missing else texts.count(None)
        return codes, [(name, self._column.anomalies(unseen, missing))] if unseen or missing else []

    def _with_other_spellings(self, table: Table, codes: list[int]) -> list[int]:
        """The codes, with those of other spellings of a category; see spellings.py."""
        name, folds = self._column.name, self._folds
        if self._code_of_key is None:
            known_keys, texts = unique_keys(self._column.seen_texts, folds_case=folds)
            self._code_of_key = {key: self._code[text] for key, text in zip(known_keys, texts, strict=True)}
        of_key = self._code_of_key
        keys = table.once(
            ("keys", name, folds), lambda: category_keys(read_text(table, name), folds_case=folds).to_list()
        )
        return [of_key.get(key, UNSEEN) if code == UNSEEN else code for code, key in zip(codes, keys, strict=True)]


class WordCounts:
    """A text column, whose terms are counted one by one."""

    def __init__(self, column: TextColumn) -> None:
        self.name, self._column = column.name, column
        self._place = {term: j for j, term in enumerate(column.vocabulary)}
        self._vocabulary_words = {word for term in column.vocabulary for word in term.split(" ")}

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, width) and count the anomalies, as TextColumn does."""
        cells = read_text(table, self.name)
        if (cells.str.len_bytes().sum() or 0) > MAX_TEXT_BYTES:
            return self._column.encode(table, out)
        rows, words = table.once(("words", self.name), lambda: _words(cells))
        counts = np.zeros((len(table), len(self._place)))
        for row, term in self._terms(rows, words):
            counts[row, self._place[term]] += 1.0
        out[:, : counts.shape[1]] = np.log2(1.0 + counts)
        if self._column.has_missing:
            out[:, -1] = cells.is_null().to_numpy()
        return ColumnAnomalies(missing=0 if self._column.has_missing else cells.null_count())

    def _terms(self, rows: Sequence[int], words: Sequence[str]) -> list[tuple[int, str]]:
        """The terms of the vocabulary that occur, each with its row."""
        vocabulary, terms = self._vocabulary_words, list[tuple[int, str]]()
        last_row, last = -1, ""
        for row, word in zip(rows, words, strict=True):
            is_known = word in vocabulary
            if is_known:
                terms.append((row, word))
                if row == last_row:
                    terms.append((row, f"{last} {word}"))
            last_row, last = (row, word) if is_known else (-1, "")
        return [(row, term) for row, term in terms if term in self._place]


def _words(cells: pl.Series) -> tuple[list[int], list[str]]:
    """The row and the text of each word of the cells."""
    words = unigrams(cells)
    return words["row"].to_list(), words["term"].to_list()


def _has_clip(clip: str, column: NumericColumn) -> bool:
    return column.clip == clip


class SmallBatchNumbers:
    """Fitted numeric columns with their places in X, and their constants as arrays (columns, 1)."""

    def __init__(self, placed: Sequence[tuple[int, NumericColumn]], dtype: str) -> None:
        self._columns, self._dtype = [column for _, column in placed], dtype
        self._read = tuple((column.name, column.unit, column.reads_booleans) for column in self._columns)
        self._center, self._fill = self._array(lambda c: c.center), self._array(lambda c: c.fill_value)
        self._scale = self._array(lambda c: c.scale or 1.0)
        self._low, self._high = self._array(lambda c: c.range[0]), self._array(lambda c: c.range[1])
        self._clipped_to_range = self._positions(lambda c: c.clip_range)
        self._ends = self._low[self._clipped_to_range], self._high[self._clipped_to_range]
        self._constant = self._positions(lambda c: c.scale == 0.0 and c.quantiles is None)
        self._clipped = [
            (clip, self._positions(partial(_has_clip, name))) for name, clip in CLIPS.items() if name != "none"
        ]
        self._ranked = self._positions(lambda c: c.quantiles is not None)
        self._distributions = [quantile_cdf(np.array(c.quantiles)) for c in self._columns if c.quantiles is not None]
        self._places = np.array([at for at, _ in placed], np.intp)
        self._marked = self._positions(lambda c: c.missing_indicator)
        self._mark_places = self._places[self._marked] + 1

    def _array(self, value: Callable[[NumericColumn], float]) -> Floats:
        return np.array([value(column) for column in self._columns], np.float64).reshape(-1, 1)

    def _positions(self, condition: Callable[[NumericColumn], bool]) -> list[int]:
        return [j for j, column in enumerate(self._columns) if condition(column)]

    def encode(self, table: Table, X: Matrix) -> list[tuple[str, ColumnAnomalies]] | None:
        """Fill the columns of X and return those with anomalies; None if `NumericColumn.encode` refuses a cell."""
        if not self._columns:
            return []
        x = table.once(("few numbers", self._read), lambda: numbers_of_columns(table, self._read))
        if x is None:
            return None
        missing = np.isnan(x)
        some_missing = bool(missing.any())
        if some_missing:
            x = np.where(missing, self._fill, x)
        with np.errstate(over="ignore"):
            z = self._scaled(x).astype(self._dtype)
        if not np.isfinite(z).all():
            return None
        X[:, self._places] = z.T
        if self._marked:
            X[:, self._mark_places] = missing[self._marked].T
        if not some_missing and not ((x < self._low) | (x > self._high)).any():
            return []
        counts = zip(self._columns, x, missing.sum(axis=1).tolist(), strict=True)
        return [(c.name, c.count_anomalies(values, 0 if c.missing_indicator else n)) for c, values, n in counts]

    def _scaled(self, x: Floats) -> Floats:
        """The scaled values of x (columns, rows), as of `NumericColumn.scale_values`."""
        if self._clipped_to_range:
            x = x.copy()
            x[self._clipped_to_range] = x[self._clipped_to_range].clip(*self._ends) + 0.0  # see scale_values
        z: Floats = x - self._center
        z /= self._scale
        if self._constant:
            z[self._constant] = 0.0
        if self._ranked:
            p = np.stack([np.interp(x[j], *cdf) for j, cdf in zip(self._ranked, self._distributions, strict=True)])
            p = p.clip(MIN_SHARE, 1.0 - MIN_SHARE).reshape(-1)
            z[self._ranked] = normal_quantile(p).reshape(-1, x.shape[1])
        for clip, positions in self._clipped:
            if len(positions) == len(z):
                clip(z)
            elif positions:
                clipped = z[positions]
                clip(clipped)
                z[positions] = clipped
        return z


def numbers_of_columns(table: Table, columns: Sequence[tuple[str, str | None, bool]]) -> Floats | None:
    """The numbers (columns, rows), NaN for missing cells; None if a cell is to be refused.

    `columns` are names, units, and whether booleans are read.
    """
    x = np.empty((len(columns), len(table)))
    for j, (name, unit, booleans) in enumerate(columns):
        cells = table.frame.get_column(name)
        if cells.dtype in (pl.Float64, pl.Int64) and not cells.has_nulls():
            x[j] = cells.to_numpy()
            continue
        x[j], errors = numbers_and_errors(table, name, unit, alternatives=True, booleans=booleans)
        if errors:
            return None
    return None if np.isinf(x).any() else x

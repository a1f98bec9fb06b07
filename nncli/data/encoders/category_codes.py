"""The codes of the categories of a column for all members of a model, which may know different ones.

A member finds its own code of every input code by encoding a cell of that code: the `representatives`. So a program
reads spellings exactly as the members do, see nncli/data/columns/spellings.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise, product
from typing import Protocol

import numpy as np
import polars as pl

from nncli.data.columns.spellings import category_keys, folds_case
from nncli.nn.arrays import Codes
from nncli.nn.program.inputs import OTHER_CODE, CategoryInput

UNSEEN = "\0unseen"


class CategoryReader(Protocol):
    """A member's column of categories."""

    @property
    def name(self) -> str:
        """The name of the column."""

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that have a code of their own."""

    @property
    def known(self) -> list[str]:
        """All categories that have a meaning, rare ones included."""

    def codes_of(self, cells: pl.Series) -> Codes:
        """The member's own codes of cells of text."""


def category_input(columns: Sequence[CategoryReader]) -> CategoryInput:
    """The input whose codes tell apart whatever a member tells apart."""
    texts = sorted({text for column in columns for text in column.categories})
    known = list(dict.fromkeys(text for column in columns for text in column.known))
    folding = [text for column in columns if folds_case(column.known) for text in column.known]
    keys, folded_keys = _distinct_keys(known, folds=False), _distinct_keys(folding, folds=True)
    unseen = _unlike(UNSEEN, known)
    spellings = {key: _unlike(f" {key}", known) for key in keys}
    variants = {key: f" {_unlike(variant, known)}" for key in folded_keys if (variant := _other_case(key, keys))}
    cells = [None, unseen, *texts, *spellings.values(), *variants.values()]
    own = np.stack([column.codes_of(pl.Series("cells", cells, dtype=pl.String)) for column in columns])
    codes, representatives = _merge_equal(own, cells)
    ends = np.cumsum([2, len(texts), len(spellings), len(variants)])
    of_text, of_key, of_folded = (codes[start:stop].tolist() for start, stop in pairwise(ends))
    return CategoryInput(
        columns[0].name,
        tuple(texts),
        tuple(zip(texts, of_text, strict=True)),
        _known_keys(spellings, of_key),
        _known_keys(variants, of_folded),
        len(representatives),
        tuple(representatives),
    )


def _distinct_keys(texts: Sequence[str], *, folds: bool) -> list[str]:
    """The distinct keys of texts, in order."""
    return list(dict.fromkeys(category_keys(pl.Series("known", texts, dtype=pl.String), folds_case=folds)))


def _unlike(cell: str, known: Iterable[str]) -> str:
    """The cell with as many spaces after it as make it different from all known texts."""
    while cell in known:
        cell += " "
    return cell


def _other_case(key: str, keys: Iterable[str]) -> str | None:
    """The key in a mixture of upper and lower case that is not among the keys; None if there is none."""
    variants = ("".join(letters) for letters in product(*((c.upper(), c) for c in key)))
    return next((variant for variant in variants if variant not in keys), None)


def _merge_equal(own: Codes, cells: Sequence[str | None]) -> tuple[Codes, list[str | None]]:
    """A code of each cell, the same for cells that no member tells apart, and a cell of each code.

    `own` (members, cells) are the members' own codes. The first two cells are a missing and an unknown one.
    """
    codes, of_column = np.empty(len(cells), np.int64), dict[tuple[int, ...], int]()
    representatives: list[str | None] = []
    for i, column in enumerate(map(tuple, own.T.tolist())):
        if column not in of_column:
            of_column[column] = len(representatives)
            representatives.append(cells[i])
        codes[i] = of_column[column]
    return codes, representatives


def _known_keys(keys: Iterable[str], codes: Iterable[int]) -> tuple[tuple[str, int], ...]:
    """The keys with their codes, without those that mean no category."""
    return tuple((key, code) for key, code in zip(keys, codes, strict=True) if code != OTHER_CODE)

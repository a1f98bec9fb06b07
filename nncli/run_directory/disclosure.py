"""What each file of a run, and each file that is written from one, gives away about the training table.

The table of docs/run-directory.md is made from FILES, `nncli share` leaves out the files that are `removed`, and a test
searches real files for the cells, names and paths of a table. This module imports neither NumPy nor pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from nncli.base.plugins import CODE_FOLDER
from nncli.run_directory.filenames import (
    CHECKPOINTS,
    CONFIG,
    HEALTH,
    HELD_OUT,
    HISTORY,
    LOCK,
    MANIFEST,
    METRICS,
    MODEL,
    REFERENCE,
    REMEDIES,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRAINING_ROWS_KEY,
    WEIGHTS,
)


class Content(StrEnum):
    """What a file holds of a training table or of the machine."""

    NAMES = "names of columns"
    CLASSES = "classes"
    CATEGORIES = "categories"
    WORDS = "words"
    NUMBERS = "numbers"
    ROWS = "rows"
    HASHES = "hashes of rows"
    PATHS = "paths"


C = Content
CELLS = (C.CLASSES, C.CATEGORIES, C.WORDS, C.NUMBERS)
"""The contents that are single cells or parts of cells."""
MODEL_CONTENT = frozenset({C.NAMES, *CELLS})
Group = Literal["run", "report", "export", "profile", "served page"]


@dataclass(frozen=True)
class WrittenFile:
    """A file by its `pattern`, what it `holds`, and in words how much of it.

    `if_private` says what `nncli share` and `nncli train --private` do with it.
    """

    group: Group
    pattern: str
    holds: frozenset[Content]
    detail: str
    if_private: Literal["kept", "reduced", "removed"] = "kept"


FILES = (
    WrittenFile(
        "run",
        CONFIG,
        frozenset({C.NAMES, C.CLASSES, C.PATHS}),
        "the keys that you set, so the words of `data.missing_values`",
        "reduced",
    ),
    WrittenFile(
        "run",
        MANIFEST,
        frozenset({C.NAMES, C.PATHS}),
        "the command as it was typed, the SHA-256 of the table, the operating system and the processor",
        "reduced",
    ),
    WrittenFile(
        "run",
        MODEL,
        MODEL_CONTENT,
        "of the rows of each network the smallest, the largest and the median number of a column, categories of one "
        "row too, words of at least 20 rows, cells among numbers that were read as missing, the words of "
        "`data.missing_values`; quantiles of columns with the encoding `quantile` and times of events at the ends of "
        "bins, in a private run with three digits",
        "reduced",
    ),
    WrittenFile(
        "run", WEIGHTS, frozenset(), "weights; with numeric embeddings also the quantiles of columns of numbers, scaled"
    ),
    WrittenFile("run", HISTORY, frozenset(), "losses and scores of all rows together"),
    WrittenFile("run", HEALTH, frozenset(), "means and norms of layers and gradients"),
    WrittenFile(
        "run",
        METRICS,
        frozenset({C.NAMES, C.CLASSES, C.PATHS}),
        "scores, the rows of each class, warnings about the scores",
        "reduced",
    ),
    WrittenFile(
        "run",
        REMEDIES,
        frozenset({C.NAMES, C.CLASSES}),
        "settings that `nncli diagnose --try` tried, and their scores",
        "removed",
    ),
    WrittenFile(
        "run",
        HELD_OUT,
        frozenset({C.ROWS}),
        "row number, target, weight, group and predictions of each validation row",
        "removed",
    ),
    WrittenFile(
        "run",
        REFERENCE,
        frozenset({C.NAMES, C.CLASSES, C.CATEGORIES, C.NUMBERS}),
        "up to 200 categories and 201 quantiles of each column, and how many rows have them",
        "removed",
    ),
    WrittenFile(
        "run",
        TRAINING_ROWS,
        frozenset({C.HASHES}),
        "whoever guesses a row can tell whether it is in the table",
        "removed",
    ),
    WrittenFile("run", TRAINING_ROWS_KEY, frozenset(), "of a private run, the key of these hashes", "removed"),
    WrittenFile(
        "run",
        f"{CHECKPOINTS}/*.safetensors",
        frozenset(),
        "weights, averages of gradients, the order of the rows, the SHA-256 of the table",
        "removed",
    ),
    WrittenFile("run", f"{SNAPSHOTS}/*.safetensors", frozenset(), "as model.safetensors", "removed"),
    WrittenFile("run", f"{CODE_FOLDER}/*", frozenset(), "the Python files of `code` as they are"),
    WrittenFile("run", LOCK, frozenset(), "nothing", "removed"),
    WrittenFile(
        "report",
        "report.html",
        frozenset(Content) - {C.HASHES},
        "charts of all columns, and the rows with the largest errors in full",
        "removed",
    ),
    WrittenFile("report", "report.md", frozenset({C.NAMES, C.CLASSES, C.PATHS}), "scores, as a model card", "removed"),
    *(
        WrittenFile("export", pattern, MODEL_CONTENT, "the model; quantiles of residuals with intervals")
        for pattern in ("*.onnx", "*.mjs", "*.html", "*.py")
    ),
    WrittenFile(
        "export",
        "*.c",
        MODEL_CONTENT - {C.NUMBERS},
        "the model, with center and scale of columns of numbers; quantiles of residuals with intervals",
    ),
    WrittenFile(
        "profile",
        "*.json",
        frozenset(),
        "of the rows that are predicted: how many are in each bin of the reference",
    ),
    WrittenFile("served page", "/", MODEL_CONTENT - {C.WORDS}, "the fields of the form"),
    WrittenFile("served page", "/docs", MODEL_CONTENT - {C.CLASSES}, "the columns of the model with examples"),
    WrittenFile("served page", "/openapi.json", MODEL_CONTENT - {C.NUMBERS}, "the columns and classes of the model"),
)
"""The first whose pattern a path ends with is the description of a file of a run."""


def file_of(group: Group, path: str) -> WrittenFile:
    """The description of a file or page.

    Raises:
        KeyError: there is none.
    """
    for file in FILES:
        if file.group == group and (fnmatchcase(path, file.pattern) or fnmatchcase(path, f"*/{file.pattern}")):
            return file
    raise KeyError(path)

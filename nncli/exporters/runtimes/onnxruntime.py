"""ONNX models in ONNX Runtime, with cells converted as docs/howto/export-onnx.md says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.columns.parsing import read_text
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.text import unigrams
from nncli.data.table import Table
from nncli.exporters.read_inputs import read_input
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.nn.program.inputs import DateInput, NumberInput
from nncli.targets.class_labels import ClassLabels

Tensors: TypeAlias = dict[str, npt.NDArray[Any]]


class OnnxMetadata(StrEnum):
    """The keys of the metadata of a model. The values of the last three are JSON."""

    RUN = "nncli.run"
    CHECKSUM = "nncli.checksum"
    INPUTS = "nncli.inputs"
    OUTPUTS = "nncli.outputs"
    READING = "nncli.reading"


BATCH = 64
"""Rows that are computed at a time: more of them need more memory than the caches of a processor have."""


def missing() -> str | None:
    """What has to be installed before a file can be run, None if nothing."""
    return None if find_spec("onnxruntime") else "pip install 'nncli-train[runtimes]'"


def run(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The outputs of a file for rows, with the columns that `nncli predict` prints.

    Raises:
        ExportedFileError: ONNX Runtime refused the file, or a row.
        CellError: a cell cannot be read.
    """
    session = Session(file)
    reading, parts = session.metadata[OnnxMetadata.READING], list[Tensors]()
    inputs = session.metadata[OnnxMetadata.INPUTS]
    decimals = tuple((described["column"], described["decimal"]) for described in inputs if "decimal" in described)
    words = tuple((described["column"], tuple(described.get("missing_words", ()))) for described in inputs)
    marks = {"decimal": reading["decimal"], "decimals": decimals, "thousands": reading["thousands"]}
    dialect = CsvDialect(**marks, missing_words=words)
    table = Table(rows, file.name, dialect=dialect)
    table.require_features([described["column"] for described in inputs])
    for start in range(0, max(1, len(table)), BATCH):
        parts.append(session.run(session.tensors(table.part(start, start + BATCH))))
    return _frame(
        session.metadata[OnnxMetadata.OUTPUTS], {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    )


class Session:
    """A model in ONNX Runtime."""

    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ExportedFileError(f"ONNX Runtime refused {file.name}: {error}") from error
        properties = self.session.get_modelmeta().custom_metadata_map
        described = (OnnxMetadata.INPUTS, OnnxMetadata.OUTPUTS, OnnxMetadata.READING)
        self.metadata: Mapping[str, Any] = {key: json.loads(properties[key]) for key in described}

    def tensors(self, table: Table) -> Tensors:
        """The inputs by their names, from the columns of a table; raises CellError where a cell cannot be read."""
        missing = self.metadata[OnnxMetadata.READING]["missing_values"]
        return {
            described["name"]: _tensor(described, table, missing) for described in self.metadata[OnnxMetadata.INPUTS]
        }

    def run(self, inputs: Tensors) -> Tensors:
        """The outputs by their names."""
        names = [output.name for output in self.session.get_outputs()]
        try:
            return dict(zip(names, self.session.run(names, inputs), strict=True))
        except Exception as error:
            raise ExportedFileError(f"ONNX Runtime refused the rows: {error}") from error


def _tensor(described: Mapping[str, Any], table: Table, missing: Sequence[str]) -> npt.NDArray[Any]:
    """The tensor of an input that the metadata describes."""
    name = described["column"]
    if described["kind"] == "number":
        return read_input(NumberInput(name, described["unit"], described["booleans"]), table)
    if described["kind"] == "date":
        return read_input(DateInput(name, tuple(described["formats"])), table)
    cells = read_text(table, name)
    if described["kind"] == "category":
        return _categories(described, cells, missing)
    return _words(described, cells)


def _categories(described: Mapping[str, Any], cells: pl.Series, missing: Sequence[str]) -> npt.NDArray[np.object_]:
    """The texts (rows, 1) of categories, those of unknown ones without white space around them."""
    bare = cells.str.strip_chars()
    stays = cells.is_in(described["categories"]) | bare.is_in(list(missing))
    texts = cells.zip_with(stays.fill_null(False), bare).fill_null(described["missing"])
    return texts.to_numpy().astype(object)[:, None]


def _words(described: Mapping[str, Any], cells: pl.Series) -> npt.NDArray[np.object_]:
    """The words (rows, words) of texts, with empty texts after the last one."""
    terms = unigrams(cells)
    by_row: list[list[str]] = [[described["missing"]] if cell is None else [] for cell in cells]
    for row, word in terms.iter_rows():
        by_row[row].append(word)
    words = np.full((len(by_row), max(1, *map(len, by_row))), "", object)
    for i, row_words in enumerate(by_row):
        words[i, : len(row_words)] = row_words
    return words


def _frame(described: Mapping[str, Any], tensors: Tensors) -> pl.DataFrame:
    """The columns of `nncli predict`."""
    columns = dict[str, pl.Series]()
    for tensor in described["tensors"]:
        values, names = tensors[tensor["name"]], tensor["columns"]
        if names == ["prediction"] and "labels" in described:
            columns["prediction"] = _labels(described, values.tolist())
        else:
            by_column = values.T if values.ndim > 1 else values[None]
            columns |= {name: pl.Series(cells) for name, cells in zip(names, by_column, strict=True)}
    return pl.DataFrame(columns)


def _labels(described: Mapping[str, Any], predicted: Sequence[Any]) -> pl.Series:
    """Labels in the type that `nncli predict` gives them; null where a number of the row is infinite."""
    labels = described["labels"]
    classes = ClassLabels(tuple(labels), described["label_type"])
    kind = type(predicted[0]) if predicted else str
    codes = {kind(label): code for code, label in enumerate(labels)}
    decoded = classes.column(np.array([codes.get(label, 0) for label in predicted], np.int64), "prediction")
    return decoded.set(pl.Series([label not in codes for label in predicted], dtype=pl.Boolean), None)

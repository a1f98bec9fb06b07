"""Run an exported module in Node."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl

from nncli.exporters.runtimes.process import run_program

MIN_VERSION = 18
LABEL_TYPES = {"text": pl.String, "integer": pl.Int128, "float": pl.Float64, "boolean": pl.Boolean}
SCRIPT = """
import { readFileSync } from "node:fs";
import { predict, model } from "./model.mjs";
const { names, rows } = JSON.parse(readFileSync(0, "utf8"));
const objects = rows.map((cells) => {
  const row = Object.create(null);
  names.forEach((name, i) => (row[name] = cells[i]?.number === undefined ? cells[i] : Number(cells[i].number)));
  return row;
});
const spell = (x) => ({ number: Object.is(x, -0) ? "-0" : String(x) });
const spelled = (value) => (typeof value === "number" ? spell(value) : value);
const predictions = predict(objects).map(({ probabilities, ...columns }) => [
  ...Object.entries(columns),
  ...(probabilities ? model.labels.map((label) => [`proba_${label}`, probabilities[label]]) : []),
]);
const columns = (predictions[0] ?? []).map(([name], i) => [name, predictions.map((row) => spelled(row[i][1]))]);
console.log(JSON.stringify({ labelType: model.labelType ?? null, columns }));
"""
"""Reads rows as lists of cells, and prints the columns of their predictions. JSON has no infinite numbers, nor -0."""


def missing() -> str | None:
    """What has to be installed before a module can be run."""
    node = shutil.which("node")
    if node is None:
        return f"install Node {MIN_VERSION} or newer (the package nodejs)"
    version = run_program([node, "--version"]).decode().strip()
    is_new = int(version.removeprefix("v").split(".")[0]) >= MIN_VERSION
    return None if is_new else f"install Node {MIN_VERSION} or newer: this is {version}"


def run(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The predictions of the module for rows, as of `nncli predict`.

    Raises:
        ExportedFileError: the module refused a row, or cannot be loaded.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(file, folder / "model.mjs")  # Node takes other suffixes for modules of another kind
        (folder / "run.mjs").write_text(SCRIPT, "utf-8")
        printed = run_program(["node", "run.mjs"], stdin=json_rows(rows).encode(), folder=folder)
    return pl.DataFrame(list(_columns(json.loads(printed))))


def json_rows(rows: pl.DataFrame) -> str:
    """The names and rows as JSON; dates are text."""
    columns = [[_cell(cell) for cell in _plain(cells).to_list()] for cells in rows.get_columns()]
    return json.dumps({"names": rows.columns, "rows": list(zip(*columns, strict=True))})


def _plain(cells: pl.Series) -> pl.Series:
    """Cells as values of JSON: dates and times as text, in UTC."""
    if isinstance(cells.dtype, pl.Datetime):
        return cells.cast(pl.Datetime("us")).dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
    return cells.cast(pl.String) if cells.dtype == pl.Date else cells


def _cell(cell: object) -> object:
    if isinstance(cell, float) and not isfinite(cell):
        return {"number": "Infinity" if cell > 0 else "-Infinity"}
    return cell


def _columns(printed: dict[str, Any]) -> Iterator[pl.Series]:
    for name, values in printed["columns"]:
        spelled = [value["number"] if isinstance(value, dict) else value for value in values]
        is_label = name == "prediction" and printed["labelType"] is not None
        dtype = LABEL_TYPES[printed["labelType"]] if is_label else pl.Float64
        cells = pl.Series(name, spelled, dtype=None if dtype == pl.Boolean else pl.String)
        yield cells.cast(dtype)

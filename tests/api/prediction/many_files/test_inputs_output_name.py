"""The names of answers: the input's own where it can be written."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from nncli.api.prediction.many_files.inputs import output_name
from nncli.data.formats.registry import Format


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("x.csv", None, "x.csv"),
        ("a/b/x.TSV", None, "a/b/x.TSV"),
        ("x.jsonl.gz", None, "x.jsonl.gz"),
        ("2024.01.parquet", None, "2024.01.parquet"),
        ("x.xlsx", None, "x.csv"),
        ("x.avro", None, "x.csv"),
        ("x.feather", None, "x.feather"),
        ("x.csv.zst", Format.JSONL, "x.jsonl.zst"),
        ("a/x.csv.zip", None, "a/x.csv"),
        ("x.zip", None, "x.csv"),
        ("x.arrows", None, "x.csv"),
        ("x.tsv", Format.CSV, "x.tsv"),
        ("x.pq", Format.PARQUET, "x.pq"),
        ("x.csv", Format.PARQUET, "x.parquet"),
        ("x.csv.gz", Format.JSONL, "x.jsonl.gz"),
        ("x.csv.gz", Format.PARQUET, "x.parquet"),
        ("x.xlsx", Format.JSONL, "x.jsonl"),
        ("x.csv.zip", Format.PARQUET, "x.parquet"),
    ],
)
def test_the_name_of_an_answer(name: str, wanted: Format | None, expected: str) -> None:
    assert output_name(PurePath(name), wanted) == PurePath(expected)

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.data.formats.csv.csv_format import separator_of


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("a.TSV", "\t"), ("a.tsv.gz", "\t"), ("a.txt", None), ("a", None)]
)
def test_the_suffix_implies_the_separator(name: str, separator: str | None) -> None:
    assert separator_of(Path(name)) == separator


def test_standard_input_implies_no_separator() -> None:
    assert separator_of(None) is None

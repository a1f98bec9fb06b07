"""Writing a synthetic table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.api.generate_data import generate_data
from nncli.base.errors import UsageError


def test_the_seed_determines_the_rows(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        generate_data("sine", rows=7, seed=seed, path=path)
    assert pl.read_csv(paths[0]).height == 7
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()


def test_an_existing_file_is_replaced_only_with_force(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(UsageError):
        generate_data(path=path)
    assert path.read_text() == "mine"
    generate_data(path=path, force=True)
    assert pl.read_csv(path).columns == ["x1", "x2", "y"]


def test_an_unknown_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="liner"):
        generate_data("liner", path=tmp_path / "a.csv")

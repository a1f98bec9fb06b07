"""A run directory as bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli import predict
from nncli.run_directory.manifest import (
    CONFIG,
    HEALTH,
    HELD_OUT,
    HISTORY,
    MANIFEST,
    METRICS,
    MODEL,
    REFERENCE,
    TRAINING_ROWS,
    WEIGHTS,
)
from nncli.run_directory.run import from_bytes, to_bytes
from tests.cli.support import DATA


def test_an_unpacked_archive_is_the_run_without_checkpoints(penguins: Path, tmp_path: Path) -> None:
    files = to_bytes(penguins)
    assert files.keys() == {
        CONFIG,
        HEALTH,
        HISTORY,
        MANIFEST,
        METRICS,
        MODEL,
        TRAINING_ROWS,
        HELD_OUT,
        REFERENCE,
        WEIGHTS,
    }
    from_bytes(files, tmp_path / "a" / "run")
    assert to_bytes(tmp_path / "a" / "run") == files
    table = DATA / "penguins.csv"
    assert predict(tmp_path / "a" / "run", table, proba=True).equals(predict(penguins, table, proba=True))


def test_an_existing_directory_is_not_replaced(penguins: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        from_bytes(to_bytes(penguins), tmp_path)
    assert not list(tmp_path.iterdir())

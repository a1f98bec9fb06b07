from __future__ import annotations

import errno
from pathlib import Path

import pytest

from nncli.base.errors import Location, NncliError
from nncli.base.scratch import Scratch, existing_parent
from nncli.config.schema import Config
from nncli.fitting.prepare.prepare import prepare


def test_files_have_no_name_and_are_closed_at_the_end(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        file, spool = scratch.file(), scratch.spool()
        file.write(b"abc")
        spool.write(b"abc")
        spool.rollover()
        assert not list(tmp_path.iterdir())
    assert file.closed
    assert spool.closed


def test_a_missing_folder_raises(tmp_path: Path) -> None:
    with Scratch(tmp_path / "missing") as scratch, pytest.raises(NncliError) as caught:
        scratch.file()
    assert caught.value.exit_code == 1
    assert caught.value.location == Location(source=str(tmp_path / "missing"))


def test_a_full_disk_raises(tmp_path: Path) -> None:
    with (
        Scratch(tmp_path) as scratch,
        pytest.raises(NncliError) as caught,
        scratch.translate_os_errors(),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "No space left" in caught.value.message
    assert caught.value.location == Location(source=str(tmp_path))


def test_existing_parent_is_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert existing_parent(tmp_path / "runs" / "first") == tmp_path
    (tmp_path / "runs").mkdir()
    assert existing_parent(tmp_path / "runs" / "first") == tmp_path / "runs"
    assert existing_parent(tmp_path / ("long" * 100) / "first") == tmp_path


def test_prepare_raises_when_the_table_cannot_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.base.scratch.MAX_IN_MEMORY", 1)
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,3\n")
    config = Config.model_validate({"data": {"path": str(tmp_path / "t.csv"), "target": "y"}})
    with pytest.raises(NncliError) as caught:
        prepare(config, Scratch(tmp_path / "missing"))
    assert caught.value.exit_code == 1
    assert caught.value.location == Location(source=str(tmp_path / "missing"))

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from nncli.base.errors import NncliError
from nncli.base.scratch import Scratch
from nncli.nn.batches.memmap import MatrixFile

ROWS = np.arange(60, dtype=np.float32).reshape(12, 5)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        file = MatrixFile.like(ROWS, scratch)
        file.append(ROWS[:7])
        file.append(ROWS[7:])
        file.write(3, -ROWS[3:5])
        out = np.empty((4, 5), np.float32)
        file.read(2, out)
        assert np.array_equal(out, [ROWS[2], -ROWS[3], -ROWS[4], ROWS[5]])
        seen = file.as_memmap(12)
        assert np.array_equal(seen.values[[0, 3, 11]], [ROWS[0], -ROWS[3], ROWS[11]])
        seen.drop_pages()
        assert np.array_equal(seen.values[4:], [-ROWS[4], *ROWS[5:]])


@pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
def test_nothing_can_be_kept_too(tmp_path: Path, shape: tuple[int, int]) -> None:
    with Scratch(tmp_path) as scratch:
        file = MatrixFile.like(np.empty(shape), scratch)
        file.append(np.empty(shape))
        file.read(0, np.empty(shape))
        seen = file.as_memmap(shape[0])
        assert seen.values.shape == shape
        seen.drop_pages()


def test_a_full_disk_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, at: int) -> int:
            return at

        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Scratch, "file", lambda self: Full())
    file = MatrixFile.like(ROWS, Scratch(tmp_path))
    with pytest.raises(NncliError, match="No space left on device") as told:
        file.append(ROWS)
    assert told.value.exit_code == 1


def test_reading_a_truncated_file_raises(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch, pytest.raises(NncliError):
        MatrixFile.like(ROWS, scratch).read(0, np.empty_like(ROWS))

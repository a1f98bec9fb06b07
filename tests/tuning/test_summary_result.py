"""Reading the result of a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.run_directory.filenames import METRICS
from nncli.tuning.summary import load_result
from tests.tuning.made_searches import GAIN, made_search, made_trials


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = load_result(made_search(tmp_path, made_trials()))
    assert result is not None
    assert result.gain == GAIN
    assert (result.complete, result.pruned, result.failed) == (16, 3, 1)


def test_a_search_that_has_not_ended_has_none(tmp_path: Path) -> None:
    assert load_result(made_search(tmp_path, made_trials(), ended=False)) is None


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"{", b"{}", b'{"format": 2}', b"\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = made_search(tmp_path, made_trials())
    (path / METRICS).write_bytes(content)
    with pytest.raises(RunError) as error:
        load_result(path)
    assert error.value.location is not None
    assert error.value.location.source == str(path / METRICS)

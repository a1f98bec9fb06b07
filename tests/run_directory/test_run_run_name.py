"""Which paths can be those of a new run directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import UsageError
from nncli.run_directory.run import check_run_name
from tests.assertions import raises


@pytest.mark.parametrize("path", ["/", "..", "runs/..", ".", "a\0b", "a\udcffb"])
def test_folders_that_exist_and_impossible_names_are_refused(path: str) -> None:
    with raises(UsageError):
        check_run_name(Path(path))


@pytest.mark.parametrize("path", ["run", "runs/first", "/tmp/é", "a b"])
def test_other_names_are_fine(path: str) -> None:
    check_run_name(Path(path))

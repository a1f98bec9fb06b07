"""The limit of open files."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from nncli.serving.process.listeners import MAX_FILES, limit_of_open_files, raise_limit_of_open_files

if sys.platform == "win32":
    pytest.skip("there is not such a limit", allow_module_level=True)

import resource


@pytest.fixture
def hard_limit() -> Iterator[int]:
    """The hard limit; the soft one is restored."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_and_a_larger_one_stays(hard_limit: int) -> None:
    most = MAX_FILES if hard_limit == resource.RLIM_INFINITY else min(MAX_FILES, hard_limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard_limit))
    assert limit_of_open_files() == 256
    raise_limit_of_open_files()
    assert limit_of_open_files() == most
    if hard_limit == resource.RLIM_INFINITY or hard_limit > MAX_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_FILES + 1, hard_limit))
        raise_limit_of_open_files()
        assert limit_of_open_files() == MAX_FILES + 1

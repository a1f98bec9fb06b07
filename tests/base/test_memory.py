"""The memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nncli.base.memory import format_bytes, peak_rss_bytes, rss_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_is_in_use_is_no_more_than_the_most() -> None:
    now, most = rss_bytes(), peak_rss_bytes()
    assert now is not None
    assert most is not None
    assert 10e6 < now < 1.1 * most


def test_where_the_system_does_not_say_nothing_is_known(tmp_path: Path) -> None:
    assert rss_bytes(tmp_path / "none") is None
    (tmp_path / "statm").write_text("odd")
    assert rss_bytes(tmp_path / "statm") is None


def test_sizes_are_told_in_few_digits() -> None:
    assert [format_bytes(n) for n in (0, 213_400_000, 1_440_000_000)] == ["0 MB", "213 MB", "1.4 GB"]
    assert [format_bytes(n) for n in (12, 12_340, 999_000)] == ["12 B", "12.3 kB", "999 kB"]

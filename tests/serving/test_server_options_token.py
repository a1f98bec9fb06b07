"""The token of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import UsageError
from nncli.serving.server_options import BearerToken


def test_a_token_matches_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("  0123456789abcdef\r\n")
    token = BearerToken(tmp_path / "t")
    assert token.matches(b"0123456789abcdef")
    assert not any(token.matches(given) for given in (b"", b"0123456789abcde", b"0123456789abcdef\n", b"\xff" * 16))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" \n",
        b"short",
        b"two words of a token",
        b"0123456789abcdef\n0123456789abcdef",
        b"\xc3\xa9" * 20,
        b"x" * 5000,
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "t").write_bytes(text)
    with pytest.raises(UsageError) as caught:
        BearerToken(tmp_path / "t")
    assert not text.strip() or text.decode() not in str(caught.value)
    assert caught.value.hint is not None


def test_a_file_that_was_damaged_keeps_the_token(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("0123456789abcdef")
    token = BearerToken(tmp_path / "t")
    (tmp_path / "t").write_text("")
    with pytest.raises(UsageError):
        token.reload()
    assert token.matches(b"0123456789abcdef")
    (tmp_path / "t").write_text("fedcba9876543210")
    token.reload()
    assert not token.matches(b"0123456789abcdef")
    assert token.matches(b"fedcba9876543210")


def test_a_file_that_others_may_read_is_known(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("0123456789abcdef")
    for mode, readable in ((0o600, False), (0o640, False), (0o644, True)):
        (tmp_path / "t").chmod(mode)
        assert BearerToken(tmp_path / "t").is_readable_by_others is readable

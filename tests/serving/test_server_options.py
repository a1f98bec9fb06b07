"""The options of a server."""

from __future__ import annotations

import pytest

from nncli.serving.server_options import ServerOptions


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.2", False),
        ("example.org", False),
    ],
)
def test_loopback_is_known_by_its_address(host: str, is_loopback: bool) -> None:
    assert ServerOptions(host=host).is_loopback is is_loopback

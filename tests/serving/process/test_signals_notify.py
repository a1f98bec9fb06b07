"""systemd is told the state of the service, and nothing happens without it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from nncli.serving.process.signals import notify


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
@pytest.mark.parametrize(
    "kind",
    [
        "path",
        pytest.param("abstract", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has them")),
    ],
)
def test_states_reach_the_socket(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = str(tmp_path / "notify") if kind == "path" else f"@nncli-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service:
        service.bind(name if kind == "path" else "\0" + name[1:])
        service.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        assert service.recv(100) == b"READY=1"
        notify("RELOADING=1")
        assert service.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


@pytest.mark.parametrize("address", [None, "", "relative", "/no/such/socket"])
def test_without_systemd_nothing_happens(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")

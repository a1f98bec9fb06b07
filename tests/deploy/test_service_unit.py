"""The unit of systemd: valid, hardened, and true to the command line; the server runs without what it takes away."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from nncli.serving.server_options import ServerOptions
from tests.cli.support import DATA
from tests.deploy.support import DEPLOY, check_options, program, run, started, unshare

UNIT = DEPLOY / "nncli.service"
TEXT = UNIT.read_text("utf-8")
SETTINGS = dict(line.split("=", 1) for line in TEXT.splitlines() if "=" in line and not line.startswith(("#", "[")))
HARDENED = {
    "DynamicUser": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallFilter": "@system-service",
}
NO_EXECUTABLE_MEMORY = """
import ctypes, sys
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0  # PR_SET_MDWE, which MemoryDenyWriteExecute=yes uses
sys.argv = ["nncli", *sys.argv[1:]]
from nncli.cli.app import main
main()
"""


def test_each_setting_is_in_its_section_once() -> None:
    sections = [line for line in TEXT.splitlines() if line.startswith("[")]
    assert sections == ["[Unit]", "[Service]", "[Install]"]
    keys = [line.partition("=")[0] for line in TEXT.splitlines() if "=" in line and not line.startswith("#")]
    assert len(keys) == len(set(keys))


def test_it_is_restarted_reloaded_and_hardened() -> None:
    assert SETTINGS["Restart"] == "on-failure"
    assert SETTINGS["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert SETTINGS["Type"] == "notify"
    assert SETTINGS["MemoryMax"] == "1G"
    assert int(SETTINGS["TimeoutStopSec"]) > ServerOptions().timeout
    assert HARDENED.items() <= SETTINGS.items()


def test_the_command_has_options_of_nncli_serve() -> None:
    command = shlex.split(SETTINGS["ExecStart"])
    assert [Path(command[0]).name, command[1]] == ["nncli", "serve"]
    check_options(command)
    assert "/etc/nncli/token" in SETTINGS["LoadCredential"]
    assert "${CREDENTIALS_DIRECTORY}/token" in command


def test_systemd_accepts_it(tmp_path: Path) -> None:
    path = tmp_path / "nncli.service"
    path.write_text(TEXT.replace("/opt/nncli/bin/nncli", sys.executable))
    done = run([program("systemd-analyze"), "verify", path])
    assert done.stdout + done.stderr == ""
    # From 0, the safest, to 100.
    run([program("systemd-analyze"), "security", "--offline=true", "--threshold=20", "--no-pager", path])


def test_the_server_tells_systemd_when_it_is_ready(penguins: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(30)
        manager.bind(str(tmp_path / "notify"))
        command = [sys.executable, "-m", "nncli", "serve", str(penguins), "--port", "0"]
        with started(command, NOTIFY_SOCKET=str(tmp_path / "notify")):
            assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can make a file system read-only for one process")
def test_the_server_writes_no_file_and_needs_no_executable_memory(penguins: Path) -> None:
    command = unshare("--mount")
    script = 'mount -o remount,bind,ro / && exec "$@"'
    server = [sys.executable, "-c", NO_EXECUTABLE_MEMORY, "serve", str(penguins), "--port", "0"]
    variables = dict([SETTINGS["Environment"].split("=")])
    with started([*command, "sh", "-c", script, "sh", *server], **variables) as (_, url):
        assert urlopen(f"{url}/health/ready", timeout=30).status == 200
        rows = (DATA / "penguins-test.csv").read_bytes()
        answer = urlopen(Request(f"{url}/predict", rows, {"Content-Type": "text/csv"}), timeout=30)
        assert answer.read().count(b"\n") == rows.count(b"\n")

"""Commands of nncli without their half second of imports: processes that are forked from one that has imported all.

Tests of many whole commands put the folder of `command` at the front of PATH. Its `nncli` hands its words, folder,
environment and streams to the server, which forks; the fork is a process like any other, with its own memory and end.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

MODULES = (
    "nncli.cli.app",
    "nncli.cli.console",
    "nncli.api.train",
    "nncli.api.predict_files",
    "nncli.api.evaluate",
    "nncli.api.check",
    "nncli.api.report",
    "rich.progress",
    "rich.table",
)
"""None of them starts a thread of its own, so that the process may be forked."""
COMMAND = """\
#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
words = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(words).to_bytes(8, "big")], [0, 1, 2])
server.sendall(words)
child = int.from_bytes(server.recv(8, socket.MSG_WAITALL), "big")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: os.kill(child, number))
code = server.recv(1)
sys.exit(code[0] if code else 137)
"""


@contextmanager
def warm_commands(folder: Path) -> Iterator[Path]:
    """A folder with a command `nncli`, and its server for as long as the block runs."""
    address, command = folder / "socket", folder / "bin" / "nncli"
    command.parent.mkdir()
    command.write_text(COMMAND.format(python=sys.executable, address=str(address)))
    command.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        words = [sys.executable, "-m", __name__, str(listener.fileno())]
        server = subprocess.Popen(words, pass_fds=[listener.fileno()], cwd=Path(__file__).parents[1])
        try:
            yield command.parent
        finally:
            server.terminate()
            server.wait()


def serve(listener: socket.socket) -> None:
    """Fork a command for each connection."""
    for module in MODULES:
        import_module(module)
    import_module("nncli.nn.training.compiled.support").load("numba")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while True:
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            connection.sendall(os.getpid().to_bytes(8, "big"))
            os._exit(run(connection))
        connection.close()


def run(connection: socket.socket) -> int:
    """Run the command that the connection asks for, and send its exit code."""
    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    received = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    words, folder, environment = json.loads(received)
    for stream, number in zip(streams, (0, 1, 2), strict=True):
        os.dup2(stream, number)
        os.close(stream)
    # What Python knows of the streams that the server began with, as whether they can be sought, is not true of these.
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["nncli", *words]
    code = 1
    try:
        import_module("nncli.cli.app").main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code]))
    return code


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))

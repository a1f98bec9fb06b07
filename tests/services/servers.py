"""Database servers in temporary folders, on free ports of loopback, ended by their own process ids."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "learner", "tell-nobody-7"
DATABASE = "shop"
SECONDS_TO_START, SECONDS_TO_STOP = 60, 20


@dataclass(frozen=True)
class Server:
    """A running server. `url` has user and password, `public_url` has not."""

    process: subprocess.Popen[bytes]
    scheme: str
    port: int

    @property
    def url(self) -> str:
        return f"{self.scheme}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def public_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{DATABASE}"

    def kill(self) -> None:
        """End the server at once, as a crash would, with all connections."""
        if self.process.poll() is None:
            # The processes of connections end themselves when they notice that the first one is gone.
            self.process.kill()
            self.process.wait(SECONDS_TO_STOP)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _find(program: str) -> str:
    """The path of a program, or skip the test."""
    folders = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    result = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *folders]))
    if result is None:
        pytest.skip(f"{program} is not installed")
    return result


def _other_user(name: str) -> dict[str, object]:
    """The arguments that let a program run as a user of the system, if this is root, whom servers refuse."""
    return {"user": name, "group": name, "extra_groups": []} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}


@contextmanager
def _folder(owner: str) -> Iterator[Path]:
    """A temporary folder that a server may write to; its path is short, as that of a socket must be."""
    with tempfile.TemporaryDirectory(prefix="nncli-", dir="/tmp", ignore_cleanup_errors=True) as name:
        if _other_user(owner):
            shutil.chown(name, owner, owner)
        yield Path(name)


def _run(command: Sequence[str], owner: str) -> None:
    subprocess.run(command, check=True, capture_output=True, **_other_user(owner))  # type: ignore[call-overload]


@contextmanager
def _serve(command: Sequence[str], owner: str, log: Path, scheme: str, port: int) -> Iterator[Server]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **_other_user(owner))  # type: ignore[call-overload]
    try:
        yield Server(process, scheme, port)
    finally:
        # SIGTERM to PostgreSQL waits for connections, which tests of interrupted commands may leave; SIGINT does not.
        process.send_signal(2 if scheme == "postgresql" else 15)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait(server: Server, log: Path, is_ready: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while not is_ready():
        if server.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL cluster with one database, whose users need their password."""
    initdb, postgres, psql = _find("initdb"), _find("postgres"), _find("psql")
    with _folder("postgres") as folder:
        data, log, password = folder / "data", folder / "log", folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        _run(
            [
                initdb,
                "-D",
                str(data),
                "-U",
                USER,
                "-A",
                "scram-sha-256",
                f"--pwfile={password}",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
            ],
            "postgres",
        )
        port = free_port()
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with _serve(
            [postgres, "-D", str(data), "-p", str(port), *options], "postgres", log, "postgresql", port
        ) as server:
            first_url = server.url.removesuffix(DATABASE) + "postgres"
            command = [psql, first_url, "-qc", f"CREATE DATABASE {DATABASE}"]
            _wait(server, log, lambda: subprocess.run(command, capture_output=True).returncode == 0)
            yield server


@contextmanager
def mysql_server() -> Iterator[Server]:
    """A MariaDB server with one database and a user with a password."""
    import pymysql

    install, mariadbd = _find("mariadb-install-db"), _find("mariadbd")
    with _folder("mysql") as folder:
        data, log, port = folder / "data", folder / "log", free_port()
        user = ["--user=mysql"] if _other_user("mysql") else []
        _run(
            [
                install,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                *user,
            ],
            "mysql",
        )
        options = [
            f"--datadir={data}",
            f"--port={port}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
        ]
        settings = ["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", *user]
        with _serve([mariadbd, "--no-defaults", *options, *settings], "mysql", log, "mysql", port) as server:
            # Not by trying to connect: PyMySQL leaves the socket of a failed connection open.
            _wait(server, log, lambda: b"ready for connections" in log.read_bytes())
            with pymysql.connect(unix_socket=str(folder / "socket"), user="root") as root, root.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
                cursor.execute(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'")
                cursor.execute(f"GRANT ALL ON *.* TO '{USER}'@'%'")
            yield server


def run_sql(url: str, *statements: str) -> None:
    """Send statements to a server, in one transaction if it has them."""
    if url.startswith("postgresql"):
        import adbc_driver_manager
        import adbc_driver_postgresql

        with adbc_driver_postgresql.connect(url) as database, adbc_driver_manager.AdbcConnection(database) as adbc:
            for statement in statements:
                with adbc_driver_manager.AdbcStatement(adbc) as sender:
                    sender.set_sql_query(statement)
                    sender.execute_update()
        return
    from urllib.parse import urlsplit

    import pymysql

    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    with (
        pymysql.connect(
            host=parts.hostname,
            port=parts.port,
            user=parts.username,
            password=parts.password or "",
            database=parts.path[1:],
            autocommit=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)

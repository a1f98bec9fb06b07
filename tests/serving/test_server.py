"""The process: it starts, loads and stops by signals, and ends with the right code and without a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nncli.serving.models.served_model import ServedModel
from tests.cli.support import COMMAND, ROOT, Process, with_own_terminal
from tests.serving.logged_process import ServerProcess, answer_of, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


@pytest.fixture(scope="session")
def row(models: Mapping[str, ServedModel]) -> dict[str, Any]:
    """A row that the run `number` can predict."""
    return {feature.name: feature.example for feature in models["number"].schema.features}


@pytest.fixture
def run(runs: Mapping[str, Path], tmp_path: Path) -> Path:
    """A copy of the run `number`."""
    return shutil.copytree(runs["number"], tmp_path / "run")


def prediction(server: ServerProcess, row: dict[str, Any]) -> tuple[float, str]:
    answer = server.predict(row)
    version = answer.headers["x-model-version"]
    return json.loads(answer.body)["prediction"], version


def assert_no_traceback(server: ServerProcess) -> None:
    assert not [line for line in server.lines if "Traceback" in line or "internal error" in line], server.lines


BUSY = """
import sys, time
from nncli.serving.models.served_model import ServedModel
from nncli.cli.app import main
predict = ServedModel.predict
def busy(*arguments, **named):
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        pass
    return predict(*arguments, **named)
ServedModel.predict = busy
sys.argv[1:1] = ["serve"]
main()
"""
HEADER = b"x,rate,count,price,size,color,flag,day,note\n"
SLOW_BODIES = {
    "digits": HEADER + b"1,0.1,5,$3,1,red,true,2020-01-01," + b"1" * 4_000_000 + b"x\n",
    "numbers": HEADER + b"1,0.1,5,$3,1,red,true,2020-01-01," + b"12.5;" * 800_000 + b"\n",
    "blanks": HEADER + b"1,0.1,5," + b" " * 4_000_000 + b"x,1,red,true,2020-01-01,n\n",
    "quotes": HEADER + b'"1"x,0.1,5,$3,1,red,true,2020-01-01,"n\n' * 9_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["busy", *SLOW_BODIES])
def test_health_and_a_signal_are_answered_while_a_request_computes(
    runs: Mapping[str, Path], row: dict[str, Any], name: str
) -> None:
    with running(runs["number"], "--port", "0", program=BUSY if name == "busy" else None) as server:
        kept, health = server.connection(), server.connection()
        kind = "application/json" if name == "busy" else "text/csv"
        kept.request("POST", "/predict", SLOW_BODIES.get(name, json.dumps(row)), {"Content-Type": kind})
        waits = []
        for _ in range(20):
            start = time.monotonic()
            health.request("GET", "/health/live")
            assert answer_of(health).status == 200
            waits.append(time.monotonic() - start)
            time.sleep(0.02)
        health.close()
        start = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait_for("stopping")
        waits.append(time.monotonic() - start)
        assert answer_of(kept).status in (200, 400, 422)
        kept.close()
        assert server.wait() == 0
        assert max(waits) < 1.0
        assert_no_traceback(server)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_success_once_all_is_answered(
    runs: Mapping[str, Path], row: dict[str, Any], number: int
) -> None:
    with running(runs["number"], "--port", "0") as server:
        kept, half = server.connection(), socket.create_connection(("127.0.0.1", server.port))
        assert server.predict(row, kept).status == 200
        body = json.dumps(row).encode()
        request = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        half.sendall(request[:-5])
        time.sleep(0.05)
        server.signal(number)
        server.wait_for("stopping")
        kept.request("GET", "/health/ready")
        assert answer_of(kept).status == 503
        kept.close()
        time.sleep(0.4)
        half.sendall(request[-5:])
        with half.makefile("rb") as file:
            answered = file.read()
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answered.lower()
        half.close()
        assert server.wait() == 0
        assert_no_traceback(server)


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(runs: Mapping[str, Path]) -> None:
    with running(runs["number"], "--port", "0") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as waiting:
            waiting.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\n")
            time.sleep(0.1)
            server.signal(signal.SIGTERM)
            server.signal(signal.SIGTERM)  # as `timeout` does, for the process and for its group
            time.sleep(0.8)
            assert server.process.poll() is None
            server.signal(signal.SIGTERM)
            assert server.wait() == 128 + signal.SIGTERM
        assert_no_traceback(server)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, None)])
def test_a_signal_while_the_models_are_loaded(runs: Mapping[str, Path], number: int, code: int | None) -> None:
    """SIGTERM ends the process without a traceback, and SIGHUP does nothing."""
    program = (
        "import os, sys; import nncli.serving.server as server; load = server.ModelSlot.load\n"
        f"def signaled(*words): os.kill(os.getpid(), {int(number)}); return load(*words)\n"
        "server.ModelSlot.load = signaled; sys.argv = ['nncli', 'serve', *sys.argv[1:]]\n"
        "from nncli.cli.app import main; main()"
    )
    with running(runs["number"], "--port", "0", program=program) as server:
        assert (server.wait() == code) if code else (server.port and server.stop() == 0)
        assert_no_traceback(server)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no terminals")
def test_a_server_whose_terminal_is_closed_stops(runs: Mapping[str, Path]) -> None:
    outside, inside = os.openpty()
    command = with_own_terminal(*COMMAND, "serve", str(runs["number"]), "--port", "0")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Process(
        command, env=environment, start_new_session=True, stdin=inside, stdout=inside, stderr=inside
    ) as process:
        os.close(inside)
        text = b""
        while b"listening on" not in text:
            text += os.read(outside, 1000)
        process.send_signal(signal.SIGHUP)
        while b"has not changed" not in text:
            text += os.read(outside, 1000)
        os.close(outside)
        assert process.wait(30) == 0


@pytest.mark.slow
def test_a_request_that_never_arrives_does_not_keep_it(runs: Mapping[str, Path]) -> None:
    with running(runs["number"], "--port", "0", "--timeout", "1s") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as waiting:
            waiting.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
            time.sleep(0.1)
            assert server.stop() == 0
        assert_no_traceback(server)


@pytest.mark.slow
def test_sighup_loads_the_run_that_is_there_now(run: Path, runs: Mapping[str, Path], row: dict[str, Any]) -> None:
    with running(run, "--port", "0") as server:
        before = prediction(server, row)
        shutil.rmtree(run)
        shutil.copytree(runs["quantiles"], run)
        server.signal(signal.SIGHUP)
        server.wait_for("replaces")
        answer = server.predict(row)
        assert answer.status == 200
        assert answer.headers["x-model-version"] != before[1]
        assert server.stop() == 0
        assert_no_traceback(server)


@pytest.mark.slow
def test_sighup_reads_the_token_again(runs: Mapping[str, Path], tmp_path: Path) -> None:
    first, second = "first-token-of-the-server", "second-token-of-the-server"
    file = tmp_path / "token"
    file.write_text(first)
    file.chmod(0o600)

    def statuses(server: ServerProcess) -> list[int]:
        result = []
        for token in (first, second):
            with closing(server.connection()) as connection:
                connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
                result.append(answer_of(connection).status)
        return result

    with running(runs["number"], "--port", "0", "--token-file", file) as server:
        assert statuses(server) == [200, 401]
        file.write_text(second)
        server.signal(signal.SIGHUP)
        server.wait_for("the token was read again")
        assert statuses(server) == [401, 200]
        file.write_text("")
        server.signal(signal.SIGHUP)
        server.wait_for("the token stays as it was")
        assert statuses(server) == [401, 200]
        assert server.stop() == 0
        assert_no_traceback(server)
        assert not any(token in line for line in server.lines for token in (first, second))


@pytest.mark.slow
def test_a_run_that_is_damaged_while_it_is_served_changes_nothing(run: Path, row: dict[str, Any]) -> None:
    with running(run, "--port", "0") as server:
        before = prediction(server, row)
        for file in (run / "members/1/model.safetensors", run / "manifest.json"):
            file.write_bytes(file.read_bytes()[:50])
            server.signal(signal.SIGHUP)
            server.wait_for(f"stays: {file}")
            assert prediction(server, row) == before
        shutil.rmtree(run)
        time.sleep(0.1)
        assert prediction(server, row) == before
        assert server.stop() == 0
        assert_no_traceback(server)


@pytest.mark.slow
def test_after_sigkill_it_starts_again_on_the_same_port_at_once(runs: Mapping[str, Path], row: dict[str, Any]) -> None:
    with running(runs["number"], "--port", "0") as server:
        before, port = prediction(server, row), server.port
        with closing(server.connection()) as kept:
            assert server.predict(row, kept).status == 200
            server.signal(signal.SIGKILL)
            server.wait()
        with running(runs["number"], "--port", str(port)) as again:
            assert prediction(again, row) == before
            assert again.port == port


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="ports cannot be shared here")
def test_a_second_server_takes_over_the_port(runs: Mapping[str, Path], row: dict[str, Any]) -> None:
    with running(runs["number"], "--port", "0", "--reuse-port") as first:
        before = prediction(first, row)
        with running(runs["number"], "--port", str(first.port), "--reuse-port") as second:
            assert second.port == first.port
            assert first.stop() == 0
            assert prediction(second, row) == before


@pytest.mark.slow
def test_errors_at_the_start_are_one_message_with_their_code(runs: Mapping[str, Path], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, code in (
            ((runs["number"], "--port", port), 2),
            ((runs["number"], "--host", "no-such-host.invalid"), 2),
            ((tmp_path / "missing", "--port", "0"), 5),
        ):
            with running(*words) as server:
                assert server.wait() == code
                assert [line[:7] for line in server.lines if not line.startswith((" ", "note: "))] == ["nncli: "], (
                    server.lines
                )


PANICKING = r"""
import os
from nncli.cli.app import main
from nncli.serving.models.served_model import ServedModel

predict = ServedModel.predict

def failing(self, *arguments):
    os.write(2, b"thread '<unnamed>' (1) panicked at crates/polars/src/lib.rs:1:1:\na secret cell\n")
    return predict(self, *arguments)

ServedModel.predict = failing
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the descriptor is redirected on POSIX alone")
def test_the_log_of_json_stays_json_when_a_library_writes_to_stderr(
    runs: Mapping[str, Path], row: dict[str, Any]
) -> None:
    with running("serve", runs["number"], "--port", "0", "--access-log", program=PANICKING) as server:
        assert server.predict(row).status == 200
        server.wait_for("a library reports an error of its own")
        assert server.predict(row).status == 200
        assert server.stop() == 0
        assert {json.loads(line)["level"] for line in server.lines if "library" in line} == {"warning"}
        assert all(json.loads(line) for line in server.lines)

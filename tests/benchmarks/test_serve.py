"""The benchmark of the server: what it counts and what it sends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from serve_clients import WRK, Connection, Post, latencies, wrk
from serve_reports import percentile
from serve_servers import echo_server
from tests.benchmarks.test_scripts import ROOT

POST = Post("/predict", '{"t": "\\n%PATH% \U0001f600"}'.encode())


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([], 0.5) == 0.0


def test_a_server_is_started_asked_and_ended() -> None:
    with echo_server(POST) as server:
        with Connection(server.port) as connection:
            answer = connection.post(POST)
            assert (answer.status, answer.body) == (200, b'{"prediction": 1.0}')
        assert len(latencies(server.port, [POST], 0.01)) >= 10
        assert server.process.poll() is None
    assert server.process.poll() is not None


@pytest.mark.skipif(WRK is None, reason="wrk is not installed")
def test_wrk_sends_any_body_whole() -> None:
    with echo_server(POST) as server:
        load = wrk(server.port, [POST, Post("/predict", b"\x00\xff\r\n")], 2, 1.0)
    assert load.requests > 0
    assert (load.refused, load.failed) == (0, 0)


def test_the_options_are_explained() -> None:
    script = ROOT / "benchmarks" / "serve.py"
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=True)
    assert "--peers-python" in done.stdout
